"""Errors and margins of a network on a split."""

from __future__ import annotations

import math
from collections.abc import Callable
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
) -> Outcome:
    """Run the network over (n, ...) inputs and integer labels; margin = true-class output - best other output.

    At most `most` images at a time; `watch` is called before each of these batches and may raise. `centred`: the output
    layer's weights without their mean row, to compute margins with (and errors): the same margins, but rounded relative to the
    norm that Theorems S and S2 charge for, which a row common to all classes is not part of.
    """
    parametrised = layers(net)
    largest = [0.0] * len(parametrised)
    batch = _batch(net, inputs, most)
    wrong, squared, margins = 0, 0.0, []
    for x, y in zip(inputs.split(batch), labels.split(batch), strict=True):
        watch()
        for module in net:
            if patches and module in parametrised:
                index = parametrised.index(module)
                largest[index] = max(largest[index], _patch_norm(x, module))
            features, x = x, module(x)
        margin = _margins(x if centred is None else F.linear(features, centred), y)
        wrong += int((~(margin > 0)).sum())  # ties and NaN are errors: a dead network gets no credit
        squared += float((x.double() - F.one_hot(y, x.shape[1])).square().mean(dim=1).sum())
        margins.append(margin.cpu().numpy())
    return Outcome(wrong / len(labels), squared / len(labels), np.concatenate(margins), largest if patches else [])


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
