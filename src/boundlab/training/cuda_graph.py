"""The training step on a GPU: captured once as a CUDA graph and replayed, since launching its kernels one by one costs
several times their own time at batch 32 (PyTorch's notes on CUDA graphs, "whole-network capture")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor, Tensor], Tensor]  # (images, labels, learning rates) -> losses, of all members
WARM_UP = 3  # eager steps before a capture: they allocate momentum and choose kernels


def cuda_graph(work: Callable[[], Tensor]) -> tuple[Callable[[], Any], Tensor]:
    """Capture `work` without running it; returns what replays it and the tensor its result will be in."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph.replay, result


class CapturedStep:
    """Like `eager`, replayed from a capture while the batch's shape stays the same; an incomplete last batch runs eagerly.

    Learning rates are read from a tensor, so that a new one needs no new capture.
    """

    def __init__(self, eager: Step, capture: Callable[..., tuple[Callable[[], Any], Tensor]] = cuda_graph) -> None:
        self.eager, self.capture = eager, capture
        self.steady = 0
        self.given: tuple[Tensor, ...] = ()
        self.replay: Callable[[], Any] | None = None
        self.losses: Tensor | None = None

    def __call__(self, images: Tensor, labels: Tensor, rates: Tensor) -> Tensor:
        """One training step; returns the losses before it."""
        if not self.given:
            self.given = tuple(tensor.clone() for tensor in (images, labels, rates))
        if images.shape != self.given[0].shape or self.steady < WARM_UP:
            self.steady += 1
            return self.eager(images, labels, rates)
        for kept, new in zip(self.given, (images, labels, rates), strict=True):
            kept.copy_(new)
        if self.replay is None:
            self.replay, self.losses = self.capture(lambda: self.eager(*self.given))
        self.replay()
        assert self.losses is not None
        return self.losses.clone()
