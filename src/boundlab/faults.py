"""One sentence about whatever ended a training: what happened, what to do, and where it goes on."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from boundlab.errors import BoundlabError

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


def cut(text: str) -> str:
    """The text with words of more than 200 letters cut: what somebody gave must not hide what is said about it."""
    return re.sub(r"\S{201,}", lambda word: f"{word[0][:80]}…({len(word[0]):,} letters)…{word[0][-40:]}", text)


def one_line(text: str) -> str:
    """At most 600 characters of it, on one line."""
    line = " ".join(cut(text).split())
    return line if len(line) <= 600 else f"{line[:600]} ..."


def explain(error: Exception, folder: Path, saved: float | None) -> str:
    """The sentence for status.json; `saved`: epochs in the run's saved state, None where there is none."""
    on = "it begins again" if saved is None else f"it goes on from epoch {saved:.4g}"
    if isinstance(error, OSError):
        what, where = error.strerror or str(error), error.filename or folder
        if error.errno in FULL:
            return one_line(f"the disk with {folder} is full: free space and retry, {on}")
        if error.errno in FORBIDDEN:
            return one_line(f"{where} cannot be read or written ({what}): change its permissions and retry, {on}")
        return one_line(f"{where} failed ({what}): put that right and retry, {on}")
    if isinstance(error, BoundlabError | ValueError):
        return one_line(str(error))
    return one_line(f"{type(error).__name__}: {error}")
