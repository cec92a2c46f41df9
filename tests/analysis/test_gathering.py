"""Tables from gathered records against the slow obvious way: one record, one bound at a time."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.curves import last_known
from boundlab.analysis.gathering import histories, last_records
from boundlab.analysis.tables import COLUMNS, MEASURED, final_table, history_table
from boundlab.bounds import ALL
from boundlab.bounds.base import effective_n, evaluate
from boundlab.specs.settings import CONVENTIONS, Settings

PARTS = ("value", "complexity", "confidence", "empirical", "margin")


@pytest.fixture(scope="module")
def runs(whole_pack):
    """The one with most records of each architecture, data set and task, and a second of the first of them."""
    kinds = {}
    for run in sorted(whole_pack, key=lambda run: -len(run.records)):
        kinds.setdefault((run.spec.arch, run.spec.train.dataset, run.spec.train.labels), run)
    first = next(iter(kinds.values()))
    like = [run for run in whole_pack if run.spec.arch == first.spec.arch and run.sample is first.sample]
    return [*kinds.values(), next(run for run in like if run is not first)]


@pytest.mark.parametrize(
    "settings", [Settings(name, delta) for name in CONVENTIONS for delta in (0.001, 0.05)], ids=repr
)
def test_every_cell_is_that_of_its_record_alone(runs, settings):
    rows = {(row.run, row.series, row.step): row for row in history_table(runs, settings, 9).itertuples()}
    assert len(rows) > 5 * len(runs) * len(ALL)
    seen = set()
    for run in runs:
        for place in [place for place, step in enumerate(run.records["step"]) if (run.id, "gap", step) in rows]:
            norms, step = run.norms(run.records.iloc[[place]]), run.records["step"].iloc[place]
            for bound in ALL:
                row, alone = rows[run.id, bound.key, step], evaluate(bound, norms, run.sample, settings)
                seen.add((run.id, bound.key, step))
                if alone.reason and "patch norms were measured" in alone.reason:  # as they were, in other records
                    assert np.isnan(row.value)
                    continue
                assert (row.reason if isinstance(row.reason, str) else None) == alone.reason
                assert (row.convention, row.n) == (settings.convention, effective_n(run.sample, settings))
                # alone, without errors, a bound is at margin 1; among records that have some, there is nothing to search
                unknown = settings.convention == "strict" and alone.reason is None and np.isnan(alone.value[0])
                for name in ["value"] if unknown else PARTS:
                    wanted = np.nan if (part := getattr(alone, name)) is None else part[0]
                    np.testing.assert_allclose(getattr(row, name), wanted, rtol=1e-12, err_msg=f"{bound.key} {name}")
    assert len(seen) == len(rows) * len(ALL) / (len(ALL) + len(MEASURED))


def test_between_epoch_ends_a_searched_margin_is_the_last_one_found(runs):
    run = next(run for run in runs if run.spec.train.dataset == "digits")
    table = history_table([run], Settings("strict"), 40)
    sparse = table[table["series"] == "sparse"].set_index("step")
    ends = sparse.index.isin(run.epochs["step"])
    assert 0 < ends.sum() < len(ends)
    np.testing.assert_array_equal(sparse["margin"].notna(), ends)
    carried = last_known(table)
    carried = carried[carried["series"] == "sparse"].set_index("step")
    for name in PARTS:
        np.testing.assert_array_equal(carried[name], sparse[name].ffill())


def test_the_order_is_alike_runs_together_and_series_after_series(runs):
    table = history_table(runs, Settings(), 5)
    assert list(table.columns) == list(COLUMNS)
    assert table.index.equals(pd.RangeIndex(len(table)))
    places = table[["architecture", "series", "run"]].astype(str).agg(" ".join, axis=1).drop_duplicates()
    assert len(places) == len(runs) * (len(ALL) + len(MEASURED))
    first, second = runs[0], runs[-1]
    rows = table[table["run"].isin([first.id, second.id])]
    assert rows["run"].iloc[0] == first.id
    assert rows["series"].iloc[:10].nunique() == 1


def test_records_are_gathered_once_and_of_the_very_runs(runs):
    one = tuple(runs[:2])
    assert histories(one, 5) is histories(tuple(runs[:2]), 5)
    assert histories(one, 5) is not histories(one, 6)
    other = dataclasses.replace(runs[0], records=runs[0].records.iloc[:1].assign(path_l1=1.0))
    assert last_records((runs[0],)) is not last_records((other,))
    value = final_table([other], Settings("theorem")).set_index("series")["complexity"]
    assert value["gonon"] != final_table([runs[0]], Settings("theorem")).set_index("series")["complexity"]["gonon"]


def test_what_a_page_does_to_a_table_changes_no_other(runs):
    before = final_table(runs, Settings()).copy()
    table = final_table(runs, Settings())
    table["epoch"] = 0.0
    table.loc[:, "seed"] = -1
    table.iloc[0, list(COLUMNS).index("value")] = 17.0
    pd.testing.assert_frame_equal(final_table(runs, Settings()), before)


def test_the_gap_is_between_labels_of_one_distribution(pack):
    """By hand: of 10 classes, 40 % drawn anew: 0.6 x test error + 0.4 x 0.9 less training error; each run by its own noise."""
    runs = [run for run in pack if run.id.startswith("digits-conv-3-16-wd0.002")][:3]
    noisy = [
        dataclasses.replace(
            run,
            spec=dataclasses.replace(run.spec, train=dataclasses.replace(run.spec.train, label_noise=noise)),
            records=run.records.assign(train_error=0.1, test_error=0.3),
        )
        for run, noise in zip(runs, (0.0, 0.4, 1.0), strict=True)
    ]
    table = final_table(noisy, Settings()).set_index(["label_noise", "series"])["value"]
    gaps = [table[noise, "gap"] for noise in (0.0, 0.4, 1.0)]
    assert gaps == pytest.approx([0.3 - 0.1, 0.6 * 0.3 + 0.4 * 0.9 - 0.1, 0.9 - 0.1])
    assert table[0.4, "test_error"] == pytest.approx(0.3)
