"""The table of measures: each number against the run's own."""

import dataclasses

import numpy as np
import pytest

from boundlab.analysis.measures import CONTROLS, TARGETS, VARIED, measure_names, measures_table
from boundlab.analysis.tables import final_table
from boundlab.bounds import ALL
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import CONVENTIONS, Settings


@pytest.fixture(scope="module")
def some(whole_pack):
    return whole_pack[::17]


def test_a_row_per_run_and_a_column_per_number(some):
    found = measures_table(some)
    assert sorted(found["run"]) == sorted(run.id for run in some)
    assert {*TARGETS, *VARIED, *CONTROLS, *measure_names()} <= set(found.columns)
    assert measures_table([]).empty


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_bounds_are_those_of_the_other_pages(some, convention):
    found, delta = measures_table(some, 0.01).set_index("run"), 0.01
    pages = final_table(some, Settings(convention, delta)).set_index(["run", "series"])["value"]
    for bound in ALL:
        key = f"{bound.key}:{convention}"
        assert (key in found.columns) == (convention in bound.formulas)
        for run in found.index if key in found.columns else ():
            assert found.loc[run, key] == pytest.approx(pages[run, bound.key], nan_ok=True)


def test_controls_are_the_networks_own(some):
    found = measures_table(some).set_index("run")
    for run in some:
        row, last, layers = found.loc[run.id], run.final, range(len(run.spec.arch.shapes()))
        noise = run.spec.train.label_noise
        expected = (1 - noise) * last["test_error"] + noise * (1 - 1 / run.spec.arch.classes)
        assert row["gap"] == pytest.approx(expected - last["train_error"])
        assert row["product_frobenius"] == pytest.approx(np.prod([last[f"layers.{i}.frobenius"] for i in layers]))
        assert row["product_spectral"] == pytest.approx(np.prod([last[f"layers.{i}.spectral_map"] for i in layers]))
        squares = sum(last[f"layers.{i}.frobenius_from_init"] ** 2 for i in layers)
        assert row["distance"] == pytest.approx(np.sqrt(squares), nan_ok=True)
        assert row["parameters"] == run.spec.arch.parameters
        assert row["small_weight_decay"] == -run.spec.train.weight_decay
        assert row["train_loss"] == pytest.approx(last["train_loss"])
        if np.isfinite(row["inverse_margin"]):
            margins = run.norms(run.records.iloc[run.ends[-1] :][:1]).margins
            assert float(margins.at(1 / row["inverse_margin"], "indicator")[0]) <= 0.1


def test_what_else_is_varied_is_the_setting(some):
    run = some[0]
    train = dataclasses.replace(run.spec.train, seed=77, weight_decay=0.5)
    alike = dataclasses.replace(run, spec=dataclasses.replace(run.spec, train=train))
    other = dataclasses.replace(
        run, spec=dataclasses.replace(run.spec, train=dataclasses.replace(run.spec.train, momentum=0.5))
    )
    found = measures_table([run, alike, other]).set_index("run")
    assert found.loc[run.id, "setting"] == found.loc[alike.id, "setting"] != found.loc[other.id, "setting"]
    assert found.loc[alike.id, ["seed", "weight_decay"]].tolist() == [77, 0.5]


def test_epochs_that_follow_from_the_number_of_images_are_no_setting(pack):
    run = next(run for run in pack if run.id.startswith("digits-conv-3-16-"))
    given = {"dataset": "digits", "preset": "long"}
    specs = [
        RunSpec.from_dict(given | more) for more in ({"n_train": 100}, {"n_train": 400}, {"n_train": 100, "epochs": 3})
    ]
    table = measures_table([dataclasses.replace(run, spec=spec) for spec in specs]).set_index("run")
    settings = table.loc[[spec.id for spec in specs], "setting"].tolist()
    assert settings[0] == settings[1] != settings[2]
    assert specs[0].train.epochs != specs[1].train.epochs
