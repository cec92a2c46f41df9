"""What a lesson is: steps, each a question, and what the live page then shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Term(NamedTuple):
    """A factor of an expression: the name of a quantity or a number; `divides`: what came before is divided by it."""

    name: str | float
    divides: bool


Expression = tuple[Term, ...]


@dataclass(frozen=True)
class Quantity:
    """A number of the runs: a series of the figures, or a certificate, of the networks that `where` singles out."""

    series: str
    where: dict[str, str]
    line: int


@dataclass(frozen=True)
class Check:
    """What has to be true of the runs for the lesson to be."""

    left: Expression
    sign: str  # "<", ">", "<=" or ">="
    right: Expression
    text: str
    line: int


@dataclass(frozen=True)
class Number:
    """A guess by slider, from `low` to `high`; `answer`: the quantity, as the reader is asked for it (`form`: see `facts.FORMS`)."""

    low: int
    high: int
    answer: Expression
    form: str


@dataclass(frozen=True)
class LessonStep:
    """One question about one page. `link`: where the page's controls stand; `choices`: what can be answered, `right` the number of the
    right one; else `number`. `text`: Markdown that is revealed, with `{quantities}`; `go_on`: what to try then."""

    title: str
    page: str
    link: dict[str, str]
    question: str
    choices: tuple[str, ...]
    right: int
    number: Number | None
    quantities: dict[str, Quantity]
    checks: tuple[Check, ...]
    text: str
    go_on: str
    locked: tuple[str, ...]
    hidden: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Lesson:
    """`name`: as in the link, the file's name without its ending; `summary`: a sentence."""

    name: str
    title: str
    summary: str
    steps: tuple[LessonStep, ...]
