"""A warm worker: a process that has loaded and tried everything a training needs, waits for jobs, and waits again when it
has trained them.

Its standard input is one end of a Unix stream socket. A message is a line of JSON, {"folders": [str], "environment": {name:
value}}, with the descriptors that hold their locks; the answer, when it is ready for the next, is READY. The end of the
stream is the parent's end.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import torch

from boundlab.data.splits import Split
from boundlab.specs.own_data import DATASETS
from boundlab.specs.run import RunSpec
from boundlab.system import memory as room
from boundlab.system.processes import READY, end_with_parent
from boundlab.training.loop import Training

_LONGEST = 2**20  # bytes of a message
_MOST = 64  # descriptors of one
_LARGEST = room.GIB  # bytes of a process that may wait for more


class WarmWorker:
    """This process as one. Leaves a thread that ends it with its parent."""

    def __init__(self) -> None:
        self._channel = socket.socket(fileno=os.dup(0))
        end_with_parent()
        _warm_up()

    def wait(self) -> tuple[list[Path], list[int]]:
        """Wait for a message, and follow it; returns (run folders, descriptors that hold their locks). Raises ValueError for
        anything that is no such message."""
        text, descriptors = self._receive()
        try:
            message = json.loads(text)
            folders, environment = list(map(Path, message["folders"])), message.get("environment", {})
            if not 0 < len(folders) == len(descriptors):
                raise ValueError("not as many descriptors as folders")
            os.environ.update(environment)
            return folders, descriptors
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                'a warm worker expects one line {"folders": [...], "environment": {...}} and a descriptor for each, '
                f"got {text[:80]!r} and {len(descriptors)}"
            ) from error

    def ready(self) -> bool:
        """Say that it waits again; False where it should rather end: it has used a GPU, which it cannot change any more, or
        has become large."""
        if os.environ.get("CUDA_VISIBLE_DEVICES") or (room.resident(os.getpid()) or 0) > _LARGEST:
            return False
        self._channel.send(READY)
        return True

    def _receive(self) -> tuple[bytes, list[int]]:
        text, descriptors = b"", list[int]()
        while not text.endswith(b"\n") and len(text) < _LONGEST:
            try:
                part, found, _, _ = socket.recv_fds(self._channel, 65536, _MOST)
            except ConnectionResetError:  # the parent went without having read that this one is ready
                part = b""
            if not part:
                os._exit(1)  # as in processes.end_with_parent: nothing to tidy up
            text, descriptors = text + part, descriptors + found
        return text, descriptors


def _warm_up() -> None:
    """Load what is loaded late otherwise, by a training on blank images and the CPU.

    Nothing of it may ask for GPUs: CUDA_VISIBLE_DEVICES, read at that moment, comes later.
    """
    torch.set_num_threads(1)
    spec = RunSpec.from_dict({"dataset": "digits", "epochs": 1, "batch_size": 8, "arch": {"channels": 2}})
    images = torch.linspace(0, 1, 8 * 64).reshape(8, *DATASETS["digits"].in_shape)
    blank = Split(images, torch.arange(8))
    list(Training([spec], [(blank, blank)]).epoch())
