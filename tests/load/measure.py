"""Readers who move the sliders of one server for a while, and what that costs."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
from websockets.exceptions import WebSocketException

from tests.e2e.serving import started
from tests.load.jobs import Speed, start_jobs, training
from tests.load.processes import cpu_seconds, descendants, descriptors, memory
from tests.load.protocol import Place, ProtocolError, Reader, reading, visiting

SLIDERS = {
    "training": "Channels H",
    "lambda": "Channels H",
    "width": "Weight decay λ",
    "depth": "Weight decay λ",
}
PLACES = [Place(page, f"dataset={data}", slider) for data in ("digits", "mnist") for page, slider in SLIDERS.items()]
_KEPT, _GUESTS = 121, 10  # seconds: who left is remembered; between those who then come and go
_TROUBLE = (ProtocolError, WebSocketException, OSError, TimeoutError)


@dataclass
class _Moves:
    """Every slider moved so far: seconds of the reruns, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def percentiles(seconds: list[float]) -> dict[str, Any]:
    """Milliseconds; None where nothing was measured."""
    values = [round(float(x)) for x in np.percentile(seconds, [50, 95, 99, 100]) * 1000] if seconds else [None] * 4
    return dict(zip(("p50_ms", "p95_ms", "p99_ms", "longest_ms"), values, strict=True)) | {"count": len(seconds)}


async def _read(reader: Reader, until: float, think: float, dice: random.Random, moves: _Moves) -> None:
    """One reader: a new value, a look at it for about `think` seconds, and again; the first one not with all the others."""
    await asyncio.sleep(dice.uniform(0, think))
    while True:
        try:
            moves.seconds.append((await reader.step(dice.randrange(1, len(reader.values)))).seconds)
        except _TROUBLE as error:
            moves.errors.append(f"{reader.place.name}: {error or type(error).__name__}")
            return
        pause = think * dice.uniform(0.7, 1.3)
        if time.monotonic() + pause >= until:
            return
        await asyncio.sleep(pause)


async def _warm(url: str, places: Sequence[Place]) -> None:
    """Every value of every slider once, so that the caches are full; what goes wrong here goes wrong for the readers too."""
    for place in places:
        with suppress(*_TROUBLE):
            async with reading(url, place) as reader:
                for _ in reader.values:
                    await reader.step()


async def _arrive(stack: AsyncExitStack, url: str, places: Sequence[Place], errors: list[str]) -> list[Reader]:
    """A reader at every place, one after the other."""
    readers = []
    for place in places:
        try:
            readers.append(await stack.enter_async_context(reading(url, place)))
        except _TROUBLE as error:
            errors.append(f"opening {place.name}: {error or type(error).__name__}")
    return readers


def _sizes(server: Popen[bytes]) -> dict[str, int]:
    return {
        "server_MB": round(memory(server.pid) / 2**20),
        "with_workers_MB": round(sum(map(memory, descendants(server.pid))) / 2**20),
        "descriptors": descriptors(server.pid),
    }


async def _left(url: str, server: Popen[bytes], most: int, settle: float) -> dict[str, int]:
    """Sizes once the descriptors are back at `most`, or after so many seconds. Streamlit keeps whoever left for two minutes
    (three descriptors each, at most 128 readers), and then until the next one leaves: so somebody comes and goes."""
    began = time.monotonic()
    guest = began + _KEPT
    while descriptors(server.pid) > most and time.monotonic() < began + settle:
        if time.monotonic() > guest:
            async with visiting(url, Place("training", "", "")):
                guest += _GUESTS
        await asyncio.sleep(0.2)
    return _sizes(server)


async def measure(
    sessions: int,
    think: float,
    seconds: float,
    out: Path,
    job: bool,
    settle: float = 0,
    places: Sequence[Place] = PLACES,
) -> dict[str, Any]:
    """`sessions` readers, spread over the places, on a fresh server whose runs lie in `out`, with a training job beside them or without; as a dict that
    JSON can hold. Raises SystemExit when the job does not train."""
    environment = os.environ | {"BOUNDLAB_RUNS": str(out), "BOUNDLAB_JOBS": "1"}
    with started(env=environment) as (url, server):
        await _warm(url, places)
        async with start_jobs(url, out, int(job)) as folders:
            if not await asyncio.to_thread(training, folders):
                raise SystemExit("the job does not train: look at its status.json and standard error")
            before, speed, moves = _sizes(server), Speed(folders), _Moves()
            async with AsyncExitStack() as stack:
                whom = [places[i % len(places)] for i in range(sessions)]
                readers = await _arrive(stack, url, whom, moves.errors)
                opened = [reader.opened for reader in readers]
                used, began = cpu_seconds(server.pid), time.monotonic()
                dice = map(random.Random, range(sessions))  # the same moves in every measurement
                until = began + seconds
                await asyncio.gather(*(_read(r, until, think, d, moves) for r, d in zip(readers, dice, strict=False)))
                cores = (cpu_seconds(server.pid) - used) / (time.monotonic() - began)
                during = _sizes(server)
            after = await _left(url, server, before["descriptors"], settle)
            trained = speed.now()
    return {
        **{"sessions": sessions, "think_s": think, "seconds": seconds, "jobs": int(job), "cores": os.cpu_count()},
        "moves": percentiles(moves.seconds),
        "opening": percentiles(opened),
        "errors": len(moves.errors),
        "error_messages": moves.errors[:10],
        "server_cores": round(cores, 2),
        "before": before,
        "with_readers": during,
        "after": after,
        "MB_per_reader": round((during["server_MB"] - before["server_MB"]) / sessions, 2),
        "job": trained,
    }
