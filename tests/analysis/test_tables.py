import numpy as np
import pytest
from scipy.stats import binomtest

from boundlab.analysis.curves import by_axis
from boundlab.analysis.paper import read_paper
from boundlab.analysis.tables import AXES, COLUMNS, SERIES, final_table, history_table, reasons, runs_table
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.bounds.concentration import clopper_pearson
from boundlab.data.splits import apply_task
from boundlab.runs.folder import open_run
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import Settings
from boundlab.training import worker


def test_tidy_rows(pack):
    table = final_table(pack, Settings())
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == len(pack) * len(SERIES)
    assert not table.duplicated(["run", "series"]).any()
    bounds = table[table["series"].isin([b.key for b in ALL])]
    assert (bounds["value"].isna() == bounds["reason"].notna()).all()
    shown = table.dropna(subset=["value", "log2_value"])
    np.testing.assert_allclose(2 ** shown["log2_value"], shown["value"])


def test_values_are_those_of_each_run_alone(pack):
    together = final_table(pack, Settings("theorem")).set_index(["run", "series"])["value"]
    for run in pack[::5]:
        alone = final_table([run], Settings("theorem")).set_index(["run", "series"])["value"]
        np.testing.assert_allclose(together[run.id], alone[run.id], rtol=1e-12)


def test_n_on_screen_is_the_n_used(pack):
    for convention, wanted in (("published", 50000), ("theorem", 60000)):
        table = final_table([r for r in pack if r.spec.train.dataset == "mnist"], Settings(convention))
        assert set(table["n"].dropna()) == {wanted}


def test_history_has_every_record_and_errors_at_epoch_ends(pack):
    run = pack[-1]
    table = history_table([run], Settings())
    sparse, test = (table[table["series"] == name] for name in ("sparse", "test_error"))
    assert sparse["value"].notna().all()
    assert len(sparse) == len(run.records)
    assert test["value"].notna().sum() == len(run.epochs)


@pytest.mark.parametrize("wrong", [0, 1, 37, 359, 360])
def test_holdout_limit_is_clopper_pearsons(wrong):
    expected = binomtest(wrong, 360, alternative="less").proportion_ci(0.95, "exact").high
    assert clopper_pearson(np.array([wrong / 360]), 360, 0.05)[0] == pytest.approx(expected, rel=1e-9)


def test_the_holdout_limit_of_a_sub_task_counts_its_own_test_images(tmp_path):
    arch = {"channels": 2, "conv_layers": 1}
    spec = RunSpec.from_dict({"dataset": "digits", "labels": [[0], [1, 2]], "epochs": 3, "arch": arch})
    run = open_run(worker.train_run(spec, tmp_path))
    values = final_table([run], Settings(delta=0.05)).set_index("series")["value"]
    images = len(apply_task(spec.train)[1].labels)
    wrong = values["test_error"] * images
    assert wrong == pytest.approx(round(wrong))
    limit = binomtest(round(wrong), images, alternative="less").proportion_ci(0.95, "exact").high
    assert values["holdout"] == pytest.approx(limit, rel=1e-9)


def test_seeds_are_averaged_and_counted(pack):
    table = final_table([r for r in pack if r.spec.arch.title == "CONV-3-16"], Settings())
    table = table[table["dataset"] == "mnist"]
    curve = by_axis(table, AXES["weight_decay"])
    sparse = curve[curve["series"] == "sparse"].set_index("weight_decay")
    each = table[table["series"] == "sparse"].pivot(index="weight_decay", columns="seed", values="value")
    assert each.shape == (7, 3)
    np.testing.assert_allclose(sparse["mean"], each.sum(axis=1) / 3)
    np.testing.assert_allclose(sparse["low"], each.min(axis=1))
    np.testing.assert_allclose(sparse["high"], each.max(axis=1))
    assert set(sparse["seeds"]) == {3}
    assert "graf_params" in reasons(table)


@pytest.mark.parametrize("axis", AXES.values(), ids=lambda a: a.key)
def test_the_papers_curves_are_there_for_every_axis(axis):
    paper = read_paper(axis)
    assert {"sparse", "golowich", "ledent", "graf", "test_error"} <= set(paper["series"])
    assert set(paper["figure"]) == {axis.paper_figure}
    if axis.key == "depth":
        assert paper["x"].min() == 3  # the paper counts the output layer, the axis does not


def test_thinned_histories_keep_the_records_with_errors(pack):
    run = pack[-1]
    got = history_table([run], Settings(), 12)
    steps = got[got["series"] == "sparse"]["step"].tolist()
    assert len(steps) == 12
    assert set(run.epochs["step"]) <= set(steps) <= set(run.records["step"])
    assert history_table([run], Settings(), 3)["step"].nunique() == 3  # fewer than there are records with errors


def test_the_listing_says_what_each_run_is(pack):
    listed = runs_table(pack)
    assert len(listed) == len(pack)
    assert listed["run"].tolist() == [run.id for run in pack]
    assert set(listed["preset"]) == {"short"}


def test_measured_series_are_the_last_record_s_and_the_gap_is_test_minus_train(pack):
    wide = final_table(pack, Settings()).pivot_table(index="run", columns="series", values="value")
    for run in pack:
        first, last = run.epochs.iloc[0], run.epochs.iloc[-1]
        assert wide.loc[run.id, "test_error"] == last["test_error"]
        assert last["test_error"] < first["test_error"] or not run.trained
        assert wide.loc[run.id, "train_error"] == last["train_error"]
        assert wide.loc[run.id, "gap"] == last["test_error"] - last["train_error"]
    assert (wide["gap"] > 0).any()  # both signs occur: neither a size nor the other difference would do
    assert (wide["gap"] < 0).any()


def test_history_s_gap_is_test_minus_train_at_every_epoch(pack):
    run = next(run for run in pack if run.spec.train.dataset == "digits")
    wide = history_table([run], Settings()).pivot_table(index="step", columns="series", values="value")
    ends = run.epochs.set_index("step")
    np.testing.assert_array_equal(wide["gap"].dropna(), (ends["test_error"] - ends["train_error"]))


def test_bounds_of_the_final_table_are_those_of_the_last_record(pack):
    run = pack[0]
    table = final_table([run], Settings("published")).set_index("series")["value"]
    first, last = (
        evaluate(BY_KEY["sparse"], run.norms(run.epochs.iloc[[at]]), run.sample, Settings()) for at in (0, -1)
    )
    assert table["sparse"] == pytest.approx(last.value[0], rel=1e-12)
    assert table["sparse"] != pytest.approx(first.value[0], rel=0.1)
