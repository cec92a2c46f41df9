"""Links to page Train with an architecture filled in."""

from __future__ import annotations

from typing import Any

from boundlab.specs.arch import PER_LAYER, ArchSpec


def arch_values(arch: ArchSpec) -> dict[str, Any]:
    """The values of the form that stand for a network."""
    hidden = ", ".join(map(str, arch.hidden or ()))
    if arch.kind == "mlp":
        return {"kind": "mlp" if hidden else "linear", "bias": arch.bias} | ({"hidden": hidden} if hidden else {})
    lists = {}
    for name in PER_LAYER:
        value = getattr(arch, name)
        lists[name] = ", ".join(str(v) or "none" for v in (value if isinstance(value, tuple) else (value,)))
    whole = {"kind": arch.kind, "conv_layers": str(arch.conv_layers), "head": arch.head, "dense": hidden}
    return whole | lists | {"bias": arch.bias}
