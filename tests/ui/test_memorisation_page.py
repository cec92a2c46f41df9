"""Page Memorisation draws and says what the runs of recipe "long" do, from any link; no other figure page knows them."""

import json
import math

import pandas as pd
import pytest

from boundlab.analysis.curves import by_axis
from boundlab.analysis.run_codes import join_codes
from boundlab.analysis.scaling import exponents, moves
from boundlab.analysis.tables import LABEL_NOISE, N_TRAIN, final_table
from boundlab.specs.recipes import recipe, studied
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import percent
from boundlab.ui.page import PAGES
from tests.ui.test_pages import chart, numbers, open_link

PAGE = next(page for page in PAGES if page.key == "memorisation")
ALONG = {"label noise": LABEL_NOISE, "training images": N_TRAIN}


@pytest.fixture(scope="module")
def long(whole_pack):
    found = [run for run in whole_pack if studied(run.spec, "long") and run.spec.train.dataset == "digits"]
    assert found
    return found


def headline(app):
    return next(m.value for m in app.markdown if m.value.startswith("From "))


def drawn_rows(long, axis, settings, **at):
    """Rows of the final table at the first weight decay and, of the axis' other, at its default, unless asked otherwise."""
    table = final_table(long, settings)
    other = {"label_noise": ("n_train", table["n_train"].max()), "n_train": ("label_noise", 0.0)}[axis.column]
    where = {"weight_decay": table["weight_decay"].min(), other[0]: other[1], **at}
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def trace(app, name):
    return next(t for t in chart(app)["data"] if t["name"] == name)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("along", ALONG)
def test_its_picture_and_sentence_are_the_analysis(long, along, convention):
    axis, settings = ALONG[along], Settings(convention)
    app = open_link(PAGE, notes=False, along=along, convention=convention, scale="linear")
    assert not app.exception
    assert not app.warning
    curves = by_axis(drawn_rows(long, axis, settings), axis)
    gap, found = curves[curves["series"] == "gap"], moves(curves, axis.column)
    line = trace(app, "Generalization gap")
    assert numbers(line["x"]) == pytest.approx(gap[axis.column].tolist())
    assert numbers(line["y"]) == pytest.approx(gap["mean"].tolist(), abs=1e-4)
    words = headline(app)
    assert f"to **{percent(found['gap'].last)}**" in words
    if axis.log:
        assert f"$n^{{{exponents(curves, axis.column)['gap']:.2f}}}$" in words


def test_lines_begin_at_1_and_the_guide_falls_like_one_over_the_root_of_n():
    """On the scale where the page begins."""
    app = open_link(PAGE, notes=False, along="training images")
    assert numbers(trace(app, "Sparse (Galanti 2023)")["y"])[0] == pytest.approx(0)  # log2 of a ratio
    guide = trace(app, "1 / √n")
    x, y = numbers(guide["x"]), numbers(guide["y"])
    slope = (y[-1] - y[0]) / math.log2(x[-1] / x[0])
    assert slope == pytest.approx(-0.5, abs=1e-3)
    noise = chart(open_link(PAGE, notes=False))
    assert "1 / √n" not in [t["name"] for t in noise["data"]]


def test_the_handle_runs_through_the_other_variable(long):
    sizes = sorted({run.spec.train.images for run in long})
    app = open_link(PAGE, notes=False, scale="linear", n_train=str(sizes[0]))
    rows = drawn_rows(long, LABEL_NOISE, Settings(), n_train=sizes[0])
    curves = by_axis(rows, LABEL_NOISE)
    line = trace(app, "Test error")
    there = [value for value in numbers(line["y"]) if value is not None]
    assert there == pytest.approx(curves[curves["series"] == "test_error"]["mean"].tolist(), abs=1e-4)
    assert (app.query_params.get("n_train") == str(sizes[0])) == (len(sizes) > 1)  # the last is where it begins


def test_who_did_not_fit_is_ringed_counted_and_listed(long):
    app = open_link(PAGE)
    rows = drawn_rows(long, LABEL_NOISE, Settings()).drop_duplicates("run")
    missing = int((~rows["fitted"].astype(bool)).sum())
    assert (f"{missing} of {len(rows)} networks (ringed)" in headline(app)) == bool(missing)
    assert ("flagged" in [t["name"] for t in chart(app)["data"]]) == bool(missing)
    words = " ".join(m.value for m in app.markdown)
    for part in ("**Margins** that nine of ten", "**Which bounds notice**", "**Label noise**: of every training label"):
        assert part in words
    assert len(app.dataframe[0].value) >= rows["label_noise"].nunique()


def test_it_begins_at_the_largest_n_that_most_learn_by_heart(whole_pack):
    """Of MNIST that is not all of it."""
    table = pd.DataFrame(
        [
            (run.spec.train.images, bool(run.fitted))
            for run in whole_pack
            if studied(run.spec, "long") and run.spec.train.dataset == "mnist"
        ],
        columns=["n", "fitted"],
    )
    share = table.groupby("n")["fitted"].mean()
    largest = max(n for n, fitted in share.items() if fitted >= 0.5)
    assert largest < table["n"].max()
    app = open_link(PAGE, dataset="mnist")
    assert not app.exception
    assert not app.warning
    assert f"n = {largest:,}" in headline(app) or f"n = {largest:,}" in " ".join(c.value for c in app.caption)
    assert "(ringed)" not in headline(app)
    assert "(ringed)" in headline(open_link(PAGE, dataset="mnist", n_train=str(table["n"].max())))


def test_a_selected_run_is_ringed(long):
    table = drawn_rows(long, LABEL_NOISE, Settings()).drop_duplicates("run")
    one = table[table["label_noise"] > 0].iloc[0]
    app = open_link(PAGE, selected=join_codes([one["run"]]))
    assert not app.exception
    assert not app.warning
    assert set(numbers(trace(app, "selected")["x"])) == {one["label_noise"]}
    assert "selected" in PAGE.takes


def test_a_bad_link_is_answered_with_a_note_and_the_default():
    app = open_link(PAGE, along="x", dataset="imagenet", n_train="7", wd="5", colour="red")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    assert all(word in notes for word in ("`x`", "imagenet", "`7`", "colour"))
    assert chart(app)["data"]


@pytest.mark.parametrize("key", ["lambda", "width", "depth", "training", "start"])
def test_no_other_page_draws_or_offers_them(key):
    page = next(one for one in PAGES if one.key == key)
    app = open_link(page, dataset="digits")
    assert not app.exception
    offered = [option for widget in (*app.selectbox, *app.button_group) for option in widget.options]
    assert not {"long", "population"} & set(map(str, offered))


def test_page_ranking_offers_them_as_recipes_of_their_own(whole_pack):
    page = next(one for one in PAGES if one.key == "ranking")
    found = {
        (run.spec.train.dataset, recipe(run.spec))
        for run in whole_pack
        if studied(run.spec, "long") or studied(run.spec, "population")
    }
    for dataset, name in sorted(found):
        app = open_link(page, dataset=dataset, recipe=name)
        assert not app.exception
        assert not app.warning
        count = sum((run.spec.train.dataset, recipe(run.spec)) == (dataset, name) and run.trained for run in whole_pack)
        right = json.loads(app.get("plotly_chart")[1].proto.spec)
        assert len(right["data"][0]["x"]) <= count
        assert f"{count} " in " ".join(m.value for m in app.markdown)
