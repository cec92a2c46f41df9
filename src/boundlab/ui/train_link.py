"""Links to page Train with the form filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from boundlab.specs.arch import PER_LAYER, ArchSpec
from boundlab.specs.run import RunSpec

_NO_FIELD = ("loss", "momentum")  # of TrainSpec, and
_NO_FIELD_OF_ARCH = ("in_shape", "normalize", "weight_norm", "classes", "local", "negative_slope")


def arch_values(arch: ArchSpec) -> dict[str, Any]:
    """The values of the form that stand for a network."""
    hidden = ", ".join(map(str, arch.hidden or ()))
    if arch.kind == "mlp":
        return {"kind": "mlp" if hidden else "linear", "bias": arch.bias} | ({"hidden": hidden} if hidden else {})
    lists = {}
    for name in (name for name in PER_LAYER if name not in _NO_FIELD_OF_ARCH):
        value = getattr(arch, name)
        lists[name] = ", ".join(str(v) or "none" for v in (value if isinstance(value, tuple) else (value,)))
    whole = {"kind": arch.kind, "conv_layers": str(arch.conv_layers), "head": arch.head, "dense": hidden}
    return whole | lists | {"bias": arch.bias}


def arch_link(arch: ArchSpec) -> dict[str, str]:
    """They as a link has them."""
    values = {
        name: str(value).lower() if value in (True, False) else value for name, value in arch_values(arch).items()
    }
    return {name: value for name, value in values.items() if value}


def in_form(spec: RunSpec) -> bool:
    """Whether the form can ask for such a run: all classes, and what has no field as the recipe's standard has it."""
    if spec.watched:
        return False
    about = {"dataset": spec.train.dataset, "preset": spec.train.preset}
    usual = RunSpec.from_dict(about | {"arch": {"kind": "mlp", "hidden": []}})  # no kernel that might not fit
    same = all(getattr(spec.train, name) == getattr(usual.train, name) for name in _NO_FIELD)
    same &= all(getattr(spec.arch, name) == getattr(usual.arch, name) for name in _NO_FIELD_OF_ARCH)
    return same and spec.train.labels is None and spec.train.loss == "mse"


def run_link(spec: RunSpec, decays: Sequence[float]) -> dict[str, str | list[str]]:
    """The whole form: runs like `spec`, one per value of λ. Raises ValueError where the form has no such runs."""
    if not in_form(spec):
        raise ValueError("page Train has no field for what is special about this recipe")
    train = spec.train
    about = {"form": "true", "dataset": train.dataset, "preset": train.preset, "label_noise": f"{train.label_noise:g}"}
    about |= {"n_train": "all" if train.n_train is None else str(train.n_train)}
    numbers = {"epochs": str(train.epochs), "lr": f"{train.lr:g}", "batch_size": str(train.batch_size)}
    many = {"weight_decay": [f"{value:g}" for value in decays], "seeds": [str(train.seed)]}
    return arch_link(spec.arch) | about | numbers | many
