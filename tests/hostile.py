"""Broken and malicious checkpoints of digits, as bytes, and what the sentence about each must say."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct

import numpy as np
from safetensors.numpy import save

from tests.cases import DIGITS
from tests.conftest import reference_weights

NAMES = ("layers.0.weight", "layers.1.weight", "output.weight")
SPEC = DIGITS.to_dict()


class Runs:
    """Unpickled, it would leave a mark."""

    def __reduce__(self):
        return os.mkdir, (os.environ.get("HOSTILE_MARK", "/nonexistent/mark"),)


def good(weights=None, spec=SPEC, **others):
    """A checkpoint; `others`: further tensors."""
    tensors = dict(zip(NAMES, weights or reference_weights(DIGITS, 0), strict=True)) | others
    return save(tensors, {"spec": spec if isinstance(spec, str) else json.dumps(spec)})


def raw(header, body, claim=None):
    """The bytes of a file with this header (JSON or bytes), which claims a length of its own or another."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claim is None else claim) + text + body


def rewritten(change):
    """A good file whose header was changed by hand."""
    content = good()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    change(header)
    return raw(header, content[8 + length :])


def with_number(value, dtype=np.float32):
    """A good file with one number replaced, in the last tensor."""
    weights = [w.astype(dtype) for w in reference_weights(DIGITS, 0)]
    weights[-1][-1, -1] = value
    return good(weights)


def bfloat16(value):
    """The same in BF16, which numpy has not."""
    weights = [(w.view(np.uint32) >> 16).astype(np.uint16) for w in reference_weights(DIGITS, 0)]
    weights[0][0, 0, 0, 0] = np.array(value, np.float32).view(np.uint32) >> 16
    tensors = dict(zip(NAMES, weights, strict=True))
    content = save(tensors, {"spec": json.dumps(SPEC)})
    return content.replace(b'"U16"', b'"BF16"').replace(
        struct.pack("<Q", _length(content)), struct.pack("<Q", _length(content) + 3), 1
    )


def _length(content):
    return struct.unpack("<Q", content[:8])[0]


def many(number=10_000):
    tensors = {f"x{i}": np.zeros(1, np.float32) for i in range(number)}
    return save(tensors, {"spec": json.dumps(SPEC)})


def twice():
    """A header in which one name comes twice."""
    content = good()
    text = content[8 : 8 + _length(content)].rstrip()
    return raw(text[:-1] + b"," + text[text.index(b'"output.weight"') :], content[8 + _length(content) :])


def torch_saved(as_zip):
    import torch

    file = io.BytesIO()
    torch.save({"output.weight": torch.ones(10, 64)}, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


NOT_ONE = "not a complete .safetensors file"
HOSTILE = {
    "pickle renamed": (lambda: pickle.dumps([Runs()] * 50), NOT_ONE),
    "pickle": (lambda: pickle.dumps([Runs()] * 50), "but a pickle, as torch.save writes it"),
    "zip of torch.save": (lambda: torch_saved(True), "but a pickle, as torch.save writes it"),
    "legacy torch.save": (lambda: torch_saved(False), "it holds the weights of a network (output.weight): `boundlab export MODULE:NAME"),
    "empty": (lambda: b"", NOT_ONE),
    "truncated": (lambda: good()[:-100], NOT_ONE),
    "half a header": (lambda: good()[:50], NOT_ONE),
    "header of 2^62 bytes": (lambda: raw({}, b"", 2**62), "it does not begin as one"),
    "header of 2 MB": (lambda: raw(b" " * 2**21, b""), "the header should have at most 1,048,576 bytes"),
    "header of brackets": (lambda: raw(b"[" * 2**20, b""), NOT_ONE),
    "a name twice": (twice, "a name comes twice"),
    "overlapping offsets": (
        lambda: rewritten(lambda h: h["layers.1.weight"].update(data_offsets=[0, 144])), NOT_ONE,
    ),
    "offsets beyond the end": (
        lambda: rewritten(lambda h: h["output.weight"].update(data_offsets=[192, 2**62])), NOT_ONE,
    ),
    "wrong dtype": (
        lambda: good([w.astype(np.int32) for w in reference_weights(DIGITS, 0)]), "should be one of F16, BF16, F32, F64, got I32",
    ),
    "wrong shape": (
        lambda: good([w[..., :-1].copy() if w.ndim == 2 else w for w in reference_weights(DIGITS, 0)]),
        "output.weight should have shape [10, 108], got [10, 107]",
    ),
    "NaN": (lambda: with_number(np.nan), "has NaN or infinite values"),
    "Inf": (lambda: with_number(-np.inf), "has NaN or infinite values"),
    "NaN in float64": (lambda: with_number(np.nan, np.float64), "has NaN or infinite values"),
    "NaN in bfloat16": (lambda: bfloat16(np.nan), "layers.0.weight has NaN or infinite values"),
    "absurd": (lambda: with_number(1e200, np.float64), "has weights above 1e+30"),
    "10,000 tensors": (many, "missing tensors"),
    "10,000 tensors more": (
        lambda: good(**{f"x{i}": np.zeros(1, np.float32) for i in range(10_000)}), "unknown tensors ['x0', 'x1', 'x10'] (of 10000)",
    ),
    "name with ../": (lambda: good(**{"../../x": np.zeros(1, np.float32)}), "unknown tensors ['../../x'] (of 1)"),
    "no spec": (lambda: rewritten(lambda h: h.pop("__metadata__")), "no metadata entry 'spec'"),
    "spec of brackets": (lambda: good(spec="[" * 100_000), "'spec' is not JSON"),
    "one output": (lambda: good(spec=SPEC | {"classes": 1}), "write it with two, weights -w/2 and w/2"),
    "no spec, what to do": (lambda: rewritten(lambda h: h.pop("__metadata__")), "its tensors are a plain chain: give `boundlab evaluate` this as `--spec`"),
    "a long field": (lambda: good(spec=SPEC | {"x" * 10_000: 1}), "unknown fields"),
    "a long value": (lambda: good(spec=SPEC | {"kind": "x" * 10_000}), "kind must be one of"),
    "a prefix that only some have": (lambda: good(**{"module.output.weight": np.zeros(1, np.float32)}), "unknown tensors"),
    "a billion channels": (lambda: good(spec=SPEC | {"channels": 10**9}), "channels must be a whole number"),
    "two billion weights": (lambda: good(spec=SPEC | {"channels": 10**6}), "more than the 2,000,000,000 allowed"),
    "a billion layers": (lambda: good(spec=SPEC | {"conv_layers": 10**9}), "conv_layers must be a whole number"),
    "a name of markup": (
        lambda: good(spec=SPEC | {"<img src=x onerror=alert(1)>": 1}), "unknown fields",
    ),
}  # fmt: skip
