"""The ranking's sentences follow the numbers."""

import numpy as np
import pandas as pd

from boundlab.words.ranking import chance_sentence, ranking_headline, selected_sentence, worst_sentence

NAMES = {"path_norm": "Path norm", "sparse:strict": "Theorem S", "random": "Random numbers"}


def rows(path=(0.5, 0.3, 0.6), sparse=(0.2, -0.1, 0.3)):
    parts = {"path_norm": path, "sparse:strict": sparse, "random": (0.9, 0.8, 1.0)}
    return pd.DataFrame(
        [{"measure": k, "tau": t, "low": low, "high": high, "pairs": 3916} for k, (t, low, high) in parts.items()]
    )


def test_the_best_the_best_bound_and_chance():
    said = ranking_headline(rows(), NAMES, "gap", 89, "MNIST")
    assert said == (
        "Path norm orders the generalization gap of 89 MNIST networks best: τ = 0.50 (0.30 to 0.60) over 3,916 pairs; the best bound, Theorem S, 0.20; "
        "random numbers 0.90."
    )


def test_a_bound_that_is_best_is_not_named_twice():
    said = ranking_headline(rows(sparse=(0.7, 0.6, 0.8)), NAMES, "test_error", 9, "digits")
    assert said.startswith(
        "Theorem S orders the test error of 9 digits networks best: τ = 0.70 (0.60 to 0.80) over 3,916 pairs; random"
    )


def test_nothing_is_claimed_where_the_interval_reaches_0():
    said = ranking_headline(rows(path=(0.1, -0.1, 0.3), sparse=(-0.2, -0.3, 0.0)), NAMES, "gap", 9, "digits")
    assert said.startswith(
        "No number here orders the generalization gap of 9 digits networks for sure: the best one, Path norm"
    )


def test_where_it_fails_and_one_variable_at_a_time():
    row = pd.Series(
        {"name": "path norm", "psi_weight_decay": 0.87, "psi_channels": np.nan, "psi_conv_layers": -0.12}
        | {"environments": 31, "where": ("channels", 8.0, 16.0), "worst": 1.0, "middle": 0.25}
        | {"moved_pairs": 1305, "worst_pairs": 6}
    )
    assert worst_sentence(row) == (
        "path norm. One variable at a time: λ 0.87, layers −0.12, over 1,305 pairs. Worst of 31 environments: channels from 8 to 16, "
        "where 100 of 100 pairs (6 in all) are ordered wrongly; half of the environments are at 25 or less."
    )
    assert "no two networks differ in one alone" in worst_sentence(pd.Series({"name": "x", "environments": 0}))


def test_what_the_selected_say():
    few = rows(path=(0.1, -0.2, 0.4), sparse=(0.6, 0.3, 0.9)).assign(pairs=66)
    said = selected_sentence(few, "path_norm", NAMES, 12)
    assert said == (
        "Among the **12 networks selected**, 66 pairs: Path norm τ = 0.10 (−0.20 to 0.40); best there: Theorem S, τ = 0.60 (0.30 to 0.90)."
    )
    said = selected_sentence(few, "sparse:strict", NAMES, 12)
    assert said == "Among the **12 networks selected**, 66 pairs: Theorem S τ = 0.60 (0.30 to 0.90)."
    assert "too few" in selected_sentence(few[:0], "path_norm", NAMES, 1)
    assert "Theorem S orders nothing; best there: Path norm" in selected_sentence(few[::2], "sparse:strict", NAMES, 9)


def test_gaps_that_chance_explains_are_counted_by_hand():
    # two standard errors of 10 % on 100 and on 10,000 images: 6 % and 0.6 %
    table = pd.DataFrame({"test_error": [0.1, 0.1, 0.1, 0.1], "gap": [0.059, 0.0601, 0.0059, 0.0061]})
    assert chance_sentence(table, [100, 100, 10_000, 10_000]).startswith("**2 of 4 gaps are within two standard errors")
    assert chance_sentence(table.assign(gap=-0.1), [100] * 4).startswith("**4 of 4")
    assert chance_sentence(table.assign(gap=0.07), [100] * 4) == ""
