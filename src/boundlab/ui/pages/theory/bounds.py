"""One bound at a time: its formula, and of the symbol that is clicked the number for the chosen network."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from boundlab.analysis.anatomy import anatomy
from boundlab.analysis.symbols import Symbol, named_symbol, symbols
from boundlab.bounds.base import SYMBOLS, Assumption, Bound, effective_n, evaluate
from boundlab.runs.run import Run
from boundlab.specs.recipes import task
from boundlab.specs.settings import Settings
from boundlab.text import format_epoch, readable
from boundlab.ui.address import get
from boundlab.ui.bound_choice import choose_bound, choose_settings
from boundlab.ui.controls import Controls
from boundlab.ui.formulas import convention_note, statement
from boundlab.ui.layout import chart_first, controls_row
from boundlab.ui.network_choice import chosen_network, run_caption

_LATEX_NAMES = str.maketrans({"√": r"root of ", "‖": r"|", "ρ": "rho ", "γ": "gamma", "ℓ": "l", "Π": "P "})
# in a link: which network, so that the page says all of it
_OF_NETWORK = ("networks", "run", "dataset", "recipe", "layers", "channels", "wd", "seed", "task", "weight", "flagged")
_SYMBOL_HELP = (
    "The letters of the formula, then the factors and terms that it is the product and the sum of: click one for its number. Of "
    "which network: under More."
)


def bounds(controls: Controls) -> None:
    """A bound, its formula, its symbols; the rest folded."""
    with chart_first():
        (row, more), stage = controls_row(), st.container()
    with more:
        settings = choose_settings(controls)
        run = chosen_network(controls, stage)
    with row:
        bound = choose_bound(controls, settings.convention)
    if run is None:
        return
    with stage:
        st.latex(r"\begin{gathered}" + statement(bound.key, settings.convention) + r"\end{gathered}")
        _symbol(controls, bound, run, settings)
    _folds(controls, bound, run, settings)


def _symbol(controls: Controls, bound: Bound, run: Run, settings: Settings) -> None:
    """What can be clicked, and what the clicked one is."""
    found = symbols(bound, run.norms(run.epochs.iloc[-1:]), run.sample, settings)
    symbol = named_symbol(found, controls.pick("Symbol", [one.name for one in found], "symbol", _SYMBOL_HELP))
    st.markdown(_said(symbol))
    whole = run_caption(run, format_epoch(run.final["epoch"]))
    brief, meaning = convention_note(settings)
    named = whole if any(map(get, _OF_NETWORK)) else f"{run.spec.arch.title} · {task(run.spec)}"
    st.caption(f"{named} · {brief}", help=f"{whole}. {meaning}")


def _said(symbol: Symbol) -> str:
    """Its number, or one per layer, and what it is."""
    if not symbol.numbers:
        return f"**No number for this network**: {symbol.meaning}."
    single = [number for layer, number in symbol.numbers if not layer]
    layers = [f"{layer} {readable(number)}" for layer, number in symbol.numbers if layer]
    words = f"**{symbol.name} = {readable(single[0])}**" if single else f"**{symbol.name}**: {', '.join(layers)}"
    if symbol.name == "value" and single[0] >= 1:
        return f"{words}: vacuous, as is anything of 1 or more."
    per_layer = f" By layer: {', '.join(layers)}." if single and layers else ""
    return f"{words}: {symbol.meaning}.{per_layer}"


def _folds(controls: Controls, bound: Bound, run: Run, settings: Settings) -> None:
    record, form = run.epochs.iloc[-1:], bound.formulas[settings.convention]
    if box := controls.fold("Filled in", "filled"):
        with box:
            value = evaluate(bound, run.norms(record), run.sample, settings)
            st.caption(
                f"{run_caption(run, format_epoch(run.final['epoch']))} · n = {effective_n(run.sample, settings):,} · δ = {settings.delta:g}"
            )
            if value.value is None:
                st.markdown(f"**No number for this network**: {value.reason}.")
            else:
                st.latex(_filled(anatomy(value, per_layer=False)))
    if box := controls.fold("Assumptions", "assumed"):
        with box:
            for assumption in form.assumptions:
                st.markdown(_verdict(assumption, run, record, settings))
    if box := controls.fold("Source", "source"):
        with box:
            st.markdown(f"**{bound.title}**: {form.source or bound.source}")
            st.caption(" ".join(filter(None, [form.symbols, form.note])))
            st.caption(SYMBOLS)


def _verdict(assumption: Assumption, run: Run, record: pd.DataFrame, settings: Settings) -> str:
    if assumption.holds is None:
        return f":gray[:material/help: not checkable on a network:] {assumption.sentence}"
    if assumption.holds(run.norms(record), run.sample, settings):
        return f":green[:material/check_circle: holds:] {assumption.sentence}"
    return f":red[:material/cancel: does not hold here:] {assumption.sentence}"


def _filled(rows: pd.DataFrame) -> str:
    """The formula as a product of its named factors with this network's numbers."""
    factors = [_brace(2**row.log2, row.label) for row in rows.itertuples() if row.kind == "factor"]
    lines = [r"\cdot".join(factors[i : i + 5]) for i in range(0, len(factors), 5)]
    terms = [_brace(row.amount, row.label.removeprefix("+ ")) for row in rows.itertuples() if row.kind == "term"]
    product = r"\\\cdot ".join(lines)
    return r"\begin{gathered}" + product + (r"\\+" + "+".join(terms) if terms else "") + r"\end{gathered}"


def _brace(value: float, name: str) -> str:
    words = " ".join(name.translate(_LATEX_NAMES).replace("_", " ").split())
    return rf"\underbrace{{{_latex_number(value)}}}_{{\text{{{words}}}}}"


def _latex_number(value: float) -> str:
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return mantissa if not exponent else rf"{mantissa}\times10^{{{int(exponent)}}}"
