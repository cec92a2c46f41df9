"""What ArchSpec says of convolutions and locally connected layers, read off torch's modules."""

from __future__ import annotations

from typing import Any

from torch import nn

from boundlab.networks.build import LocallyConnected2d
from boundlab.networks.sequential import Layer


def geometry(layers: list[Layer]) -> dict[str, list[Any]]:
    """ArchSpec's per-layer fields of the spatial layers; raises ValueError for a convolution that is not square or is
    padded by anything but zeros."""
    found: dict[str, list[Any]] = {}
    for layer in layers:
        for name, value in (_own if isinstance(layer.module, LocallyConnected2d) else _conv)(layer).items():
            found.setdefault(name, []).append(value)
        found.setdefault("pool", []).append("".join(layer.pools))
    return found


def _own(layer: Layer) -> dict[str, Any]:
    assert isinstance(layer.module, LocallyConnected2d)
    shape = layer.module.shape
    fixed = {"stride": shape.stride, "padding": shape.padding, "dilation": shape.dilation, "groups": 1}
    return {"channels": shape.out_channels, "kernel_size": shape.kernel, **fixed}


def _conv(layer: Layer) -> dict[str, Any]:
    module = layer.module
    assert isinstance(module, nn.Conv2d)
    padding: Any = module.padding
    if padding == "same":  # zeros on both sides alike, when there is an even number of them
        padding = tuple(d * (k - 1) / 2 for d, k in zip(module.dilation, module.kernel_size, strict=True))
    sizes = {
        "kernel_size": module.kernel_size,
        "stride": module.stride,
        "padding": (0, 0) if padding == "valid" else padding,
        "dilation": module.dilation,
    }
    if module.padding_mode != "zeros" or any(a != b or a != int(a) for a, b in sizes.values()):
        raise ValueError(
            f"module {layer.place} ({module}) has no place in a chain of layers: kernel, stride, padding and dilation must be the same in both "
            "directions, and padding with zeros on both sides alike; change it and train again"
        )
    plain = {name: int(value[0]) for name, value in sizes.items()}
    return {"channels": module.out_channels, "groups": module.groups, **plain}
