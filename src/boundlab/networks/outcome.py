"""Errors and margins of a network on a split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from boundlab.networks.build import layer_geometry, layers
from boundlab.networks.measure import margin_scale
from boundlab.quantities.norms import MARGIN_GRID, SCALED_GRID
from boundlab.quantities.records import norm_column

# images per pass (their maps stay in cache: 1.6 to 3 times faster than 500), fewer for very wide layers
BATCH = 50
# numbers in the widest layer's outputs of one pass, at most
_MEMORY = 2**26
_QUANTILES = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Outcome:
    """One pass over a sample: error (fraction), mean squared error to one-hot labels, margins, patch norms."""

    error: float
    loss: float
    margins: np.ndarray  # (n,) float64
    patch_norms: list[float]  # per layer; empty when not asked for


def _patch_norm(inputs: Tensor, layer: nn.Module) -> float:
    """Largest l2 norm of an input patch of one layer over a batch; of a grouped layer over all its input channels.

    Divided by a power of two before squaring, which changes no digit: squares of very small or large numbers are 0 or infinite.
    """
    unit = 2.0 ** (math.frexp(float(inputs.abs().max()))[1] - 1)  # 1/2 where all is 0
    inputs = inputs / unit
    squares = inputs.square().sum(dim=1, keepdim=True) if inputs.ndim == 4 else inputs.square().sum(dim=1)
    if not isinstance(layer, nn.Linear):
        kernel, stride, padding, dilation = layer_geometry(layer)
        squares = F.conv2d(squares, torch.ones(1, 1, kernel, kernel).to(squares), None, stride, padding, dilation)
    return unit * float(squares.max().clamp_min(0).sqrt())


def _batch(net: nn.Sequential, inputs: Tensor, most: int) -> int:
    """Images per pass, at most `most`: by the widest layer's output for one image."""
    widest, x = 1, inputs[:1]
    for module in net:
        x = module(x)
        widest = max(widest, x.numel())
    return max(1, min(most, _MEMORY // widest))


def _margins(outputs: Tensor, labels: Tensor) -> Tensor:
    """(n,) float64: output of the true class minus the best other one."""
    own = outputs.gather(1, labels[:, None]).squeeze(1).double()
    return own - outputs.scatter(1, labels[:, None], -torch.inf).max(dim=1).values.double()


@torch.no_grad()
def outcome(
    net: nn.Sequential,
    inputs: Tensor,
    labels: Tensor,
    patches: bool = False,
    most: int = BATCH,
    watch: Callable[[], None] = lambda: None,
    centred: Tensor | None = None,
    workers: int = 1,
) -> Outcome:
    """Run the network over (n, ...) inputs and integer labels; margin = true-class output - best other output.

    At most `most` images at a time; `watch` is called before each of these batches and may raise. `centred`: the output
    layer's weights without their mean row, to compute margins with (and errors): the same margins, but rounded relative to the
    norm that Theorems S and S2 charge for, which a row common to all classes is not part of. `workers`: threads that take
    batches; what is found does not depend on it.
    """
    parametrised = layers(net) if patches else []

    def batch_outcome(x: Tensor, y: Tensor) -> _BatchOutcome:
        with torch.no_grad():  # each thread has a switch of its own
            return _batch_outcome(net, x, y, parametrised, centred)

    batch = _batch(net, inputs, most)
    with ThreadPoolExecutor(workers) as pool:
        found = _in_turn(pool if workers > 1 else None, batch_outcome, inputs.split(batch), labels.split(batch), watch)
    wrong, squared = sum(one.wrong for one in found), sum(one.squared for one in found)
    margins = np.concatenate([one.margins for one in found])
    largest = [max(0.0, *norms) for norms in zip(*(one.patch_norms for one in found), strict=True)]
    return Outcome(wrong / len(labels), squared / len(labels), margins, largest)


def _in_turn(
    pool: ThreadPoolExecutor | None,
    one: Callable[[Tensor, Tensor], _BatchOutcome],
    inputs: Sequence[Tensor],
    labels: Sequence[Tensor],
    watch: Callable[[], None],
) -> list[_BatchOutcome]:
    """What becomes of every batch, in their order; `watch` is called before each is waited for."""
    found = []
    if pool is None:
        for x, y in zip(inputs, labels, strict=True):
            watch()
            found.append(one(x, y))
        return found
    running = [pool.submit(one, x, y) for x, y in zip(inputs, labels, strict=True)]
    try:
        for future in running:
            watch()
            found.append(future.result())
    finally:
        for future in running:
            future.cancel()
    return found


@dataclass(frozen=True)
class _BatchOutcome:
    wrong: int
    squared: float
    margins: np.ndarray
    patch_norms: list[float]


def _batch_outcome(
    net: nn.Sequential, x: Tensor, y: Tensor, parametrised: list[nn.Module], centred: Tensor | None
) -> _BatchOutcome:
    norms = []
    for module in net:
        if module in parametrised:
            norms.append(_patch_norm(x, module))
        features, x = x, module(x)
    margin = _margins(x if centred is None else F.linear(features, centred), y)
    wrong = int((~(margin > 0)).sum())  # ties and NaN are errors: a dead network gets no credit
    squared = float((x.double() - F.one_hot(y, x.shape[1])).square().mean(dim=1).sum())
    return _BatchOutcome(wrong, squared, margin.cpu().numpy(), norms)


def margin_errors(margins: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact (ramp, indicator) errors at each margin of `grid`: mean min(1, max(0, 1 - m/g)), and mean 1[m <= g]."""
    ramp = np.array([np.clip(1.0 - margins / g, 0.0, 1.0).mean() for g in grid])
    return ramp, np.array([(margins <= g).mean() for g in grid])


def outcome_columns(train: Outcome, test: Outcome | None) -> dict[str, object]:
    """One record's errors and margins; `test` None: there are no test examples."""
    ramp, indicator = margin_errors(train.margins, MARGIN_GRID)
    scale = margin_scale(train.margins)
    scaled_ramp, scaled_indicator = margin_errors(train.margins, scale * SCALED_GRID)
    return {
        "train_error": train.error,
        "test_error": None if test is None else test.error,
        "train_loss": train.loss,
        "test_loss": None if test is None else test.loss,
        "margin_quantiles": np.quantile(train.margins, _QUANTILES).tolist(),
        "ramp": ramp.tolist(),
        "indicator": indicator.tolist(),
        "margin_scale": scale,
        "scaled_ramp": scaled_ramp.tolist(),
        "scaled_indicator": scaled_indicator.tolist(),
        **{norm_column(i, "patch_norm"): value for i, value in enumerate(train.patch_norms)},
    }
