"""Fetching what is missing of a data set. pooch only to download; no torch.

`python -m boundlab.data.download NAME STATUS_FILE` downloads in a process of its own and reports to STATUS_FILE.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boundlab.data.locate import download_size, folder_of, locate, missing
from boundlab.data.mirrors import Bar, DownloadProgress, from_mirrors, part_size
from boundlab.data.published import FILES, FOLDERS, MIRRORS, sent_as
from boundlab.errors import BoundlabError, DataError
from boundlab.specs.catalog import SHIPPED
from boundlab.system.files import write_atomic


def fetch(name: str, root: str | Path | None = None, progress: DownloadProgress | None = None) -> dict[str, Path]:
    """Where the published files of a data set lie, {} for those that have none; what is missing is downloaded first.

    One process downloads at a time. BOUNDLAB_MIRROR, a base URL with MNIST's .gz files under it and the others' in their
    `FOLDERS`, is tried first. Files are checked before they get their names, so that no ending of the process leaves half
    a file. `progress` None: a bar in the terminal. Raises ValueError for an unknown name, DataError for the rest.
    """
    absent = missing(name, root)
    files = {file: locate(name, file, root) for file in FILES.get(name, {}) if file not in absent}
    if not absent:
        return files
    folder = folder_of(name, root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(name, root, progress):
            _download(name, missing(name, root), folder, progress)
    except DataError as error:
        raise DataError(
            f"{SHIPPED[name].title} is not at {folder} and could not be downloaded ({error}). "
            f"Put {', '.join(map(sent_as, FILES[name]))} there, or point BOUNDLAB_DATA (or --data-root) at a folder "
            f"that has {FOLDERS[name]}, or BOUNDLAB_MIRROR at a web address that has these files"
        ) from error
    except OSError as error:  # of the disk: those of the network are DataErrors
        raise DataError(_no_room(name, root, error)) from error
    return {file: locate(name, file, root) for file in FILES[name]}


def _download(name: str, files: Sequence[str], folder: Path, progress: DownloadProgress | None) -> None:
    bar = Bar({sent_as(file): FILES[name][file].size for file in files}, progress) if progress else None
    for file in files:
        from_mirrors([*_own_mirror(name), *MIRRORS[name]], FILES[name][file], folder / sent_as(file), bar)


def _own_mirror(name: str) -> list[str]:
    """Where BOUNDLAB_MIRROR has a data set; only MNIST's files lie at its top, since three data sets use the same names."""
    url = os.environ.get("BOUNDLAB_MIRROR")
    return [] if not url else [url if name == "mnist" else f"{url.rstrip('/')}/{FOLDERS[name].as_posix()}"]


def _no_room(name: str, root: str | Path | None, error: OSError) -> str:
    what = f"{SHIPPED[name].title} needs {download_size(name, root) / 1e6:.1f} MB in {folder_of(name, root)}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{what}, but the disk or a quota is full ({error.strerror}); make room, or set BOUNDLAB_DATA elsewhere"
    return f"{what}, which cannot be written ({error.strerror or error}); set BOUNDLAB_DATA to a folder of yours"


@contextmanager
def _turn(name: str, root: str | Path | None, progress: DownloadProgress | None) -> Iterator[None]:
    """Hold the folder's download lock; while another process has it, report that one's progress."""
    folder = folder_of(name, root)
    with (folder / ".download.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress:
                    whole, left = sum(a.size for a in FILES[name].values()), download_size(name, root)
                    begun = sum(part_size(folder / sent_as(file)) for file in FILES[name])
                    progress(min(whole, whole - left + begun), whole, "")
                time.sleep(0.25)
        yield


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
        sys.exit("usage: python -m boundlab.data.download NAME STATUS_FILE")
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
