"""What a person without Boundlab needs to write a checkpoint: code for a `torch.nn.Sequential`, a spec to fill in. No torch."""

from __future__ import annotations

EXPORT_SNIPPET = """\
import json, re, safetensors.torch
from torch import nn, zeros
def export(model, path, in_shape, normalize=None):  # normalize: (mean, deviation), None if fed pixels in [0, 1]
    letters = {nn.Conv2d: "c", nn.ReLU: "r", nn.MaxPool2d: "p", nn.AvgPool2d: "p", nn.AdaptiveAvgPool2d: "g",
               nn.Flatten: "f", nn.Linear: "d", nn.Dropout: "", nn.Sequential: ""}
    parts = [m for _, m in model.named_modules(remove_duplicate=False)]
    order = "".join(letters.get(type(m), "?") for m in parts)
    assert re.fullmatch("(crp?)*g?f?(dr)*d", order), f"must be Conv2d ReLU [pool] ... Linear ReLU Linear, got {order}"
    convs, pools, dense = ([m for m in parts if letters[type(m)] == letter] for letter in "cpd")
    assert all(m.stride == m.kernel_size and not (m.padding or m.ceil_mode) for m in pools), "a pool overlaps"
    size, layers = iter([f"{type(m).__name__[:3].lower()}{m.kernel_size}" for m in pools]), convs + dense
    spec = {key: [getattr(m, key)[0] for m in convs] for key in ("kernel_size", "stride", "padding", "dilation")}
    spec |= {"channels": [m.out_channels for m in convs], "groups": [m.groups for m in convs], "kind": "conv",
             "pool": [next(size) if "p" in s else "" for s in order.split("c")[1:]], "head": ["flatten", "gap"]["g" in order]}
    spec = (spec if convs else {"kind": "mlp"}) | {"in_shape": in_shape, "classes": dense[-1].out_features, "weight_norm": False,
            "hidden": [m.out_features for m in dense[:-1]], "bias": any(m.bias is not None for m in layers), "normalize": normalize}
    names = [f"layers.{i}" for i in range(len(layers) - 1)] + ["output"]
    tensors = {f"{n}.bias": zeros(len(m.weight)) for n, m in zip(names, layers) if spec["bias"]}
    tensors |= {f"{n}.{key}": p.detach().contiguous() for n, m in zip(names, layers) for key, p in m.named_parameters()}
    safetensors.torch.save_file(tensors, path, {"spec": json.dumps(spec)})
"""

SPEC_TEMPLATE = """\
{
  "kind": "conv",
  "in_shape": [1, 28, 28],
  "channels": [16, 16, 32],
  "kernel_size": [3, 3, 2],
  "stride": [1, 1, 1],
  "padding": [1, 1, 0],
  "dilation": [1, 1, 1],
  "groups": [1, 1, 1],
  "pool": ["max2", "avg2", ""],
  "head": "flatten",
  "hidden": [64],
  "classes": 10,
  "bias": true,
  "weight_norm": false,
  "normalize": [0.1307, 0.3081]
}
"""
