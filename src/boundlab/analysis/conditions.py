"""What the guarantees about one network take for granted, where its task makes that worth saying. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from boundlab.quantities.doubts import doubts
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS
from boundlab.specs.run import RunSpec


def conditions(
    dataset: str, arch: ArchSpec, labels: Sequence[Sequence[int]] | None, label_noise: float = 0.0
) -> list[str]:
    """Sentences for a network of `arch` on a data set, or on a sub-task of it; [] where there is nothing to say.

    `label_noise`: the share of training labels that were drawn anew. Data that belong to no data set: their scaling alone.
    """
    data = DATASETS.get(dataset)
    words = []
    if label_noise:
        words.append(
            f"A share of {label_noise:g} of the training labels was drawn anew: Theorems S2 and S and PAC-Bayes promise about new "
            "examples with equally noisy labels, hold-out about clean ones."
        )
    if labels is not None:
        words.append(
            "How many images have the labels of this sub-task is itself random: the promises hold given the numbers that were "
            "found."
        )
    if data is not None and data.stratified:
        words.append(
            "The test part was drawn class by class, in the proportions of the whole: what is held out depends on the labels, "
            "while the promises take all examples as drawn independently."
        )
    if arch.normalize is not None:
        mean, deviation = arch.normalize
        words.append(
            f"The scaling of the pixels (less {mean:g}, over {deviation:g}) was computed from images or chosen by hand: Theorems S2 "
            "and S and PAC-Bayes take it as chosen before any training image was seen."
        )
    return words + ([] if data is None else doubts(data.copies, data.in_shape))


def conditions_of(spec: RunSpec) -> list[str]:
    """`conditions` of a run."""
    return conditions(spec.train.dataset, spec.arch, spec.train.labels, spec.train.label_noise)
