"""The symbols of a bound's formula and the factors it is made of, each with its number for one network. No torch, no charts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from boundlab.analysis.anatomy import anatomy
from boundlab.bounds.base import Bound, Value, chosen_margin, effective_n, evaluate, only
from boundlab.quantities.norms import LayerNorms, NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.specs.settings import Settings

Numbers = tuple[tuple[str, float], ...]  # (layer, number); the layer is "" where there is only one number


@dataclass(frozen=True)
class Symbol:
    """One symbol of a formula, or one factor or term of it. `name`: as on screen and in links."""

    name: str
    meaning: str
    numbers: Numbers


@dataclass(frozen=True)
class _Known:
    """`pattern`: finds the symbol in a formula's LaTeX."""

    name: str
    pattern: str
    meaning: str
    numbers: Callable[[NetworkNorms, SampleStats, Settings, Value], Numbers]


def _one(number: float) -> Numbers:
    return (("", float(number)),)


def _each(of: Callable[[LayerNorms], object]) -> Callable[..., Numbers]:
    """A number per layer."""
    return lambda net, *rest: tuple((layer.shape.name, only(of(layer))) for layer in net.layers)  # type: ignore[arg-type]


def _rho_p(net: NetworkNorms) -> float:
    rho = only(net.rho) / only(net.layers[-1].frobenius)
    return rho * only(net.layers[-1].centered_frobenius)


def _rho_g(net: NetworkNorms) -> float:
    areas = [shape.positions for shape in net.shapes if shape.spatial]
    product = only(net.rho)
    for positions in areas:
        product *= positions**0.5
    return product


_N = r"(?<![A-Za-z\\_{])n(?![A-Za-z])"
KNOWN = (
    _Known("n", _N, "sample size", lambda net, sample, settings, value: _one(effective_n(sample, settings))),
    _Known("C", r"(?<![A-Za-z\\])C(?![A-Za-z_])", "classes", lambda net, sample, *rest: _one(sample.classes)),
    _Known("L", r"(?<![A-Za-z\\])L(?![A-Za-z])", "layers, output layer included", lambda net, *rest: _one(len(net.layers))),
    _Known("δ", r"\\delta", "probability that the bound fails", lambda net, sample, settings, value: _one(settings.delta)),
    _Known(
        "γ", r"\\gamma", "margin asked for: in strict the one that makes the bound smallest",
        lambda net, sample, settings, value: _one(chosen_margin(settings) if value.margin is None else only(value.margin)),
    ),
    _Known(
        "‖X‖", r"\\\|X\\\|_F", "root of the summed squared input norms, as the network sees them",
        lambda net, sample, *rest: _one(sample.fed.frobenius),
    ),
    _Known(
        "max E", r"E\^\{\\mathrm\{raw\}\}", "largest energy of a pixel: the sum over images of its squared value in [0, 1]",
        lambda net, sample, *rest: _one(float(sample.raw.pixel_energy.max())),
    ),
    _Known("ρ", r"\\rho(?![_A-Za-z])", "product of the Frobenius norms of all layers", lambda net, *rest: _one(only(net.rho))),
    _Known(
        "ρ_P", r"\\rho_P", "product of the Frobenius norms, the output layer less its mean row",
        lambda net, *rest: _one(_rho_p(net)),
    ),
    _Known(
        "ρ_G", r"\\rho_G", "ρ times the root of every convolution's output positions",
        lambda net, *rest: _one(_rho_g(net)),
    ),
    _Known("‖W‖", r"\\\|W\^l\\\|_F", "Frobenius norm of each layer's weights", _each(lambda layer: layer.frobenius)),
    _Known(
        "‖op(W)‖", r"\\mathrm\{op\}\(W\^l\)", "Frobenius norm of each layer written out as one matrix",
        _each(lambda layer: layer.map_frobenius),
    ),
    _Known(
        "max ‖w‖", r"\\max_c\\\|w_c\\\|", "largest norm of a row of the output layer: of one class's weights",
        lambda net, *rest: _one(only(net.layers[-1].max_row)),
    ),
    _Known(
        "ŝ", r"\\hat s", "spectral norm of each layer's kernel as a matrix", _each(lambda layer: layer.spectral_kernel)
    ),
    _Known("a", r"a_l|a_\{\\max\}", "pixels that a neuron sees per input channel, of each layer",
           lambda net, *rest: tuple((s.name, float(s.area)) for s in net.shapes)),
    _Known("O", r"(?<![A-Za-z])O_l", "output positions of each layer",
           lambda net, *rest: tuple((s.name, float(s.positions)) for s in net.shapes)),
)  # fmt: skip


def symbols(bound: Bound, net: NetworkNorms, sample: SampleStats, settings: Settings) -> list[Symbol]:
    """Of a formula that the bound has in the reader's convention: its value, the symbols in its LaTeX whose number is known, and the
    factors and terms that it is the product and sum of; without the value and the factors where it does not apply."""
    value = evaluate(bound, net, sample, settings)
    latex = bound.formulas[settings.convention].latex
    found = [
        Symbol(known.name, known.meaning, known.numbers(net, sample, settings, value))
        for known in KNOWN
        if re.search(known.pattern, latex)
    ]
    if value.value is None:
        return [Symbol("value", f"{value.reason}", ()), *found]
    whole = Symbol("value", "the bound itself: complexity and what is added to it", _one(only(value.value)))
    return [whole, *found, *_parts(value, {symbol.name for symbol in found})]


def _parts(value: Value, taken: set[str]) -> list[Symbol]:
    """Factors of a kind multiplied over the layers, and terms; with a number per layer where the layers have factors of their own."""
    rows, layers = anatomy(value, per_layer=False), anatomy(value)
    parts = []
    for row in rows[rows["kind"] != "total"].itertuples():
        name = row.label.removeprefix("+ ")
        number = 2**row.log2 if row.kind == "factor" else row.amount
        own = [r for r in layers.itertuples() if r.row.startswith(f"{row.row}.")]
        numbers = _one(number) + tuple((r.row.partition(".")[2], 2**r.log2) for r in own)
        parts.append(Symbol(name if name not in taken else f"{name} (factor)", row.meaning, numbers))
    return parts


def named_symbol(found: Sequence[Symbol], name: str) -> Symbol:
    """The one of that name."""
    return next(symbol for symbol in found if symbol.name == name)
