"""A lesson's file, read: what is written wrongly is said with its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl

from boundlab.errors import LessonError
from boundlab.lessons.expressions import in_text, names, read_check, words_in
from boundlab.lessons.facts import QUANTITIES, check_where
from boundlab.lessons.lesson import Check, Lesson, LessonStep, Number, Quantity
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.pages import PAGE
from boundlab.specs.settings import CONVENTIONS
from boundlab.text import quoted

_WORDS = ("page", "link", "ask", "number", "let", "check", "lock", "hide", "try")
_DIRECTIVE = re.compile(rf"({'|'.join(_WORDS)}):(?:\s+(.*))?")
_MISTYPED = re.compile(r"([a-z_]{2,12}):(\s.*)?")
_PICTURE = re.compile(r"!\[|<\s*(img|iframe|video|audio|object|embed|link|script)\b", re.I)
_CHOICE = re.compile(r"- \[([ xX])\]\s+(.*)")
_LET = re.compile(r"([a-z][a-z0-9_]*)\s*=\s*([a-z0-9_]+)(?:\s+at\s+(.*))?")
_NUMBER = re.compile(r"(-?[0-9]{1,6}) to (-?[0-9]{1,6}), answer \{([^{}]*)\}")
# values of a link that are the same on every page
_POSSIBLE = {"dataset": tuple(SHIPPED), "convention": CONVENTIONS}
_NUMBERS = ("layers", "channels", "wd", "delta", "n_train", "label_noise", "epoch", "seed")
_MOST = {"letters": 100_000, "steps": 20, "choices": 6}


class _Line(NamedTuple):
    number: int
    text: str


def read_lesson(name: str, text: str) -> Lesson:
    """`name`: of the file, without its ending. Raises LessonError that names the line, what was expected and what came."""
    try:
        return _read(name, text)
    except _Wrong as wrong:
        raise LessonError(f"{name}.md, line {wrong.line}: {wrong}") from wrong


class _Wrong(ValueError):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _read(name: str, text: str) -> Lesson:
    if len(text) > _MOST["letters"]:
        raise _Wrong(1, f"a lesson has at most {_MOST['letters']:,} letters, this one {len(text):,}")
    lines = [_Line(number, line.rstrip()) for number, line in enumerate(text.splitlines(), 1)]
    for line in lines:  # questions and choices are Markdown, too: no reader's browser is sent to another host
        if _PICTURE.search(line.text):
            raise _Wrong(line.number, "pictures and other files are not shown in a lesson; a link, `[...](...)`, is")
    starts = [place for place, line in enumerate(lines) if line.text.startswith("## ")]
    first = next((line for line in lines if line.text), _Line(1, ""))
    if not first.text.startswith("# ") or not first.text[2:].strip():
        raise _Wrong(first.number, f"the title, `# ...`, was expected, got {quoted([first.text])}")
    if not starts:
        raise _Wrong(first.number, "a lesson needs a step, which begins with `## ` and its title")
    if len(starts) > _MOST["steps"]:
        raise _Wrong(lines[starts[_MOST["steps"]]].number, f"a lesson has at most {_MOST['steps']} steps")
    summary = " ".join(line.text for line in lines[: starts[0]] if line.text and line is not first)
    if not summary:
        raise _Wrong(first.number, "a sentence under the title was expected: what the lesson is about")
    parts = [lines[begin:end] for begin, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    return Lesson(name, first.text[2:].strip(), summary, tuple(_step(part) for part in parts))


def _step(lines: list[_Line]) -> LessonStep:
    """A step: directives, choices, and all else is what is revealed."""
    told: dict[str, _Line] = {}
    choices, lets, checks, text = list[tuple[str, str]](), dict[str, Quantity](), list[Check](), list[str]()
    for line in lines[1:]:
        if found := _DIRECTIVE.fullmatch(line.text):
            word, value = found.group(1), (found.group(2) or "").strip()
            if not value:
                raise _Wrong(line.number, f"something was expected after `{word}:`")
            if word == "let":
                _let(line.number, value, lets)
            elif word == "check":
                checks.append(_try(line.number, lambda at=line.number, said=value: read_check(said, at)))
            elif word in told:
                raise _Wrong(line.number, f"`{word}:` stands in this step twice, first in line {told[word].number}")
            else:
                told[word] = _Line(line.number, value)
        elif found := _CHOICE.fullmatch(line.text):
            choices.append((found.group(1), found.group(2)))
        else:
            _check_prose(line)
            text.append(line.text)
    return _made(lines[0], told, choices, lets, checks, "\n".join(text).strip())


def _check_prose(line: _Line) -> None:
    """A mistyped directive is not shown as text. Raises."""
    if found := _MISTYPED.fullmatch(line.text):
        raise _Wrong(
            line.number, f"there is no `{found.group(1)}:`; there are {', '.join(_WORDS)} (text begins otherwise)"
        )
    _try(line.number, lambda: (words_in(line.text), in_text(line.text)))


def _made(
    head: _Line,
    told: dict[str, _Line],
    choices: list[tuple[str, str]],
    lets: dict[str, Quantity],
    checks: list[Check],
    text: str,
) -> LessonStep:
    at = head.number
    for word in ("page", "ask"):
        if word not in told:
            raise _Wrong(at, f"the step `{head.text}` has no `{word}:`")
    if not text:
        raise _Wrong(
            at, f"the step `{head.text}` says nothing when it is revealed: write a sentence below its directives"
        )
    page = _page(told["page"])
    right = [place for place, (mark, _) in enumerate(choices) if mark.strip()]
    if "number" in told and choices:
        raise _Wrong(told["number"].number, "a step asks for a number or offers choices, not both")
    if "number" not in told and (not 2 <= len(choices) <= _MOST["choices"] or len(right) != 1):
        found = f"{len(choices)} choices, {len(right)} of them right"
        raise _Wrong(
            at,
            f"two to {_MOST['choices']} choices, `- [ ] ...`, one of them `- [x] ...`, were expected, or `number:`; got {found}",
        )
    _try(at, lambda: words_in(text))
    number = _number(told["number"]) if "number" in told else None
    _known(checks, text, number, lets, at)
    return LessonStep(
        title=head.text[3:].strip(),
        page=page,
        link=_link(told.get("link"), page),
        question=told["ask"].text,
        choices=tuple(said for _, said in choices),
        right=right[0] if right else 0,
        number=number,
        quantities=lets,
        checks=tuple(checks),
        text=text,
        go_on=told["try"].text if "try" in told else "",
        locked=_controls(told.get("lock"), page),
        hidden=_controls(told.get("hide"), page),
        line=at,
    )


def _try(line: int, read):  # type: ignore[no-untyped-def]
    try:
        return read()
    except ValueError as error:
        raise _Wrong(line, str(error)) from error


def _page(line: _Line) -> str:
    if line.text not in PAGE or line.text == "lessons":
        known = ", ".join(key for key in PAGE if key != "lessons")
        raise _Wrong(line.number, f"there is no page `{line.text}`; there are {known}")
    return line.text


def _link(line: _Line | None, page: str) -> dict[str, str]:
    if line is None:
        return {}
    try:
        found = parse_qsl(line.text.lstrip("?"), keep_blank_values=True, strict_parsing=True, max_num_fields=40)
    except ValueError as error:
        raise _Wrong(
            line.number, f"a link's values were expected, `name=value&name=value`, got `{line.text}`"
        ) from error
    _has(line.number, [name for name, _ in found], page)
    for name, value in found:
        if name in _POSSIBLE and value not in _POSSIBLE[name] and not value.startswith("own-"):
            raise _Wrong(line.number, f"`{name}` is one of {', '.join(_POSSIBLE[name])} here, got {quoted([value])}")
        if name in _NUMBERS and not _is_number(value):
            raise _Wrong(line.number, f"`{name}` is a number here, got {quoted([value])}")
    return dict(found)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _controls(line: _Line | None, page: str) -> tuple[str, ...]:
    if line is None:
        return ()
    found = tuple(name.strip() for name in line.text.split(","))
    _has(line.number, found, page)
    return found


def _has(line: int, found: Iterable[str], page: str) -> None:
    if unknown := [name for name in found if name not in PAGE[page].params]:
        raise _Wrong(line, f"page `{page}` has no {quoted(unknown)}; it has {', '.join(PAGE[page].params)}")


def _let(line: int, value: str, lets: dict[str, Quantity]) -> None:
    found = _LET.fullmatch(value)
    if not found:
        raise _Wrong(line, f"`name = series at key=value key=value` was expected, got `{value}`")
    name, series, conditions = found.groups()
    if series not in QUANTITIES:
        raise _Wrong(line, f"there is no series `{series}`; there are {', '.join(QUANTITIES)}")
    if name in lets:
        raise _Wrong(line, f"`{name}` has a value already, in line {lets[name].line}")
    where = dict[str, str]()
    for part in (conditions or "").split():
        key, sign, asked = part.partition("=")
        if not sign or not asked:
            raise _Wrong(line, f"`key=value` was expected, got `{part}`")
        _try(line, lambda key=key, asked=asked: check_where(key, asked))
        where[key] = asked
    lets[name] = Quantity(series, where, line)


def _number(line: _Line) -> Number:
    found = _NUMBER.fullmatch(line.text)
    if not found or not int(found.group(1)) < int(found.group(2)):
        raise _Wrong(line.number, f"`0 to 100, answer {{name:form}}` was expected, got `{line.text}`")
    low, high, answer = found.groups()
    (expression, form), *_ = _try(line.number, lambda: in_text(f"{{{answer}}}"))
    return Number(int(low), int(high), expression, form)


def _known(checks: list[Check], text: str, number: Number | None, lets: dict[str, Quantity], at: int) -> None:
    """Every quantity that is spoken of was named. Raises."""
    spoken = [(check.line, check.left + check.right) for check in checks]
    spoken += [(at, expression) for expression, _ in _try(at, lambda: in_text(text))]
    spoken += [(at, number.answer)] if number else []
    for line, expression in spoken:
        if missing := [name for name in names(expression) if name not in lets]:
            raise _Wrong(line, f"{quoted(missing)} has no value in this step: `let: {missing[0]} = ...`")
