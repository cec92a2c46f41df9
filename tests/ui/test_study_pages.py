"""Anatomy, certificates and theory from a cold deep link: every view opens, and says what the core says."""

import json
import re

import numpy as np
import pytest

from boundlab.analysis.anatomy import anatomy
from boundlab.analysis.guarantees import THEOREMS, along_the_weights, guarantees
from boundlab.analysis.margin_tradeoff import LEVELS, over_epochs, trade_off
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.charts.theme import STYLES
from boundlab.quantities.norms import MARGIN_GRID
from boundlab.specs.presets import PRESETS
from boundlab.specs.recipes import figured
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import readable
from boundlab.ui.network_choice import task_title
from boundlab.ui.page import PAGES
from boundlab.ui.pages.anatomy.sides import MODES
from boundlab.ui.pages.theory.page import SECTIONS
from boundlab.words.figures import MEANINGS
from boundlab.words.guarantees import WINDOW, at_most
from tests.ui.test_pages import numbers, open_link

STUDY = [page for page in PAGES if page.key in ("anatomy", "certificates", "theory")]
ANATOMY, CERTIFICATES, THEORY = STUDY
OPENED = {
    "certificates": {"full": "true"},
    "theory": {"filled": "true"},
}  # the folds that say which network the page is about
COMPARE = next(page for page in PAGES if page.key == "compare")


def shipped(pack, **wanted):
    """The figures' run of CONV-3-16 on MNIST at weight decay 0.004, seed 0, unless asked otherwise."""
    asked = {"dataset": "mnist", "conv_layers": 3, "channels": 16, "weight_decay": 0.004, "seed": 0} | wanted
    for run in pack:
        about = {**run.spec.to_dict(), **run.spec.arch.to_dict()}
        if PRESETS[run.spec.train.preset].figures and all(about[name] == value for name, value in asked.items()):
            return run
    raise AssertionError(f"not shipped: {asked}")


def figures(app):
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def words(app):
    return " ".join(m.value for m in app.markdown)


@pytest.mark.parametrize("page", STUDY, ids=lambda p: p.key)
def test_a_page_opens_without_a_warning(page):
    app = open_link(page, **OPENED.get(page.key, {}))
    assert not app.exception
    assert not app.warning
    assert app.caption


@pytest.mark.parametrize("page", STUDY, ids=lambda p: p.key)
def test_a_bad_link_is_answered_with_a_note_and_the_default(page):
    app = open_link(page, dataset="imagenet", delta="7", colour="<b>red</b>", **OPENED.get(page.key, {}))
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    for word in ("colour", "imagenet", *(["`7`"] if "delta" in page.params else [])):
        assert word in notes
    assert "MNIST" in app.caption[0].value


@pytest.mark.parametrize("page", STUDY, ids=lambda p: p.key)
def test_empty_and_repeated_parameters(page):
    assert not open_link(page, **dict.fromkeys(page.params, "")).exception
    app = open_link(page, dataset=["mnist", "digits"])
    assert any("only one of them can be shown" in w.value for w in app.warning)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_every_view_of_the_anatomy_opens(mode, convention, dataset):
    app = open_link(ANATOMY, view=mode, convention=convention, dataset=dataset)
    assert not app.exception
    assert len(app.get("plotly_chart")) == (2 if mode == "what if" else 1)


@pytest.mark.parametrize("bound", ALL, ids=lambda b: b.key)
def test_the_anatomy_on_screen_ends_at_the_bounds_value(pack, bound):
    convention = "theorem" if "theorem" in bound.formulas else "strict"
    app = open_link(ANATOMY, view="one network", convention=convention, bound=STYLES[bound.key].name)
    run = shipped(pack)
    value = evaluate(bound, run.norms(run.epochs.iloc[-1:]), run.sample, Settings(convention))
    assert f"The bound is **{readable(float(value.value[0]))}**" in words(app)
    bars = figures(app)[0]["data"][0]
    assert len(bars["y"]["bdata"] if isinstance(bars["y"], dict) else bars["y"]) > 0
    assert len(numbers(bars["x"])) == len(anatomy(value))


@pytest.mark.parametrize("bound", ALL, ids=lambda b: b.key)
def test_the_six_bars_lead_from_1_to_the_bounds_value(pack, bound):
    convention = "theorem" if "theorem" in bound.formulas else "strict"
    app = open_link(ANATOMY, notes=False, convention=convention, bound=STYLES[bound.key].name)
    assert not app.exception
    run = shipped(pack)
    value = evaluate(bound, run.norms(run.epochs.iloc[-1:]), run.sample, Settings(convention))
    (figure,) = figures(app)
    bars = figure["data"][0]
    sizes = numbers(bars["x"])
    assert 4 <= len(sizes) <= 7  # up to six kinds of factor, and the value
    assert sum(sizes[:-1]) == pytest.approx(np.log2(float(value.complexity[0])))
    assert sizes[-1] == pytest.approx(max(np.log2(float(value.value[0])), figure["layout"]["xaxis"]["range"][0]))
    assert f"is **{readable(float(value.value[0]))}**" in words(app)


def test_a_second_network_lies_beside_the_first_on_request():
    app = open_link(ANATOMY, notes=False)
    assert len([t for t in figures(app)[0]["data"] if t["type"] == "bar"]) == 1
    assert not any(s.key == "wd2" for s in app.select_slider)
    app.toggle(key="second").set_value(True).run()
    assert not app.exception
    assert app.query_params["second"] == "true"
    bars = [t for t in figures(app)[0]["data"] if t["type"] == "bar"]
    assert [bar["name"] for bar in bars] == ["first network", "second network"]
    assert "**solid**: CONV-3-16 · MNIST · λ = 0.004" in app.caption[0].value
    assert "what moves most: **weights**" in words(app)
    again = open_link(ANATOMY, notes=False, second="true", wd2="0.002", layers2="5")
    assert not again.warning
    assert "**hatched**: CONV-5-16 · MNIST · λ = 0.002" in again.caption[0].value


@pytest.mark.parametrize("old", [{"merge": "true"}, {"layers": "5", "bound": "Golowich 2018"}, {"epoch": "3"}], ids=str)
def test_links_from_before_there_were_six_bars_open(old):
    app = open_link(ANATOMY, **old)
    assert not app.exception
    assert not app.warning
    assert {name: app.query_params[name] for name in old} == old


@pytest.mark.parametrize(("convention", "name"), [("theorem", "Sparse (Galanti 2023)"), ("strict", "Theorem S")])
@pytest.mark.parametrize("page", [ANATOMY, COMPARE], ids=lambda page: page.key)
def test_the_list_of_bounds_calls_them_as_the_page_does(page, convention, name):
    app = open_link(page, convention=convention, bound="Sparse (Galanti 2023)")
    offered = next(box for box in app.selectbox if box.label == "Bound")
    assert name in offered.options
    assert offered.value == "Sparse (Galanti 2023)"  # what links have carried
    assert len({"Sparse (Galanti 2023)", "Theorem S"} & set(offered.options)) == 1


def test_the_anatomy_sets_theorem_s2_beside_theorem_s(whole_pack):
    """Of a certified network, at each theorem's own best margin: both values, and the steps of the proof that differ."""
    app = open_link(ANATOMY, view="two theorems", networks="certified")
    assert not app.warning
    run = next(r for r in whole_pack if r.spec.arch.title in app.caption[0].value and r.spec.arch.stride == 4)
    run = next(r for r in whole_pack if r.spec.arch == run.spec.arch and r.spec.train.certificate_weight == 1)
    record = run.norms(run.epochs.iloc[-1:])
    values = [evaluate(BY_KEY[key], record, run.sample, Settings("strict")) for key in ("sparse", "doubled")]
    before, after = (f"{float(value.value[0]):.3g}" for value in values)
    said = words(app)
    assert f"The value goes from **{before}** to **{after}**" in said
    for factor in ("symmetrisation", "depth", "random signs"):
        assert factor in said
    assert "**solid**: Theorem S · **hatched**: Theorem S2" in app.caption[0].value


def test_two_certified_networks_side_by_side():
    app = open_link(ANATOMY, view="two networks", networks="certified", convention="strict")
    assert not app.exception
    assert "trained for its certificate" in app.caption[0].value
    assert len(app.get("plotly_chart")) == 1


def test_a_moved_slider_shows_which_factor_moved():
    app = open_link(ANATOMY, view="two networks", wd2="0.001")
    said = words(app)
    assert "Factors that move" in said
    assert "‖W‖ Frobenius output" in said
    assert "√ kernel area" not in re.search(r"Factors that move[^;]*;", said).group()
    same = open_link(ANATOMY, view="two networks", wd2="0.004")
    assert "no factor moves" in words(same)


def test_terms_are_named_with_what_they_were_and_are():
    said = words(open_link(ANATOMY, view="what if", delta="0.1", new_delta="0.0001"))
    assert re.search(r"Terms that move: confidence \(0\.0\d+ → 0\.0\d+\)", said)
    held = words(open_link(ANATOMY, view="what if", convention="strict", times="10", margin="10"))
    assert "training margin error" not in held.partition("Terms that move")[2]


def test_an_untouched_what_if_slider_follows_the_network():
    app = open_link(ANATOMY, view="what if", layers="5", convention="strict")
    assert "no factor moves" in words(app)
    assert "nothing is changed yet" in app.caption[0].value
    asked = open_link(ANATOMY, view="what if", layers="5", new_layers="3", times="4")
    assert "what if n × 4, L = 3" in asked.caption[0].value


def test_the_sentence_ranks_factors_and_not_single_layers():
    said = words(open_link(ANATOMY, convention="published", bound="Golowich 2018"))
    assert re.search(r"What makes it large: √ positions \(× 17,\d+\)", said)


def test_theory_fills_in_small_terms_of_huge_bounds(pack):
    run = shipped(pack, conv_layers=8, weight_decay=0.001)
    record = run.epochs.iloc[-1:]
    value = evaluate(BY_KEY["neyshabur"], run.norms(record), run.sample, Settings("theorem"))
    rows = anatomy(value).set_index("row")
    assert value.complexity > 1e12
    assert rows.loc["empirical", "amount"] == float(value.empirical[0]) > 0.1
    assert rows.loc["confidence", "amount"] == float(value.confidence[0])
    app = open_link(THEORY, convention="theorem", layers="8", wd="0.001", bound="Neyshabur 2015", filled="true")
    assert f"{float(value.empirical[0]):.3g}" in " ".join(latex.value for latex in app.latex)


def test_what_if_answers_refuses_and_says_what_it_holds():
    app = open_link(ANATOMY, view="what if", convention="theorem", stride="2")
    assert any("holds fixed" in i.value for i in app.info)
    assert any("without retraining" in c.value for c in app.caption)
    assert "paths" in words(app)
    impossible = open_link(ANATOMY, view="what if", padding="3")
    assert any("not possible" in w.value and "padding" in w.value for w in impossible.warning)


def test_the_certificate_panel_says_what_the_core_says(pack):
    app = open_link(CERTIFICATES, delta="0.05", channels="8", margins="true", full="true")
    run = shipped(pack, channels=8)
    made = guarantees(run, run.epochs.iloc[-1:], 0.05)
    for promise in made:
        assert f"**{promise.title}**: " + ("no number" if promise.limit is None else f"{promise.limit:.4f}") in words(
            app
        )
    assert "about a noisy version of the network" in words(app)
    assert len(figures(app)) == 3
    limits = {p.kind: p.limit for p in made}
    for kind in ("pac_bayes_fixed", "theorem_d"):
        assert f"### ≤ {at_most(limits[kind])} %" in words(app)
    assert "### nothing" in words(app)  # Theorem S2 of this network
    best = f"**at most {at_most(limits['theorem_d'])}** (network made of this one)"
    assert f"Wrong of 100: {best}" in words(app)


def test_the_story_of_promises_begins_where_most_is_promised_and_every_chapter_opens_its_network(whole_pack):
    app = open_link(CERTIFICATES)
    assert "Wrong of 100: **at most 2.3**, measured: **0.1**." in words(app)
    assert len(figures(app)) == 1
    chapter = next(g for g in app.get("button_group") if g.proto.label == "Task")
    assert chapter.options == ["0 or 1", "odd or even", "ten digits", "ten, rounded", "ten, accurate"]
    limits = []
    for title, about in (("odd or even", "02468 or 13579"), ("ten digits", "ten classes")):
        chapter.set_value(title).run()
        assert not app.exception
        assert about in next(box.value for box in app.selectbox if box.key == "task")
        chapter = next(g for g in app.get("button_group") if g.proto.label == "Task")
        assert chapter.value == title
        limits.append(float(re.search(r"at most ([\d.]+)", words(app)).group(1)))
    assert 2.3 < limits[0] < limits[1] < 100
    assert app.query_params["task"] == "MNIST, ten classes, LINEAR"
    chapter.set_value("ten, rounded").run()
    assert "Wrong of 100: **at most 11.3** (network made of this one)" in words(app)
    chapter = next(g for g in app.get("button_group") if g.proto.label == "Task")
    chapter.set_value("ten, accurate").run()
    assert app.query_params["networks"] == "figures"
    assert "### nothing" in words(app)
    slides = {slider.label for slider in app.select_slider}
    assert {"Layers L", "Channels H", "Weight decay λ"} <= slides


def test_accurate_to_certified_opens_at_the_weight_that_promises_least_error(whole_pack):
    for task in (
        "MNIST, ten classes, CONV-1-16 k4 stride 4",
        "MNIST, ten classes, LINEAR",
        "MNIST 0 or 1, CONV-1-16 k4 stride 4",
    ):
        runs = [run for run in whole_pack if run.spec.train.loss == "certificate" and task_title(run) == task]
        table = along_the_weights(runs, 0.001, "S2")
        app = open_link(CERTIFICATES, networks="certified", task=task, slope="true")
        (slider,) = (slider for slider in app.select_slider if slider.key == "weight")
        assert float(slider.value) == table.loc[table["certificate"].idxmin(), "weight"]
        assert "Theorem S2 goes from" in words(app)


@pytest.mark.parametrize("link", [{"layers": "5"}, {"dataset": "digits"}, {"wd": "0.001"}])
def test_a_link_from_before_there_was_a_story_still_leads_to_its_figures_network(link):
    app = open_link(CERTIFICATES, full="true", **link)
    assert not app.warning
    named = {"layers": "CONV-5-16", "dataset": "digits 8×8", "wd": "λ = 0.001"}
    assert named[next(iter(link))] in app.caption[0].value
    assert app.query_params == {"networks": "figures", "full": "true"} | link


def test_a_margin_in_a_link_opens_its_fold_and_stays_when_that_is_closed():
    app = open_link(CERTIFICATES, margin="1", networks="figures")
    assert next(s.value for s in app.select_slider if s.key == "margin") == "1"
    closed = open_link(CERTIFICATES, margin="1", margins="false", networks="figures")
    assert not closed.warning
    assert not [s for s in closed.select_slider if s.key == "margin"]
    assert closed.query_params["margin"] == "1"


def test_promises_share_delta(pack):
    run = shipped(pack, channels=8)
    made = {p.kind: p for p in guarantees(run, run.epochs.iloc[-1:], 0.03)}
    having = [p for p in made.values() if p.limit is not None]
    alone = evaluate(
        BY_KEY["sparse"], run.norms(run.epochs.iloc[-1:]), run.sample, Settings("strict", 0.03 / len(having))
    )
    assert made["theorem_s"].limit == pytest.approx(float(alone.value[0]))
    (stored,) = [c for c in run.certificates if c.prior == "fixed"]
    assert made["pac_bayes_fixed"].limit == stored.value(0.03 / len(having))
    assert made["pac_bayes_learnt"].reason
    early = {p.kind: p for p in guarantees(run, run.epochs.iloc[1:2], 0.03)}
    assert "final network only" in early["pac_bayes_fixed"].reason
    assert early["holdout"].limit > float(run.epochs.iloc[1]["test_error"])


def test_the_shipped_certificates_reach_the_goals(pack):
    """A fixed prior certifies at most 0.4, a learnt one at most 0.05, at delta = 0.001 on ten-class MNIST."""
    values = {
        (c.prior, run.id): c.value(0.001)
        for run in pack
        for c in run.certificates
        if run.spec.train.dataset == "mnist" and run.spec.arch.classes == 10
    }
    assert min(v for (prior, _), v in values.items() if prior == "fixed") <= 0.4
    assert min(v for (prior, _), v in values.items() if prior == "learnt") <= 0.05


def test_theorem_d_reaches_its_goals_for_the_shipped_networks(pack, whole_pack):
    """At delta = 0.001: ten digits by the linear network, 0 against 1; smaller than Theorem S2 for all networks of the figures,
    but not for all that were trained to have a small Theorem S (an MLP of 50,816 parameters to code)."""
    values = {run.id: [one.value(0.001) for one in run.coded] for run in whole_pack if run.coded}
    assert min(min(v) for name, v in values.items() if name.startswith("mnist-linear-cert0.0")) <= 0.28
    assert min(min(v) for v in values.values()) <= 0.025
    for run in whole_pack:
        assert run.trouble is None
        for one in run.coded:
            assert one.value(0.001) == 1 or one.value(0.001) > (one.test_error or 0)
            if figured(run.spec):
                theorem = evaluate(BY_KEY["doubled"], run.norms(run.epochs.iloc[-1:]), run.sample, Settings("strict"))
                assert one.value(0.001) < float(theorem.value[0])


@pytest.mark.parametrize("theorem", THEOREMS)
def test_the_margin_curve_is_the_theorem_at_every_margin(pack, theorem):
    run = shipped(pack)
    record = run.epochs.iloc[-1:]
    table = trade_off(run.norms(record), run.sample, 0.001, theorem)
    assert table["margin"].to_numpy() == pytest.approx(MARGIN_GRID)
    best = evaluate(BY_KEY[THEOREMS[theorem]], run.norms(record), run.sample, Settings("strict"))
    assert table["total"].min() == pytest.approx(float(best.value[0]))
    assert table["ramp"].to_numpy() == pytest.approx(np.array(record["ramp"].iloc[0]))
    assert (np.diff(table["complexity"]) < 0).all()
    quantiles = over_epochs(run)
    assert (np.diff(quantiles[[f"q{q}" for q in LEVELS]].to_numpy(), axis=1) >= 0).all()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_the_theory_opens(section):
    app = open_link(THEORY, section=section)
    assert not app.exception
    if section == "conventions":
        assert all(meaning in words(app) for meaning in MEANINGS.values())
        assert any(caption.value.startswith("Not here: Theorem S2") for caption in app.caption)
    if section == "proof":
        assert "A6. Base and conclusion" in words(app)
        assert {"Statement", "A6. Base and conclusion"} <= {box.label for box in app.expander}
        assert "Taking the noise away" in words(open_link(THEORY, section=section, theorem="D"))
    if section == "gaps":
        assert "output layer's fan-in cannot be dropped" in words(app)
        assert "Not here yet" in {box.label for box in app.expander}
        assert all(name in words(app) for name in ("Rouchouse", "Lotfi", "Jiang", "Muthukumar", "Delattre"))
    if section == "references":
        assert app.code[0].value.count("@") >= len({b.bibtex for b in ALL})
        assert all(f"{key}," in app.code[0].value for key in ("mohri2018foundations", "rouchouse2025rescaling"))


def test_a_symbol_that_is_clicked_shows_its_number_and_the_link_says_which(pack):
    app = open_link(THEORY, bound="Sparse (Galanti 2023)")
    symbol = next(g for g in app.get("button_group") if g.proto.label == "Symbol")
    net = shipped(pack).norms(shipped(pack).epochs.iloc[-1:])
    symbol.set_value("ρ").run()
    assert f"**ρ = {float(net.rho[0]):.3g}**" in words(app)
    assert app.query_params["symbol"] == "ρ"
    assert f"**ρ = {float(net.rho[0]):.3g}**" in words(open_link(THEORY, symbol="ρ", bound="Sparse (Galanti 2023)"))
    assert "**n = 50,000**" in words(open_link(THEORY, symbol="n"))  # as the authors' curves have it
    layered = words(open_link(THEORY, symbol="‖W‖"))
    assert all(f"{layer.shape.name} {float(layer.frobenius[0]):.3g}" in layered for layer in net.layers)
    other = next(box for box in app.selectbox if box.key == "bound")
    other.set_value("Long–Sedghi 2020").run()  # whose formula has no ρ
    assert not app.exception
    assert "**value = " in words(app)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_theory_fills_in_the_numbers_and_checks_the_assumptions(pack, convention):
    from boundlab.charts.theme import STYLES
    from boundlab.text import readable

    run = shipped(pack)
    for bound in ALL:
        if convention in bound.formulas:
            value = evaluate(bound, run.norms(run.epochs.iloc[-1:]), run.sample, Settings(convention))
            name = STYLES[bound.key].name
            app = open_link(THEORY, convention=convention, bound=name, assumed="true")
            assert not app.warning
            assert f"**value = {readable(float(value.value[0]))}**" in words(app)
            assert len(app.latex) == 1  # one formula at a time
    if convention == "strict":
        assert ":green[:material/check_circle: holds:] max-pooling follows shared filters" in words(app)
        assert "not checkable on a network" in words(app)


def test_certified_runs_slide_from_accurate_to_certified(whole_pack):
    runs = [run for run in whole_pack if not PRESETS[run.spec.train.preset].figures]
    assert runs
    app = open_link(CERTIFICATES, networks="certified")
    assert not app.exception
    assert not app.warning
    task = "MNIST, ten classes, LINEAR"
    app = open_link(CERTIFICATES, networks="certified", task="MNIST, middle 16×16, ten classes, LINEAR")
    assert [w.value for w in app.warning] == [WINDOW]
    by_task = {}
    for run in runs:
        by_task.setdefault((run.spec.train.labels, run.spec.arch), []).append(run)
    slopes = [along_the_weights(group, 0.001, "S") for group in by_task.values() if len(group) > 1]
    assert any(len(table) >= 4 for table in slopes)
    for table in slopes:
        assert table["certificate"].iloc[-1] == table["certificate"].min()
    for theorem in THEOREMS:
        title = f"Theorem {theorem} goes from"
        assert title in words(open_link(CERTIFICATES, networks="certified", task=task, theorem=theorem, slope="true"))


# least of the shipped runs must be below this; "conv" is one convolution of 4 x 4 without overlap
GOALS = {("conv", 2, 1): 0.15, ("conv", 2, 5): 0.45, ("conv", 10, 1): 0.85, ("mlp", 10, 1): 0.75}


@pytest.mark.parametrize(("kind", "classes", "digits"), GOALS, ids=["0 / 1", "odd / even", "ten, conv", "ten, linear"])
def test_theorem_s2_reaches_the_goals_for_the_shipped_networks(whole_pack, kind, classes, digits):
    """With test errors that say what is promised: all seeds, final epoch, delta = 0.001, whole images."""
    limits = []
    for run in whole_pack:
        arch, labels = run.spec.arch, run.spec.train.labels or ((0,),)
        task = (arch.kind, arch.classes, len(labels[0])) == (kind, classes, digits) and arch.in_shape == (1, 28, 28)
        shape = arch.kernel_size == 4 if kind == "conv" else arch.hidden == ()
        if run.spec.train.loss == "certificate" and task and shape and run.spec.train.certificate_weight == 1:
            value = evaluate(BY_KEY["doubled"], run.norms(run.epochs.iloc[-1:]), run.sample, Settings("strict"))
            limits.append(float(value.value[0]))
            assert run.final["test_error"] < limits[-1]
    assert len(limits) == 3
    assert max(limits) < GOALS[kind, classes, digits]
