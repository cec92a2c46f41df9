"""Worker processes as the server starts them: niced, on one thread, ending with the server unless they are detached."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from boundlab.files import make_folder

NICENESS = 19  # pages come first
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
WORKER = (sys.executable, "-m", "boundlab.worker")
ATTACHED = (
    sys.executable,
    "-m",
    "boundlab.attached",
)  # before a module's name: it ends when its standard input hangs up


def detached() -> bool:
    """Whether jobs outlive the server (BOUNDLAB_DETACHED=1); else they end with it and can be resumed."""
    return os.environ.get("BOUNDLAB_DETACHED", "") not in ("", "0")


@dataclass
class Worker:
    """A process, and the line whose end tells it that this server is gone (None: it is detached)."""

    process: subprocess.Popen[bytes]
    line: socket.socket | None

    @property
    def code(self) -> int | None:
        """Its exit code, None while it lives."""
        return self.process.poll()

    def hang_up(self) -> None:
        """Close the line; the process ends."""
        if self.line is not None:
            self.line.close()


def for_job(folder: Path, lock: int, environment: dict[str, str]) -> Worker:
    """A worker that trains `folder`; `lock`: the descriptor that holds its lock, which it inherits. Raises OSError."""
    arguments = [str(folder), "--lock-fd", str(lock)]
    if detached():
        make_folder(folder.parent / ".queue")
        with (folder.parent / ".queue" / f"{folder.name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*WORKER, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | ONE_THREAD | environment,
                pass_fds=(lock,),
                start_new_session=True,
            )
        _nice(process.pid)
        with contextlib.suppress(
            OSError
        ):  # a session has its own share of the CPU on Linux, which niceness leaves alone
            Path(f"/proc/{process.pid}/autogroup").write_text(str(NICENESS))
        return Worker(process, None)
    return _attached(["boundlab.worker", *arguments], environment, (lock,))


def judge(folder: Path) -> Worker:
    """A process that measures the checkpoint in `folder` and ends with this server. Raises OSError."""
    return _attached(["boundlab.judge", str(folder)], {}, ())


def _attached(module: list[str], environment: dict[str, str], descriptors: tuple[int, ...]) -> Worker:
    """A module and its arguments in a process that ends with this one."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [*ATTACHED, *module],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD | environment,
            pass_fds=descriptors,
            process_group=0,  # Ctrl-C is the server's; the same session as the server, where niceness counts
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    _nice(process.pid)
    return Worker(process, ours)


def end_with_parent() -> None:
    """End this process when its standard input, a pipe or socket, hangs up, as it does when the parent dies, even by kill -9.

    Nothing is read from it.
    """
    line = select.poll()
    line.register(0, 0)  # a hang-up is reported whatever is asked for

    def watch() -> None:
        line.poll()
        os._exit(1)  # writes are atomic and a run resumes: nothing to tidy up

    threading.Thread(target=watch, daemon=True).start()


def _nice(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)


class Spare:
    """Keeps one worker that has loaded torch, so that the next job starts at once."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.not_before = 0.0  # time.monotonic; a job that has just begun has the CPU for itself
        self._leaving: list[Worker] = []

    def mind(self, wanted: bool) -> None:
        """Start one, replace a dead one, or let it go; bury those that went."""
        self._leaving = [worker for worker in self._leaving if worker.code is None]
        if self.worker and (not wanted or self.worker.code is not None):
            self.dismiss()
        elif wanted and self.worker is None and time.monotonic() > self.not_before:
            self.worker = _attached(["boundlab.worker", "--spare"], {}, ())

    def dismiss(self) -> list[Worker]:
        """Let it go; returns those that are still on their way out."""
        if self.worker:
            self.worker.hang_up()
            self._leaving.append(self.worker)
            self.worker = None
        return self._leaving

    def take(self, folder: Path, lock: int, environment: dict[str, str]) -> Worker | None:
        """Give it a job, as in `for_job`; None when there is none that lives."""
        worker = self.worker
        if worker is None or worker.line is None:
            return None
        message = json.dumps({"folder": str(folder), "environment": environment}) + "\n"
        try:
            if worker.code is not None:
                raise ChildProcessError("the spare is dead")
            socket.send_fds(worker.line, [message.encode()], [lock])
        except OSError:
            self.dismiss()
            return None
        self.worker = None
        return worker
