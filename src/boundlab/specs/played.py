"""What the Playground trains: one network at several weight decays, as short as the eye needs, of one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from boundlab.specs.arch import ArchSpec
from boundlab.specs.counterparts import locally_connected, mlp, tree
from boundlab.specs.own_data import DATASETS
from boundlab.specs.presets import PRESETS
from boundlab.specs.run import RunSpec, TrainSpec
from boundlab.validation import whole

KINDS = ("convolution", "not shared", "tree", "MLP")
DECAYS = (1e-4, 2e-4, 4e-4, 8e-4, 1e-3, 2e-3, 3e-3, 4e-3, 8e-3, 1.5e-2, 2e-2, 3e-2)
_FEW_DECAYS = (4e-4, 8e-4, 1e-3, 2e-3, 3e-3, 4e-3, 8e-3, 1.5e-2)  # of what trains longer
_SMALL = 3000  # training images up to which all of DECAYS are trained
_STEPS = 1350  # about so many for every network: 30 epochs of the digits, after which those of λ >= 0.003 are settled
_MOST_EPOCHS = 300


@dataclass(frozen=True)
class Played:
    """What a reader plays. `n_train`: None for all images; the rest as in ArchSpec and TrainSpec; `kind`: one of KINDS.

    "tree" and "MLP" have about as many parameters as the convolutional network of the same handles.
    """

    dataset: str = "digits"
    kind: str = KINDS[0]
    conv_layers: int = 3
    channels: int = 8
    kernel_size: int = 2
    stride: int = 1
    label_noise: float = 0.0
    n_train: int | None = None
    seed: int = 0

    @property
    def arch(self) -> ArchSpec:
        """Of every network. Raises ValueError where there is no such network."""
        data = DATASETS[self.dataset]
        plain = ArchSpec(
            in_shape=data.in_shape,
            channels=self.channels,
            conv_layers=self.conv_layers,
            kernel_size=self.kernel_size,
            stride=self.stride,
            classes=data.classes,
            normalize=data.normalize,
        )
        return {KINDS[1]: locally_connected, KINDS[2]: tree, KINDS[3]: mlp}.get(self.kind, lambda arch: arch)(plain)

    @property
    def specs(self) -> list[RunSpec]:
        """One run for every weight decay, the smallest first. Raises ValueError where there is no such network."""
        n = DATASETS[self.dataset].train_size
        if self.n_train is not None:
            whole("n_train", self.n_train, 2, n)
            n = self.n_train
        arch, per_epoch = self.arch, math.ceil(n / 32)
        train = TrainSpec(
            self.dataset,
            preset="quick",
            lr=PRESETS["quick"].lr,
            n_train=self.n_train,
            label_noise=self.label_noise,
            epochs=min(_MOST_EPOCHS, math.ceil(_STEPS / per_epoch)),
            seed=self.seed,
        )
        decays = DECAYS if n <= _SMALL else _FEW_DECAYS
        return [RunSpec(arch, replace(train, weight_decay=decay)) for decay in decays]

    @classmethod
    def parse(cls, text: str) -> Played:
        """Of `text` as `written` gives it. Raises ValueError for any other."""
        parts = text.split("~")
        if len(parts) != 9 or parts[0] not in DATASETS or parts[1] not in KINDS:
            raise ValueError(f"expected nine parts such as {cls().written}, got {text[:60]!r}")
        whole = [int(part) for part in (*parts[2:6], parts[8])]
        n = None if parts[7] == "all" else int(parts[7])
        found = cls(parts[0], parts[1], whole[0], whole[1], whole[2], whole[3], float(parts[6]), n, whole[4])
        _ = found.specs
        return found

    @property
    def written(self) -> str:
        """All of it as a link has it."""
        numbers = (self.conv_layers, self.channels, self.kernel_size, self.stride, f"{self.label_noise:g}")
        return "~".join(map(str, (self.dataset, self.kind, *numbers, self.n_train or "all", self.seed)))

    @property
    def title(self) -> str:
        """What it is, in a few words. Raises ValueError where there is no such network."""
        noise = f", {self.label_noise:.0%} wrong labels" if self.label_noise else ""
        some = f", {self.n_train:,} images" if self.n_train else ""
        return f"{self.arch.title} · {DATASETS[self.dataset].title}{some}{noise}"
