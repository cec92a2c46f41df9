"""A PAC-Bayes certificate of a network that is a graph: Gaussian noise on every tensor, of one scale relative to its length (torch)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from boundlab.bounds.pac_bayes import LEAST, SCALE_GRID, PacBayes, best_prior_noise, certificate
from boundlab.data.splits import Split
from boundlab.networks.branched import Branched
from boundlab.networks.sample_stats import feed

DRAWS = 20_000
_SEARCH_DRAWS, _SEARCH_DELTA = 1000, 0.001
_RELATIVE = tuple(2.0**-k for k in range(2, 11))  # scales of the noise that are tried, relative to a tensor's l2 norm
_MOST = 10**10  # random numbers, at most: about two minutes
_TOGETHER = 2**21  # random numbers at a time


def certify_branched(network: Branched, sample: Split, draws: int = DRAWS, seed: int = 0) -> PacBayes:
    """Certificate of the network under noise N(0, s_t^2) on tensor t, `noise` per tensor in the order of its state; the prior is
    N(0, sigma_t^2 I) with sigma_t of the grid (bounds/pac_bayes.py), a tensor for a layer. A tensor of zeros gets the least noise.

    `sample`: pixels in [0, 1]. The scales are chosen on other draws than those that are counted; any choice is covered. Raises
    ValueError where there are too few images, or where it would take minutes.
    """
    module = network.module().float().eval()
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    state = {name: tensor.detach() for name, tensor in state.items() if tensor.is_floating_point()}
    sizes = np.array([tensor.numel() for tensor in state.values()])
    asked = int(sizes.sum()) * (draws + len(_RELATIVE) * _SEARCH_DRAWS)
    if asked > _MOST:
        raise ValueError(
            f"it draws every weight {asked // int(sizes.sum()):,} times; that is done up to {_MOST:.0e} numbers"
        )
    if len(sample.labels) < LEAST:
        raise ValueError(f"it takes {LEAST} images, got {len(sample.labels)}")
    fed = Split(feed(sample.images.float(), network.inputs.normalize), sample.labels)
    norms = np.array([float(tensor.double().norm()) for tensor in state.values()])
    rng = torch.Generator().manual_seed(2 * seed)

    def estimate(relative: float) -> float:
        noise = _noise(norms, relative)
        wrong = _errors(module, state, noise, fed, _SEARCH_DRAWS, rng)
        kl = best_prior_noise(norms, sizes, noise)[1]
        return certificate(wrong / _SEARCH_DRAWS, kl, len(norms), len(fed.labels), _SEARCH_DELTA)

    noise = _noise(norms, min(_RELATIVE, key=estimate))
    prior_noise, kl = best_prior_noise(norms, sizes, noise)
    wrong = _errors(module, state, noise, fed, draws, torch.Generator().manual_seed(2 * seed + 1))
    scales = (tuple(map(float, noise)), tuple(map(float, prior_noise)))
    return PacBayes("fixed", len(fed.labels), 0, kl, *scales, len(SCALE_GRID), draws, wrong, seed)


def _noise(norms: np.ndarray, relative: float) -> np.ndarray:
    return np.maximum(relative * norms, SCALE_GRID[0])


@torch.no_grad()
def _errors(
    module: nn.Module, state: Mapping[str, Tensor], noise: np.ndarray, data: Split, draws: int, rng: torch.Generator
) -> int:
    """Errors in independent draws of (weights, example with replacement), each example under weights of its own. A tie is an error."""
    alone = vmap(lambda given, image: functional_call(module, given, (image[None],))[0])
    batch = max(1, min(1024, _TOGETHER // sum(tensor.numel() for tensor in state.values())))
    wrong = 0
    for begin in range(0, draws, batch):
        count = min(batch, draws - begin)
        chosen = torch.randint(len(data.labels), (count,), generator=rng)
        drawn = {
            name: torch.randn((count, *tensor.shape), generator=rng).mul_(scale).add_(tensor)
            for (name, tensor), scale in zip(state.items(), noise.tolist(), strict=True)
        }
        out, labels = alone(drawn, data.images[chosen]), data.labels[chosen][:, None]
        others = out.scatter(1, labels, -torch.inf).max(dim=1).values
        wrong += int((~(out.gather(1, labels)[:, 0] > others)).sum())
    return wrong
