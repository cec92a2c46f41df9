"""Certify a network: choose the noise of its PAC-Bayes posterior, then count errors on fresh draws (torch)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from boundlab.bounds.pac_bayes import LEAST, SCALE_GRID, PacBayes, Rescaled, best_prior_noise, certificate
from boundlab.bounds.rescaling import Blocks, least
from boundlab.data.splits import Split, seen
from boundlab.errors import CheckpointError
from boundlab.evaluation.noisy_network import DrawProgress, count_errors
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint
from boundlab.networks.sample_stats import feed
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import PRIORS
from boundlab.specs.shapes import LayerShape
from boundlab.training.worker import train_run
from boundlab.validation import one_of, whole

_SEARCH_DRAWS = 2000
_WORTH = 0.999  # of the divergence, at most so much must be left for a rescaling to be kept
_SEARCH_DELTA = 0.001  # the search aims at this one; the certificate holds for every delta


def choose_noise(data: Split, weights: Sequence[Tensor], shapes: Sequence[LayerShape], seed: int) -> np.ndarray:
    """Noise scale s_l per layer that makes the fixed prior's certificate small, estimated on the same few draws.

    First one scale relative to ||W_l|| for all, then layer by layer in finer steps. Any choice is covered.
    """
    norms, sizes = _norms(weights, shapes), np.array([s.used_weights for s in shapes])

    def estimate(steps: tuple[float, ...]) -> float:
        noise = norms * 2.0 ** np.array(steps)
        rng = torch.Generator().manual_seed(seed)
        wrong = count_errors(data, weights, noise.tolist(), shapes, _SEARCH_DRAWS, rng)
        kl = best_prior_noise(norms, sizes, noise)[1]
        return certificate(wrong / _SEARCH_DRAWS, kl, len(shapes), len(data.labels), _SEARCH_DELTA)

    seen = {start: estimate(start) for start in ((-float(k),) * len(shapes) for k in range(1, 9))}
    for step in (2.0, 1.0, 0.5):
        best = None
        while best != (best := min(seen, key=lambda s: seen[s])):
            for layer in range(len(shapes)):
                now = min(seen, key=lambda s: seen[s])
                for move in (-step, step):
                    near = (*now[:layer], now[layer] + move, *now[layer + 1 :])
                    seen[near] = seen[near] if near in seen else estimate(near)
    return norms * 2.0 ** np.array(min(seen, key=lambda s: seen[s]))


def _norms(weights: Sequence[Tensor], shapes: Sequence[LayerShape]) -> np.ndarray:
    """l2 norm of what counts of each layer's tensor; the noise on weights that no output depends on is left out too."""
    norms = np.array([float(_used(w, shape).double().norm()) for w, shape in zip(weights, shapes, strict=True)])
    if not np.all(norms > 0):
        raise CheckpointError(
            "a layer has no weight but 0: the network answers the same for every image; train it again"
        )
    return norms


def _used(weight: Tensor, shape: LayerShape) -> Tensor:
    """The weights of a layer but, without sharing, for those on the padding."""
    if shape.kind != "local":
        return weight
    taps = weight.reshape(shape.positions, shape.out_channels, -1, shape.area)  # (positions, out, in, taps)
    return taps * torch.from_numpy(shape.real_taps())[:, None, None]


def _prepared(checkpoint: Checkpoint, data: Split) -> tuple[Split, list[Tensor]]:
    if any(bias is not None for bias in checkpoint.biases):
        raise CheckpointError(
            "certificates are for networks without biases; this one has them (train it with bias false)"
        )
    return Split(feed(data.images, checkpoint.arch.normalize), data.labels), [w.float() for w in checkpoint.weights]


def certify_weights(
    sample: Split,
    weights: Sequence[Tensor],
    shapes: Sequence[LayerShape],
    draws: int,
    seed: int,
    progress: DrawProgress = lambda *_: None,
) -> PacBayes:
    """Certificate of weights under the prior N(0, sigma_l^2 I); `sample`: their training sample, as the network sees it.

    Search and certification draw from streams of their own. Raises CheckpointError for an all-zero layer.
    """
    noise = choose_noise(sample, weights, shapes, 2 * seed)
    sizes = np.array([s.used_weights for s in shapes])
    prior_noise, kl = best_prior_noise(_norms(weights, shapes), sizes, noise)
    rng = torch.Generator().manual_seed(2 * seed + 1)
    wrong = count_errors(sample, weights, noise.tolist(), shapes, draws, rng, progress)
    scales = (tuple(map(float, noise)), tuple(map(float, prior_noise)))
    made = PacBayes("fixed", len(sample.labels), 0, kl, *scales, len(SCALE_GRID), draws, wrong, seed)
    return rescaled(made, weights, shapes)


def rescaled(found: PacBayes, weights: Sequence[Tensor], shapes: Sequence[LayerShape]) -> PacBayes:
    """The certificate with the divergence of the rescaled posterior, where rescaling makes it smaller; nothing is drawn again. Not of
    networks whose layers are locally connected or grouped."""
    if found.prior != "fixed" or any(shape.kind == "local" or shape.groups > 1 for shape in shapes):
        return found
    factors, prior_noise, kl = least(_blocks(weights, shapes, found.noise))
    smaller = Rescaled(kl, prior_noise, tuple(map(float, factors))) if kl < _WORTH * found.kl else None
    return dataclasses.replace(found, rescaled=smaller)


def _blocks(weights: Sequence[Tensor], shapes: Sequence[LayerShape], noise: Sequence[float]) -> Blocks:
    """Of the weights between two channels: a dense layer after a convolution reads all positions of a channel."""
    squares, counts, before = [], [], 1
    for weight, shape in zip(weights, shapes, strict=True):
        parts = weight.double().square().reshape(len(weight), before, -1)
        squares.append(parts.sum(dim=2).numpy())
        counts.append(np.full(squares[-1].shape, float(parts.shape[2])))
        before = shape.out_channels
    return Blocks(tuple(squares), tuple(counts), tuple(noise))


def rescaled_run(found: PacBayes, spec: RunSpec, network: Path) -> PacBayes:
    """`rescaled` of a stored certificate of the run's `network` file; raises CheckpointError."""
    checkpoint = load_checkpoint(network, spec.train.dataset, spec.arch.classes)
    return rescaled(found, [weight.float() for weight in checkpoint.weights], checkpoint.arch.shapes())


def prior_spec(spec: RunSpec, n: int) -> RunSpec:
    """The recipe of `spec` on the first half of its `n` examples."""
    return dataclasses.replace(spec, train=dataclasses.replace(spec.train, n_train=n // 2))


def certify_learnt(
    prior: Checkpoint, spec: RunSpec, unseen: Split, draws: int, seed: int, progress: DrawProgress = lambda *_: None
) -> PacBayes:
    """Certificate of `prior`, the network of `spec`, on examples it has not seen: Q = P, its noise fixed in advance.

    Raises CheckpointError for biases.
    """
    sample, weights = _prepared(prior, unseen)
    shapes = prior.arch.shapes()
    noise = (float(SCALE_GRID[0]),) * len(shapes)
    rng = torch.Generator().manual_seed(2 * seed + 1)
    wrong = count_errors(sample, weights, noise, shapes, draws, rng, progress)
    return PacBayes(
        "learnt", len(unseen.labels), spec.train.n_train or 0, 0.0, noise, noise, 1, draws, wrong, seed, spec
    )


def certify_run(
    spec: RunSpec,
    network: Path,
    prior: str,
    draws: int,
    seed: int,
    runs: Path,
    root: Path | None = None,
    progress: DrawProgress = lambda *_: None,
) -> PacBayes:
    """Certificate of a run: of its `network` file, or (prior "learnt") of a prior network trained below `runs`.

    Raises ValueError, CheckpointError, DataError.
    """
    one_of("prior", prior, PRIORS)
    whole("draws", draws, 1, 10**12)
    whole("seed", seed, 0, 2**31 - 1)
    if spec.train.label_noise:
        raise ValueError(f"certificates are for clean labels; {spec.id} has label_noise {spec.train.label_noise:g}")
    if spec.arch.bias:
        raise ValueError(f"certificates are for networks without biases; {spec.id} has them")
    torch.set_num_threads(1)
    sample, _ = seen(spec, root)
    if prior == "fixed":
        checkpoint = load_checkpoint(network, spec.train.dataset, spec.arch.classes)
        return certify_weights(*_prepared(checkpoint, sample), checkpoint.arch.shapes(), draws, seed, progress)
    n = len(sample.labels)
    if n < 2 * LEAST:
        raise ValueError(f"a learnt prior needs at least {2 * LEAST} training examples, {spec.id} has {n}")
    learnt = prior_spec(spec, n)
    folder = train_run(learnt, runs, "cpu", root)
    in_order = RunSpec(spec.arch, dataclasses.replace(spec.train, n_train=n))  # nested: what the prior saw comes first
    ordered, _ = seen(in_order, root)
    unseen = Split(ordered.images[learnt.train.n_train :], ordered.labels[learnt.train.n_train :])
    network = folder / "network.safetensors"
    return certify_learnt(
        load_checkpoint(network, spec.train.dataset, spec.arch.classes), learnt, unseen, draws, seed, progress
    )
