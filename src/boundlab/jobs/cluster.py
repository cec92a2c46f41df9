"""Grids of runs on a Dask cluster: a task per stack, wherever its workers run. Whatever ends on the way, a worker, the scheduler or
this process: what is sealed stays, and the same command goes on."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boundlab.errors import BoundlabError
from boundlab.jobs.sweep import finished, fraction, stacks_of
from boundlab.specs.run import RunSpec
from boundlab.specs.work import memory
from boundlab.system.files import make_folder, write_atomic

LOCAL = "local"
_EVERY = 0.5  # seconds between two looks at the tasks
_PATIENCE = 600.0  # seconds without a scheduler, or without a worker, before it is given up
_RETRIES = 5  # of a task whose worker went away
_LOST = (OSError, TimeoutError, ConnectionError)
Told = Callable[[float, dict[str, tuple[str, float]]], None]


@dataclass
class Cluster:
    """Where to train. `address`: `tcp://HOST:PORT` of a scheduler, or LOCAL for `workers` processes of this machine; `files`: what a
    worker needs below its data root, by name and size; `read`: the content of one."""

    address: str
    device: str = "cpu"
    workers: int = 2
    files: Mapping[str, int] = field(default_factory=dict)
    read: Callable[[str], bytes] = lambda name: b""
    patience: float = _PATIENCE


def sweep_on(cluster: Cluster, specs: list[RunSpec], out: Path, told: Told) -> dict[str, str]:
    """Train every spec that is not sealed below `out`; {id: why} of those that failed.

    `told`: called twice a second with the number of finished runs, running ones counted in part, and of every worker what it
    trains and how much of it is done. Raises BoundlabError where no worker can do it, or none comes.
    """
    failed: dict[str, str] = {}
    make_folder(out)
    since = time.monotonic()
    while left := [spec for spec in specs if spec.id not in failed and not finished(out / spec.id)]:
        try:
            with _client(cluster) as client:
                since = time.monotonic()
                failed |= _round(client, cluster, specs, left, out, told)
        except _LOST as error:
            if time.monotonic() - since > cluster.patience:
                raise BoundlabError(
                    f"no scheduler at {cluster.address} for {cluster.patience:g} s ({error}); the same command goes on from here"
                ) from error
            time.sleep(1.0)
    told(float(len(specs) - len(failed)), {})
    return failed


@contextlib.contextmanager
def _client(cluster: Cluster) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    if cluster.address == LOCAL:
        with (
            LocalCluster(n_workers=cluster.workers, threads_per_worker=1, dashboard_address=None) as here,
            Client(here) as client,
        ):
            yield client
    else:
        with Client(cluster.address, timeout=10) as client:
            yield client


def _round(
    client: Any, cluster: Cluster, specs: list[RunSpec], left: list[RunSpec], out: Path, told: Told
) -> dict[str, str]:
    """Until all that is left is trained, or the scheduler is gone (ConnectionError)."""
    from boundlab.jobs.on_worker import PROGRESS, train_stack

    _await_workers(client, cluster)
    shared = _is_shared(client, out)
    _place(client, cluster)
    device = "cuda" if cluster.device == "cuda" else "cpu"
    done: dict[str, dict[str, float]] = {}
    client.subscribe_topic(PROGRESS, lambda event: done.__setitem__(event[1]["worker"], event[1]["done"]))
    waiting: dict[Any, list[RunSpec]] = {}
    failed: dict[str, str] = {}
    for stack in _stacks(client, left, out, device):
        options = {"resources": {"GPU": 1}} if device == "cuda" else {}
        dicts = [spec.to_dict() for spec in stack]
        key = f"{stack[0].id}-{secrets.token_hex(4)}"
        task = client.submit(
            train_stack,
            dicts,
            str(out.absolute()),
            shared,
            cluster.device,
            dict(cluster.files),
            key=key,
            pure=False,
            retries=_RETRIES,
            **options,
        )
        waiting[task] = stack
    while waiting:
        time.sleep(_EVERY)
        if client.status != "running":
            raise ConnectionError("the scheduler is gone")
        for task in [task for task in waiting if task.done()]:
            failed |= _taken(task, waiting.pop(task), out)
        told(_sum(specs, out, done, shared), {name: _said(part) for name, part in done.items()})
    return failed


def _taken(task: Any, stack: list[RunSpec], out: Path) -> dict[str, str]:
    """{id: why} of the runs that failed; finished ones are brought here where the storage is not shared."""
    from boundlab.jobs.on_worker import unpack

    if task.status in ("cancelled", "lost"):  # asked for again in the next round
        return {}
    if task.status == "error":
        return {spec.id: str(task.exception()) for spec in stack}
    found = task.result()
    for name, content in found["folders"].items():
        if name in {spec.id for spec in stack} and not finished(out / name):
            unpack(content, out / name)
    task.release()
    return dict(found["failed"])


def _await_workers(client: Any, cluster: Cluster) -> None:
    try:
        client.wait_for_workers(1, timeout=cluster.patience)
    except TimeoutError as error:
        raise BoundlabError(
            f"no worker came to {cluster.address} in {cluster.patience:g} s; start one with `dask worker {cluster.address}`"
        ) from error


def _is_shared(client: Any, out: Path) -> bool:
    """Whether the workers read what is written to `out`. Raises BoundlabError where some do and some do not."""
    from boundlab.jobs.on_worker import reads_here

    token, file = secrets.token_hex(8), out / ".cluster"
    write_atomic(file, f'"{token}"')
    try:
        seen = client.run(reads_here, str(file.absolute()), token)
    finally:
        file.unlink(missing_ok=True)
    if len(set(seen.values())) > 1:
        blind = ", ".join(sorted(name for name, sees_it in seen.items() if not sees_it))
        raise BoundlabError(
            f"{out} must be on the storage of all workers or of none; these do not see it: {blind}. Mount it there, or choose another --out"
        )
    return all(seen.values())


def _place(client: Any, cluster: Cluster) -> None:
    """Send each worker the files that it lacks, once."""
    from boundlab.jobs.on_worker import lacking, place

    if not cluster.files:
        return
    wanting = [name for name, files in client.run(lacking, dict(cluster.files)).items() if files]
    if wanting:
        client.run(place, {name: cluster.read(name) for name in cluster.files}, workers=wanting)


def _stacks(client: Any, left: list[RunSpec], out: Path, device: str) -> list[list[RunSpec]]:
    """As they are best trained together, and as the largest worker has memory for. Raises BoundlabError where none has."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    able = [one for one in workers if device == "cpu" or one["resources"].get("GPU", 0) >= 1]
    if not able:
        raise BoundlabError(
            f"none of the {len(workers)} workers has a GPU; start one with `dask worker ADDRESS --nthreads 1 --resources GPU=1`, or "
            "sweep with --device cpu"
        )
    largest = max(one["memory_limit"] or float("inf") for one in able)
    found = []
    for stack in stacks_of(left, out, device, sum(one["nthreads"] for one in able)):
        if memory(stack[0]) > largest:
            raise BoundlabError(
                f"{stack[0].id} takes about {memory(stack[0]) / 1e9:.1f} GB, and the largest worker has {largest / 1e9:.1f} GB: start "
                f"one with `dask worker ADDRESS --memory-limit {memory(stack[0]) / 1e9 + 0.5:.1f}GB`"
            )
        most = max(m for m in range(1, len(stack) + 1) if memory(stack[0], m) <= largest)
        found += [stack[i : i + most] for i in range(0, len(stack), most)]
    return found


def _sum(specs: list[RunSpec], out: Path, done: Mapping[str, Mapping[str, float]], shared: bool) -> float:
    """Finished runs, those that are trained in part."""
    parts = {name: share for part in done.values() for name, share in part.items()}
    there = {spec.id for spec in specs if finished(out / spec.id)}
    rest = [spec.id for spec in specs if spec.id not in there]
    return len(there) + sum(fraction(out / name) if shared else parts.get(name, 0.0) for name in rest)


def _said(part: Mapping[str, float]) -> tuple[str, float]:
    """What a worker trains, and how much of it is done."""
    first = next(iter(part), "")
    return first if len(part) == 1 else f"{len(part)} like {first}", sum(part.values()) / max(1, len(part))
