"""`boundlab bench`: what is timed is the real thing; no time is asserted."""

import json
import sys

import numpy as np
import pytest

from boundlab.analysis.gathering import histories
from boundlab.bounds import ALL
from boundlab.bounds.base import evaluate
from boundlab.cli import bench_bounds, bench_store, bench_timing
from boundlab.cli.main import main
from boundlab.runs.folder import list_runs
from boundlab.specs.presets import PRESETS
from boundlab.specs.settings import CONVENTIONS, Settings


def small(whole_pack):
    """One run of each architecture, of the recipes that keep records of their whole training."""
    return list({run.spec.arch: run for run in whole_pack if not PRESETS[run.spec.train.preset].varied}.values())


def test_ways_are_timed_in_turn_and_summed_up(monkeypatch):
    done, clock = [], iter(range(100))
    monkeypatch.setattr(bench_timing.time, "process_time", lambda: float(next(clock)))
    found = bench_timing.in_turn({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 3)
    assert done == ["a", "b"] * 4
    assert found["a"] | {"clock_ms": 0} == {"ms": 1000.0, "quartiles": [1000.0, 1000.0], "times": 3, "clock_ms": 0}
    assert bench_timing.distribution([1.0, 2.0, 3.0, 4.0, 50.0]) == {"ms": 3.0, "quartiles": [2.0, 4.0], "times": 5}
    said = bench_timing.lines(
        {"on": "it", "table": {"way": {"ms": 3.0, "quartiles": [2.0, 4.0], "times": 5, "ratio": 2}}}
    )
    assert said == ["on: it", "table:", "  way: 3 ms (2 to 4, 5 times, ratio 2)"]


def test_the_set_is_made_of_the_shipped_runs_own_records(whole_pack):
    shipped = small(whole_pack)
    runs = bench_bounds.enlarged(shipped, 2 * len(shipped) + 1, 30)
    assert len({run.id for run in runs}) == len(runs)
    for run, own in zip(runs, [*shipped, *shipped, shipped[0]], strict=True):
        assert len(run.records) == 30
        assert (run.spec.arch, run.sample) == (own.spec.arch, own.sample)
        assert set(run.records["step"]) <= set(own.records["step"])
        assert (run.records.iloc[-1] == own.records.iloc[-1])[["step", "path_l1", "test_error"]].all()


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_one_record_at_a_time_gives_what_all_at_once_give(whole_pack, convention):
    shipped, settings, last = small(whole_pack), Settings(convention, 0.01), {}
    gathered = histories(tuple(shipped), 3)
    for part in gathered.parts:
        run = gathered.labels["run"].iloc[part.records.stop - 1]
        last |= {(run, b.key): evaluate(b, part.norms, part.sample, settings).value for b in ALL}
    for run in shipped:
        for bound, value in bench_bounds.one_at_a_time([(run, run.records.iloc[-1].to_dict())], settings)[0].items():
            whole = last[run.id, bound]
            assert (value is None) == (whole is None)
            if value is not None:
                np.testing.assert_allclose(value, whole[-1], rtol=1e-12)


def test_bench_bounds_says_what_it_is_made_of(whole_pack, monkeypatch, capsys):
    monkeypatch.setattr(bench_bounds, "RUNS", 30)
    monkeypatch.setattr(bench_bounds, "_RECORDS", 10)
    monkeypatch.setattr(bench_bounds, "read_pack", lambda: small(whole_pack))
    assert main(["bench", "bounds", "--rounds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert f"30 runs x 10 records, made of the {len(small(whole_pack))} shipped runs" in found["measured"]["set"]
    for convention in CONVENTIONS:
        assert found[convention]["all bounds"].keys() >= {"ms", "quartiles", "times", "clock_ms"}
        assert found[convention]["all bounds, one record at a time"]["extrapolated"] == "from 40 records"
    assert main(["bench", "bounds", "--rounds", "2"]) == 0
    assert "  all bounds: " in capsys.readouterr().out


def test_the_folders_that_are_listed_are_run_folders(whole_pack, tmp_path):
    runs = small(whole_pack)
    files = bench_store.write_folders(runs, tmp_path)
    found = list_runs(tmp_path)
    assert not found.left_out
    assert {run.id for run in found.runs} == {run.id for run in runs}
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_bench_app_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    assert main(["bench", "app"]) == 2
    assert "pip install playwright" in capsys.readouterr().err


def test_bench_app_says_that_chromium_is_missing(monkeypatch, capsys):
    pytest.importorskip("playwright", reason="no playwright: it comes with the test extra")
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["bench", "app"]) == 2
    assert "install Debian's package `chromium`" in capsys.readouterr().err
