"""The words of the field as they are used here, each explained once, in `glossary.md`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ENTRY = re.compile(r"^## (.+)\n(.+)\nsymbol: (.+)\nsource: (.+)$", re.M)


@dataclass(frozen=True)
class Word:
    """`meaning`: a sentence or two, Markdown; `symbol`: "" where there is none; `source`: where it is defined."""

    word: str
    meaning: str
    symbol: str
    source: str


@cache
def glossary() -> dict[str, Word]:
    """By word in small letters, in the order of the alphabet."""
    text = Path(__file__).with_name("glossary.md").read_text(encoding="utf-8")
    found = [
        Word(word, meaning, "" if symbol == "none" else symbol, source)
        for word, meaning, symbol, source in _ENTRY.findall(text)
    ]
    return {entry.word.lower(): entry for entry in sorted(found, key=lambda entry: entry.word.lower())}


def explained(word: str) -> str:
    """What a word means. Raises KeyError for one that is not explained."""
    return glossary()[word.lower()].meaning


def options_explained(*words: str) -> str:
    """Several, as the help of a control that chooses between them."""
    return " · ".join(
        f"{word}: {explained(word).rstrip('.')[0].lower()}{explained(word).rstrip('.')[1:]}" for word in words
    )
