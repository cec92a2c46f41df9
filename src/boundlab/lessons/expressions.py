"""What a lesson says with numbers: products and quotients of named quantities, compared, and written into its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from boundlab.lessons.lesson import Check, Expression, Term
from boundlab.text import at_most_of_hundred, of_hundred, percent, readable, times
from boundlab.words.glossary import glossary

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")
_SIGNS = re.compile(r"(<=|>=|<|>)")
_WORD = re.compile(r"\[\[([^\[\]]+)\]\]")
_IN_TEXT = re.compile(r"\{([^{}]*)\}")
FORMS: dict[str, Callable[[float], str]] = {
    "": readable,
    "percent": percent,
    "fold": lambda value: f"{times(value)}-fold",
    "times": times,
    "of100": of_hundred,
    "at_most": at_most_of_hundred,
}


def read_expression(text: str) -> Expression:
    """`a`, `a / b`, `2 * a`. Raises ValueError."""
    parts = re.split(r"([*/])", text)
    terms = []
    for place in range(0, len(parts), 2):
        word = parts[place].strip()
        if not (IDENTIFIER.fullmatch(word) or _NUMBER.fullmatch(word)):
            raise ValueError(f"a name or a number, with * or / between two of them, was expected, got `{text.strip()}`")
        terms.append(Term(word if IDENTIFIER.fullmatch(word) else float(word), place > 0 and parts[place - 1] == "/"))
    return tuple(terms)


def read_check(text: str, line: int) -> Check:
    """`a < 2 * b`. Raises ValueError."""
    parts = _SIGNS.split(text)
    if len(parts) != 3:
        raise ValueError(f"two sides with <, >, <= or >= between them were expected, got `{text}`")
    return Check(read_expression(parts[0]), parts[1], read_expression(parts[2]), text, line)


def in_text(text: str) -> list[tuple[Expression, str]]:
    """Every `{expression:form}` of a text. Raises ValueError."""
    return [_with_form(found) for found in _IN_TEXT.findall(text)]


def _with_form(found: str) -> tuple[Expression, str]:
    written, _, form = found.partition(":")
    if form.strip() not in FORMS:
        raise ValueError(f"`{{{found}}}`: after the colon one of {', '.join(filter(None, FORMS))} was expected")
    return read_expression(written), form.strip()


def names(expression: Expression) -> list[str]:
    """The quantities that it is made of."""
    return [term.name for term in expression if isinstance(term.name, str)]


def amount(expression: Expression, values: Mapping[str, float]) -> float:
    """Its value, with those of the quantities; NaN for a quotient by 0."""
    result = 1.0
    for term in expression:
        factor = values[term.name] if isinstance(term.name, str) else term.name
        if term.divides and factor == 0:
            return float("nan")
        result = result / factor if term.divides else result * factor
    return result


def holds(check: Check, values: Mapping[str, float]) -> bool:
    """Whether it is true; never of what is not a number."""
    left, right = amount(check.left, values), amount(check.right, values)
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[check.sign]


def words_in(text: str) -> list[str]:
    """Every `[[word]]` of the glossary. Raises ValueError for one that it does not have."""
    found = list(dict.fromkeys(_WORD.findall(text)))
    if unknown := [word for word in found if word.lower() not in glossary()]:
        raise ValueError(f"`[[{unknown[0]}]]`: the glossary has {', '.join(glossary())}")
    return found


def filled_in(text: str, values: Mapping[str, float]) -> str:
    """The text with its numbers."""

    def written(found: re.Match[str]) -> str:
        expression, form = _with_form(found.group(1))
        return FORMS[form](amount(expression, values))

    return _WORD.sub(r"\1", _IN_TEXT.sub(written, text))
