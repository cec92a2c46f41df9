"""What page Memorisation says is what its numbers do."""

import pandas as pd
import pytest

from boundlab.analysis.tables import LABEL_NOISE, N_TRAIN
from boundlab.specs.settings import Settings
from boundlab.words.memorisation import memorisation_headline, memorisation_notes, missed

ONE = {0.0: ""}
NO_MARGINS = pd.DataFrame(columns=["run", "margin", "normalised"])


def curves(column, xs, panel=0.0, **series):
    rows = [
        {"panel": panel, column: x, "series": name, "mean": value}
        for name, values in series.items()
        for x, value in zip(xs, values, strict=True)
    ]
    return pd.DataFrame(rows)


def runs(column, xs, fitted):
    """Two series' rows of one run per x."""
    rows = pd.DataFrame({"run": [f"r{x}" for x in xs], column: xs, "fitted": fitted, "margin": 9.0})
    return pd.concat([rows.assign(series="gap"), rows.assign(series="sparse")])


NOISY = curves("label_noise", (0, 0.5, 1), gap=(0.01, 0.3, 0.9), sparse=(4, 8, 12), golowich=(1, 2, 50), graf=(8, 4, 2))


def test_along_label_noise_the_gap_opens_and_bounds_notice_more_or_less():
    words = memorisation_headline(
        NOISY, runs("label_noise", (0, 0.5, 1), [True, True, False]), LABEL_NOISE, Settings(), ONE
    )
    assert words == (
        "From label noise 0 to 1 the gap grows 90-fold, to **90.00 %**; the sparse bound grows 3.0-fold, the others fall up to 4.0-fold or grow up to 50-fold. "
        "1 of 3 networks (ringed) end above 2 % training error."
    )


def test_a_gap_that_closes_and_a_bound_that_stays():
    still = curves("label_noise", (0, 1), gap=(0.2, 0.1), sparse=(4, 4.01))
    words = memorisation_headline(still, runs("label_noise", (0, 1), [True, True]), LABEL_NOISE, Settings(), ONE)
    assert words == ("From label noise 0 to 1 the gap falls 2.0-fold, to **10.00 %**; the sparse bound stays.")


def test_a_gap_that_begins_at_nothing_has_no_factor():
    none = curves("label_noise", (0, 1), gap=(-0.01, 0.5), sparse=(4, 8))
    words = memorisation_headline(none, runs("label_noise", (0, 1), [True, True]), LABEL_NOISE, Settings(), ONE)
    assert words == "From label noise 0 to 1 the gap goes from -1.00 % to **50.00 %**; the sparse bound grows 2.0-fold."
    along = curves("n_train", (100, 400), gap=(0.0, 0.4), sparse=(10, 20))
    words = memorisation_headline(along, runs("n_train", (100, 400), [True, True]), N_TRAIN, Settings(), ONE)
    assert "the gap goes from 0.00 % to **40.00 %**" in words
    assert "the sparse bound grows like $n^{0.50}$" in words


def test_along_n_the_powers_stand_beside_that_of_the_formula():
    along = curves("n_train", (100, 400, 1600), gap=(0.4, 0.2, 0.1), sparse=(10, 10 / 4**0.25, 5), graf=(1, 2, 4))
    words = memorisation_headline(along, runs("n_train", (100, 400, 1600), [True] * 3), N_TRAIN, Settings(), ONE)
    assert words == (
        "From n = 100 to 1,600 the gap falls like $n^{-0.50}$, to **10.00 %**; the sparse bound falls like $n^{-0.25}$, its formula like "
        "$n^{-1/2}$."
    )
    notes = " ".join(
        memorisation_notes(along, runs("n_train", (100, 400, 1600), [True] * 3), NO_MARGINS, N_TRAIN, Settings())
    )
    assert "Generalization gap −0.50, Sparse (Galanti 2023) −0.25, Graf 2022 +0.50" in notes
    assert "**All 3 networks fit their labels**" in notes


def test_notes_count_who_fits_where_and_how_margins_move():
    some = runs("label_noise", (0, 0.5, 1), [True, True, False])
    margins = pd.DataFrame({"run": ["r0", "r0.5", "r1"], "margin": [0.6, 0.5, 0.3], "normalised": [0.4, 0.2, 0.01]})
    fit, moved, bounds = memorisation_notes(NOISY, some, margins, LABEL_NOISE, Settings())
    assert "1 of 1 at label noise 0, 1 of 1 at label noise 0.5, 0 of 1 at label noise 1" in fit
    assert "from label noise 0 to 1: they shrink 2.0-fold (0.6 → 0.3)" in moved
    assert "which the bounds see: they shrink 40-fold" in moved
    order = ["Golowich 2018 × 50", "Sparse (Galanti 2023) × 3.0", "Graf 2022 × 0.25"]
    assert bounds == f"**Which bounds notice**: {', '.join(order)}."


def test_a_sentence_per_panel_and_refusals():
    two = pd.concat([NOISY, NOISY.assign(panel=32.0)])
    some = runs("label_noise", (0, 0.5, 1), [True] * 3)
    words = memorisation_headline(two, some, LABEL_NOISE, Settings(), {0.0: "H = 16", 32.0: "H = 32"})
    assert words.count("the gap grows") == 2
    assert "H = 16: From" in words
    bare = NOISY[NOISY["series"].isin(["gap", "golowich"])]
    assert memorisation_headline(bare, some, LABEL_NOISE, Settings(), ONE).startswith("The sparse bound does not apply")
    lone = NOISY[NOISY["label_noise"] == 0.5]
    assert memorisation_headline(lone, some, LABEL_NOISE, Settings(), ONE) == (
        "Only label noise 0.5 has a run for this network."
    )


@pytest.mark.parametrize(
    ("fitted", "count"), [([True, True], ""), ([False, True], "1 of 2"), ([False, False], "2 of 2")]
)
def test_who_did_not_fit_is_counted_once_each(fitted, count):
    assert missed(runs("label_noise", (0, 1), fitted)).startswith(count)


def test_where_all_others_move_one_way_the_headline_says_which():
    up = curves("label_noise", (0, 1), gap=(0.1, 0.5), sparse=(4, 8), golowich=(1, 3), graf=(2, 8))
    down = curves("label_noise", (0, 1), gap=(0.1, 0.5), sparse=(8, 4), golowich=(3, 1), graf=(8, 2))
    for moved, words in (
        (up, "the sparse bound grows 2.0-fold, others 3.0- to 4.0-fold."),
        (down, "the sparse bound falls 2.0-fold, others 3.0- to 4.0-fold."),
    ):
        fit = runs("label_noise", (0, 1), [True, True])
        assert memorisation_headline(moved, fit, LABEL_NOISE, Settings(), ONE).endswith(words)
