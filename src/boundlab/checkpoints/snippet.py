"""What a person without Boundlab needs to write a checkpoint: code for a `torch.nn.Sequential`, a spec to fill in. No torch."""

from __future__ import annotations

EXPORT_SNIPPET = """\
import copy, json, re, safetensors.torch, torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, linear, max_pool2d
PLAIN = {"padding_mode": "zeros", "ceil_mode": False, "divisor_override": None, "return_indices": False, "output_size": 1,
         "start_dim": 1, "end_dim": -1}
def sizes(m):  # of a module, (2, 2) as 2; refuses what a spec cannot say
    keys = ("kernel_size", "stride", "padding", "dilation")
    found = {key: getattr(m, key) for key in (*keys, *PLAIN) if hasattr(m, key)}
    if isinstance(found.get("padding"), str):  # "valid"; "same": as many zeros on every side if their number is even
        found["padding"] = [d * (k - 1) / 2 * (m.padding == "same") for d, k in zip(m.dilation, m.kernel_size)]
    found = {key: v[0] if isinstance(v, (tuple, list)) and len(set(v)) == 1 else v for key, v in found.items()}
    pool = {"stride": found["kernel_size"], "padding": 0, "dilation": 1} if isinstance(m, (nn.MaxPool2d, nn.AvgPool2d)) else {}
    odd = [key for key, v in found.items() if v != (PLAIN | pool).get(key, v) or key in keys and v not in range(65)]
    if odd: raise ValueError(f"{odd[0]} of {m} has no place in a spec (square, alike on all sides, no overlapping pools)")
    return {key: int(found[key]) for key in keys if key in found}
def outputs(spec, layers, x):  # of the network that the file says
    for i, (weight, bias) in enumerate(layers):
        if i < len(spec.get("channels", [])):
            x = conv2d(x, weight, bias, *(spec[key][i] for key in ("stride", "padding", "dilation", "groups"))).relu()
            kind, size = spec["pool"][i][:3], spec["pool"][i][3:]
            x = {"max": max_pool2d, "avg": avg_pool2d}[kind](x, int(size)) if kind else x
        else:
            x = linear(x.mean((2, 3)) if x.ndim == 4 and spec.get("head") == "gap" else x.flatten(1), weight, bias)
            x = x.relu() if i < len(layers) - 1 else x
    return x
def export(model, path, in_shape, normalize=None):  # normalize: (mean, deviation), None if fed pixels in [0, 1]
    letters = {nn.Conv2d: "c", nn.ReLU: "r", nn.MaxPool2d: "p", nn.AvgPool2d: "p", nn.AdaptiveAvgPool2d: "g",
               nn.Flatten: "f", nn.Linear: "d", nn.Dropout: "", nn.Identity: "", nn.Sequential: ""}
    parts = [m for _, m in model.named_modules(remove_duplicate=False)]
    order = "".join(letters.get(type(m), "?") for m in parts)
    if not re.fullmatch("((crp?)+g?f|f?)(dr)*d", order):
        raise ValueError(f"must be Conv2d ReLU [pool] ... Flatten Linear ReLU ... Linear, got {order}; nothing was written")
    size, (convs, pools, dense) = {m: sizes(m) for m in parts}, ([m for m in parts if letters[type(m)] == x] for x in "cpd")
    names = iter([f"{type(m).__name__[:3].lower()}{k}" if (k := size[m]["kernel_size"]) > 1 else "" for m in pools])
    spec = {key: [size[m][key] for m in convs] for key in ("kernel_size", "stride", "padding", "dilation")} | {"kind": "conv"}
    spec |= {"channels": [m.out_channels for m in convs], "groups": [m.groups for m in convs],
             "pool": [next(names) if "p" in s else "" for s in order.split("c")[1:]], "head": "gap" if "g" in order else "flatten"}
    spec = (spec if convs else {"kind": "mlp"}) | {"in_shape": in_shape, "classes": dense[-1].out_features, "weight_norm": False,
            "hidden": [m.out_features for m in dense[:-1]], "bias": any(m.bias is not None for m in convs + dense),
            "normalize": normalize}
    layers = [(m.weight, m.weight.new_zeros(len(m.weight)) if m.bias is None and spec["bias"] else m.bias) for m in convs + dense]
    layers = [[t if t is None else t.detach().cpu().clone().contiguous() for t in layer] for layer in layers]
    x = torch.randn(8, *in_shape, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    expected = copy.deepcopy(model).cpu().double().eval()(x if "f" in order else x.flatten(1)).detach()
    got = outputs(spec, [[t if t is None else t.double() for t in layer] for layer in layers], x)
    if got.shape != expected.shape or not (got - expected).abs().max() <= 1e-9 * expected.abs().max() or spec["classes"] < 2:
        raise ValueError("the file would hold another network than the model, or one with a single output; nothing was written")
    names = [f"layers.{i}" for i in range(len(layers) - 1)] + ["output"]
    tensors = {f"{n}.{key}": t for n, layer in zip(names, layers) for key, t in zip(("weight", "bias"), layer) if t is not None}
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
  "local": [false, false, false],
  "head": "flatten",
  "hidden": [64],
  "classes": 10,
  "bias": true,
  "weight_norm": false,
  "negative_slope": 0.0,
  "normalize": [0.1307, 0.3081]
}
"""
