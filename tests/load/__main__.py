"""How long a slider's rerun takes with many readers on one server, and what they cost it.

    python -m tests.load --sessions 30 --think 4 --seconds 120 --job

One fresh server, its caches warm; the readers speak Streamlit's websocket protocol (thirty browsers would measure Chromium),
each stays on a figure page and moves a slider to another value that was trained, thinks, and moves it again, with one
training job beside them (--job) or without. Times are from sending a value to `script_finished`. A move after which the
chart is the same, an exception on the page or a lost connection is an error. Timings mean something on an otherwise idle
machine only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.load.measure import measure

_SIZES = {"before": "before", "with_readers": "with the readers", "after": "after they left"}


def said(result: dict[str, Any]) -> str:
    """The result in lines for people."""
    job = "one training job" if result["jobs"] else "no training job"
    lines = [
        f"{result['sessions']} readers, {result['think_s']:g} s to think, {result['seconds']:g} s, {job}, {result['cores']} cores",
        *(
            "{}: {count} · p50 {p50_ms} ms · p95 {p95_ms} ms · p99 {p99_ms} ms · longest {longest_ms} ms".format(
                name, **result[name]
            )
            for name in ("moves", "opening")
        ),
        f"errors: {result['errors']}",
        *(f"  {message}" for message in result["error_messages"]),
        f"the server's share of a core: {result['server_cores']}",
        *(
            "{}: server {server_MB} MB, with its workers {with_workers_MB} MB, {descriptors} file descriptors".format(
                name, **result[key]
            )
            for key, name in _SIZES.items()
        ),
        f"memory per reader: {result['MB_per_reader']} MB",
        *(f"the job: {job['steps_per_second']} steps per second, {job['cores']} of a core" for job in result["job"]),
    ]
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(
        "python -m tests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--sessions", type=int, default=30)
    arguments.add_argument("--think", type=float, default=4, help="seconds between a reply and the next move")
    arguments.add_argument("--seconds", type=float, default=120)
    arguments.add_argument("--job", action="store_true", help="with a training job beside the readers")
    arguments.add_argument("--settle", type=float, default=180, help="at most, for what who left held")
    arguments.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as out:
        result = asyncio.run(measure(given.sessions, given.think, given.seconds, Path(out), given.job, given.settle))
    print(json.dumps(result) if given.json else said(result))
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
