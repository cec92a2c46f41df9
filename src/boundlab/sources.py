"""Files of the data sets: where they lie, which are missing, and fetching those. No torch, and pooch only to download.

`python -m boundlab.sources NAME STATUS_FILE` downloads in a process of its own and reports to STATUS_FILE.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from boundlab.catalog import DATASETS
from boundlab.checks import one_of
from boundlab.errors import BoundlabError, DataError
from boundlab.files import write_atomic

LARGEST = 256 * 2**20  # bytes in an unpacked file
CHUNK = 2**16  # bytes between two reports
PATIENCE = 30.0  # seconds without a byte before the next mirror is tried
Progress = Callable[[int, int, str], None]  # (bytes so far, bytes in all, the file that is being fetched)


class Archive(NamedTuple):
    """A gzip archive: sha256 of what it holds (archives of one file differ by who packed it), and its usual size."""

    sha256: str
    size: int


MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
}
FILES = {
    "mnist": {
        "train-images-idx3-ubyte": Archive(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 9_912_422
        ),
        "train-labels-idx1-ubyte": Archive("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 28_881),
        "t10k-images-idx3-ubyte": Archive("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 1_648_877),
        "t10k-labels-idx1-ubyte": Archive("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 4_542),
    }
}
FOLDERS = {"mnist": Path("MNIST", "raw")}


def data_root(root: str | Path | None = None) -> Path:
    """`root`, else BOUNDLAB_DATA, else a cache folder of the user."""
    given = root or os.environ.get("BOUNDLAB_DATA")
    return Path(given) if given else Path.home() / ".cache" / "boundlab"


def _place(name: str, file: str, root: str | Path | None) -> Path | None:
    folder = data_root(root) / FOLDERS[name]
    return next((path for path in (folder / file, folder / f"{file}.gz") if path.exists()), None)


def find(name: str, file: str, root: str | Path | None = None) -> Path:
    """Where a file of a data set lies, plain or .gz; raises DataError when it is missing or no file."""
    path = _place(name, file, root)
    if path is None:
        raise DataError(f"{file} of {DATASETS[name].title} is not in {data_root(root) / FOLDERS[name]}; fetch it first")
    if not path.is_file():
        raise DataError(f"{path} should be a file; move what is there away")
    return path


def missing(name: str, root: str | Path | None = None) -> list[str]:
    """Files of a data set that are not there, [] when it can be loaded; raises ValueError for an unknown name."""
    one_of("dataset", name, DATASETS)
    return [file for file in FILES.get(name, {}) if _place(name, file, root) is None]


def download_size(name: str, root: str | Path | None = None) -> int:
    """Bytes that `fetch` has to download, by the usual archives: about 11.6 MB for the whole of MNIST."""
    return sum(FILES[name][file].size for file in missing(name, root))


def fetch(name: str, root: str | Path | None = None, progress: Progress | None = None) -> None:
    """Download what is missing, one process at a time; raises DataError. `progress` None: a bar in the terminal.

    BOUNDLAB_MIRROR, a base URL with the .gz files under it, is tried first. Contents are checked by sha256 before a
    file gets its name, so that no ending of the process leaves half a file.
    """
    if not missing(name, root):
        return
    folder = data_root(root) / FOLDERS[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(name, folder, progress):
            files = missing(name, root)
            bar = _Bar({file: FILES[name][file].size for file in files}, progress) if progress else None
            for file in files:
                _fetch(name, file, folder, bar)
    except OSError as error:  # everything about the network ends in _fetch
        raise DataError(_no_room(name, folder, error)) from error


def _no_room(name: str, folder: Path, error: OSError) -> str:
    what = f"{DATASETS[name].title} needs {download_size(name, folder.parents[1]) / 1e6:.1f} MB in {folder}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{what}, but the disk or a quota is full ({error.strerror}); make room, or set BOUNDLAB_DATA elsewhere"
    return f"{what}, which cannot be written ({error.strerror or error}); set BOUNDLAB_DATA to a folder of yours"


@contextmanager
def _turn(name: str, folder: Path, progress: Progress | None) -> Iterator[None]:
    """Hold the folder's download lock; while another process has it, report that one's progress."""
    with (folder / ".download.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress:
                    sizes = [path.stat().st_size for path in (_part(folder, file) for file in FILES[name]) if path.exists()]
                    whole = sum(archive.size for archive in FILES[name].values())
                    progress(min(whole, whole - download_size(name, folder.parents[1]) + sum(sizes)), whole, "")
                time.sleep(0.25)
        yield


def _part(folder: Path, file: str) -> Path:
    return folder / f".{file}.gz.part"


class _Bar:
    """pooch's progress bar: adds up files, and passes on bytes so far and in all."""

    def __init__(self, sizes: dict[str, int], progress: Progress) -> None:
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
        self.progress(sum(self.done.values()), sum(self.sizes.values()), f"{self.file}.gz")

    def close(self) -> None:
        self.done[self.file] = self.total


def _fetch(name: str, file: str, folder: Path, bar: _Bar | None) -> None:
    """Fetch one archive from the first mirror that has it; raises DataError, or OSError about the disk."""
    own = os.environ.get("BOUNDLAB_MIRROR")
    reasons = []
    for mirror in ([own.rstrip("/") + "/"] if own else []) + list(MIRRORS[name]):
        part = _part(folder, file)
        try:
            if bar:
                bar.start(file)
            _download(f"{mirror}{file}.gz", part, bar)
            _check(part, FILES[name][file].sha256)
            part.replace(folder / f"{file}.gz")
            return
        except DataError as error:
            reasons.append(f"{mirror}{file}.gz {error}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"{DATASETS[name].title} is not at {folder} and could not be downloaded ({'; '.join(reasons)}). "
        f"Put {', '.join(f + '.gz' for f in FILES[name])} there, or point BOUNDLAB_DATA (or --data-root) at a folder "
        f"that has {FOLDERS[name]}, or BOUNDLAB_MIRROR at a web address that has the .gz files"
    )


def _download(url: str, part: Path, bar: _Bar | None) -> None:
    """One archive into `part`; raises DataError about the network, OSError about the disk."""
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(progressbar=bar or True, chunk_size=CHUNK, timeout=PATIENCE)(url, str(part), None)
    except requests.HTTPError as error:
        raise DataError(f"answered {error.response.status_code}") from error
    except requests.Timeout as error:
        raise DataError(f"did not answer within {PATIENCE:g} s") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise DataError(f"broke off in the middle") from error
    except requests.RequestException as error:
        raise DataError(f"cannot be reached: {type(error).__name__}") from error


def _check(part: Path, expected: str) -> None:
    """Raise DataError unless the archive holds what it should."""
    digest, size = hashlib.sha256(), 0
    try:
        with gzip.open(part) as content:
            while chunk := content.read(2**20):
                size += len(chunk)
                if size > LARGEST:
                    raise DataError(f"sent more than {LARGEST:,} bytes")
                digest.update(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"sent {part.stat().st_size:,} bytes that are no whole gzip file") from error
    if digest.hexdigest() != expected:
        raise DataError(f"sent another file: its contents should have sha256 {expected}, got {digest.hexdigest()}")


def _report(path: Path, now: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(now | {"heartbeat": time.time()}) + "\n")


def main(name: str, path: Path) -> int:
    """Fetch `name`, writing state, bytes and heartbeat to `path` four times a second; 0, or 2 when it failed."""
    now: dict[str, Any] = {"state": "running", "bytes": 0, "total_bytes": 0, "file": "", "error": None}
    over = threading.Event()

    def progress(done: int, total: int, file: str) -> None:
        now.update(bytes=done, total_bytes=total, file=file)

    def tick() -> None:  # of its own, so that a slow server does not look like a dead process
        while not over.wait(0.25):
            _report(path, dict(now))

    ticker = threading.Thread(target=tick, daemon=True)
    try:
        progress(0, download_size(name), "")
        _report(path, now)
        ticker.start()
        fetch(name, progress=progress)
        now.update(state="done", bytes=now["total_bytes"])
    except (BoundlabError, ValueError) as error:
        now.update(state="failed", error=str(error))
        print(error, file=sys.stderr)
    over.set()
    if ticker.is_alive():
        ticker.join()
    _report(path, now)
    return 0 if now["state"] == "done" else 2


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m boundlab.sources NAME STATUS_FILE")
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
