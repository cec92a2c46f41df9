"""The scheduler with real worker processes: limits, kills, restarts, two servers, the warm worker."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from boundlab.jobs import queue, scheduler
from boundlab.jobs.queue import Limits
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs import job as jobstate
from boundlab.runs.folder import open_run
from boundlab.runs.job import Job
from boundlab.runs.status import read_status
from boundlab.specs.run import RunSpec
from boundlab.specs.work import memory
from boundlab.system import memory as room
from boundlab.system.devices import Device
from boundlab.system.processes import Worker
from tests.cases import TRAINED

CPU = Device("cpu", "a processor", 2**30)
LONG = {**TRAINED, "epochs": 2000}
PATIENCE = 300  # a busy machine trains slowly


def wait(condition, what=""):
    """Until it holds; what it returned."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what or condition}"
        time.sleep(0.05)
    return value


class Counting(Scheduler):
    """The scheduler, and how often it has looked at the folder."""

    looks = 0

    def tick(self):
        busy = super().tick()
        self.looks += 1
        return busy


def look(*machines):
    """Until each has looked three times more, and knows its devices: what it would do, it has done."""
    for machine in machines:
        wait(lambda machine=machine: machine.devices is not None, "devices")
        wanted = machine.looks + 3
        wait(lambda machine=machine, wanted=wanted: machine.wake() or machine.looks >= wanted, "three looks")


@contextmanager
def running(out, at_once=2):
    machine = Counting(out, Limits(running=at_once), lambda: [CPU]).start()
    try:
        yield machine
    finally:
        machine.stop()


def submit(out, given=TRAINED, seed=0, owner="anna"):
    return queue.submit(RunSpec.from_dict({**given, "seed": seed}), owner, "auto", out, Limits(running=2))


def state(job):
    return jobstate.read_job_folder(job.folder).state


def step(job):
    return jobstate.read_job_folder(job.folder).step


def is_(job, *states):
    return lambda: state(job) in states


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill(job):
    os.kill(read_status(job.folder).pid, signal.SIGKILL)


def assert_same(folder, finished):
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "epochs.parquet"), pd.read_parquet(finished / "epochs.parquet")
    )
    assert (folder / "network.safetensors").read_bytes() == (finished / "network.safetensors").read_bytes()


def test_no_more_than_the_limit_run_at_once_and_all_finish(tmp_path, finished):
    every = [
        submit(tmp_path, TRAINED | {"epochs": epochs}) for epochs in (24, 23, 22)
    ]  # alike they would be one process's
    most = 0
    with running(tmp_path):

        def done():
            nonlocal most
            states = [state(job) for job in every]
            most = max(most, sum(s in jobstate.LIVE for s in states))
            return all(s == "done" for s in states)

        wait(done)
    assert most == 2
    assert_same(every[0].folder, finished)


def test_runs_alike_are_trained_by_one_process_and_each_may_end_alone(tmp_path):
    with running(tmp_path, at_once=1) as machine:
        machine.devices = None  # all three are queued before anything starts
        every = [submit(tmp_path, LONG, seed=seed) for seed in range(3)]
        machine.devices = [Device("cpu", "a processor", 2**40)]
        machine.wake()
        wait(lambda: all(step(job) > 50 for job in every))
        assert len({read_status(job.folder).pid for job in every}) == 1
        queue.ask(every[1], "pause")
        wait(is_(every[1], "paused"))
        stood = step(every[0])
        wait(lambda: step(every[0]) > stood and step(every[2]) > stood)
        assert state(every[0]) == state(every[2]) == "running"
        for job in (every[0], every[2]):
            queue.ask(job, "stop")
        wait(lambda: state(every[0]) == state(every[2]) == "stopped")


def test_a_killed_worker_is_lost_and_its_neighbour_is_not_touched(tmp_path, finished):
    with running(tmp_path) as machine:
        victim, neighbour = submit(tmp_path), submit(tmp_path, LONG, seed=1)
        machine.wake()
        wait(lambda: step(victim) > 100 and step(neighbour) > 100)
        recorded = len(open_run(victim.folder).records)
        kill(victim)
        wait(is_(victim, "lost"))
        wait(lambda: "killed (signal 9" in (jobstate.read_job_folder(victim.folder).error or ""))
        assert len(open_run(victim.folder).records) >= recorded
        now = step(neighbour)
        wait(lambda: step(neighbour) > now and state(neighbour) == "running")
        queue.resume(victim, "anna", Limits(running=2))
        machine.wake()
        wait(is_(victim, "done"))
        assert jobstate.read_job_folder(victim.folder).error is None
        queue.ask(neighbour, "stop")
        wait(is_(neighbour, "stopped"))
    assert_same(victim.folder, finished)


def test_a_paused_job_frees_its_place_and_goes_on_where_it_was(tmp_path, finished):
    with running(tmp_path, at_once=1) as machine:
        first, second = submit(tmp_path), submit(tmp_path, LONG, seed=1)
        machine.wake()
        wait(lambda: step(first) > 100)
        assert state(second) == "queued"
        queue.ask(first, "pause")
        wait(is_(first, "paused"))
        stood = step(first)
        wait(is_(second, "running"))
        assert step(first) == stood
        queue.ask(second, "stop")
        wait(is_(second, "stopped"))
        queue.resume(first, "anna", Limits(running=1))
        machine.wake()
        wait(is_(first, "done"))
    assert_same(first.folder, finished)


SERVER = """
import sys, time, pathlib
from boundlab.system.devices import Device
from boundlab.system.processes import Worker
from boundlab.jobs.queue import Limits
from boundlab.jobs.scheduler import Scheduler
machine = Scheduler(pathlib.Path(sys.argv[1]), Limits(running=2), lambda: [Device("cpu", "a processor", 2**30)]).start()
while True:
    machine.wake()
    time.sleep(0.5)
"""


def server(out, **environment):
    """A process that schedules, as the dashboard's does."""
    return subprocess.Popen([sys.executable, "-c", SERVER, str(out)], env=os.environ | environment)


def test_workers_end_with_a_killed_server_and_the_next_one_finds_their_jobs(tmp_path, finished):
    different = [LONG | {"epochs": LONG["epochs"] + more} for more in (1, 2)]  # alike they would be trained together
    job, waiting = submit(tmp_path), [submit(tmp_path, given) for given in different]
    process = server(tmp_path)
    wait(lambda: step(job) > 100 and step(waiting[0]) > 0)
    worker = read_status(job.folder).pid
    process.kill()
    process.wait()
    wait(lambda: not alive(worker))
    wait(is_(job, "lost"))
    assert [state(w) for w in waiting] == ["lost", "queued"]
    for other in waiting:
        queue.delete(jobstate.read_job_folder(other.folder))
    with running(tmp_path) as machine:
        look(machine)
        assert state(job) == "lost"  # offered, not resumed by itself
        queue.resume(jobstate.read_job_folder(job.folder), "anna", Limits(running=2))
        machine.wake()
        wait(is_(job, "done"))
    assert_same(job.folder, finished)


def test_detached_workers_outlive_the_server(tmp_path, finished):
    job = submit(tmp_path)
    process = server(tmp_path, BOUNDLAB_DETACHED="1")
    wait(lambda: step(job) > 100)
    process.kill()
    process.wait()
    assert state(job) == "running"
    with running(tmp_path) as machine:  # a new server knows it again, and may not start it twice
        machine.wake()
        wait(is_(job, "done"))
    assert_same(job.folder, finished)


def test_of_two_servers_one_starts_jobs_and_the_other_takes_over(tmp_path):
    with running(tmp_path, at_once=1) as other:
        tmp_path.mkdir(exist_ok=True)
        with running(tmp_path, at_once=1) as first:
            pair = [submit(tmp_path, LONG | {"epochs": epochs}) for epochs in (2000, 2001)]
            wait(lambda: [state(job) for job in pair].count("running") == 1)
            look(first, other)
            assert sorted(state(job) for job in pair) == ["queued", "running"]
            leader = first if first.running else other
            assert not (other if leader is first else first).running
        if leader is first:
            wait(lambda: sorted(state(job) for job in pair) == ["lost", "running"])
        for job in pair:
            queue.ask(jobstate.read_job_folder(job.folder), "stop")


def test_two_tabs_that_press_start_together_make_one_run(tmp_path):
    barrier, found = threading.Barrier(2), []

    def press(owner):
        barrier.wait()
        found.append(submit(tmp_path, LONG, owner=owner))

    with running(tmp_path) as machine:
        tabs = [threading.Thread(target=press, args=(owner,)) for owner in ("anna", "ben")]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        machine.wake()
        assert found[0].id == found[1].id
        wait(is_(found[0], "running"))
        wait(lambda: step(found[0]) > 0)
        assert len(machine.running) == 1
        queue.ask(found[0], "stop")
        wait(is_(found[0], "stopped"))


def test_divergence_is_explained_and_frees_the_place(tmp_path):
    with running(tmp_path, at_once=1) as machine:
        bad = submit(tmp_path, {**TRAINED, "lr": 100.0, "momentum": 0.999, "weight_decay": 10.0})
        good = submit(tmp_path, seed=1)
        machine.wake()
        wait(is_(bad, "failed"))
        assert "not finite" in jobstate.read_job_folder(bad.folder).error
        wait(is_(good, "done"))


def test_a_worker_that_does_not_listen_is_killed_when_asked_to_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "GRACE", 1.0)
    with running(tmp_path) as machine:
        job = submit(tmp_path, LONG)
        machine.wake()
        wait(lambda: step(job) > 100)
        os.kill(read_status(job.folder).pid, signal.SIGSTOP)
        queue.ask(job, "stop")
        wait(is_(job, "stopped"))
        assert step(job) > 0


def test_a_run_of_the_command_line_can_be_stopped_and_gone_on_with(tmp_path, finished):
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(TRAINED))
    command = [sys.executable, "-m", "boundlab", "train", str(spec), "--out", str(tmp_path / "runs"), "--quiet"]
    folder = tmp_path / "runs" / finished.name
    process = subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait(lambda: folder.exists() and read_status(folder).step > 100)
    queue.ask(jobstate.read_job_folder(folder), "stop")
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert b"stopped from the dashboard" in said
    assert jobstate.read_job_folder(folder).state == "stopped"
    subprocess.run([*command, "--device", "cpu"], check=True, stdout=subprocess.DEVNULL)
    assert_same(folder, finished)


def test_the_scheduler_outlives_whatever_happens_to_it(tmp_path, monkeypatch, capsys):
    with running(tmp_path) as machine:
        with monkeypatch.context() as patch:
            patch.setattr(queue, "jobs", lambda out: 1 / 0)
            machine.wake()
            assert wait(lambda: machine.trouble) == "division by zero"
        job = submit(tmp_path)
        machine.wake()
        wait(is_(job, "done"))
        assert machine.trouble is None


def test_a_warm_worker_is_used_again_and_replaced_when_dead(tmp_path, finished, monkeypatch):
    monkeypatch.setattr(scheduler, "HEAD_START", 0.0)
    with running(tmp_path, at_once=1) as machine:
        machine.wake()
        first = wait(lambda: machine.warm.workers)[0]
        for seed in (1, 0):
            job = submit(tmp_path, seed=seed)
            machine.wake()
            wait(is_(job, "done"))
            assert read_status(job.folder).pid == first.process.pid
            wait(lambda: first in machine.warm.workers)
        first.process.kill()  # a dead one is no harm
        first.process.wait()
        last = submit(tmp_path, seed=2)
        machine.wake()
        wait(is_(last, "done"))
        assert read_status(last.folder).pid != first.process.pid
    assert_same(job.folder, finished)


def test_as_many_warm_workers_as_run_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "HEAD_START", 0.0)
    with running(tmp_path, at_once=2) as machine:
        machine.wake()
        both = wait(lambda: len(machine.warm.workers) == 2 and list(machine.warm.workers))
        jobs = [submit(tmp_path, seed=seed) for seed in range(4)]
        machine.wake()
        for job in jobs:
            wait(is_(job, "done"))
        assert {read_status(job.folder).pid for job in jobs} <= {worker.process.pid for worker in both}
        wait(lambda: not machine.running)
        assert {id(worker) for worker in machine.warm.workers} == {id(worker) for worker in both}


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / ".locks").write_text("")
    with running(tmp_path) as machine:
        machine.wake()
        assert "is a file where a folder of runs should be" in wait(lambda: machine.trouble)


@pytest.mark.parametrize(("device", "kind"), [("auto", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")])
def test_each_gpu_gets_one_job_and_the_cpu_its_own(tmp_path, device, kind):
    gpus = [Device("cuda", "GPU", 2**30, index=index) for index in range(2)]
    machine = Scheduler(tmp_path, Limits(running=1), lambda: [CPU, *gpus])
    machine.devices = [CPU, *gpus]
    every = []
    for seed in range(4):
        spec = RunSpec.from_dict({**TRAINED, "seed": seed})
        every.append(queue.submit(spec, "anna", device, tmp_path, Limits(running=1)))
    assert {machine.kind(job) for job in every} == {kind}
    assert len(machine._startable(every)) == (2 if kind == "cuda" else 1)


def large(width, seed=0):
    return RunSpec.from_dict({"dataset": "digits", "seed": seed, "arch": {"kind": "mlp", "hidden": [width, width]}})


def test_a_run_starts_only_when_its_memory_fits_beside_what_runs(tmp_path):
    """Of two that fill the machine one starts; the other says what it waits for, and nothing smaller passes it."""
    one, other, small = large(10_000), large(10_000, 1), RunSpec.from_dict(TRAINED)
    total = round(1.5 * memory(one))
    machine = Scheduler(tmp_path, Limits(running=4), free=lambda: total)
    machine.devices = [Device("cpu", "a processor", total)]
    every = [queue.submit(spec, "anna", "cpu", tmp_path, Limits(running=4)) for spec in (one, other, small)]
    assert [job.id for team in machine._startable(every) for job in team] == [one.id]
    assert machine.waits == {other.id: (memory(other), total - memory(one))}
    runs = [replace(every[0], state="running", used="cpu"), *every[1:]]
    assert machine._startable(runs) == []
    assert [job.id for team in machine._startable(every[1:]) for job in team] == [other.id, small.id]


def test_other_programs_memory_counts_and_what_never_fits_holds_up_nobody(tmp_path):
    big, small = large(10_000), RunSpec.from_dict(TRAINED)
    machine = Scheduler(tmp_path, Limits(running=2), free=lambda: 2**30)
    machine.devices = [Device("cpu", "a processor", 2**40)]
    every = [queue.submit(spec, "anna", "cpu", tmp_path, Limits(running=2)) for spec in (big, small)]
    assert [job.id for team in machine._startable(every) for job in team] == [small.id]
    assert machine.waits == {big.id: (memory(big), 2**30)}
    unknown = Scheduler(tmp_path, Limits(running=2), free=lambda: None)  # a system that does not say
    unknown.devices = [Device("cpu", "a processor", 2**40)]
    assert len(unknown._startable(every)) == 2


def test_what_a_run_will_yet_grow_to_is_not_free():
    assert room.left(100, 90, []) == 90
    assert room.left(100, 60, [room.Taken(40, 10)]) == 30  # 30 of the 60 will be taken
    assert room.left(100, 60, [room.Taken(40, None)]) == 60
    assert room.left(100, None, [room.Taken(40, 10)]) == 60
    assert room.left(100, 10, [room.Taken(200, 10)]) == 0
    assert room.most(100, 60, [room.Taken(40, 30)]) == 90
    assert room.most(100, None, [room.Taken(40, 30)]) == 100


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc, and a limit on a process's data")
def test_a_worker_has_a_memory_limit(tmp_path):
    with running(tmp_path) as machine:
        job = submit(tmp_path, LONG)
        machine.wake()
        wait(lambda: step(job) > 0)
        of_process = Path("/proc", str(read_status(job.folder).pid))
        (limit,) = [
            line for line in (of_process / "limits").read_text().splitlines() if line.startswith("Max data size")
        ]
        (mapped,) = [line for line in (of_process / "status").read_text().splitlines() if line.startswith("VmData")]
        most, own = int(limit.split()[3]), room.limit(memory(job.spec))
        assert own < most <= own + 1024 * int(mapped.split()[1])  # beside what it had mapped before the job
        assert room.resident(read_status(job.folder).pid) > 2**26


@pytest.mark.parametrize("states", [("stopping", "running"), ("stopping", "stopping"), ("stopping", "done")])
def test_only_a_worker_all_of_whose_runs_were_asked_to_end_is_killed(tmp_path, monkeypatch, states):
    monkeypatch.setattr(scheduler, "GRACE", -1.0)
    specs = [RunSpec.from_dict({"dataset": "digits", "seed": seed}) for seed in (0, 1)]
    jobs = [
        Job(spec, tmp_path / spec.id, state, None, 0.0, 1, "cpu", 0, None, None, None, None, None, None)
        for spec, state in zip(specs, states, strict=True)
    ]
    process = subprocess.Popen(["sleep", "600"])
    try:
        machine = scheduler.Scheduler(tmp_path, Limits(running=1))
        machine.running.append(scheduler._Running(tuple(job.id for job in jobs), Worker(process, None), None, False))
        machine._kill_unresponsive(jobs)
        time.sleep(0.2)
        assert (process.poll() is not None) == ("running" not in states)
    finally:
        process.kill()
        process.wait()
