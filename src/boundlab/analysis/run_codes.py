"""Short names of runs, for links that name many: five letters each, of the end of the id."""

from __future__ import annotations

import string
from collections.abc import Iterable

from boundlab.validation import shown

_LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_EACH = 5  # letters: 30 bits, so that of 10,000 runs hardly ever two are called alike
_BITS = 48  # of the hash at the end of an id


def run_code(name: str) -> str:
    """Of a run's id. Raises ValueError for what does not end as an id does."""
    try:
        number = int(name[-_BITS // 4 :], 16) >> (_BITS - 6 * _EACH)
    except ValueError:
        raise ValueError(f"a run's id must end with {_BITS // 4} hexadecimal digits, got {shown(name)}") from None
    return "".join(_LETTERS[number >> shift & 63] for shift in range(6 * (_EACH - 1), -1, -6))


def join_codes(names: Iterable[str]) -> str:
    """Of runs' ids, in an order that depends on nothing else."""
    return "".join(sorted({run_code(name) for name in names}))


def split_codes(text: str) -> list[str]:
    """The codes that a link joins. Raises ValueError for what no link of ours says."""
    if len(text) % _EACH or not set(text) <= set(_LETTERS):
        raise ValueError(f"codes of runs must be {_EACH} letters, digits, - or _ each, got {shown(text)}")
    return [text[at : at + _EACH] for at in range(0, len(text), _EACH)]
