"""One sentence about whatever ended a training: what happened, what to do, and where it goes on."""

from __future__ import annotations

import errno
from pathlib import Path

from boundlab.errors import BoundlabError
from boundlab.text import one_line

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def explain(error: Exception, folder: Path, saved: float | None) -> str:
    """The sentence for status.json; `saved`: epochs in the run's saved state, None where there is none."""
    on = "it begins again" if saved is None else f"it goes on from epoch {saved:.4g}"
    if isinstance(error, OSError):
        return one_line(_of_files(error, folder, f"retry, {on}"))
    if isinstance(error, BoundlabError | ValueError):
        return one_line(str(error))
    return one_line(f"{type(error).__name__}: {error}")


def of_a_command(error: Exception, folder: Path | None = None) -> str:
    """The sentence that a command ends with; `folder`: where it was to write."""
    if isinstance(error, OSError) and error.errno is not None:
        disk = error.filename2 or error.filename or folder
        return one_line(_of_files(error, disk, "give the same command again"))
    return one_line(str(error))


def _of_files(error: OSError, folder: Path | str | None, then: str) -> str:
    """What the file system would not do; `folder`: where something was written, if that is known better than by the error."""
    what, where = error.strerror or str(error), error.filename2 or error.filename or folder or "a file"
    if error.errno in _FULL:
        return f"the disk with {folder or where} is full: free space and {then}"
    if error.errno in _FORBIDDEN:
        return f"{where} cannot be read or written ({what}): change its permissions and {then}"
    if error.errno in _IN_THE_WAY:
        return f"{where} is a file where a folder should be, or a folder where a file should be ({what}): move it and {then}"
    return f"{where} failed ({what}): put that right and {then}"
