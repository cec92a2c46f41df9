"""One archive from the first mirror that has it, checked before it gets its name. pooch only when something is fetched."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from boundlab.data.published import AS_SENT, CONTENTS, LARGEST_FILE, Archive
from boundlab.errors import DataError

_CHUNK = 2**16  # bytes between two reports
_PATIENCE = 30.0  # seconds without a byte before the next mirror is tried
DownloadProgress = Callable[[int, int, str], None]  # (bytes so far, bytes in all, the file that is being fetched)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def part_size(target: Path) -> int:
    """Bytes of an archive that some process has so far."""
    try:
        return _part(target).stat().st_size
    except OSError:
        return 0


class Bar:
    """pooch's progress bar: adds up files, and passes on bytes so far and in all."""

    def __init__(self, sizes: dict[str, int], progress: DownloadProgress) -> None:
        self.sizes, self.progress = sizes, progress
        self.done, self.file = dict.fromkeys(sizes, 0), ""

    @property
    def total(self) -> int:
        return self.sizes[self.file]

    @total.setter
    def total(self, size: int) -> None:  # pooch: the Content-Length, 0 where the server does not say
        self.sizes[self.file] = size or self.sizes[self.file]

    def start(self, file: str) -> None:
        self.file = file
        self.reset()

    def reset(self) -> None:
        self.done[self.file] = 0

    def update(self, size: int) -> None:
        self.done[self.file] = min(self.total, self.done[self.file] + size)
        self.progress(sum(self.done.values()), sum(self.sizes.values()), self.file)

    def close(self) -> None:
        self.done[self.file] = self.total


def from_mirrors(mirrors: Sequence[str], archive: Archive, target: Path, bar: Bar | None) -> None:
    """Fetch `target` from the first of some base URLs that has it; raises DataError naming what each one did.

    Raises OSError when the disk is full or cannot be written.
    """
    reasons, part = [], _part(target)
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{target.name}"
        try:
            if bar:
                bar.start(target.name)
            _download(url, part, bar)
            _CHECKS[archive.check](part, archive.digest)
            part.replace(target)
            return
        except DataError as error:
            reasons.append(f"{url} {error}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError("; ".join(reasons))


def _download(url: str, part: Path, bar: Bar | None) -> None:
    """One archive into `part`; raises DataError about the network, OSError about the disk."""
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(progressbar=bar or True, chunk_size=_CHUNK, timeout=_PATIENCE)(url, str(part), None)
    except requests.HTTPError as error:
        raise DataError(f"answered {getattr(error.response, 'status_code', error)}") from error
    except requests.Timeout as error:
        raise DataError(f"did not answer within {_PATIENCE:g} s") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise DataError("broke off in the middle") from error
    except requests.RequestException as error:
        raise DataError(f"cannot be reached, or fell silent ({type(error).__name__})") from error


def _check_contents(part: Path, expected: str) -> None:
    """Raise DataError unless the gzip archive holds what it should."""
    digest, size = hashlib.sha256(), 0
    try:
        with gzip.open(part) as content:
            while chunk := content.read(2**20):
                size += len(chunk)
                if size > LARGEST_FILE:
                    raise DataError(f"sent more than {LARGEST_FILE:,} bytes")
                digest.update(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"sent {part.stat().st_size:,} bytes that are no whole gzip file") from error
    if digest.hexdigest() != expected:
        raise DataError(f"sent another file: its contents should have sha256 {expected}, got {digest.hexdigest()}")


def _check_file(part: Path, expected: str) -> None:
    """Raise DataError unless the file has this sha256, whether it is an archive or not."""
    with part.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected:
        raise DataError(
            f"sent another file ({part.stat().st_size:,} bytes): it should have sha256 {expected}, got {got}"
        )


_CHECKS: dict[str, Callable[[Path, str], None]] = {
    CONTENTS: _check_contents,  # archives of one file differ by who packed it
    AS_SENT: _check_file,
}
