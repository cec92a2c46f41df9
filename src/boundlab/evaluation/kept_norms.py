"""A checkpoint's norms, kept beside the statistics of data: the same network under another convention, margin or delta is measured once."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

from boundlab.evaluation.report_parts import UPPER
from boundlab.networks import lanczos, many_maps, measure, spectral, symbols
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.measure import norm_columns, references
from boundlab.networks.sample_stats import content_hash, statistics_folder
from boundlab.networks.spectral import spectral_map_upper
from boundlab.quantities.records import norm_column
from boundlab.system.kept import kept

# multiply-adds of a network over one image whose norms take longer than reading a file and taking a hash
_KEPT_FROM = 300_000


def norms_of(checkpoint: Checkpoint, keep: bool = False, root: str | Path | None = None) -> dict[str, Any]:
    """One record's norms (`measure.norm_columns`), and per layer what its spectral norm, which is found from below, certainly does not
    exceed (`spectral_map_upper`; bounds are of the norms). `keep`: below `root`, by the hash of the weights and of the code that
    measures them, unless they are measured quickly."""
    shapes = checkpoint.arch.shapes()
    if not keep or sum(shape.multiply_adds for shape in shapes) < _KEPT_FROM:
        return _measured(checkpoint)
    tensors: list[list[Tensor | None]] = [[*checkpoint.weights], [*checkpoint.biases], [*(checkpoint.init or [])]]
    hashes = [[None if tensor is None else content_hash(tensor) for tensor in part] for part in tensors]
    named = ["norms", _code(), checkpoint.arch.to_dict(), hashes]
    found: dict[str, Any] = kept(statistics_folder(root), named, lambda: _measured(checkpoint))
    return found


def _measured(checkpoint: Checkpoint) -> dict[str, Any]:
    shapes = checkpoint.arch.shapes()
    init = None if checkpoint.init is None else references(checkpoint.init, shapes)
    pairs = zip(checkpoint.weights, shapes, strict=True)
    uppers = {norm_column(i, UPPER): spectral_map_upper(weight, shape) for i, (weight, shape) in enumerate(pairs)}
    return norm_columns(checkpoint.weights, checkpoint.biases, init, shapes) | uppers


@cache
def _code() -> str:
    """sha256 of the files that measure: what an older version measured is not taken for this one's."""
    sha = hashlib.sha256()
    for module in (lanczos, many_maps, measure, spectral, symbols):
        sha.update(Path(str(module.__file__)).read_bytes())
    return sha.hexdigest()
