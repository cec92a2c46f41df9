"""What a run is: architecture, data, optimiser. What fixes the weights is hashed into the run's id; `Settings` never is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import OWN_LOOP, PRESETS, TRAINED_HERE, epochs_of
from boundlab.validation import as_python, check_fields, known_fields, limited, number, one_of, shown, whole

_SCHEMA = 1  # raise when training or the recorded quantities change meaning: old ids stop matching
PLATEAU = 4.0  # empirical: below this number rho has not come down yet
LARGEST_MARGIN = 1e300  # a product with it must not overflow
DEVICES = ("auto", "cpu", "cuda")
_LOSSES = ("mse", "certificate", "certificate_d")
_LARGEST_BATCH = 1_000_000
_NOT_TOLD = ("weight_decay", "batch_size", "lr", "momentum", "loss")  # what a monitor may not know
_NUMBERS = ("label_noise", "weight_decay", "lr", "momentum", "certificate_weight")
Labels = tuple[tuple[int, ...], ...]  # a sub-task: one tuple of the data set's labels per class
_NOT_CERTIFICATE = 'certificate_weight belongs to loss "certificate"; leave it out for loss "{}"'


def label_groups(given: Any) -> tuple[tuple[Any, ...], ...]:
    """A sub-task's labels, one tuple per class, from lists, tuples or arrays; raises ValueError for another shape.

    Whether they are labels of the data set is TrainSpec's to say.
    """
    groups = as_python(given)
    groups = [as_python(group) for group in groups] if isinstance(groups, list | tuple) else None
    nested = groups is not None and {isinstance(group, list | tuple) for group in groups}
    if nested == {False}:  # [0, 1]: a label for each class
        return tuple((label,) for label in groups or ())
    if nested != {True}:
        raise ValueError(f"labels must be null or a list of one list per class, got {shown(given)}")
    return tuple(tuple(map(as_python, group)) for group in groups or ())


@dataclass(frozen=True)
class TrainSpec:
    """Data and optimiser; together with ArchSpec it fixes the weights."""

    dataset: str = field(metadata=limited(one_of, DATASETS))
    n_train: int | None = None  # first n of a permutation with seed 0, so subsets are nested
    labels: Labels | None = None  # a sub-task
    # fraction of training labels redrawn uniformly
    label_noise: float = field(default=0.0, metadata=limited(number, 0.0, 1.0))
    weight_decay: float = field(default=1e-3, metadata=limited(number, 0.0, 10.0))
    preset: str = field(default="short", metadata=limited(one_of, PRESETS))
    epochs: int = field(default=5, metadata=limited(whole, 1, 100_000))
    batch_size: int = field(default=32, metadata=limited(whole, 1, _LARGEST_BATCH))
    lr: float = field(default=0.1, metadata=limited(number, 1e-9, 100.0))
    momentum: float = field(default=0.9, metadata=limited(number, 0.0, 0.9999))
    loss: str = field(default="mse", metadata=limited(one_of, _LOSSES))
    # of the complexity in loss "certificate"; 1: the certificate itself
    certificate_weight: float = field(default=1.0, metadata=limited(number, 0.0, 1000.0))
    seed: int = field(default=0, metadata=limited(whole, 0, 2**31 - 1))
    # of a run that another program trains: the fields of `_NOT_TOLD` that nobody said, whose values here mean nothing
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_task()
        for name in _NUMBERS:  # 1, 1.0 and -0.0 must not make different ids
            object.__setattr__(self, name, float(getattr(self, name)) + 0.0)
        if self.loss != "certificate" and self.certificate_weight != 1.0:
            raise ValueError(_NOT_CERTIFICATE.format(self.loss))
        if self.loss != "mse" and self.weight_decay != 0:
            raise ValueError(f'weight_decay must be 0 for loss "{self.loss}", got {self.weight_decay:g}')

    def _check_task(self) -> None:
        """The limits that depend on the data set."""
        data = DATASETS[self.dataset]
        if self.n_train is not None:
            whole("n_train", self.n_train, 2, data.train_size)
        if self.labels is not None:
            flat = [label for group in self.labels for label in group]
            for label in flat:
                whole("labels", label, 0, data.classes - 1)
            if len(self.labels) < 2 or not all(self.labels) or len(set(flat)) != len(flat):
                raise ValueError(f"labels must be two or more disjoint non-empty lists, got {shown(self.labels)}")

    @property
    def images(self) -> int:
        """How many training images there are."""
        every = DATASETS[self.dataset].train_images(self.labels)
        return every if self.n_train is None else min(every, self.n_train)

    @property
    def usual_epochs(self) -> int:
        """As many as the recipe trains where nothing else is said."""
        return epochs_of(self.preset, DATASETS[self.dataset].short_epochs, -(-self.images // self.batch_size))

    def to_dict(self) -> dict[str, Any]:
        """JSON form; without what is unknown, `certificate_weight` only where it means something."""
        fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        for name in ("unknown", *self.unknown):
            del fields[name]
        if self.loss != "certificate":
            del fields["certificate_weight"]
        return fields


@dataclass(frozen=True)
class RunSpec:
    """One training run: architecture and training."""

    arch: ArchSpec
    train: TrainSpec

    def __post_init__(self) -> None:
        data = DATASETS[self.train.dataset]
        classes = len(self.train.labels) if self.train.labels else data.classes
        if not data.fits(self.arch.in_shape) or self.arch.classes != classes:
            raise ValueError(
                f"{data.name} needs in_shape {list(data.in_shape)} (or an even number less: the middle) and {classes} classes, "
                f"got {list(self.arch.in_shape)} and {self.arch.classes}"
            )
        if self.train.loss != "mse" and self.arch.bias:
            raise ValueError(
                f'loss "{self.train.loss}" needs a network without biases (it trains no weights on a constant), got bias true'
            )
        unshared_max = self.arch.kind == "lc" and any(pool.startswith("max") for pool in self.arch.per_layer("pool"))
        if self.train.loss == "certificate" and unshared_max:
            raise ValueError(
                'loss "certificate" needs shared filters before max-pooling (Theorem S covers nothing else); use kind "conv", '
                'or "avg2" for pool'
            )

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> RunSpec:
        """Build from JSON, filling what is left out from the data set and the preset; raises ValueError."""
        if not isinstance(given, dict) or not isinstance(given.get("arch", {}), dict):
            raise ValueError('a run spec must be a JSON object with an object under "arch"')
        train = {k: v for k, v in given.items() if k != "arch"}
        names = [f.name for f in dataclasses.fields(TrainSpec) if f.name != "unknown"]
        known_fields(given, "run spec", ["arch", *names])
        one_of("dataset", train.get("dataset"), DATASETS)
        one_of("preset", train.setdefault("preset", "short"), PRESETS)
        data, preset = DATASETS[train["dataset"]], PRESETS[train["preset"]]
        if train.get("labels") is not None:
            train["labels"] = label_groups(train["labels"])
        if "certificate_weight" in train and train.get("loss", preset.loss) != "certificate":
            raise ValueError(_NOT_CERTIFICATE.format(train.get("loss", preset.loss)))
        defaults = {name: getattr(preset, name) for name in ("lr", "momentum", "loss", "weight_decay", "batch_size")}
        unknown = () if preset.trains else tuple(name for name in _NOT_TOLD if name not in train)
        if "batch_size" in unknown:  # then a step is an epoch
            defaults["batch_size"] = min(data.train_size, _LARGEST_BATCH)
        training = TrainSpec(**defaults | train, unknown=unknown)
        if "epochs" not in train:
            training = dataclasses.replace(training, epochs=training.usual_epochs)
        arch = {
            "in_shape": list(data.in_shape),
            "classes": len(training.labels) if training.labels else data.classes,
            "bias": preset.bias,
            "normalize": list(data.normalize) if data.normalize and not preset.raw else None,
        } | given.get("arch", {})
        return cls(ArchSpec.from_dict(arch), training)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, every field written out."""
        return {"arch": self.arch.to_dict(), **self.train.to_dict()}

    @cached_property
    def id(self) -> str:
        """Readable slug and 12 hex digits of sha256 over the canonical JSON; of what another program trains without the number
        of epochs, which may not be known before the end."""
        t, fields = self.train, {**self.to_dict(), "schema": _SCHEMA}
        if self.watched:
            del fields["epochs"]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        name = self.arch.title.lower().replace(" ", "-").replace(",", ".")
        decay = "own" if "weight_decay" in t.unknown else f"wd{t.weight_decay:g}"
        rule = {"mse": decay, "certificate": f"cert{t.certificate_weight:g}"}.get(t.loss, "certd")
        return f"{t.dataset}-{name}-{rule}-s{t.seed}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def watched(self) -> bool:
        """Whether another program trains it, and `boundlab.Monitor` watches: nothing here can train it, pause it or resume it."""
        return self.train.preset == OWN_LOOP

    @property
    def needs_plateau(self) -> bool:
        """Whether the rule of `plateau_number` is about it: weight decay in the recipes of the paper's figures."""
        return self.train.loss == "mse" and not self.watched and PRESETS[self.train.preset].figures

    def check_trains(self) -> None:
        """Raises ValueError where nothing here can train it."""
        if self.watched:
            raise ValueError(
                f'preset "{OWN_LOOP}" is of runs that another program trains and boundlab.Monitor watches; to train here choose '
                f"one of {list(TRAINED_HERE)}"
            )

    def drop_steps(self, steps_per_epoch: int) -> tuple[int, ...]:
        """Steps at which the learning rate falls by 10."""
        preset = PRESETS[self.train.preset]
        unit = steps_per_epoch * (self.train.epochs if preset.drops_in == "fraction" else 1)
        return tuple(round(d * unit) for d in preset.drops)

    def plateau_number(self, n: int) -> float:
        """(steps before the first drop) x lr / (1 - momentum) x weight_decay, to compare with `PLATEAU`."""
        steps_per_epoch = -(-n // self.train.batch_size)
        steps = min((*self.drop_steps(steps_per_epoch), self.train.epochs * steps_per_epoch))
        return steps * self.train.lr / (1 - self.train.momentum) * self.train.weight_decay
