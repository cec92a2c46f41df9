"""Columns of all runs: each number against the run's own, each made only when it is asked for."""

import numpy as np
import pytest

from boundlab.analysis import measures, run_columns
from boundlab.analysis.run_columns import column_values, fields_table, with_columns
from boundlab.analysis.tables import final_table
from boundlab.bounds import ALL
from boundlab.specs.settings import CONVENTIONS, Settings


@pytest.fixture(scope="module")
def some(whole_pack):
    return whole_pack[::13]


def test_a_row_per_run_with_its_own_fields(some):
    table, columns = fields_table(some), run_columns.run_columns(some)
    assert list(table["run"]) == [run.id for run in some]
    assert set(table) <= set(columns)
    for row, run in zip(table.to_dict("records"), some, strict=True):
        arch, train, last = run.spec.arch, run.spec.train, run.final
        assert row["architecture"] == arch.title
        assert row["weight_decay"] == train.weight_decay
        assert row["n"] == run.sample.n
        assert row["parameters"] == arch.parameters
        assert (row["trained"], row["at_plateau"]) == tuple(
            "yes" if flag else "no" for flag in (run.trained, run.at_plateau)
        )
        assert (row["train_error"], row["test_error"]) == (last["train_error"], last["test_error"])
        noise, classes = train.label_noise, arch.classes
        noisy = (1 - noise) * last["test_error"] + noise * (1 - 1 / classes)
        assert row["gap"] == pytest.approx(noisy - last["train_error"])
        assert (
            np.isnan(row["channels"]) if isinstance(arch.channels, tuple | None) else row["channels"] == arch.channels
        )


def test_kinds_are_what_the_table_holds(some):
    table, columns = fields_table(some), run_columns.run_columns(some)
    for name in table:
        words = columns[name].kind == "word"
        assert (str(table[name].dtype) == "category") == words
        assert words or table[name].dtype == float


def test_bounds_are_those_of_the_other_pages(some):
    for convention in CONVENTIONS:
        pages = final_table(some, Settings(convention, 0.01)).set_index(["run", "series"])["value"]
        for bound in ALL:
            if convention in bound.formulas:
                found = column_values(some, f"{bound.key}:{convention}", 0.01)
                assert found == pytest.approx([pages[run.id, bound.key] for run in some], nan_ok=True)


def test_what_records_hold_can_be_asked_for_and_nothing_else(some):
    columns = run_columns.run_columns(some)
    assert {"loss", "path_l1", "layers.0.frobenius", "test_loss"} <= set(columns)
    assert not {"ramp", "indicator", "margin_quantiles"} & set(columns)
    deep = max(some, key=lambda run: len(run.spec.arch.shapes()))
    name = f"layers.{len(deep.spec.arch.shapes()) - 1}.frobenius"
    for run, value in zip(some, column_values(some, name), strict=True):
        assert value == pytest.approx(run.final.get(name, np.nan), nan_ok=True)


def test_a_bound_is_evaluated_only_where_it_is_asked_for(some, monkeypatch):
    asked, real = [], measures.evaluate
    monkeypatch.setattr(measures, "evaluate", lambda bound, *rest: asked.append(bound.key) or real(bound, *rest))
    fields_table(some)
    column_values(some, "product_frobenius")
    column_values(some, "loss")
    assert not asked
    column_values(some, "golowich:published")
    assert set(asked) == {"golowich"}


def test_columns_of_some_rows_keep_their_places(some):
    table = fields_table(some)
    found = with_columns(table.iloc[[5, 2]], ["seed", "twice"], lambda key: np.arange(len(table)) * 2.0)
    assert list(found) == ["run", "seed", "twice"]
    assert found["twice"].tolist() == [10.0, 4.0]
    assert found["run"].tolist() == [some[5].id, some[2].id]


def test_a_run_without_errors_is_no_row(some):
    import dataclasses

    early = dataclasses.replace(some[0], records=some[0].records.assign(train_error=np.nan))
    assert list(fields_table([early, some[1]])["run"]) == [some[1].id]
    assert len(column_values([early, some[1]], "loss")) == 1
    assert len(column_values([early, some[1]], "sparse:published")) == 1
