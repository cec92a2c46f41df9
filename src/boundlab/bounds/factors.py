"""What each named factor of a bound is, in words; their order here is their order in every anatomy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Factor:
    """`label`: a few words for an axis; `meaning`: one sentence; `group`: what kind of thing it measures."""

    label: str
    meaning: str
    group: str


WEIGHTS, GEOMETRY, PROOF, DATA = "weights", "geometry", "proof", "data"

FACTORS = {
    "frobenius": Factor(
        "‖W‖ Frobenius", "Frobenius norm of one layer's weights; the product over layers is ρ", WEIGHTS
    ),
    "frobenius_centered": Factor(
        "‖ΠW‖ Frobenius", "Frobenius norm of the output layer after the mean over classes is subtracted", WEIGHTS
    ),
    "map_frobenius": Factor(
        "‖op(W)‖ Frobenius",
        "Frobenius norm of the layer written out as one matrix: every weight counted at every position that uses it",
        WEIGHTS,
    ),
    "max_row": Factor(
        "largest row ‖w‖",
        "largest norm of a row of the output layer: of one class's weights, not of all classes'",
        WEIGHTS,
    ),
    "spectral_kernel": Factor("‖W‖ spectral", "spectral norm of the kernel reshaped to a matrix", WEIGHTS),
    "spectral_map": Factor("‖op(W)‖ spectral", "largest factor by which the layer can stretch an input", WEIGHTS),
    "layers": Factor(
        "sum over layers", "what adding up one term per layer costs: (2,1) norms relative to spectral norms", WEIGHTS
    ),
    "covering": Factor(
        "covering numbers", "size of a cover of the weights at the resolution the norms ask for", WEIGHTS
    ),
    "path_norm": Factor("ℓ1 path norm", "sum over all paths of the product of the absolute weights on it", WEIGHTS),
    "biases": Factor(
        "biases",
        "what the constant input costs whose weights are the biases: in the norm, and along the paths (1: no cost)",
        WEIGHTS,
    ),
    "positions": Factor(
        "√ positions", "root of the layer's output positions: weights are counted once per position", GEOMETRY
    ),
    "kernel_area": Factor("√ kernel area", "root of the number of pixels a neuron sees per input channel", GEOMETRY),
    "paths": Factor(
        "paths", "input energy that reaches the output layer along all paths, relative to the inputs' own", GEOMETRY
    ),
    "pooling": Factor(
        "1 / √ pooled", "average pooling over p positions shrinks what follows by the root of p", GEOMETRY
    ),
    "maxima": Factor(
        "max-pooling",
        "the larger of two numbers costs √2 where their norms are counted together, once per pair of a window",
        GEOMETRY,
    ),
    "parameters": Factor("√ parameters", "root of the number of weights", GEOMETRY),
    "depth": Factor(
        "depth",
        "price of peeling the layers off one by one; in the sparse bound with the logarithm of kernel area or fan-in, and of the classes",
        PROOF,
    ),
    "loss": Factor("loss and classes", "passage from the outputs of the network to its margin errors", PROOF),
    "symmetrisation": Factor(
        "symmetrisation",
        "comparing the sample with a second one: 2, or a little more than √2 by way of one sample of twice the size (Theorem S2)",
        PROOF,
    ),
    "gaussian": Factor(
        "random signs",
        "random signs replaced by Gaussians, √(π/2) for more than two classes, or by random directions, less (Theorem S2)",
        PROOF,
    ),
    "classes": Factor("classes", "κ: price of C classes in the margin", PROOF),
    "constant": Factor("constant", "numerical constant of the theorem", PROOF),
    "logarithms": Factor("logarithms", "logarithms of n and of the width, from chaining over covers", PROOF),
    "rounding": Factor("rounding up", "whole numbers in the covering argument", PROOF),
    "grid": Factor("ρ + 1 for ρ", "price of not fixing the norm in advance, the coarse way", PROOF),
    "scale_grid": Factor(
        "grid of scales", "price of not fixing norm and margin in advance: rounding up to a grid", PROOF
    ),
    "margin": Factor("1 / margin γ", "a smaller margin counts fewer errors but costs more here", DATA),
    "data": Factor(
        "input size", "root mean square of the inputs (of the brightest pixel in the sparse published form)", DATA
    ),
    "unseen": Factor(
        "unseen inputs", "images outside the sample may be larger than those in it: the limit on their mean size", DATA
    ),
    "sample_size": Factor("1 / √n", "what more examples buy", DATA),
}


def describe(name: str) -> tuple[Factor, str]:
    """(what it is, layer it belongs to or "") of a name in `Terms.log_factors`, such as "frobenius.conv1"."""
    stem, _, layer = name.partition(".")
    return FACTORS[stem], layer
