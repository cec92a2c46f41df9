"""The folder protocol of jobs: what state a folder tells, who may queue how much, and in which order jobs start."""

import json
import os
import time

import pytest

from boundlab.errors import RunError
from boundlab.jobs import queue
from boundlab.jobs.queue import Limits
from boundlab.runs import job as jobstate
from boundlab.runs.heartbeat import Interrupted, Watch
from boundlab.runs.status import write_status
from boundlab.specs.run import RunSpec
from boundlab.system.locks import held, take_lock

FEW = Limits(running=2, waiting=4, per_person=3)


def spec(seed=0, **more):
    return RunSpec.from_dict({"dataset": "digits", "epochs": 3, "seed": seed, "arch": {"channels": 2}, **more})


def submit(out, seed=0, owner="anna", limits=FEW):
    return queue.submit(spec(seed), owner, "cpu", out, limits)


def say(job, state, **more):
    """Write a status as a worker would."""
    write_status(job.folder, job.said(state, **more))
    return jobstate.read_job_folder(job.folder)


def test_a_new_job_waits_then_runs_while_its_lock_is_held_then_is_lost(tmp_path):
    job = submit(tmp_path)
    assert (job.state, job.owner, job.attempt) == ("queued", "anna", 1)
    lock = take_lock(tmp_path, job.id)
    assert held(tmp_path, job.id)
    assert say(job, "running", step=40).state == "running"
    queue.ask(job, "pause")
    assert jobstate.read_job_folder(job.folder).state == "stopping"
    os.close(lock)
    assert jobstate.read_job_folder(job.folder).state == "paused"  # it died while it was asked to pause
    again = submit(tmp_path, 1)
    say(again, "running", step=7)
    assert jobstate.read_job_folder(again.folder).state == "lost"


@pytest.mark.parametrize("state", ["paused", "stopped", "failed"])
def test_resting_jobs_stay_what_they_are_until_they_are_resumed(tmp_path, state):
    job = say(submit(tmp_path), state, step=12, error="because" if state == "failed" else None)
    assert (job.state, job.step) == (state, 12)
    queue.resume(job, "anna", FEW)
    now = jobstate.read_job_folder(job.folder)
    assert (now.state, now.attempt) == ("queued", 2)
    assert (now.submitted == job.submitted) is (state == "paused")  # a paused job keeps its place in line


@pytest.mark.parametrize(("asked", "state"), [("pause", "paused"), ("stop", "stopped")])
def test_a_waiting_job_can_be_taken_out_of_the_queue(tmp_path, asked, state):
    job = submit(tmp_path)
    queue.ask(job, asked)
    assert jobstate.read_job_folder(job.folder).state == state
    assert queue.in_order(queue.jobs(tmp_path)) == []


def test_the_same_spec_twice_is_one_run(tmp_path):
    first = submit(tmp_path)
    assert submit(tmp_path, owner="ben") == first
    assert len(queue.jobs(tmp_path)) == 1
    say(first, "stopped", step=5)
    again = submit(tmp_path)
    assert (again.state, again.owner, again.attempt) == ("queued", "anna", 2)


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_what_somebody_halted_is_not_started_by_others(tmp_path, state):
    job = say(submit(tmp_path), state)
    with pytest.raises(RunError, match=f"somebody else has {state}"):
        submit(tmp_path, owner="ben")
    assert jobstate.read_job_folder(job.folder) == job


@pytest.mark.parametrize("state", ["failed", "running"])
def test_what_broke_down_may_be_started_by_others_and_stays_whose_it_was(tmp_path, state):
    say(submit(tmp_path), state)
    again = submit(tmp_path, owner="ben")
    assert (again.state, again.owner) == ("queued", "anna")


def test_a_finished_run_is_not_queued_again(finished):
    job = queue.submit(jobstate.read_job_folder(finished).spec, "anna", "cpu", finished.parent, FEW)
    assert job.state == "done"
    assert not (finished / "job.json").exists()
    queue.resume(job, "anna", FEW)
    queue.ask(job, "stop")
    assert jobstate.read_job_folder(finished) == job


def test_everybodys_first_job_starts_before_anybodys_second(tmp_path):
    anna = [submit(tmp_path, seed) for seed in range(3)]
    ben = submit(tmp_path, 10, "ben")
    every = queue.jobs(tmp_path)
    assert [job.id for job in queue.in_order(every)] == [anna[0].id, ben.id, anna[1].id, anna[2].id]
    assert [queue.position(job, every) for job in (anna[0], ben, anna[2])] == [1, 2, 4]
    lock = take_lock(tmp_path, anna[0].id)
    say(anna[0], "running")
    every = queue.jobs(tmp_path)
    assert queue.in_order(every)[0].id == ben.id  # she has one running
    assert queue.position(anna[0], every) == 0
    os.close(lock)


def test_limits_name_themselves(tmp_path):
    for seed in range(3):
        submit(tmp_path, seed)
    with pytest.raises(RunError, match="3 is the most for one person"):
        submit(tmp_path, 3)
    submit(tmp_path, 4, "ben")
    with pytest.raises(RunError, match="queue is full"):
        submit(tmp_path, 5, "ben")
    resting = say(queue.jobs(tmp_path)[0], "running")  # nobody holds its lock: lost
    submit(tmp_path, 6, "ben")
    with pytest.raises(RunError, match="queue is full"):
        queue.resume(resting, "ben", FEW)


def test_fresh_names_from_one_address_fill_a_part_of_the_queue_only(tmp_path):
    limits = Limits(running=2, waiting=10, per_person=3, per_address=4)

    def ask(seed, address):
        return queue.submit(spec(seed), f"name {seed}", "cpu", tmp_path, limits, address)

    for seed in range(4):
        ask(seed, "here")
    with pytest.raises(RunError, match="4 jobs from your network address wait or run, and 4 is the most for one"):
        ask(4, "here")
    assert ask(5, "there").address == "there"
    assert ask(6, None).state == "queued"
    resting = say(queue.jobs(tmp_path)[-1], "stopped")
    with pytest.raises(RunError, match="4 jobs from your network address"):
        queue.resume(resting, "another name", limits, "here")
    queue.resume(resting, "name 6", limits, "there")
    assert jobstate.read_job_folder(resting.folder).address == "there"


@pytest.mark.parametrize(
    ("name", "text"), [("BOUNDLAB_JOBS", "0"), ("BOUNDLAB_QUEUE", "many"), ("BOUNDLAB_PER_PERSON", "-1")]
)
def test_a_senseless_limit_is_named(monkeypatch, name, text):
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        Limits.from_environment()


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("BOUNDLAB_JOBS", "7")
    assert Limits.from_environment() == Limits(7)


def test_what_is_being_trained_cannot_be_deleted_and_the_rest_can(tmp_path):
    job = submit(tmp_path)
    lock = take_lock(tmp_path, job.id)
    with pytest.raises(RunError, match="being trained"):
        queue.delete(job)
    os.close(lock)
    queue.delete(job)
    assert queue.jobs(tmp_path) == []
    assert list((tmp_path / ".deleted").iterdir()) == []
    queue.delete(job)  # twice is no error: two tabs may ask


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="is a file where a folder of runs should be"):
        submit(tmp_path / "runs")


DAMAGE = [
    "{",
    "[]",
    '{"request": "fly"}',
    '{"attempt": "x"}',
    '{"attempt": Infinity}',
    '{"owner": ["x"]}',
    '{"submitted": NaN}',
]
DAMAGED = [("job.json", content) for content in DAMAGE]
DAMAGED += [
    ("status.json", f'{{"state": "stopped", "attempt": 1, {part}}}')
    for part in ('"steps": "x"', '"step": -5', '"device": 5')
]


@pytest.mark.parametrize(("name", "content"), DAMAGED)
def test_a_damaged_job_is_left_out_and_named_and_can_be_asked_for_again(tmp_path, name, content):
    good, bad = submit(tmp_path, 0), submit(tmp_path, 1)
    (bad.folder / name).write_text(content)
    assert [job.id for job in queue.jobs(tmp_path)] == [good.id]
    with pytest.raises(RunError, match=r"delete that folder|cannot be read"):
        jobstate.read_job_folder(bad.folder)
    assert submit(tmp_path, 1).state == "queued"


def test_what_earlier_versions_wrote_as_a_wish_is_a_request(tmp_path):
    job = submit(tmp_path)
    before = json.loads((job.folder / "job.json").read_text())
    asked = {"wish" if name == "request" else name: value for name, value in before.items()} | {"wish": "pause"}
    (job.folder / "job.json").write_text(json.dumps(asked))
    assert jobstate.read_job_folder(job.folder).state == "paused"
    with pytest.raises(Interrupted, match="paused"):
        Watch(job.folder)()
    queue.resume(jobstate.read_job_folder(job.folder), "anna", FEW)
    assert jobstate.read_job_folder(job.folder).state == "queued"
    Watch(job.folder)()


def test_a_folder_with_only_a_spec_is_no_job(tmp_path):
    job = submit(tmp_path)
    (job.folder / "job.json").unlink()
    assert queue.jobs(tmp_path) == []
    assert submit(tmp_path).state == "queued"


def test_a_run_of_the_command_line_is_a_job_that_belongs_to_nobody(tmp_path):
    folder = tmp_path / spec().id
    folder.mkdir()
    (folder / "spec.json").write_text(json.dumps(spec().to_dict()))
    (folder / "status.json").write_text(
        json.dumps({"state": "running", "step": 3, "steps": 9, "heartbeat": time.time()})
    )
    job = jobstate.read_job_folder(folder)
    assert (job.state, job.owner, job.attempt) == ("lost", None, 0)
    lock = take_lock(tmp_path, folder.name)
    assert jobstate.read_job_folder(folder).state == "running"
    queue.ask(job, "stop")
    assert jobstate.read_job_folder(folder).state == "stopping"
    os.close(lock)
    assert jobstate.read_job_folder(folder).state == "stopped"
    queue.resume(jobstate.read_job_folder(folder), "anna", FEW)
    assert (jobstate.read_job_folder(folder).state, jobstate.read_job_folder(folder).owner) == ("queued", "anna")
