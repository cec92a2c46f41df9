"""What Golowich et al. and Neyshabur et al. share: layers peeled off one by one, by their Frobenius norms as matrices."""

from __future__ import annotations

import math

from boundlab.bounds.augmented import frobenius_price
from boundlab.bounds.base import Terms, averaging, chosen_margin, deviation, effective_n, empirical, pools
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings


def scalar_class(net: NetworkNorms, sample: SampleStats, settings: Settings, log_depth: float) -> Terms:
    """A bound on scalar networks by ||op(W)||_F, made multi-class by Mohri et al. (2nd ed.), Theorem 9.2 (factor 4C), in its
    empirical form (Kuznetsov, Mohri, Syed 2015, Theorem 2): it asks for the networks of one class each, whose last layer is a
    single row, so the largest row norm stands where the output layer's Frobenius norm might.

    `log_depth`: log of the bound's own depth factor, such as (L - 1) log 2.
    """
    n, margin = effective_n(sample, settings), chosen_margin(settings)
    *hidden, output = net.layers
    factors = {
        **{f"map_frobenius.{layer.shape.name}": layer.log("map_frobenius") for layer in hidden},
        f"max_row.{output.shape.name}": output.log("max_row"),
        **averaging(net),
        **_maxima(net),
        **frobenius_price(net, sample),
        "loss": math.log(4 * sample.classes),
        "margin": -math.log(margin),
        "depth": log_depth,
        "data": math.log(sample.fed.frobenius / math.sqrt(n)),
        "sample_size": -0.5 * math.log(n),
    }
    return Terms(factors, {"confidence": deviation(n, settings.delta)}, empirical(net, margin, "ramp"), margin)


def _maxima(net: NetworkNorms) -> dict[str, float]:
    """What max-pooling costs: sqrt(2) for every pair of positions in a window, 1 for one that is left over (gaps.md)."""
    prices = [pool.area // 2 * math.sqrt(2) + pool.area % 2 for pool in pools(net, "max")]
    return {"maxima": math.log(math.prod(prices))} if prices else {}


MATRICES = (
    r"$\mathrm{op}(W)$: the layer written out as one matrix, average pooling before it included (a factor $1/\sqrt p$ for "
    r"windows of $p$ positions) · $w_c$: row $c$ of the output layer, the weights of class $c$."
)
MULTI_CLASS = (
    "For several classes by Mohri, Rostamizadeh, Talwalkar, 2nd ed., Theorem 9.2, in its empirical form (Kuznetsov, Mohri, Syed "
    "2015, Theorem 2): it asks for the networks of one class each, so the largest row of the output layer is enough."
)
AUGMENTED = (
    "With biases it is about the augmented network: one more input, the constant 1, at which every bias is a weight, repeated at each "
    "position, and which a neuron per layer carries on. Max-pooling over $p$ positions, which the paper does not have, costs "
    r"$p/\sqrt2$ (for odd $p$ a little more), as proved under Theory, gaps."
)
