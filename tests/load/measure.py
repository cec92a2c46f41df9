"""How long a slider's rerun takes with many readers, without and with training jobs beside the server.

    python -m tests.e2e.load --sessions 10 --seconds 30 --json

One fresh server; every page is warmed and measured alone; then the readers move their sliders about once a second: quiet,
while two jobs train, and quiet again. Prints one JSON object; times are from sending a value to `script_finished`. A move
after which the chart is the same, an exception on the page or a lost connection is an error. Compare within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
from websockets.exceptions import WebSocketException

from tests.e2e.jobs import Speed, cpu_seconds, start_jobs, training
from tests.e2e.protocol import Place, ProtocolError, Reader, reading
from tests.e2e.serving import started

SLIDERS = {
    "training": "Channels H",
    "lambda": "Channels H",
    "width": "Weight decay λ",
    "depth": "Weight decay λ",
}
PLACES = [Place(page, f"dataset={data}", slider) for data in ("digits", "mnist") for page, slider in SLIDERS.items()]
_PACE = (0.6, 1.4)  # seconds between two moves of one reader
_TROUBLE = (ProtocolError, WebSocketException, TimeoutError)


@dataclass(frozen=True)
class Phase:
    """What happened while the readers moved their sliders for a while."""

    seconds: list[float]  # of each rerun
    errors: list[str]
    server_cores: float  # CPU seconds of the server per second

    def to_dict(self) -> dict[str, Any]:
        return _percentiles(self.seconds) | {"server_cores": self.server_cores}


def _percentiles(seconds: list[float]) -> dict[str, Any]:
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000 if seconds else (np.nan, np.nan)
    return {"p50_ms": round(float(p50)), "p95_ms": round(float(p95)), "reruns": len(seconds)}


async def _move(reader: Reader, until: float, dice: random.Random, spent: list[float], errors: list[str]) -> None:
    """A reader: a new value about once a second, later only where the answer is late."""
    await asyncio.sleep(dice.uniform(0, _PACE[1]))  # not all at once
    while (now := time.monotonic()) < until:
        pause = dice.uniform(*_PACE)
        try:
            reply = await reader.step(dice.randrange(1, len(reader.values)))
        except _TROUBLE as error:
            errors.append(f"{reader.place.name}: {error or type(error).__name__}")
            return
        spent.append(reply.seconds)
        await asyncio.sleep(max(0.0, now + pause - time.monotonic()))


async def _phase(readers: list[Reader], seconds: float, server: Popen[bytes]) -> Phase:
    spent: list[float] = []
    errors: list[str] = []
    began, used = time.monotonic(), cpu_seconds(server.pid)
    moves = (
        _move(reader, began + seconds, random.Random(seed), spent, errors)  # the same in every phase
        for seed, reader in enumerate(readers)
    )
    await asyncio.gather(*moves)
    cores = (cpu_seconds(server.pid) - used) / (time.monotonic() - began)
    return Phase(spent, errors, round(cores, 2))


async def _alone(url: str, server: Popen[bytes], rounds: int = 3) -> dict[str, dict[str, Any]]:
    """Every place by one reader: all values once to fill the caches, then `rounds` times more, measured."""
    result = {}
    for place in PLACES:
        async with reading(url, place) as reader:
            cold = [(await reader.step()).seconds for _ in reader.values]
            used = cpu_seconds(server.pid)
            replies = [await reader.step() for _ in range(rounds * len(reader.values))]
            cpu = 1000 * (cpu_seconds(server.pid) - used) / len(replies)
        result[place.name] = _percentiles([reply.seconds for reply in replies]) | {
            "server_cpu_ms": round(cpu),
            "first_time_ms": round(1000 * max(cold)),
            "kB": round(max(reply.size for reply in replies) / 1000),
        }
    return result


async def measure(sessions: int, seconds: float, out: Path, jobs: int) -> dict[str, Any]:
    """The whole comparison, as a dict that JSON can hold."""
    with started(env=os.environ | {"BOUNDLAB_RUNS": str(out), "BOUNDLAB_JOBS": str(jobs)}) as (url, server):
        pages = await _alone(url, server)
        async with AsyncExitStack() as stack:
            places = [PLACES[i % len(PLACES)] for i in range(sessions)]
            readers = [await stack.enter_async_context(reading(url, place)) for place in places]
            before = await _phase(readers, seconds, server)
            async with start_jobs(url, out, jobs) as folders:
                if not await asyncio.to_thread(training, folders):
                    raise SystemExit("the jobs do not train: look at their status.json and standard error")
                speed = Speed(folders)
                await asyncio.sleep(seconds)  # the readers rest
                alone, speed = speed.now(), Speed(folders)
                busy = await _phase(readers, seconds, server)
                meanwhile = speed.now()
            after = await _phase(readers, seconds, server)
    quiet = _percentiles(before.seconds + after.seconds)
    loaded = busy.to_dict()
    errors = before.errors + busy.errors + after.errors
    return {
        "sessions": sessions,
        "seconds": seconds,
        "jobs": jobs,
        "quiet_before": before.to_dict(),
        "training": loaded,
        "quiet_after": after.to_dict(),
        "quiet": quiet,
        "ratio_p50": round(loaded["p50_ms"] / quiet["p50_ms"], 2),
        "ratio_p95": round(loaded["p95_ms"] / quiet["p95_ms"], 2),
        "errors": len(errors),
        "error_messages": errors[:10],
        "jobs_alone": alone,
        "jobs_with_readers": meanwhile,
        "pages_alone": pages,
        "cores": os.cpu_count(),
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sessions", type=int, default=10)
    arguments.add_argument("--seconds", type=float, default=30, help="of each phase")
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--json", action="store_true", help="on one line")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as out:
        result = asyncio.run(measure(given.sessions, given.seconds, Path(out), given.jobs))
    print(json.dumps(result, indent=None if given.json else 1))
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
