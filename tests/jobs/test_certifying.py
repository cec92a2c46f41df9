"""Certificates of what readers look at: one process at a time, the readers in turn, each run tried once."""

import shutil
import subprocess
import time

import pytest

from boundlab.jobs import certifying
from boundlab.jobs.certifying import Certifying
from boundlab.runs.coded import CODED
from boundlab.runs.folder import open_run
from boundlab.system.processes import Worker


@pytest.fixture
def sleepers(monkeypatch):
    """Processes in the place of workers, which only wait, and what they were given."""
    monkeypatch.setattr(certifying, "_LINGER", 0.0)
    started = []

    def start(folders):
        worker = Worker(subprocess.Popen(["sleep", "600"]), None)
        started.append(([folder.name for folder in folders], worker))
        return worker

    yield started, Certifying(start)
    for _, worker in started:
        end(worker)


def runs(folder, *names):
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        status = folder / name / "status.json"
        if not status.exists():
            status.touch()
    return [folder / name for name in names]


def end(worker):
    worker.process.kill()
    worker.process.wait()
    worker.close()


def test_one_at_a_time_the_readers_in_turn_and_each_run_once(sleepers, tmp_path):
    started, desk = sleepers
    assert desk.want("ann", runs(tmp_path, "a", "b"))
    assert desk.want("ann", runs(tmp_path, "a", "b"))
    assert desk.want("bob", runs(tmp_path, "c"))
    assert [names for names, _ in started] == [["a", "b"]]
    end(started[0][1])
    assert desk.want("bob", runs(tmp_path, "c"))  # seen to have ended
    assert desk.want("bob", runs(tmp_path, "c"))
    assert [names for names, _ in started] == [["a", "b"], ["c"]]
    assert not desk.want("ann", runs(tmp_path, "a", "b"))
    assert len(started) == 2
    desk.close()
    assert started[1][1].code is not None


def test_the_latest_wish_of_a_reader_takes_the_place_of_the_one_that_waits(sleepers, tmp_path):
    started, desk = sleepers
    assert desk.want("ann", runs(tmp_path, "a"))
    assert desk.want("ann", runs(tmp_path, "b"))
    assert desk.want("ann", runs(tmp_path, "c"))
    assert desk.want("bob", runs(tmp_path, "d"))
    for _ in range(2):
        end(started[-1][1])
        desk.want("bob", runs(tmp_path, "d"))
        desk.want("bob", runs(tmp_path, "d"))
    assert [names for names, _ in started] == [["a"], ["c"], ["d"]]


def test_what_takes_too_long_is_given_up_and_what_is_trained_anew_is_tried_again(sleepers, tmp_path, monkeypatch):
    started, desk = sleepers
    wanted = runs(tmp_path, "a")
    assert desk.want("ann", wanted)
    monkeypatch.setattr(certifying, "_SECONDS", -1.0)
    while desk.want("ann", wanted):
        time.sleep(0.05)
    assert len(started) == 1
    assert started[0][1].code is not None
    (tmp_path / "a" / "status.json").unlink()
    assert not desk.want("ann", wanted)  # deleted
    time.sleep(0.02)
    assert desk.want("ann", runs(tmp_path, "a"))
    assert len(started) == 2


@pytest.mark.slow
def test_a_real_worker_leaves_certificates_beside_the_seal(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / finished.name)
    desk = Certifying()
    while desk.want("ann", [folder]):
        time.sleep(0.2)
    assert (folder / CODED).exists()
    assert [one.theorem for one in open_run(folder).coded] == ["D", "D2"]
    assert not desk.want("ann", [folder])
    desk.close()
