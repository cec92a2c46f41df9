"""Warm workers that are forked from a process that has loaded torch once, as `boundlab.training.worker --warm` starts them."""

import multiprocessing
import os

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["boundlab.training.worker", __name__])


def _wait_for_jobs(channel, errors):
    from boundlab.training.worker import main

    os.dup2(channel.detach(), 0)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
    os._exit(main(["--warm"]))


class Forked:
    """A worker that waits at that end of a socket, its standard error appended to a file; asked as a Popen is."""

    def __init__(self, channel, errors):
        self._process = _CONTEXT.Process(target=_wait_for_jobs, args=(channel, errors), daemon=True)
        self._process.start()

    def poll(self):
        return self._process.exitcode

    def kill(self):
        self._process.kill()

    def wait(self, timeout=None):
        self._process.join(timeout)
        return self._process.exitcode
