"""The grid of page Ranking's population is the one that is drawn, and every variable moves in it while nothing else does."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from boundlab.specs.grid import load_grid
from boundlab.specs.recipes import recipe, studied
from boundlab.specs.stacking import kind
from tests.population import PAIRS, written

GRID = Path(__file__).resolve().parents[2] / "data" / "grid_population.toml"
FIELDS = (
    "conv_layers",
    "channels",
    "kernel_size",
    "n_train",
    "batch_size",
    "weight_decay",
    "label_noise",
    "lr",
    "seed",
)


@pytest.fixture(scope="module")
def specs():
    return load_grid(GRID)


def fields(spec):
    return {**dataclasses.asdict(spec.arch), **dataclasses.asdict(spec.train)}


def test_the_grid_is_the_one_that_is_drawn():
    assert GRID.read_text() == written()
    assert written(1) != written(2)


def test_its_runs_are_of_one_recipe_and_trained_together(specs):
    assert {recipe(spec) for spec in specs} == {"population"}
    assert all(studied(spec, "population") for spec in specs)
    assert len(specs) == 24 * PAIRS
    assert set(Counter(map(kind, specs)).values()) <= {12, 24, 36}


def test_every_variable_moves_while_nothing_else_does(specs):
    every = [tuple(fields(spec)[name] for name in FIELDS) for spec in specs]
    for place, name in enumerate(FIELDS[:-1]):
        rest = Counter(values[:place] + values[place + 1 :] for values in every)
        pairs = sum(count * (count - 1) // 2 for count in rest.values())
        assert pairs >= 50, name
