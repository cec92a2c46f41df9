"""Cases that several test files share."""

import numpy as np

from boundlab.bounds import ALL
from boundlab.bounds.base import evaluate
from boundlab.quantities.sample import InputStats, SampleStats, pixel_limit
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import Settings
from tests.conftest import reference_weights, write_checkpoint

SMALL = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=2, kernel_size=3, stride=1, padding=1, classes=4)


FORMULAS = [(bound, convention) for bound in ALL for convention in bound.formulas]


NAMES = [f"{bound.key}-{convention}" for bound, convention in FORMULAS]


def value(bound, convention, net, sample, **others):
    return evaluate(bound, net, sample, Settings(convention=convention, **others))


def mnist_like_sample() -> SampleStats:
    """MNIST's published data scalars (BOUNDS.md); the pixel maps are stand-ins with the right maximum and sum."""

    def stats(max_pixel, total, max_norm, normalize):
        energy = np.full((28, 28), (total - max_pixel) / 783)
        energy[14, 15] = max_pixel
        return InputStats(energy, max_norm, 1.0, pixel_limit(normalize))

    return SampleStats(
        "mnist",
        60000,
        10,
        stats(29038.2855, 5268601.31, 17.17905, None),
        stats(226281.06, 6858.745057**2, 48.9051, (0.1307, 0.3081)),
    )


DIGITS = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=2)


def checkpoint(tmp_path, arch=DIGITS, seed=0):
    return write_checkpoint(tmp_path / "net.safetensors", arch, reference_weights(arch, seed))


TRAINED = {"dataset": "digits", "epochs": 24, "weight_decay": 3e-3, "arch": {"channels": 4, "conv_layers": 2}}
CERTIFIED = {
    "dataset": "digits",
    "preset": "certified",
    "epochs": 24,
    "batch_size": 32,
    "arch": {"channels": 4, "conv_layers": 1, "kernel_size": 2, "stride": 2},
}
CODED = CERTIFIED | {"preset": "coded"}
