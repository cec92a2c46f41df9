"""What page Start says: the names of arguments, what each line promises, and the verdict on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from boundlab.analysis.guarantees import Guarantee
from boundlab.analysis.promises import (
    Line,
    Promised,
    about_a_noisy_copy,
    about_a_rounded_copy,
    about_itself,
    needs_test_images,
)
from boundlab.bounds import BY_KEY
from boundlab.charts.promises import Row
from boundlab.charts.theme import STYLES
from boundlab.specs.arch import ArchSpec
from boundlab.text import at_most_of_hundred, factor, of_hundred
from boundlab.words.guarantees import about_whom

OLDER_NOTE = (
    "**Older bounds**: as their theorems state them (on other pages: convention *theorem*), for networks whose norms were fixed before the "
    "data, which flatters them. All are beyond 100 errors of 100, so they promise nothing either way. What papers plot (*published*) "
    "is no guarantee and is not drawn here."
)
_FORMS = {"graf_params": ", second form"}


def rows(lines: Sequence[Line], networks: Sequence[Promised]) -> list[Row]:
    """The lines of the picture, with their words."""
    return [_row(line, lines, networks) for line in lines]


def _row(line: Line, lines: Sequence[Line], networks: Sequence[Promised]) -> Row:
    hovers = tuple(_hover(line, network, value) for network, value in zip(networks, line.values, strict=True))
    if line.guarantee is None:
        return Row(
            line.key,
            STYLES[line.key].name.split(" (")[0] + _FORMS.get(line.key, ""),
            "older bound",
            line.values,
            hovers,
            older=True,
            itself=True,
        )
    alone = sum(_argument(other) == _argument(line) for other in lines) == 1
    itself = about_itself(line.guarantee) or needs_test_images(line.guarantee)
    name = _named(line.guarantee, networks[0], alone)
    return Row(line.key, name, _note(line.guarantee, name), line.values, hovers, itself=itself)


def _argument(line: Line) -> str:
    """Without which variant of it this is."""
    return line.guarantee.title.split(",")[0] if line.guarantee else line.key


def _named(guarantee: Guarantee, network: Promised, alone: bool) -> str:
    if needs_test_images(guarantee):
        return f"A test on {network.test_images:,} digits"
    return guarantee.title.split(",")[0] if alone else guarantee.title


def _note(guarantee: Guarantee, name: str) -> str:
    """What it is about, in few words that the name beside it lacks."""
    if needs_test_images(guarantee):
        return "kept back"
    return ", ".join(part for part in about_whom(guarantee).split(", ") if part not in name)


def _hover(line: Line, network: Promised, value: float | None) -> str:
    if line.guarantee is None:
        return f"<b>{BY_KEY[line.key].title}</b><br>{_size(value or 0.0)}"
    made = next(g for g in network.made if g.kind == line.key)
    if value is None:
        return f"<b>{made.title}</b><br>{made.reason}"
    return f"<b>{made.title}</b><br>{_size(value)}<br>about {made.about}<br>from {made.used}"


def _size(value: float) -> str:
    if value < 1:
        return f"at most {at_most_of_hundred(value)} wrong of 100"
    return f"allows more than 100 wrong of 100: {factor(value)} times too large to say anything"


def promise_verdict(network: Promised) -> str:
    """One sentence or two on everything drawn at one position: what is promised of whom, from training images alone."""
    best, truth = network.best(), f"The truth is **{of_hundred(network.test_error)}**."
    if best is None:
        last = _not_computed(network) or "Only a test tells."
        return f"From the training images alone, theory promises nothing{_closest(network)}. {truth} {last}"
    if about_itself(best):
        older = " The older bounds say nothing." if network.older else ""
        return (
            f"From the training images alone, theory promises at most **{_of(best)}** wrong of 100{_others(network, best)}. "
            f"{truth}{older}"
        )
    if about_a_rounded_copy(best):
        errs = "" if best.measured is None else f" (errs on **{of_hundred(best.measured)}**)"
        return (
            f"From the training images alone, theory promises at most **{_of(best)}** wrong of 100 for a copy with rounded "
            f"weights{errs}{_others(network, best)}, nothing for the network itself (errs on **{of_hundred(network.test_error)}**)."
        )
    return (
        f"From the training images alone, theory promises at most **{_of(best)}** wrong of 100 for {_noisy(best)}, and "
        f"nothing for the network itself{_closest(network)}. {truth}"
    )


def _noisy(guarantee: Guarantee) -> str:
    return "a noisy copy" if about_a_noisy_copy(guarantee) else "a noisy copy of another network"


def _others(network: Promised, best: Guarantee) -> str:
    """Of the promises that are smaller than the best one, which stand above it in the picture, the one about the nearest relative."""
    smaller = replace(
        network, made=tuple(g for g in network.promising() if (g.limit or 0.0) < (best.limit or 0.0))
    ).best()
    return f", {_of(smaller)} for {_noisy(smaller)}" if smaller else ""


def _not_computed(network: Promised) -> str:
    """What might promise something and is not there, where nothing promises anything."""
    names = dict.fromkeys(
        g.title.split(",")[0] for g in network.made if g.limit is None and g.reason.startswith("not computed")
    )
    return f"{' and '.join(names)} {'were' if len(names) > 1 else 'was'} not computed for it." if names else ""


def _of(guarantee: Guarantee) -> str:
    return at_most_of_hundred(guarantee.limit or 0.0)


def _closest(network: Promised) -> str:
    """By how much the best theorem about the network itself misses."""
    tried = [g for g in network.made if g.limit is not None and about_itself(g) and not needs_test_images(g)]
    if not tried:
        return ""
    best = min(tried, key=lambda g: g.limit or 0.0)
    return f" ({best.title} is {factor(best.limit or 0.0)} times too large)"


def seen_by_a_neuron(arch: ArchSpec) -> str:
    """What a neuron sees, under the drawing."""
    first = arch.shapes()[0]
    if not first.spatial:
        return "Each neuron sees all numbers of the layer before."
    return f"Each neuron sees {first.kernel} × {first.kernel} numbers of the layer before: sparse."
