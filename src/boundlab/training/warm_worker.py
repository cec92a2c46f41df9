"""A warm worker: a process that has loaded and tried everything a training needs, and waits for a job.

Its standard input is one end of a Unix stream socket. One message comes: a line of JSON, {"folders": [str], "environment":
{name: value}}, with the descriptors that hold their locks. The end of the stream, now or later, is the parent's end.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import torch

from boundlab.data.splits import Split
from boundlab.specs.own_data import DATASETS
from boundlab.specs.run import RunSpec
from boundlab.training.loop import Training

_LONGEST = 2**20  # bytes of a message
_MOST = 64  # descriptors of one


def wait() -> tuple[list[Path], list[int]]:
    """Get ready, wait for the message, and follow it; returns (run folders, descriptors that hold their locks).

    Leaves a thread that ends the process with its parent. Raises ValueError for anything that is no such message.
    """
    channel = socket.socket(fileno=0)
    _warm_up()
    text, descriptors = _receive(channel)
    threading.Thread(target=_end_with, args=(channel,), daemon=True).start()
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


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    text, descriptors = b"", list[int]()
    while not text.endswith(b"\n") and len(text) < _LONGEST:
        part, found, _, _ = socket.recv_fds(channel, 65536, _MOST)
        if not part:
            os._exit(1)
        text, descriptors = text + part, descriptors + found
    return text, descriptors


def _end_with(channel: socket.socket) -> None:
    while channel.recv(1024):
        pass
    os._exit(1)  # as in processes.end_with_parent: nothing to tidy up


def _warm_up() -> None:
    """Load what is loaded late otherwise, by a training on blank images and the CPU.

    Nothing of it may ask for GPUs: CUDA_VISIBLE_DEVICES, read at that moment, comes later.
    """
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401

    torch.set_num_threads(1)
    spec = RunSpec.from_dict({"dataset": "digits", "epochs": 1, "batch_size": 8, "arch": {"channels": 2}})
    images = torch.linspace(0, 1, 8 * 64).reshape(8, *DATASETS["digits"].in_shape)
    blank = Split(images, torch.arange(8))
    list(Training([spec], [(blank, blank)]).epoch())
