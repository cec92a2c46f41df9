"""Compare from a cold link: two to four networks, and that the page says what the core says."""

import dataclasses
import json
import re

import numpy as np
import pytest

from boundlab.analysis.comparison import (
    NOT_MEASURED,
    bounds_table,
    csv_table,
    factors_table,
    facts,
    guarantees_table,
    layers_beside,
    places,
    short_names,
)
from boundlab.analysis.run_codes import join_codes
from boundlab.analysis.subject import Subject
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.concentration import clopper_pearson
from boundlab.quantities.receptive_fields import path_counts
from boundlab.runs.pack import read_pack
from boundlab.runs.places import PACK
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from boundlab.text import readable
from boundlab.ui.page import PAGES
from boundlab.ui.pages.compare.page import VIEWS_OF_NETWORKS
from boundlab.words import comparison
from tests.conftest import make_sample
from tests.ui.test_pages import numbers as sent
from tests.ui.test_pages import open_link
from tests.ui.test_study_pages import figures, shipped, words

COMPARE = next(page for page in PAGES if page.key == "compare")
CONV, DEEP = "CONV-3-16 · MNIST · λ = 0.004", "CONV-8-16 · MNIST · λ = 0.004"
DIGITS = "CONV-3-16 · digits 8×8 · λ = 0.001"


def measured(kind: str, errors: bool = True, **fields) -> Subject:
    """A random network of any kind, measured by the real code."""
    import torch

    from boundlab.networks.measure import norm_columns
    from boundlab.networks.outcome import Outcome, outcome_columns

    arch = ArchSpec.from_dict({"kind": kind, "in_shape": [1, 8, 8]} | fields)
    rng = torch.Generator().manual_seed(len(fields))
    weights = [torch.randn(s.weight_shape, generator=rng, dtype=torch.float64) for s in arch.shapes()]
    record = norm_columns(weights, [None] * len(weights), None, arch.shapes())
    if errors:
        margins = np.random.default_rng(0).normal(0.5, 1.0, 200)
        outcome = Outcome(0.1, 0.2, margins, [1.0] * len(weights))
        record |= outcome_columns(outcome, outcome)
    return Subject(arch.title, arch, None, make_sample(arch), record)


MIXED = {
    "conv": {"kind": "conv", "channels": 3, "conv_layers": 2},
    "lc": {"kind": "lc", "channels": 3, "conv_layers": 2},
    "pooled": {"kind": "conv", "channels": 4, "conv_layers": 1, "pool": "max2", "hidden": [5]},
    "mlp": {"kind": "mlp", "hidden": [6, 6]},
}


@pytest.fixture(scope="module")
def mixed() -> list[Subject]:
    return [measured(**fields) for fields in MIXED.values()]


def choose(app, view):
    next(g for g in app.get("button_group") if g.proto.label == "View").set_value(view).run()
    assert not app.exception


def traces(app, number):
    return figures(app)[number]["data"]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_two_to_four_networks(count):
    app = open_link(COMPARE)
    assert not app.exception
    mlp = next(name for name in app.multiselect[0].options if name.startswith("MLP-64")).rpartition(" · seed")[0]
    given = {f"n{i}": label for i, label in enumerate((CONV, mlp, DIGITS, DEEP)[:count], start=1)}
    app = open_link(COMPARE, count=str(count), **given)
    assert not app.exception
    assert not app.warning
    drawings = [f for f in figures(app) if f["data"][0]["type"] == "heatmap"]
    assert len(drawings) == count
    assert len(figures(app)) == count + 1  # and the ladder
    assert len({tuple(d["data"][0][k] for k in ("zmin", "zmax")) for d in drawings}) == 1  # one colour scale
    charts, tables = 0, 0
    for view in VIEWS_OF_NETWORKS[1:]:
        app = open_link(COMPARE, count=str(count), view=view, **given)
        assert not app.exception
        assert not app.warning
        charts += len(figures(app))
        tables += len(app.table)
        assert all(len(table.value.columns) == count for table in app.table)
    assert (charts, tables) == (4, 4)


def test_the_page_shows_the_values_of_the_core(pack):
    asked = {"n1": CONV, "n2": DEEP, "s1": "1", "convention": "theorem", "delta": "0.05"}
    app = open_link(COMPARE, view="bounds", **asked)
    assert not app.exception
    assert not app.warning
    run = shipped(pack, seed=1)
    value = evaluate(BY_KEY["sparse"], run.norms(run.epochs.iloc[-1:]), run.sample, Settings("theorem", 0.05))
    table = next(t.value for t in app.table if "Sparse (Galanti 2023)" in t.value.index)
    assert table.loc["Sparse (Galanti 2023)"].iloc[0].startswith(f"**{readable(only(value.value))}** (")
    picture, facts_view = open_link(COMPARE, **asked), open_link(COMPARE, view="facts", **asked)
    dots, hollow = traces(picture, 2)
    assert dots["text"][0].strip() == f"<b>{readable(only(value.value))}</b>"
    assert hollow["text"][0].strip() == f"<b>{readable(run.final['test_error'], 'test_error')}</b>"
    np.testing.assert_allclose(sent(dots["x"])[0], np.log2(only(value.value)))
    (glance,) = [t.value for t in facts_view.table if "Parameters" in t.value.index]
    assert glance.loc["Parameters"].iloc[0] == f"{run.spec.arch.parameters:,}"
    assert "seed 1" in glance.loc["Training"].iloc[0]
    counts = path_counts(run.spec.arch.shapes(), (28, 28))
    heat, hover = (traces(picture, 0)[0][name] for name in ("z", "customdata"))
    rows = sent(heat) if isinstance(heat, dict) else [x for row in heat for x in row]
    np.testing.assert_allclose(rows, np.log2(counts).ravel())
    assert [words for row in hover for words in row] == [f"{count:,.0f}" for count in counts.ravel()]


def test_a_link_that_names_three_networks_shows_three():
    app = open_link(COMPARE, n1=CONV, n2=DEEP, n3=DIGITS, view="facts")
    assert not app.exception
    assert len(app.table[0].value.columns) == 3
    assert any("different data" in i.value for i in app.info)
    assert any("different weight decay" in i.value for i in app.info)


def test_a_bad_link_is_answered_with_notes_and_defaults():
    app = open_link(COMPARE, n1="GPT-4", count="9", convention="folk", delta="7", colour="red")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    for word in ("GPT-4", "`9`", "`folk`", "`7`", "colour"):
        assert word in notes
    assert not open_link(COMPARE, **dict.fromkeys(COMPARE.params, "")).exception


def test_a_preset_sets_the_columns():
    app = open_link(COMPARE)
    app.button(key="preset_Width").click().run()
    assert not app.exception
    assert [name.split(" ")[0] for name in app.multiselect[0].value] == [f"CONV-3-{h}" for h in (8, 16, 32, 64)]
    assert re.search(r"The sparse bound of ▲ CONV-3-64 is \*\*[\d.]+ times\*\* that of", words(app))
    choose(app, "bounds")
    assert "largest for ▲ CONV-3-64" in words(app)


def compared(app):
    """The networks in the columns, by what is said when one points at the name above each drawing."""
    heads = [m for m in app.markdown if m.value.startswith("##### ")]
    unescaped = [re.sub(r"\\(.)", r"\1", m.proto.help.partition("\n")[0].removesuffix(".")) for m in heads]
    for name, head in zip(unescaped, heads, strict=True):
        shown = re.sub(r"\\(.)", r"\1", head.value)
        assert name.split(" · ")[0] in shown
        assert f"seed {name.rpartition('seed ')[2]}" in shown or "seed" not in name
    assert set(unescaped) <= set(app.multiselect[0].options)
    return unescaped


def linked(app):
    """What the address says about the networks."""
    names = [key for key in COMPARE.params if key[0] in "ns" or key == "count"]
    given = {key: app.query_params.get(key) or [] for key in names}
    return {key: value if isinstance(value, str) else value[-1] for key, value in given.items() if value}


def test_the_selected_runs_of_another_page_are_a_comparison(pack):
    runs = sorted(run.id for run in pack if run.id.startswith(("digits-conv-3-8-", "digits-conv-3-16-")))
    app = open_link(COMPARE, selected=join_codes(runs[:1]))
    assert "preset_selected" not in {button.key for button in app.button}  # one is no comparison
    app = open_link(COMPARE, selected=join_codes(runs[:2]))
    app.button(key="preset_selected").click().run()
    assert not app.exception
    picked = app.multiselect(key="compare_picked").value
    titles = {run.spec.arch.title for run in pack if run.id in runs[:2]}
    assert len(picked) == 2
    assert {name.split(" · ")[0] for name in picked} == titles
    app = open_link(COMPARE, selected=join_codes(runs[:7]))
    app.button(key="preset_selected").click().run()
    assert len(app.multiselect(key="compare_picked").value) == 4
    assert "The first 4 of 7" in app.button(key="preset_selected").help


def test_the_table_tells_every_network_apart(pack):
    app = open_link(COMPARE)
    (table,) = (d.value for d in app.dataframe)
    assert len(table) == len(set(table.index)) == len(read_pack(PACK)) == len(app.multiselect[0].options)
    run = shipped(pack, seed=1)
    row = table.loc[f"{CONV} · seed 1"]
    sparse = evaluate(BY_KEY["sparse"], run.norms(run.epochs.iloc[-1:]), run.sample, Settings()).value
    shown = {"Network": "CONV-3-16", "Data": "MNIST", "Layers": 3, "Channels": 16, "λ": 0.004, "Recipe": "short"}
    shown |= {"Seed": "1", "Epochs": run.spec.train.epochs, "Parameters": run.spec.arch.parameters, "Origin": "shipped"}
    assert dict(row[list(shown)]) == shown
    errors = [100 * run.final["train_error"], 100 * run.final["test_error"]]
    assert list(row[["Train error", "Test error", "Sparse bound"]]) == pytest.approx([*errors, only(sparse)])
    (certified,) = {
        table.loc[name, "Recipe"] for name in table.index if "CONV-1-16 stride 2 · MNIST · weight 1" in name
    }
    assert certified.startswith("weight 1, certified")
    options = app.multiselect[0].options
    assert not {name for name in options if options.count(name) > 1}


def test_words_narrow_the_table_and_what_is_compared_stays():
    app = open_link(COMPARE, n1=CONV, n2=DEEP)
    before = app.multiselect[0].value
    app.text_input(key="compare_filter").set_value("mlp 0.001 SEED").run()
    assert {name.partition(" · ")[0] for name in app.dataframe[0].value.index} == {"MLP-102-102-102"}
    assert app.multiselect[0].value == before == compared(app)
    app.text_input(key="compare_filter").set_value("[no such *").run()
    assert not app.exception
    assert app.dataframe[0].value.empty
    assert app.multiselect[0].value == before


def test_the_link_is_what_is_picked_and_restores_it():
    app = open_link(COMPARE)
    names = [f"{DEEP} · seed 2", f"{DIGITS} · seed 0", f"{CONV} · seed 1"]
    app.multiselect[0].set_value(names).run()
    assert not app.exception
    assert compared(app) == names
    assert linked(app) == {
        **{"n1": DEEP, "n2": DIGITS, "n3": CONV},
        **{"s1": "2", "s2": "0", "s3": "1"},
    }
    again = open_link(COMPARE, **linked(app))
    assert compared(again) == again.multiselect[0].value == names
    app.button(key="preset_Same fit").click().run()
    assert linked(app) == {}  # the opening comparison
    assert compared(app) == compared(open_link(COMPARE))


def test_the_link_names_what_was_added_after_something_was_taken_away():
    app = open_link(COMPARE)
    names = [f"{DEEP} · seed 2", f"{DIGITS} · seed 0", f"{CONV} · seed 1"]
    for count in (2, 3):
        app.multiselect[0].set_value(names[:count]).run()
        assert not app.exception
        assert list(linked(app)) == [f"{kind}{place}" for kind in "ns" for place in range(1, count + 1)]
    assert compared(open_link(COMPARE, **linked(app))) == names


def test_fewer_than_two_leave_the_page_as_it_was():
    app = open_link(COMPARE, n1=CONV, n2=DEEP)
    before, link = compared(app), linked(app)
    app.multiselect[0].set_value([f"{DIGITS} · seed 0"]).run()
    assert any("Pick two to four" in w.value for w in app.warning)
    assert (compared(app), linked(app)) == (before, link)
    app.multiselect[0].set_value([f"{DIGITS} · seed 0", f"{DEEP} · seed 0"]).run()
    assert not app.warning
    assert compared(app) == [f"{DIGITS} · seed 0", f"{DEEP} · seed 0"]


def test_a_visit_to_another_page_keeps_what_is_compared():
    app = open_link(COMPARE)
    app.button(key="preset_Depth").click().run()
    before, link = compared(app), linked(app)
    for key in list(app.query_params):  # the menu's links carry none
        del app.query_params[key]
    app.switch_page("pages/8_theory.py").run()
    app.switch_page(COMPARE.path).run()
    assert not app.exception
    assert not app.warning
    assert (compared(app), linked(app)) == (before, link)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"n2": DIGITS, "s2": "2"}, ["CONV-3-16 · MNIST · λ = 0.0115 · seed 1", f"{DIGITS} · seed 2"]),
        ({"count": "3", "n1": CONV, "s1": "0"}, None),
        ({"count": "2", "n1": CONV, "n2": DEEP, "s1": "1", "s2": "2"}, [f"{CONV} · seed 1", f"{DEEP} · seed 2"]),
    ],
)
def test_links_of_the_select_boxes_mean_what_they_meant(given, names):
    app = open_link(COMPARE, **given)
    assert not app.exception
    assert not app.warning
    shown = compared(app)
    assert shown == names or (names is None and len(shown) == 3 and shown[0] == f"{CONV} · seed 0")


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"n1": CONV, "n2": CONV}, "one network twice"),
        ({"count": "2", "n1": CONV, "n2": DEEP, "n3": DIGITS}, "not used with what is chosen here: `n3`"),
        ({"n1": CONV, "n2": DEEP, "s2": "7"}, "Seed 2: the link asks for `7`"),
    ],
)
def test_what_a_link_gets_wrong_about_the_networks_is_said(given, note):
    app = open_link(COMPARE, **given)
    assert not app.exception
    assert any(note in w.value for w in app.warning)
    assert len(set(compared(app))) == 2


def test_ready_made_comparisons_say_their_seeds():
    app = open_link(COMPARE)
    for title in ("Width", "Depth", "Same size", "Same fit"):
        app.button(key=f"preset_{title}").click().run()
        seeds = [name.rpartition("seed ")[2] for name in compared(app)]
        assert any(c.value.startswith(f"Seeds {', '.join(seeds)}: of each network the one") for c in app.caption)
        assert f"Seeds {', '.join(seeds)}: of each network the one" in app.button(key=f"preset_{title}").help
        assert any("seeds" in box.label for box in app.expander if box.label.startswith("Unlike")) == (
            len(set(seeds)) > 1
        )


def test_bounds_that_refuse_are_named_with_the_reason(mixed):
    table = bounds_table([[s] for s in mixed], Settings("published"))
    lines = comparison.refusals(short_names(mixed), table, "published")
    for bound in (b for b in BY_KEY.values() if "published" not in b.formulas):
        assert any(bound.refusals["published"] in line for line in lines)
    unmeasured = [mixed[0], measured(**MIXED["conv"], errors=False)]
    lines = comparison.refusals(["a", "b"], bounds_table([[s] for s in unmeasured], Settings("theorem")), "theorem")
    assert any(NOT_MEASURED in line and "b" in line.partition(":")[0] for line in lines)


@pytest.mark.parametrize("convention", ["published", "theorem", "strict"])
def test_the_tables_are_the_core_for_any_kind(mixed, convention):
    settings = Settings(convention, 0.01)
    table = bounds_table([[s] for s in mixed], settings).set_index(["network", "series"])
    for number, subject in enumerate(mixed):
        for key, bound in BY_KEY.items():
            value = evaluate(bound, subject.norms, subject.sample, settings)
            row = table.loc[(number, key)]
            assert row["reason"] == value.reason if value.value is None else row["value"] == only(value.value)
    factors = factors_table(mixed, BY_KEY["sparse"], settings)
    for number, rows in factors.groupby("network"):
        ends = rows.set_index("row")
        product = ends[ends["kind"] == "factor"]["log2"].sum()
        assert ends.loc["complexity", "log2"] == pytest.approx(product)
        assert 2 ** ends.loc["value", "log2"] == pytest.approx(table.loc[(number, "sparse"), "value"])
    whole = csv_table([[s] for s in mixed], settings)
    assert set(whole["network"]) == set(range(len(mixed)))
    assert whole["value"].notna().sum() > 100


def test_promises_share_delta_over_the_networks_that_have_one(mixed):
    subjects = [*mixed, measured(**MIXED["conv"], errors=False)]
    table = guarantees_table(subjects, 0.03)
    having = table["limit"].notna()
    assert (table["delta"] == 0.03 / having.sum()).all()
    assert not having[table["network"] == 4].any()
    (limit,) = table[(table["network"] == 0) & (table["kind"] == "holdout")]["limit"]
    assert limit == pytest.approx(float(clopper_pearson(0.1, 360, 0.03 / having.sum())))


def test_facts_by_hand(mixed):
    conv, mlp = facts(mixed[0]), facts(mixed[3])
    assert conv.fan_in == (4, 12, 3 * 36)
    assert mlp.fan_in == (64, 6, 6)
    assert mlp.path_root == pytest.approx(1.0)
    frobenius = [only(layer.frobenius) for layer in mixed[0].norms.layers]
    assert conv.rho == pytest.approx(np.prod(frobenius))
    assert conv.rho_p < conv.rho
    counts = path_counts(mixed[0].arch.shapes(), (8, 8))
    energy = mixed[0].sample.fed.pixel_energy
    assert conv.path_root == pytest.approx(np.sqrt((counts * energy).sum() / energy.sum()))


def test_layers_are_matched_by_position_and_the_output_comes_last(mixed):
    table = layers_beside(mixed)
    assert places(mixed) == ["1", "2", "output"]
    assert set(table[table["layer"] == "output"]["place"]) == {"output"}
    assert set(table[table["layer"] == "dense1"]["place"]) == {"1", "2"}  # of the MLP, and after one convolution


def test_names_tell_the_networks_apart():
    def named(*titles):
        return short_names([Subject(title, None, None, None, {}) for title in titles])

    assert named("A · MNIST · λ = 1", "B · MNIST · λ = 2") == ["A", "B"]
    assert named("A · MNIST · λ = 1", "A · MNIST · λ = 2") == ["A · λ = 1", "A · λ = 2"]
    assert named("A · x", "A · x") == ["A (1)", "A (2)"]


def test_what_to_notice_is_true_of_the_numbers(mixed):
    table = bounds_table([[s] for s in mixed[:2]], Settings("theorem"))
    words = comparison.summary(["a", "b"], mixed[:2], [facts(s) for s in mixed[:2]], table)
    sparse = table[table["series"] == "sparse"]["value"]
    from boundlab.text import times

    assert f"by a factor of {times(sparse.max() / sparse.min())}" in words
    high, low = ("ab"[int(number)] for number in (sparse.to_numpy().argmax(), sparse.to_numpy().argmin()))
    short = comparison.in_short(["a", "b"], table)
    assert re.fullmatch(
        rf"The sparse bound of . {high} is \*\*{times(sparse.max() / sparse.min())} times\*\* that of . {low}\.", short
    )
    assert "path energy √P not at all" in words
    assert comparison.unlike(mixed) == {}


def test_every_chart_of_mixed_networks_is_valid(mixed):
    from boundlab.analysis.comparison import NORMS, margin_quantiles
    from boundlab.charts.factor_bars import factor_bars
    from boundlab.charts.margins_of_networks import margin_curves
    from boundlab.charts.norms_by_layer import norms_by_layer
    from boundlab.charts.versus import versus

    names = short_names(mixed)
    table = bounds_table([[s] for s in mixed], Settings("theorem"))
    order = list(table.dropna(subset=["value"])["series"].unique())
    dots = versus(table, names, order, (-10, 40)).data[0]
    drawn = table[table["series"].isin(order) & table["value"].notna()]
    np.testing.assert_allclose(np.asarray(dots.x, float), np.log2(drawn["value"].to_numpy(float)))
    lines = norms_by_layer(layers_beside(mixed), names, NORMS, places(mixed)).data
    assert len(lines) == len(NORMS) * len(mixed)
    quantiles = {i: margin_quantiles(s) for i, s in enumerate(mixed)}
    curve = margin_curves(quantiles, names).data[0]
    assert (np.diff(np.asarray(curve.x, float)) >= 0).all()
    factors = factors_table(mixed, BY_KEY["sparse"], Settings("theorem"))
    bars = factor_bars(factors[factors["kind"] != "term"], names)
    applies = [value == value for value in table[table["series"] == "sparse"]["value"]]  # not under pooling
    assert applies == [True, True, False, True]
    assert [bar.name for bar in bars.data] == [f"■ {names[1]}", f"▲ {names[3]}"]
    assert len(json.loads(bars.to_json())["data"]) == 2
    everywhere = factors_table(mixed, BY_KEY["golowich"], Settings("theorem"))
    assert set(everywhere[everywhere["row"] == "maxima"].dropna(subset=["log2"])["network"]) >= {2}
    assert len(factor_bars(everywhere[everywhere["kind"] != "term"], names).data) == 3


def test_counterparts_open_the_train_form_filled_in():
    app = open_link(COMPARE, n1=CONV, n2=DEEP, view="facts")
    links = [link.proto for link in app.get("page_link") if "MLP" in link.proto.label]
    assert len(links) == 2
    assert "kind=mlp" in links[0].query_string
    assert "weight_decay=0.004" in links[0].query_string


def test_an_uploaded_checkpoint_can_be_compared(mixed):
    from boundlab.ui.subjects import UNSAVED

    app = open_link(COMPARE)
    app.session_state[UNSAVED] = dataclasses.replace(mixed[1], title="<b>mine</b>")
    app.run()
    mine = "checkpoint <b>mine</b> (not kept)"
    row = app.dataframe[0].value.loc[mine]
    assert (row["Origin"], row["Test error"], row["Parameters"]) == ("checkpoint", 10, mixed[1].arch.parameters)
    app.multiselect[0].set_value([f"{CONV} · seed 0", mine]).run()
    assert not app.exception
    assert linked(app) == {"n1": CONV, "n2": mine, "s1": "0"}
    choose(app, "facts")
    glance = app.table[0].value
    assert glance.loc["From"].iloc[1] == "checkpoint"
    assert "<b>" not in glance.columns[1].replace("\\<", "")
    assert any("different data" in info.value for info in app.info)
