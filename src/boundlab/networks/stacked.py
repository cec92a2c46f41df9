"""Several networks of one architecture as one: each parameter a tensor with a first dimension for the members.

A convolution of all members is one with as many groups, a dense layer a batched matrix product: many small products become
few large ones. Maps of the members lie side by side in the channels, (batch, members * channels, height, width).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from boundlab.networks import build
from boundlab.networks.layer_maps import activated, apply_layer, pooled
from boundlab.specs.shapes import LayerShape

_G, _V = (
    "parametrizations.weight.original0",
    "parametrizations.weight.original1",
)  # of nn.utils.parametrizations.weight_norm


class StackedNetworks:
    """The parameters of `nets`, all of the architecture of `shapes`; each net's own become views of its row.

    `parameters`: name (as in `named_parameters` of a net) -> (members, ...). Whoever changes them changes the nets.
    """

    def __init__(self, nets: Sequence[nn.Sequential], shapes: Sequence[LayerShape]) -> None:
        self.shapes, self.members = shapes, len(nets)
        own = [dict(net.named_parameters()) for net in nets]
        self.parameters = {name: torch.stack([p[name].detach() for p in own]) for name in own[0]}
        for place, parameters in enumerate(own):
            for name, parameter in parameters.items():
                parameter.data = self.parameters[name][place]
        named = {module: name for name, module in nets[0].named_children()}
        self.layers = [named[layer] for layer in build.layers(nets[0])]

    def weights(self, parameters: dict[str, Tensor]) -> list[Tensor]:
        """Effective weights per layer, (members, *weight_shape); `parameters`: those of here, or others of their shapes."""
        return [self._weight(parameters, name, shape) for name, shape in zip(self.layers, self.shapes, strict=True)]

    def _weight(self, parameters: dict[str, Tensor], layer: str, shape: LayerShape) -> Tensor:
        if not shape.weight_norm:
            return parameters[f"{layer}.weight"]
        g, v = parameters[f"{layer}.{_G}"], parameters[f"{layer}.{_V}"]
        # what weight_norm calls; a row of all of a member's numbers has one norm, as `dim=None` has for one network
        return torch._weight_norm(v.flatten(1), g[:, None], 0).view_as(v)

    def put(self, place: int, weight: Tensor) -> None:
        """Make (members, *weight_shape) the effective weights of the layer at `place`."""
        layer = self.layers[place]
        if not self.shapes[place].weight_norm:
            self.parameters[f"{layer}.weight"].copy_(weight)
            return
        self.parameters[f"{layer}.{_V}"].copy_(weight)
        g = self.parameters[f"{layer}.{_G}"]
        g.copy_(weight.flatten(1).norm(dim=1).view_as(g))

    def biases(self, parameters: dict[str, Tensor]) -> list[Tensor | None]:
        """Per layer (members, ...), None where the layers have none."""
        return [parameters.get(f"{layer}.bias") for layer in self.layers]

    def outputs(
        self,
        x: Tensor,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor | None],
        see: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """(batch, members * channels, height, width) -> (members, batch, classes). `see`: gets each layer's place and input."""
        if self.members > 1:
            x = x.contiguous(memory_format=torch.channels_last)  # grouped convolutions are 1.1 to 1.4 times faster
        last = len(self.shapes) - 1
        for place, (weight, bias, shape) in enumerate(zip(weights, biases, self.shapes, strict=True)):
            if see is not None:
                see(place, x)
            x = self._layer(x, weight, bias, shape)
            if place < last:
                x = activated(x, shape)
                x = pooled(x, shape) if shape.spatial else x
        return x

    def _layer(self, x: Tensor, weight: Tensor, bias: Tensor | None, shape: LayerShape) -> Tensor:
        if shape.kind == "conv":
            kernel = weight.flatten(0, 1)
            if self.members > 1:
                kernel = kernel.contiguous(memory_format=torch.channels_last)
            b = None if bias is None else bias.flatten()
            return F.conv2d(
                x, kernel, b, shape.stride, shape.padding, shape.dilation, groups=self.members * shape.groups
            )
        if shape.kind == "local":
            own = [None] * self.members if bias is None else bias
            parts = zip(x.chunk(self.members, dim=1), weight, own, strict=True)
            return torch.cat([apply_layer(part, w, b, shape) for part, w, b in parts], dim=1)
        if x.ndim == 4:
            x, weight = self._flat(x, weight)
        if self.members == 1:  # the same, and the gradient of the weights comes in their own order
            return F.linear(x[0], weight[0], None if bias is None else bias[0])[None]
        return x @ weight.mT if bias is None else torch.baddbmm(bias[:, None], x, weight.mT)

    def _flat(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(members, batch, inputs) of maps, and a dense layer's weights for them, both in the maps' own order in memory."""
        batch, _, height, width = x.shape
        if self.members == 1:
            return x.reshape(1, batch, -1), weight
        channels = x.shape[1] // self.members
        rows = x.permute(0, 2, 3, 1).reshape(batch, height * width, self.members, channels)
        columns = weight.unflatten(2, (channels, height * width)).transpose(2, 3).flatten(2)
        return rows.permute(2, 0, 1, 3).flatten(2), columns
