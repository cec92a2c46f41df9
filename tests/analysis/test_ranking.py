"""Ranks: against scipy, against tables worked out by hand, and of measures whose rank is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from boundlab.analysis.measures import VARIED
from boundlab.analysis.ranking import (
    LEAST_PAIRS,
    configurations,
    environments,
    granulated,
    overall,
    pairs_of,
    resampled,
)


def table(rows):
    """Runs that differ in weight_decay, channels and seed."""
    fixed = dict.fromkeys(VARIED, 1.0) | {"dataset": "digits", "setting": "s"}
    return pd.DataFrame([fixed | dict(zip(("weight_decay", "channels", "seed"), row, strict=True)) for row in rows])


def test_tau_is_scipys_with_ties_and_gaps():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 80).astype(float), rng.integers(0, 9, 80).astype(float)
    x[3], y[5], x[7] = np.nan, np.nan, np.inf
    known = np.isfinite(x) & np.isfinite(y)
    found = overall(x, y, np.arange(80))
    assert found.tau == pytest.approx(kendalltau(x[known], y[known]).statistic, abs=1e-12)
    assert found.runs == 77
    assert found.low < found.tau < found.high


def test_resampled_tau_is_scipys_of_the_repeated_runs():
    rng = np.random.default_rng(1)
    x, y, group = rng.integers(0, 5, 30).astype(float), rng.normal(size=30), np.repeat(np.arange(10), 3)
    found = resampled(x, y, group, 25, seed=4)
    drawn = np.random.default_rng(4).multinomial(10, np.full(10, 0.1), size=25)
    for tau, counts in zip(found, drawn, strict=True):
        rows = np.repeat(np.arange(30), counts[group])
        assert tau == pytest.approx(kendalltau(x[rows], y[rows]).statistic, abs=1e-5)


def test_the_target_itself_is_in_order_and_random_numbers_are_not():
    rng = np.random.default_rng(2)
    target, group = rng.normal(size=300), np.repeat(np.arange(100), 3)
    same, turned, random = (overall(x, target, group) for x in (target, -target, rng.random(300)))
    assert (same.tau, same.low, same.high) == pytest.approx((1, 1, 1))
    assert turned.tau == pytest.approx(-1)
    assert random.low < 0 < random.high
    assert np.isnan(overall(np.ones(300), target, group).tau)


def test_seeds_of_one_network_widen_the_interval():
    rng = np.random.default_rng(3)
    x, y = np.repeat(rng.normal(size=20), 10), np.repeat(rng.normal(size=20), 10)
    alone, together = overall(x, y, np.arange(200)), overall(x, y, np.repeat(np.arange(20), 10))
    assert alone.tau == together.tau
    assert together.high - together.low > 2 * (alone.high - alone.low)


# lambda, channels, seed; measure; target
BY_HAND = [
    ((1, 8, 0), 1.0, 0.1),
    ((2, 8, 0), 2.0, 0.2),
    ((3, 8, 0), 3.0, 0.1),
    ((1, 16, 0), 5.0, 0.3),
    ((2, 16, 0), 4.0, 0.4),
    ((1, 8, 1), 2.0, 0.0),
]


def by_hand():
    rows = table([row for row, _, _ in BY_HAND])
    return pairs_of(rows), *(np.array([entry[i] for entry in BY_HAND]) for i in (1, 2))


def test_of_many_runs_some_are_resampled_for_an_interval_as_wide(monkeypatch):
    rng = np.random.default_rng(3)
    x = rng.normal(size=900)
    y = 0.5 * x + rng.normal(size=900)
    seeds = np.arange(900) // 3
    whole = overall(x, y, seeds)
    monkeypatch.setattr("boundlab.analysis.ranking._MOST", 300)
    assert (
        overall(x, y, np.zeros(900, int)).low == overall(x, y, np.zeros(900, int)).high
    )  # one network: nothing to resample
    widths = []
    for seed in range(5):
        part = overall(x, y, seeds, seed)
        assert (part.tau, part.runs) == (whole.tau, 900)
        assert part.low < part.tau < part.high
        widths.append(part.high - part.low)
    assert np.mean(widths) == pytest.approx(whole.high - whole.low, rel=0.2)


def test_granulated_by_hand():
    pairs, measure, target = by_hand()
    found = granulated(pairs, measure, target).set_index("variable")
    # lambda moves in {8, seed 0}: (1,2) +, (1,3) tie of the target, (2,3) -; in {16, seed 0}: (1,2) -
    assert found.loc["weight_decay"].tolist() == [pytest.approx((0 / 3 + -1) / 2), 2, 4]
    # channels move at lambda 1: +; at lambda 2: +; seed 1 has one run
    assert found.loc["channels"].tolist() == [pytest.approx(1.0), 2, 2]
    assert list(found.index) == ["weight_decay", "channels"]
    measure[4] = np.nan  # the group of 16 channels has no pair left, nor has lambda 2
    found = granulated(pairs, measure, target).set_index("variable")
    assert found.loc["weight_decay"].tolist() == [pytest.approx(0.0), 1, 3]
    assert found.loc["channels"].tolist() == [pytest.approx(1.0), 1, 1]


def test_environments_by_hand():
    rows = table([(decay, 8, seed) for decay in (1, 2, 3) for seed in range(LEAST_PAIRS)])
    target = np.concatenate([np.arange(5.0), np.arange(5.0) + 1, np.arange(5.0) + 1])
    measure = np.concatenate([np.zeros(5), [1, 1, -1, 0, 1], np.zeros(5)])
    found = environments(pairs_of(rows), measure, target)
    (first, second) = found.itertuples(index=False)
    # from 1 to 2 the target grows for every seed: right, right, wrong, a tie, right
    assert first == ("weight_decay", 1.0, 2.0, pytest.approx(1.5 / 5), 5)
    assert second == ("weight_decay", 1.0, 3.0, 0.5, 5)  # from 2 to 3 it stands still: left out
    assert environments(pairs_of(rows[:9]), measure[:9], target[:9]).empty  # four pairs are too few


def test_pairs_move_one_variable_and_nothing_else():
    rows = table([(decay, channels, seed) for decay in (1, 2) for channels in (4, 8, 16) for seed in (0, 1)])
    rows.loc[0, "setting"] = "another"
    pairs = pairs_of(rows)
    names = list(VARIED)
    for i, j, variable in zip(pairs.first, pairs.second, pairs.variable, strict=True):
        differ = [name for name in rows.columns if rows.loc[i, name] != rows.loc[j, name]]
        assert differ == [names[variable]]
    assert len(pairs.first) == (6 - 1) + (4 * 3 - 2)  # lambda: 6 groups of 2; channels: 4 groups of 3
    assert pairs_of(rows[:1]).first.size == 0


def test_configurations_are_equal_for_seeds_alone():
    rows = table([(1, 8, 0), (1, 8, 1), (2, 8, 0), (1, 16, 0)])
    found = configurations(rows)
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 3
