"""What the server and an upload worker write for each other."""

from __future__ import annotations

import math

from boundlab.specs.own_data import DATASETS

NETWORK, REQUEST, STATUS, SUBJECT = "network.safetensors", "request.json", "status.json", "subject.json"

_BASE = 3 * 2**30  # bytes of address space: torch, and the widest layer's outputs

_COPIES = 8  # of the training images as float32: several versions of them are held at once


def memory_limit(dataset: str) -> int:
    """Bytes of address space an upload worker may have."""
    facts = DATASETS[dataset]
    return _BASE + _COPIES * 4 * facts.train_size * math.prod(facts.in_shape)
