"""The axis of page Start: what is drawn where, what moves, and the sentence that changes when a promise crosses 100."""

import dataclasses
import math
import re

import pytest

from boundlab.analysis.guarantees import Guarantee
from boundlab.analysis.promises import Line, Promised, drawn_lines, promised
from boundlab.charts.promises import Guess, Row, guess_figure, promise_film
from boundlab.text import at_most_of_hundred, factor, of_hundred
from boundlab.words.promises import promise_verdict, rows

ITSELF, NOISY = "the network itself", "a noisy version of the network: fresh noise"


def row(key, *values, older=False, itself=True):
    return Row(key, key, "note", values, tuple(f"hover {v}" for v in values), older, itself)


def trace(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


@pytest.fixture(scope="module")
def networks(whole_pack):
    return promised([run for run in whole_pack if re.match(r"mnist-conv-3-16-wd[\d.]+-s0-", run.id)], 0.001)


def with_made(network, **limits):
    """The same with only these guarantees: title -> (about, limit)."""
    made = tuple(
        Guarantee(f"kind_{i}", title.replace("_", " "), *given) for i, (title, given) in enumerate(limits.items())
    )
    return dataclasses.replace(network, made=made, test_error=0.0409)


def test_a_promise_ends_where_it_is_and_beyond_100_is_an_arrow_with_its_factor():
    film = promise_film(
        [row("holdout", 0.0484, 0.03), row("theorem_s2", 2.29, 0.51), row("golowich", 4e5, 3e5, older=True)],
        [0.04, 0.02],
        None,
        False,
    )
    first, second = film.at(0).figure, film.at(1).figure
    assert [first.data[i].x for i in (0, 2, 4)] == [(0.0, 4.84), (None, None), (None, None)]
    assert [first.data[i].x[1] for i in (3, 5)] == [104.0, 104.0]
    assert trace(first, "promises").text == (" at most 4.9 ", "", "")
    assert trace(first, "too large").text == ("", "2.3 × 100", "400,000 × 100")
    assert trace(second, "promises").text == (" at most 3 ", " at most 51 ", "")
    assert trace(second, "says nothing").x == (None, None, 104.0)
    assert second.data[2].x == (0.0, 51.0)
    assert trace(first, "truth").x == (4.0, 4.0, None) * 3
    assert trace(second, "truth, in words").text == ("truth: 2",)


def test_the_truth_is_marked_on_what_is_about_this_network_alone(networks):
    film = promise_film([row("theorem_d", 0.3, itself=False), row("holdout", 0.05)], [0.04], None, False)
    found = trace(film.at(0).figure, "truth")
    assert found.x == (4.0, 4.0, None)
    assert all(y is None or y < 0.5 for y in found.y)
    made = {row.note: row.itself for row in rows(drawn_lines(networks, True), networks)}
    assert made["noisy copy of this"] is made["rounded copy of this"] is False
    names = {row.name: row.note for row in rows(drawn_lines(networks, True), networks)}
    assert names["PAC-Bayes, fixed prior"] == "noisy copy of this"
    alone = {row.name: row.note for row in rows(drawn_lines(networks, False), networks)}
    assert alone["PAC-Bayes"] == "noisy copy of this, fixed prior"
    assert made["kept back"] is made["this network"] is made["older bound"] is True


def test_a_frame_is_what_the_figure_drawn_at_that_position_shows(networks):
    film = promise_film(
        rows(drawn_lines(networks, True), networks), [n.test_error for n in networks], Guess(3, 40), True
    )
    picture = film.at(0)
    assert len(picture.frames) == len(networks)
    for at, frame in enumerate(picture.frames):
        there = film.at(at).figure
        for number, part in zip(picture.moving, frame, strict=True):
            for name, value in part.items():
                assert tuple(there.data[number][name]) == tuple(value)
    assert film.at(0).stamp == film.at(3).stamp


def test_a_missing_number_draws_nothing():
    figure = promise_film([row("pac_bayes_fixed", None)], [0.04], None, False).at().figure
    assert figure.data[0].x == figure.data[1].x == (None, None)
    assert (trace(figure, "promises").text, trace(figure, "too large").text) == (("",), ("",))


def test_a_long_bar_has_its_number_on_the_left_within_the_axis():
    figure = promise_film([row("a", 0.98), row("b", 0.2)], [0.04], None, False).at().figure
    assert trace(figure, "promises").textposition == ("middle left", "middle right")


def test_the_guess_is_drawn_the_way_truth_and_promises_are():
    for figure in (
        guess_figure(Guess(7, 60), False),
        promise_film([row("a", 0.1)], [0.04], Guess(7, 60), False).at().figure,
    ):
        mine = [trace for trace in figure.data if trace.name == "your guess"]
        assert [tuple(trace.x) for trace in mine] == [(0, 60), (60,), (7, 7)]
    assert figure.layout.height > guess_figure(Guess(7, 60), False).layout.height


@pytest.mark.parametrize(
    ("value", "most", "around"),
    [
        (0.26398, "26.4", "26.4"),
        (0.0409, "4.1", "4.1"),
        (0.04901, "5", "4.9"),
        (0.3, "30", "30"),
        (0.99999, "100", "100"),
        (0.0, "0", "0"),
    ],
)
def test_of_100_an_upper_limit_is_rounded_up(value, most, around):
    assert (at_most_of_hundred(value), of_hundred(value)) == (most, around)
    assert float(most) >= 100 * value


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.39, "1.4"),
        (2.29, "2.3"),
        (1.04, "1.04"),
        (42_123, "42,000"),
        (400_976, "400,000"),
        (3.7e6, "3.7 million"),
        (999_999, "1 million"),
        (5e9, "5 billion"),
        (math.inf, "infinite"),
    ],
)
def test_how_many_times_too_large(ratio, words):
    assert factor(ratio) == words


def test_the_verdict_changes_when_a_promise_crosses_100(networks):
    above = promise_verdict(with_made(networks[0], Theorem_S2=(ITSELF, "", 1.04)))
    below = promise_verdict(with_made(networks[0], Theorem_S2=(ITSELF, "", 0.9631)))
    assert above == (
        "From the training images alone, theory promises nothing (Theorem S2 is 1.04 times too large). The truth is **4.1**. Only a test tells."
    )
    assert (
        below
        == "From the training images alone, theory promises at most **96.4** wrong of 100. The truth is **4.1**. The older bounds say nothing."
    )


def test_a_promise_about_the_network_itself_is_quoted_before_a_smaller_one_about_a_noisy_copy(networks):
    both = {"PAC-Bayes": (NOISY, "", 0.264), "Theorem_D2": (ITSELF, "", 0.34)}
    itself = promise_verdict(with_made(networks[0], **both))
    assert "at most **34** wrong of 100, 26.4 for a noisy copy. The truth is **4.1**." in itself
    noisy = promise_verdict(with_made(networks[0], **both | {"Theorem_D2": (ITSELF, "", 2.29)}))
    assert (
        "at most **26.4** wrong of 100 for a noisy copy, and nothing for the network itself (Theorem D2 is 2.3 times too large)"
        in noisy
    )
    rounded = {"Theorem_D2": ("the network with rounded hidden weights: 9 bits", "", 0.31)}
    coded = promise_verdict(with_made(networks[0], **both | rounded))
    words = "at most **31** wrong of 100 for a copy with rounded weights, 26.4 for a noisy copy, nothing for the network itself (errs on **4.1**)."
    assert coded.endswith(words)
    assert "noisy" not in promise_verdict(with_made(networks[0], **both | rounded | {"PAC-Bayes": (NOISY, "", 0.32)}))
    other = promise_verdict(with_made(networks[0], Learnt=("a noisy version of a network trained alike", "", 0.05)))
    assert "for a noisy copy of another network, and nothing for the network itself" in other


def test_the_picture_is_about_one_network_along_lambda(networks):
    """One of them has a certificate of a network that was made of it: another network, not drawn here."""
    assert any(one.trained for network in networks for one in network.run.coded)
    coded = [next(g for g in network.made if g.kind == "theorem_d") for network in networks]
    assert all(one.about.startswith("the network with rounded") for one in coded)
    for network, one in zip(networks, coded, strict=True):
        words = promise_verdict(network)
        assert f"for a copy with rounded weights (errs on **{of_hundred(one.measured)}**), " in words
        assert words.endswith(
            f" for a noisy copy, nothing for the network itself (errs on **{of_hundred(network.test_error)}**)."
        )


def test_where_nothing_promises_anything_what_was_not_computed_is_named(networks):
    reason = "not computed for this network (`boundlab certify`, outside the dashboard)"
    titles = ("Theorem D", "PAC-Bayes, fixed prior", "PAC-Bayes, learnt prior")
    unknown = tuple(Guarantee("", title, NOISY, "", None, reason=reason) for title in titles)
    vacuous = Guarantee("theorem_s2", "Theorem S2", ITSELF, "", 2.29)
    words = promise_verdict(dataclasses.replace(networks[0], made=(vacuous, *unknown), test_error=0.0409))
    assert words == (
        "From the training images alone, theory promises nothing (Theorem S2 is 2.3 times too large). The truth is **4.1**. "
        "Theorem D and PAC-Bayes were not computed for it."
    )
    words = promise_verdict(dataclasses.replace(networks[0], made=(vacuous, unknown[0]), test_error=0.0409))
    assert words.endswith("Theorem D was not computed for it.")
    biased = Guarantee("theorem_s", "Theorem S", ITSELF, "", None, reason="it has biases")
    words = promise_verdict(dataclasses.replace(networks[0], made=(vacuous, biased), test_error=0.0409))
    assert words.endswith("Only a test tells.")


def test_a_test_is_no_promise_from_the_training_images(networks):
    test = Guarantee("holdout", "Hold-out", ITSELF, "10,000 test images", 0.0484)
    words = promise_verdict(dataclasses.replace(networks[0], made=(test,), test_error=0.0409))
    assert words == "From the training images alone, theory promises nothing. The truth is **4.1**. Only a test tells."


def test_of_variants_the_best_is_drawn_unless_all_are_asked_for(networks):
    few, every = drawn_lines(networks, False), drawn_lines(networks, True)
    keys = [line.key for line in few]
    assert {"holdout", "pac_bayes_fixed", "theorem_s2"} <= set(keys)
    assert not {"pac_bayes_learnt", "theorem_s"} & set(keys)
    assert sum(line.guarantee is None for line in few) == 2
    assert {line.key for line in few} < {line.key for line in every}
    assert {guarantee.kind for guarantee in networks[0].made} <= {line.key for line in every}
    for line in every:
        if line.guarantee is None:
            assert all(value is not None and value >= 1 for value in line.values)


def test_a_guarantee_of_a_new_kind_is_drawn_too(networks):
    fresh = Guarantee(
        "coded", "Theorem X", "the network itself, rounded", "60,000 training images; no test image", 0.34
    )
    more: list[Promised] = [dataclasses.replace(network, made=(*network.made, fresh)) for network in networks]
    (line,) = (line for line in drawn_lines(more, False) if line.key == "coded")
    assert line == Line("coded", (0.34,) * len(networks), fresh)
    (drawn,) = (row for row in rows([line], more))
    assert (drawn.name, drawn.note) == ("Theorem X", "the network itself, rounded")
    assert drawn.colour(False) != drawn.colour(True)
