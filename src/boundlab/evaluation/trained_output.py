"""Theorem D2 of the network that is made for it of a given one: hidden channels merged and rounded, the output layer and the noise
trained on all training images for the certificate itself (torch). Whatever is chosen here is covered: it may depend on the sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from boundlab.bounds.theorem_d import Pair
from boundlab.data.splits import Split, seen
from boundlab.evaluation.codable import hidden_tensors
from boundlab.evaluation.coded_network import output_of, rounded_network, run_over
from boundlab.evaluation.merging import can_merge, merged, widths
from boundlab.evaluation.noise_shape import principal, shaped
from boundlab.evaluation.output_training import OutputTraining, reduced
from boundlab.evaluation.roundings import RoundingSearch, code_bits
from boundlab.evaluation.theorem_d import Coded, CodedProgress, Fit, check_output, sub_sample
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.quantities.weight_code import Rounding, narrowed_length
from boundlab.specs.run import RunSpec

_FEW, _FOR_DIRECTIONS = 2000, 3000  # images that roundings and directions are chosen with
_DIRECTIONS, _PULL = 500, 1024.0
_ALIKE = (0.9995, 0.99, 0.97)  # cosines from which channels are merged, tried beside the network as it is
_EPOCHS = 30
_BEGIN = Pair(1.5, 4)


def certify_trained(
    checkpoint: Checkpoint,
    train: Split,
    test: Split | None,
    progress: CodedProgress = lambda *_: None,
    epochs: int = _EPOCHS,
) -> Coded[Checkpoint]:
    """Certificates of the network made of `checkpoint`, and that network; pixels in [0, 1]. Raises ValueError as
    `certify_coded`, from which it differs in what is certified, not in how."""
    n, few = len(train.labels), sub_sample(train, _FEW, 0)
    check_output(output_of(checkpoint, few))
    small, roundings, size, header = _shortest(checkpoint, few, n, progress)
    made = rounded_network(small, roundings)
    output = output_of(made, few)
    bits = code_bits(hidden_tensors(small), roundings, output.constant is not None) + header
    directions, shares = principal(made, output, sub_sample(train, _FOR_DIRECTIONS, 1), _DIRECTIONS)
    data = reduced(made, output, train, directions, lambda done: progress("features", done, n))
    less = np.zeros(data.basis.shape[1])
    less[: len(shares)] = shaped(directions, shares, _PULL).less
    training = OutputTraining(data, output.weight * (size / output.norm), less, bits, _BEGIN)
    training.train(epochs, lambda epoch, limit: progress(f"training, limit {limit:.4f}", epoch, epochs))
    shape, network = training.shape(), training.network(made, output.constant)
    output = output_of(network, few)
    fit = Fit(output, bits, n)
    found = run_over(network, output, train, shape.directions, watch=lambda done: progress("training images", done, n))
    unseen = None if test is None else run_over(network, output, test)
    errors = (found.error, None if unseen is None else unseen.error)
    chosen = [(None, size), (shape, output.norm)]
    made_of = [fit.made(found, one, None, roundings, errors, start, trained=True) for one, start in chosen]
    return Coded(tuple(made_of), network)


def _shortest(
    checkpoint: Checkpoint, few: Split, n: int, progress: CodedProgress
) -> tuple[Checkpoint, list[Rounding], float, int]:
    """The network, as it is or merged, and roundings with the smallest limit on a few images; ||mu Pi W||_F there, and bits that say
    how narrow it is."""
    tried = [(checkpoint, 0)]
    if can_merge(checkpoint.arch) and len(checkpoint.weights) > 1:
        full = widths(checkpoint.arch)
        narrow = [merged(checkpoint, alike) for alike in _ALIKE]
        tried += [(one, narrowed_length(full)) for one in narrow if widths(one.arch) != full]
    best = None
    for at, (one, header) in enumerate(tried):
        before = principal(one, output_of(one, few), few, _DIRECTIONS)
        search = RoundingSearch(one, few, n, shaped(*before, _PULL), header)

        def watch(done: int, form: int = at + 1) -> None:
            progress(f"roundings, form {form} of {len(tried)}", done, 0)

        roundings = search.best(watch)
        limit = min(search.known.values())
        if best is None or limit < best[0]:
            assert search.size is not None
            best = limit, (one, roundings, search.size, header)
    assert best is not None
    return best[1]


def certify_trained_run(
    spec: RunSpec, network: Path, root: Path | None = None, progress: CodedProgress = lambda *_: None
) -> Coded[Checkpoint]:
    """`certify_trained` of a run's `network` file on the images it was trained on; raises ValueError, CheckpointError, DataError."""
    torch.set_num_threads(1)
    train, test = seen(spec, root)
    return certify_trained(load_checkpoint(network, spec.train.dataset, spec.arch.classes), train, test, progress)
