"""What is played: one reader's runs as one job, kept from other pages until they are kept."""

import os

import pytest

from boundlab.errors import RunError
from boundlab.jobs import played, queue
from boundlab.jobs.queue import Limits
from boundlab.jobs.teams import next_team
from boundlab.runs.job import read_job_folder
from boundlab.runs.status import write_status
from boundlab.specs.played import Played
from boundlab.system.locks import take_lock

FEW = Limits(running=2, waiting=3, per_person=1, per_address=2)
ONE, TWO = Played(), Played(channels=4)


def play(out, what=ONE, owner="anna", limits=FEW, address="here"):
    return played.play(what.specs, owner, out, limits, address)


def states(jobs):
    return {read_job_folder(job.folder).state for job in jobs}


def test_all_wait_as_one_job_and_start_as_one_team(tmp_path):
    jobs = play(tmp_path)
    assert [job.state for job in jobs] == ["queued"] * 12
    assert all(job.played for job in jobs)
    team = next_team(queue.in_order(queue.jobs(tmp_path)), "cpu", 1, 2**40)
    assert {job.id for job in team} == {job.id for job in jobs}


def test_another_sweep_takes_the_place_of_the_reader_s_last(tmp_path):
    first, second = play(tmp_path), play(tmp_path, TWO)
    assert (states(first), states(second)) == ({"stopped"}, {"queued"})
    assert states(play(tmp_path)) == {"queued"}  # back again
    assert states(second) == {"stopped"}


def test_limits_count_a_sweep_once(tmp_path):
    play(tmp_path)
    with pytest.raises(RunError, match="you have 1 jobs"):
        queue.submit(Played(seed=5).specs[0], "anna", "cpu", tmp_path, FEW)
    play(tmp_path, TWO, "berta")
    with pytest.raises(RunError, match="from your network address"):
        play(tmp_path, Played(channels=2), "carl")
    play(tmp_path, Played(channels=2), "carl", address="there")
    with pytest.raises(RunError, match="queue is full"):
        play(tmp_path, Played(channels=16), "dora", address="elsewhere")
    assert not list(tmp_path.glob("*conv-3-16*"))


def test_what_is_about_to_stop_takes_nobody_s_place(tmp_path):
    job = play(tmp_path)[0]
    lock = take_lock(tmp_path, job.id)
    write_status(job.folder, job.said("running"))
    assert states(play(tmp_path, TWO)) == {"queued"}
    assert read_job_folder(job.folder).state == "stopping"
    os.close(lock)


def test_readers_of_the_same_sweep_share_it_and_it_goes_on_when_one_leaves(tmp_path):
    first = play(tmp_path)
    assert [job.owner for job in play(tmp_path, owner="berta")] == ["anna"] * 12
    play(tmp_path, TWO)  # anna leaves
    assert states(first) == {"stopped"}
    again = play(tmp_path, owner="berta")
    assert {(job.state, job.owner, job.played) for job in again} == {("queued", "berta", True)}


def test_kept_ones_are_ordinary_and_are_neither_stopped_nor_deleted(tmp_path):
    jobs = play(tmp_path)
    played.keep_played(jobs)
    assert not any(read_job_folder(job.folder).played for job in jobs)
    play(tmp_path, TWO, limits=Limits(running=2, per_person=13))
    assert states(jobs) == {"queued"}
    played.prune(tmp_path, most=0)
    assert all(job.folder.exists() for job in jobs)


def test_asking_page_train_for_a_played_run_keeps_it(tmp_path):
    job = play(tmp_path)[0]
    queue.submit(job.spec, "anna", "cpu", tmp_path, FEW)
    assert not read_job_folder(job.folder).played


def test_the_oldest_that_nobody_kept_are_deleted(tmp_path):
    old, new = play(tmp_path), play(tmp_path, TWO)
    played.prune(tmp_path, most=14)
    assert sum(job.folder.exists() for job in old) == 2
    assert all(job.folder.exists() for job in new)
    played.prune(tmp_path, most=0)
    assert all(job.folder.exists() for job in new)  # they wait


def test_pausing_frees_the_place_and_playing_goes_on(tmp_path):
    jobs = play(tmp_path)
    played.stop_played(jobs, "pause")
    assert states(jobs) == {"paused"}
    assert {job.state for job in play(tmp_path)} == {"queued"}
