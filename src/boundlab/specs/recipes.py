"""A run in words: its task, what its training asked for, its recipe. Different recipes are never averaged into one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache

from boundlab.specs.arch import listed
from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import PRESETS
from boundlab.specs.run import RunSpec

_WORDS = {  # what is not the standard of the preset and the data set, in the order it is named
    "n_train": "n = {:,}",
    "epochs": "{} epochs",
    "loss": "loss {}",
    "batch_size": "batch size {}",
    "lr": "lr {:g}",
    "momentum": "momentum {:g}",
    "kernel_size": "kernel {}",
    "stride": "stride {}",
    "padding": "padding {}",
    "dilation": "dilation {}",
    "groups": "groups {}",
    "pool": "pool {}",
    "head": "head {}",
    "local": "locally connected {}",
    "negative_slope": "leaky {:g}",
    "label_noise": "label noise {:g}",
}


def task(spec: RunSpec) -> str:
    """The data, the classes of a sub-task, the window that a network looks at."""
    return data_of(spec.train.dataset, spec.train.labels, spec.arch.in_shape)


def data_of(dataset: str, labels: Sequence[Sequence[int]] | None, in_shape: tuple[int, int, int]) -> str:
    """`task` where there is no spec of a run."""
    facts = DATASETS[dataset]
    _, height, width = in_shape
    middle = "" if in_shape == facts.in_shape else f", middle {height}×{width}"
    classes = "" if labels is None else " " + " or ".join("".join(map(str, group)) for group in labels)
    return facts.title + classes + middle


def asked(spec: RunSpec) -> str:
    """What training weighed beside the errors."""
    train = spec.train
    if "weight_decay" in train.unknown:
        return "λ not told"
    by_loss = {"mse": f"λ = {train.weight_decay:g}", "certificate": f"weight {train.certificate_weight:g}"}
    return by_loss.get(train.loss, "for Theorem D2")


def described(spec: RunSpec) -> tuple[str, ...]:
    """Network, task, λ or weight, recipe where it is not the usual one, seed."""
    in_title = ["kernel ", "stride ", "padding ", "dilation ", "groups ", "pool ", "head ", "locally ", "leaky "]
    in_title += ["biases"] if spec.arch.kind != "mlp" else []
    made = ", ".join(part for part in (spec.train.preset, *_unusual(spec)) if not part.startswith(tuple(in_title)))
    parts = (spec.arch.title, task(spec), asked(spec), "" if made == "short" else made, f"seed {spec.train.seed}")
    return tuple(filter(None, parts))


@lru_cache(4096)
def recipe(spec: RunSpec) -> str:
    """The preset's name and what differs from its standard for that data set: "short", "short, 60 epochs".

    Not part of a recipe: what the figures' axes and controls tell apart (data, task, depth, width, lambda, seed), and what the
    preset's own runs are compared over.
    """
    return ", ".join((spec.train.preset, *_unusual(spec, PRESETS[spec.train.preset].varied)))


def _unusual(spec: RunSpec, besides: Sequence[str] = ()) -> list[str]:
    """What differs from the preset's standard for that data set, in words, but for the fields `besides`."""
    arch, train = spec.arch, spec.train
    standard = _standard(train.dataset, train.preset, train.labels)
    own, usual = (vars(s.arch) | vars(s.train) for s in (spec, standard))
    if arch.kind != "mlp":
        usual |= {f.name: f.default for f in dataclasses.fields(arch) if f.name in _WORDS}
    # of a watched run nobody may know how many there will be
    usual["epochs"] = own["epochs"] if spec.watched else train.usual_epochs
    if spec.watched:  # what was told is said, also where it is what is usual here
        usual |= dict.fromkeys({"batch_size", "lr", "momentum", "loss"} - {*train.unknown})
    named = {name: words for name, words in _WORDS.items() if name not in besides and own[name] != usual[name]}
    parts = [words.format(listed(own[name], "/")) for name, words in named.items()]
    if arch.bias != standard.arch.bias:
        parts.append("biases" if arch.bias else "no biases")
    if not arch.weight_norm and not spec.watched:
        parts.append("no weight norm")
    if arch.normalize != standard.arch.normalize:
        scale = arch.normalize
        parts.append("raw pixels" if scale is None else f"pixels less {scale[0]:g}, over {scale[1]:g}")
    return parts


@lru_cache(256)
def _standard(dataset: str, preset: str, labels: tuple[tuple[int, ...], ...] | None) -> RunSpec:
    """The preset's own recipe for a task; a linear network has no kernel that might not fit."""
    task = {"dataset": dataset, "preset": preset, "labels": labels and [*map(list, labels)]}
    return RunSpec.from_dict(task | {"arch": {"kind": "mlp", "hidden": []}})


def figured(spec: RunSpec) -> bool:
    """Whether the figures are about such a run: CONV-L-H, all classes, whole images, weight decay on a log axis."""
    return not why_not_figured(spec)


def why_not_figured(spec: RunSpec) -> str:
    """Why the figures are not about such a run, "" where they are."""
    train = spec.train
    if why := _not_alike(spec):
        return why
    if "weight_decay" in train.unknown:
        return "they are drawn over weight decay, which the monitor was not told (optimizer=...)"
    if train.weight_decay <= 0:
        return "their axis of weight decay is logarithmic, and it is 0"
    if train.loss != "mse":
        return f"the network was made for its certificate (recipe {train.preset})"
    if not PRESETS[train.preset].figures:
        return f"runs of recipe {train.preset} are compared on a page of their own"
    return ""


def studied(spec: RunSpec, preset: str) -> bool:
    """Whether it is one of the runs that a preset is for which has a page of its own: CONV-L-H, all classes, whole images."""
    return spec.train.preset == preset and spec.train.loss == "mse" and not _not_alike(spec)


def _not_alike(spec: RunSpec) -> str:
    """Why the sliders of a page cannot tell it from others, "" where they can."""
    train, arch = spec.train, spec.arch
    if not arch.uniform:
        return f"they are about convolutions that are all alike and one dense layer after them (CONV-L-H), got {arch.title}"
    if arch.in_shape != DATASETS[train.dataset].in_shape or train.labels is not None:
        return f"they are about whole images of all classes, got {task(spec)}"
    return ""
