"""SGD with momentum, weight decay and clipping of several networks at once, each with numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from boundlab.specs.run import TrainSpec


class Sgd:
    """v <- momentum v + clipped gradient + weight_decay w; w <- w - rate v, as torch.optim.SGD has it.

    `parameters`: name -> (members, ...), changed in place. `clip_norm`: of a member's whole gradient; None: no clipping.
    """

    def __init__(self, parameters: dict[str, Tensor], train: Sequence[TrainSpec], clip_norm: float | None) -> None:
        self.parameters, self.momentum, self.clip_norm = parameters, train[0].momentum, clip_norm
        self.speed = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        self._weights, self._speeds = (
            [tensor.view(len(train), -1) for tensor in kept.values()] for kept in (self.parameters, self.speed)
        )
        self.weight_decays = [one.weight_decay for one in train]
        self._decays = next(iter(parameters.values())).new_tensor(self.weight_decays)

    def step(self, gradients: Sequence[Tensor], rates: Tensor) -> None:
        """`gradients`: of the parameters in their order; `rates`: (members,) learning rates. Uses `gradients` up."""
        flat = [gradient.reshape(len(rates), -1).contiguous() for gradient in gradients]
        scale = self._scale(flat)
        if len(rates) == 1 and rates.device.type == "cpu" and rates.dtype == torch.float32:
            # one pass over memory where the lines below take four
            self._fused(flat, rates, scale)
            return
        for weight, v, gradient in zip(self._weights, self._speeds, flat, strict=True):
            v.mul_(self.momentum)
            v.add_(gradient) if scale is None else v.addcmul_(gradient, scale[:, None])
            v.addcmul_(weight, self._decays[:, None])
            weight.addcmul_(v, rates[:, None], value=-1)

    def _scale(self, gradients: Sequence[Tensor]) -> Tensor | None:
        """(members,) what clipping multiplies the gradients by, as torch.nn.utils.clip_grad_norm_ has it."""
        if self.clip_norm is None:
            return None
        norms = torch.stack([torch.linalg.vector_norm(gradient, dim=1) for gradient in gradients])
        return (self.clip_norm / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp_max(1.0)

    def _fused(self, gradients: Sequence[Tensor], rates: Tensor, scale: Tensor | None) -> None:
        """What torch.optim.SGD(fused=True) calls; all tensors (1, numbers) and contiguous, which it does not check."""
        torch._fused_sgd_(
            self._weights,
            list(gradients),
            self._speeds,
            weight_decay=self.weight_decays[0],
            momentum=self.momentum,
            lr=float(rates),
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
            grad_scale=None if scale is None else scale.reciprocal(),
            found_inf=None,
        )
