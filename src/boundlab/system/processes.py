"""Worker processes as the server starts them: niced, on one thread, ending with the server unless they are detached."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass

NICENESS = 19  # pages come first
READY = b"\n"  # what a worker that waits for the next job says on its line
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# pyarrow's own allocator maps a gibibyte, which counts against what a training may have
WORKER_ENVIRONMENT = ONE_THREAD | {"ARROW_DEFAULT_MEMORY_POOL": "system"}
# Before a module's name: it ends when its standard input hangs up.
ATTACHED = (sys.executable, "-m", "boundlab.system.attached")


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

    @property
    def ready(self) -> bool:
        """Whether it has said, since it was last asked, that it waits for the next job."""
        if self.line is None:
            return False
        with contextlib.suppress(OSError):  # it says nothing now
            return self.line.recv(1, socket.MSG_DONTWAIT) == READY
        return False

    def close(self) -> None:
        """Close the line; the process ends."""
        if self.line is not None:
            self.line.close()


def start_attached(module: list[str], environment: dict[str, str], descriptors: tuple[int, ...]) -> Worker:
    """A module and its arguments in a process that ends with this one."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [*ATTACHED, *module],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=os.environ | WORKER_ENVIRONMENT | environment,
            pass_fds=descriptors,
            process_group=0,  # Ctrl-C is the server's; the same session as the server, where niceness counts
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    lower_priority(process.pid)
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


def lower_priority(pid: int) -> None:
    """Let everything else on the machine go before this process, where the system allows it."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
