"""The training step on a GPU: captured once as a CUDA graph and replayed, since launching its kernels one by one costs
several times their own time at batch 32 (PyTorch's notes on CUDA graphs, "whole-network capture")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor, float], Tensor]  # (images, labels, learning rate) -> loss
WARM_UP = 3  # eager steps before a capture: they allocate momentum and choose kernels


def cuda_graph(work: Callable[[], Tensor]) -> tuple[Callable[[], Any], Tensor]:
    """Capture `work` without running it; returns what replays it and the tensor its result will be in."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph.replay, result


class CapturedStep:
    """Like `eager`, replayed from a capture while learning rate and batch shape stay the same.

    The rate is a constant of the capture, so a new rate means a new one; steps of a warm-up, or an incomplete last batch,
    run eagerly.
    """

    def __init__(self, eager: Step, capture: Callable[..., tuple[Callable[[], Any], Tensor]] = cuda_graph) -> None:
        self.eager, self.capture = eager, capture
        self.rate, self.steady = float("nan"), 0
        self.images: Tensor | None = None
        self.labels: Tensor | None = None
        self.replay: Callable[[], Any] | None = None
        self.loss: Tensor | None = None

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> Tensor:
        """One training step; returns the loss before it."""
        if rate != self.rate:
            self.rate, self.steady, self.replay = rate, 0, None
        if self.images is None:
            self.images, self.labels = images.clone(), labels.clone()
        assert self.labels is not None
        if images.shape != self.images.shape or self.steady < WARM_UP:
            self.steady += 1
            return self.eager(images, labels, rate)
        static_images, static_labels = self.images, self.labels
        static_images.copy_(images)
        static_labels.copy_(labels)
        if self.replay is None:
            self.replay, self.loss = self.capture(lambda: self.eager(static_images, static_labels, rate))
        self.replay()
        assert self.loss is not None
        return self.loss.clone()
