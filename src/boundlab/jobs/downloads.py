"""Downloads of data sets, each in a process of its own that tells its progress through a file."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from boundlab.errors import RunError
from boundlab.runs.places import runs_folder
from boundlab.system.files import make_folder, read_json, write_atomic
from boundlab.system.processes import ATTACHED

_processes: dict[str, subprocess.Popen[bytes]] = {}  # of this server
_SILENT = 10.0  # seconds without a heartbeat after which the process is taken for dead


def _file(name: str) -> Path:
    return runs_folder() / ".downloads" / f"{name}.json"


def begin(name: str) -> None:
    """Start to fetch a data set, unless that is under way; raises RunError when the folder of runs cannot be written."""
    if progress(name).get("state") == "running":
        return
    if old := _processes.pop(name, None):  # it has said its last word, or says nothing any more
        old.kill()
        old.communicate()  # closes its line, and waits
    file = _file(name)
    try:
        make_folder(file.parent)
        write_atomic(file, json.dumps({"state": "running", "bytes": 0, "heartbeat": time.time()}))
        _processes[name] = subprocess.Popen(
            [*ATTACHED, "boundlab.data.download", name, str(file)],
            stdin=subprocess.PIPE,  # held open while this server lives
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise RunError(
            f"{file} cannot be written ({error.strerror}); start with BOUNDLAB_RUNS set elsewhere"
        ) from error


def progress(name: str) -> dict[str, Any]:
    """state ("running", "done", "failed"), bytes, total_bytes, error; {} when it was never begun."""
    if not _file(name).exists():
        return {}
    ended = name in _processes and _processes[name].poll() is not None
    now = read_json(_file(name))
    if now.get("state") == "running" and (ended or time.time() - now.get("heartbeat", 0) > _SILENT):
        return now | {"state": "failed", "error": "the download was interrupted; try again"}
    return now
