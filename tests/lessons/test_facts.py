"""What lessons say is what the shipped runs show, number by number; a lesson that they contradict is refused."""

import dataclasses
import math

import numpy as np
import pytest

from boundlab.analysis.guarantees import guarantees
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.errors import LessonError
from boundlab.lessons.expressions import IDENTIFIER, amount, filled_in, holds, read_check, read_expression
from boundlab.lessons.facts import amounts, shown_text
from boundlab.lessons.lesson import Quantity
from boundlab.lessons.library import library
from boundlab.specs.settings import Settings

STEPS = [(lesson, step) for lesson in library().lessons.values() for step in lesson.steps]


def of(series, **where):
    return Quantity(series, {name: str(value) for name, value in where.items()}, 7)


def one(quantity, runs):
    step = dataclasses.replace(STEPS[0][1], quantities={"it": quantity})
    return amounts(step, runs)["it"]


def test_seven_lessons_ship_and_each_claims_something():
    assert len(library().lessons) == 7
    assert not library().wrong
    for lesson, step in STEPS:
        assert step.checks, f"{lesson.name}, step {step.title}: nothing of it is held against the runs"


@pytest.mark.parametrize(("lesson", "step"), STEPS, ids=lambda x: getattr(x, "name", None) or getattr(x, "title", ""))
def test_the_runs_bear_out_every_step(lesson, step, whole_pack):
    text, values = shown_text(step, whole_pack)
    assert "{" not in text
    assert len(text.split()) <= 60
    for check in step.checks:
        assert holds(check, values)
        against = dataclasses.replace(step, checks=(dataclasses.replace(check, left=check.right, right=check.left),))
        if amount(check.left, values) != amount(check.right, values):
            with pytest.raises(LessonError, match=rf"line {check.line}: "):
                shown_text(against, whole_pack)


@pytest.mark.parametrize(("lesson", "step"), STEPS, ids=lambda x: getattr(x, "name", None) or getattr(x, "title", ""))
def test_every_check_notices_when_the_number_it_is_about_changes(lesson, step, whole_pack):
    """Each quantity, a thousand times as large or as small, contradicts one of them or is a number that is only told."""
    values = amounts(step, whole_pack)
    for check in step.checks:
        names = [term.name for term in (*check.left, *check.right) if isinstance(term.name, str)]
        changed = [{**values, name: value} for name in names for value in (values[name] * 1000, values[name] / 1000)]
        assert not all(holds(check, them) for them in changed), check.text


@pytest.mark.parametrize(
    ("quantity", "bound", "convention"),
    [
        (of("sparse", dataset="mnist", recipe="short", layers=3, channels=16, wd=0.004), "sparse", "published"),
        (
            of("doubled", dataset="mnist", recipe="short", layers=3, channels=8, wd=0.001, convention="strict"),
            "doubled",
            "strict",
        ),
        (
            of("golowich", dataset="digits", recipe="long", wd=1e-05, label_noise=0.4, n_train=1437),
            "golowich",
            "published",
        ),
    ],
)
def test_a_quantity_is_the_mean_over_the_seeds_of_the_last_record(quantity, bound, convention, whole_pack):
    where = {k: v for k, v in quantity.where.items() if k not in ("convention", "recipe")}
    found = []
    for run in whole_pack:
        arch, train = run.spec.arch, run.spec.train
        facts = {
            "dataset": train.dataset,
            "layers": arch.conv_layers,
            "channels": arch.channels,
            "wd": train.weight_decay,
        }
        facts |= {"label_noise": train.label_noise, "n_train": run.sample.n}
        plain = arch.uniform and arch.kernel_size == 2 and arch.stride == 1 and train.preset in ("short", "long")
        usual = (
            train.preset == quantity.where["recipe"] and train.epochs in (5, None) if train.preset == "short" else True
        )
        if (
            plain
            and usual
            and all(str(facts[k]) == v or (k != "dataset" and float(facts[k]) == float(v)) for k, v in where.items())
        ):
            last = run.norms(run.epochs.iloc[-1:])
            found.append(float(evaluate(BY_KEY[bound], last, run.sample, Settings(convention)).value[0]))
    assert len(found) == 3
    assert one(quantity, whole_pack) == pytest.approx(np.mean(found), rel=1e-12)


def test_a_promise_is_the_one_of_page_certificates(whole_pack):
    quantity = of("promise_holdout", dataset="mnist", recipe="short", layers=3, channels=16, wd=0.004, seed=0)
    run = next(
        r for r in whole_pack if r.id.startswith("mnist-conv-3-16-wd0.004-s0-") and r.spec.train.preset == "short"
    )
    (made,) = [g for g in guarantees(run, run.epochs.iloc[-1:], 0.001) if g.kind == "holdout"]
    assert one(quantity, whole_pack) == made.limit


def test_what_is_not_there_and_what_is_not_singled_out_is_refused(whole_pack):
    with pytest.raises(LessonError, match="line 7: there is no run with dataset=mnist channels=17"):
        one(of("sparse", dataset="mnist", channels=17), whole_pack)
    with pytest.raises(LessonError, match=r"line 7: dataset=mnist is true of \d+ kinds of networks"):
        one(of("sparse", dataset="mnist"), whole_pack)
    with pytest.raises(LessonError, match="promise_pac_bayes_learnt has no value"):
        one(
            of("promise_pac_bayes_learnt", dataset="mnist", recipe="short", layers=3, channels=64, wd=0.004, seed=1),
            whole_pack,
        )


def test_expressions_are_products_and_quotients_from_left_to_right():
    values = {"a": 12.0, "b": 3.0, "zero": 0.0}
    for text, result in (("a / b", 4), ("2 * a / b", 8), ("a / b / 2", 2), ("1e2*b", 300), ("0.5 * a", 6)):
        assert amount(read_expression(text), values) == result
    assert math.isnan(amount(read_expression("a / zero"), values))
    assert not holds(read_check("a / zero > 1", 1), values)
    for text, so in (("a > 3 * b", True), ("a >= 4 * b", True), ("a < 4 * b", False), ("a <= 4 * b", True)):
        assert holds(read_check(text, 1), values) is so
    for wrong in ("", "a b", "a ** b", "a + b", "a()", "a.b", "-a", "a / ", "1e999"):
        with pytest.raises(ValueError, match="a name or a number"):
            read_expression(wrong)
    assert IDENTIFIER.fullmatch("a1_b")


def test_numbers_are_written_as_asked():
    values = {"a": 0.06117, "b": 2.0}
    text = "{a} {a:percent} {a:of100} {a:at_most} {b/a:times} {b/a:fold}"
    assert filled_in(text, values) == "0.0612 6.12 % 6.1 6.2 33 33-fold"
