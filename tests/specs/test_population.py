"""The grids of page Ranking's populations are those that are drawn, and every variable moves in it while nothing else does."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from boundlab.specs.grid import load_grid
from boundlab.specs.recipes import recipe, studied
from boundlab.specs.stacking import kind
from tests.population import CHOICES, written

DATA = Path(__file__).resolve().parents[2] / "data"
GRIDS = {"digits": DATA / "grid_population.toml", "mnist": DATA / "grid_population_mnist.toml"}
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


@pytest.fixture(scope="module", params=list(GRIDS))
def dataset(request):
    return request.param


@pytest.fixture(scope="module")
def specs(dataset):
    return load_grid(GRIDS[dataset])


def fields(spec):
    return {**dataclasses.asdict(spec.arch), **dataclasses.asdict(spec.train)}


def test_the_grid_is_the_one_that_is_drawn(dataset):
    choices = CHOICES[dataset]
    assert GRIDS[dataset].read_text() == written(choices)
    assert written(choices) != written(dataclasses.replace(choices, seed=1))


def test_its_runs_are_of_one_recipe_and_trained_together(dataset, specs):
    assert {recipe(spec) for spec in specs} == {"population"}
    assert all(studied(spec, "population") for spec in specs)
    assert len(specs) == 24 * CHOICES[dataset].pairs
    assert set(Counter(map(kind, specs)).values()) <= {12, 24, 36}


def test_every_variable_moves_while_nothing_else_does(dataset, specs):
    every = [tuple(fields(spec)[name] for name in FIELDS) for spec in specs]
    for place, name in enumerate(FIELDS[:-1]):
        rest = Counter(values[:place] + values[place + 1 :] for values in every)
        pairs = sum(count * (count - 1) // 2 for count in rest.values())
        assert pairs >= 50 * CHOICES[dataset].pairs / CHOICES["digits"].pairs, name
