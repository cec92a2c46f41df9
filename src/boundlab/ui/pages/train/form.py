"""What to train: the form, and the run specs that it stands for. What a widget allows is not trusted; the specs check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.specs.grid import product
from boundlab.specs.own_data import DATASETS, listed_name
from boundlab.specs.presets import PRESETS, TRAINED_HERE
from boundlab.specs.run import RunSpec
from boundlab.specs.tasks import TASKS, tasks
from boundlab.ui.controls import Controls
from boundlab.ui.pages.train.network import counterparts, network, read_network, whole_numbers
from boundlab.ui.pages.train.starts import ALL_LABELS, FIRST, STARTS, default_epochs, sizes
from boundlab.ui.run_filters import RECIPE_HELP
from boundlab.words.glossary import explained

_WEIGHT_DECAYS = (
    "0",
    "0.0001",
    "0.0003",
    "0.0008",
    "0.0009",
    "0.001",
    "0.002",
    "0.003",
    "0.004",
    "0.006",
    "0.01",
    "0.03",
)
_SEEDS = tuple(map(str, range(10)))
_WEIGHTS = ("0.01", "0.03", "0.1", "0.3", "1", "3")
_NOISES = ("0", "0.1", "0.2", "0.5", "1")
_MOST_RUNS = 60
_RECIPE_HELP = RECIPE_HELP + (
    " · certified: minimises the certificate of Theorem S, no weight decay"
    " · coded: that of Theorem D2, hidden weights rounded to 3 bits while training"
)
_DECAY_HELP = "One run per value (and seed). Type another number and press Enter to add it."
_SEED_HELP = "One run per seed; the same seed gives the same run again."
_NOISE_HELP = f"{explained('label noise')} The network can only memorise them."


def _fill(values: dict[str, Any]) -> None:
    for name, value in values.items():
        st.session_state[name] = value


def choose_start() -> None:
    """The ready-made experiments, the one that the form stands at marked; drawn when the form has its values."""
    chosen = next((start for start in STARTS if _stands_at(start.values())), None)
    st.session_state["start"] = chosen.title if chosen else None
    words = " · ".join(f"{start.title}: {start.help}" for start in STARTS)
    st.pills("Start from", [start.title for start in STARTS], key="start", help=words, on_change=_begin)


def _stands_at(values: dict[str, Any]) -> bool:
    """Whether the form has these values, as far as it has fields for them just now."""
    return all(st.session_state[name] == value for name, value in values.items() if name in st.session_state)


def _begin() -> None:
    chosen = next((start for start in STARTS if start.title == st.session_state["start"]), None)
    if chosen:
        _fill(chosen.values())


def _renew() -> None:
    """Data, size or recipe changed: the epochs, rate and batch that go with them."""
    dataset, preset, n = (str(st.session_state.get(name)) for name in ("dataset", "preset", "n_train"))
    if dataset in DATASETS and preset in PRESETS:
        size = int(n) if n in sizes(dataset) and n != ALL_LABELS else None
        recipe = PRESETS[preset]
        _fill({"epochs": default_epochs(dataset, size, preset), "bias": recipe.bias})
        _fill({"lr": recipe.lr, "batch_size": recipe.batch_size})


def form(controls: Controls) -> tuple[list[RunSpec], str | None, DeltaGenerator]:
    """Draw the form; returns the runs it asks for, or none of them and what is wrong; and its last row."""
    data, arch = _data(controls), network(controls)
    others = st.container(horizontal=True, gap="xsmall")
    above, last = st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    with above:
        training, axes = _training(controls, last)
    try:
        specs, wrong = _specs(data | training, arch, axes), None
    except (ValueError, TypeError) as error:
        specs, wrong = [], str(error)
    counterparts(others, specs[0].arch if specs else None)
    return specs, wrong, last


def _choose(controls: Controls, label: str, options: Sequence[str], name: str, width: int = 106, **more: Any) -> str:
    return controls.choose(label, options, name, default=FIRST[name], width=width, **more)


def _data(controls: Controls) -> dict[str, Any]:
    """Fields of TrainSpec: which images, with which labels."""
    with st.container(horizontal=True):
        dataset = controls.pick(
            "Data", list(DATASETS), "dataset", default=FIRST["dataset"], on_change=_renew, called=listed_name
        )
        n = _choose(controls, "Training images", sizes(dataset), "n_train", 150, on_change=_renew)
        task = _choose(controls, "Classes", tasks(dataset), "task", 190)
        noise = _choose(controls, "Label noise", _NOISES, "label_noise", help=_NOISE_HELP)
    return {
        "dataset": dataset,
        "n_train": None if n == ALL_LABELS else int(n),
        "labels": TASKS[task] and [list(group) for group in TASKS[task] or ()],
        "label_noise": float(noise),
    }


def _training(controls: Controls, last: DeltaGenerator) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Fields of TrainSpec that all runs share; and those of which there is a run per value, as they were typed."""
    with st.container(horizontal=True):
        preset = controls.pick("Recipe", list(TRAINED_HERE), "preset", _RECIPE_HELP, on_change=_renew)
        if PRESETS[preset].loss == "certificate":
            weight = _choose(controls, "Weight of the complexity", _WEIGHTS, "certificate_weight", 200)
            axes = {"certificate_weight": [weight], "weight_decay": ["0"]}
        elif PRESETS[preset].loss == "certificate_d":
            axes = {"weight_decay": ["0"]}
        else:
            axes = {"weight_decay": _many(controls, "Weight decay λ", _WEIGHT_DECAYS, "weight_decay", _DECAY_HELP, 330)}
        axes["seed"] = _many(controls, "Seeds", _SEEDS, "seeds", _SEED_HELP, 240)
    with last:
        numbers = {
            "epochs": _number(controls, "Epochs", "epochs", 1, 100_000),
            "lr": _number(controls, "Learning rate", "lr", 1e-6, 100.0, format="%g", step=0.01),
            "batch_size": _number(controls, "Batch size", "batch_size", 1, 60_000),
        }
    return {"preset": preset} | numbers, axes


def _number(controls: Controls, label: str, name: str, low: float, high: float, **more: Any) -> Any:
    return controls.number(label, name, low, high, FIRST[name], width=124, **more)


def _many(controls: Controls, label: str, options: Sequence[str], name: str, help: str, width: int) -> list[str]:
    return controls.choose_many(label, options, name, FIRST[name], help=help, width=width)


def _specs(train: dict[str, Any], arch: dict[str, Any], axes: dict[str, list[str]]) -> list[RunSpec]:
    """One run per combination of the `axes`, each once. Raises ValueError naming the field, what was expected and what came."""
    base = train | {"arch": read_network(arch)}
    if max(map(len, axes.values())) > _MOST_RUNS:
        raise ValueError(f"at most {_MOST_RUNS} runs at once, got {max(map(len, axes.values())):,} values; take fewer")
    numbers: dict[str, list[Any]] = {
        name: [_float(name, text) for text in values] for name, values in axes.items() if name != "seed"
    }
    numbers["seed"] = whole_numbers("Seeds", ",".join(axes["seed"]))
    for name, values in numbers.items():
        if not values:
            raise ValueError(f"{name} must have at least one value; choose one")
    if (count := math.prod(map(len, numbers.values()))) > _MOST_RUNS:
        raise ValueError(f"at most {_MOST_RUNS} runs at once, got {count:,}; take fewer values or seeds")
    specs = product(base, numbers)
    return list({spec.id: spec for spec in specs}.values())


def _float(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{name} must be numbers such as 0.004, got {text!r}") from error
