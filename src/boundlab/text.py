"""Plain words: numbers as people read them (never 0 of what is not 0), one line of what may be many, what somebody typed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decimals(value: float, places: int) -> str:
    """With so many decimals; what they would round to 0 with two significant digits: 0.0017, 3.1×10⁻⁵."""
    text = f"{value:.{places}f}"
    if value == 0 or not math.isfinite(value) or float(text) != 0:
        return text
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{value:.2g}" if abs(value) >= 1e-4 else f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPT)}"


def percent(share: float) -> str:
    """A share of 1 in per cent, with two decimals or more."""
    return f"{decimals(100 * share, 2)} %"


def cut(text: str) -> str:
    """The text with words of more than 200 letters cut: what somebody gave must not hide what is said about it."""
    return re.sub(r"\S{201,}", lambda word: f"{word[0][:80]}…({len(word[0]):,} letters)…{word[0][-40:]}", text)


def one_line(text: str) -> str:
    """At most 600 characters of it, on one line."""
    line = " ".join(cut(text).split())
    return line if len(line) <= 600 else f"{line[:600]} ..."


def in_words(seconds: float) -> str:
    """ "about 40 s", "about 3 minutes", "about 2 hours", "about 3 days"."""
    if seconds < 57.5:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    for size, most, name in ((60, 57.5, "minute"), (3600, 47.5, "hour"), (86400, math.inf, "day")):
        if seconds < size * most:
            count = round(seconds / size) if seconds < 10 * size or size > 60 else 5 * round(seconds / size / 5)
            return f"about {max(1, count)} {name}{'s' * (count > 1)}"
    raise ValueError(f"seconds must be a number, got {seconds!r}")


def format_epoch(value: float) -> str:
    """A number of epochs as it is written everywhere: at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def power(exponent: int) -> str:
    """2 to a whole power as text, 1 for 0."""
    return "1" if exponent == 0 else "2" + str(exponent).translate(SUPERSCRIPT)


def readable(value: float, series: str = "") -> str:
    """A value for people: per cent for errors, three digits, powers of ten from a million on and below 1e-4."""
    if not math.isfinite(value):
        return "infinite"
    if series in ("test_error", "train_error", "gap", "holdout"):
        return percent(value)
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-4:
        exponent = math.floor(math.log10(abs(value)))
        return f"{value / 10**exponent:.1f}×10{str(exponent).translate(SUPERSCRIPT)}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """A factor for people."""
    if ratio >= 10:
        return readable(ratio) if ratio >= 1e6 else f"{ratio:,.0f}"
    return f"{ratio:.1f}" if ratio >= 1.2 else f"{ratio:.2f}"


def of_hundred(share: float) -> str:
    """A share of 1 as so many of 100, rounded to a decimal."""
    return f"{100 * share:.1f}".removesuffix(".0")


def at_most_of_hundred(share: float) -> str:
    """An upper limit of a share as so many of 100, rounded up, so that it stays one."""
    return f"{math.ceil(1000 * share - 1e-9) / 10:.1f}".removesuffix(".0")


def factor(ratio: float) -> str:
    """How many times too large, in two digits: 2.3, 42,000, 3.7 million."""
    if not math.isfinite(ratio) or ratio >= 1e12:
        return readable(ratio)
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if ratio >= 0.995 * size:
            return f"{float(f'{ratio / size:.2g}'):,g}{name}"
    return times(ratio) if ratio < 10 else f"{float(f'{ratio:.2g}'):,.0f}"


def tick(value: float, scientific: bool | None = None) -> str:
    """An axis label, 8e-4 or 0.0008; None: the shorter one."""
    if value > 0 and (value < 0.01 if scientific is None else scientific):
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def quoted(values: Sequence[str], most: int = 40) -> str:
    """Text from a link, safe to show: each cut to `most` letters, in code marks."""
    plain = ["".join(c if c.isprintable() and c != "`" else " " for c in value) for value in values[:5]]
    shown = ", ".join(f"`{' '.join(value.split())[:most]}`" for value in plain)
    return shown + (f" and {len(values) - 5} more" if len(values) > 5 else "")
