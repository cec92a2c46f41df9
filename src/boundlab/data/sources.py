"""Files of the data sets: where they lie, which are missing, and fetching those. No torch, and pooch only to download.

`python -m boundlab.data.sources NAME STATUS_FILE` downloads in a process of its own and reports to STATUS_FILE.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boundlab.data.mirrors import Archive, Bar, DownloadProgress, from_mirrors, part_size
from boundlab.errors import BoundlabError, DataError
from boundlab.specs.own_data import DATASETS, data_root
from boundlab.system.files import write_atomic
from boundlab.validation import one_of

AS_SENT = "sha256 of the file"
MIRRORS: dict[str, tuple[str, ...]] = {  # the publishers' own; without encryption only where that does not answer
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion_mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "kmnist": ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    "svhn": ("https://ufldl.stanford.edu/housenumbers/", "http://ufldl.stanford.edu/housenumbers/"),
}
FILES = {
    "mnist": {
        "train-images-idx3-ubyte": Archive(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 9_912_422
        ),
        "train-labels-idx1-ubyte": Archive("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 28_881),
        "t10k-images-idx3-ubyte": Archive(
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 1_648_877
        ),
        "t10k-labels-idx1-ubyte": Archive("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 4_542),
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": Archive(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880, AS_SENT
        ),
        "train-labels-idx1-ubyte": Archive(
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515, AS_SENT
        ),
        "t10k-images-idx3-ubyte": Archive(
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102, AS_SENT
        ),
        "t10k-labels-idx1-ubyte": Archive(
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148, AS_SENT
        ),
    },
    "kmnist": {
        "train-images-idx3-ubyte": Archive(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18_165_135, AS_SENT
        ),
        "train-labels-idx1-ubyte": Archive(
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29_497, AS_SENT
        ),
        "t10k-images-idx3-ubyte": Archive(
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3_041_136, AS_SENT
        ),
        "t10k-labels-idx1-ubyte": Archive(
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5_120, AS_SENT
        ),
    },
    "svhn": {
        "train_32x32.mat": Archive(
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8", 182_040_794, AS_SENT
        ),
        "test_32x32.mat": Archive(
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b", 64_275_384, AS_SENT
        ),
    },
}
FOLDERS = {  # as torchvision lays them out
    "mnist": Path("MNIST", "raw"),
    "fashion_mnist": Path("FashionMNIST", "raw"),
    "kmnist": Path("KMNIST", "raw"),
    "svhn": Path("SVHN"),
}


def _sent_as(file: str) -> str:
    """The name under which a file is published."""
    return file if file.endswith(".mat") else f"{file}.gz"


def _place(name: str, file: str, root: str | Path | None) -> Path | None:
    folder = data_root(root) / FOLDERS[name]
    usual = next((path for path in (folder / file, folder / _sent_as(file)) if os.path.exists(path)), None)
    return usual or _renamed(folder, file)


def _renamed(folder: Path, file: str) -> Path | None:
    """The file as browsers and other tools name it: train-images.idx3-ubyte, "train-images-idx3-ubyte (1).gz", upper case."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # no folder
        return None
    for name in names:
        usual = re.sub(r"[ _]?\(\d+\)", "", name.lower()).replace(".idx", "-idx")
        if usual in (file.lower(), _sent_as(file).lower()):
            return folder / name
    return None


def locate(name: str, file: str, root: str | Path | None = None) -> Path:
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
    """Bytes that `fetch` has to download, by the usual archives: 11.6 MB for the whole of MNIST, 246 MB for SVHN."""
    return sum(FILES[name][file].size for file in missing(name, root))


def fetch(name: str, root: str | Path | None = None, progress: DownloadProgress | None = None) -> None:
    """Download what is missing, one process at a time; raises DataError. `progress` None: a bar in the terminal.

    BOUNDLAB_MIRROR, a base URL with MNIST's .gz files under it and the others' in their `FOLDERS`, is tried first. Files
    are checked before they get their names, so that no ending of the process leaves half a file.
    """
    absent = missing(name, root)
    for file in FILES.get(name, {}):
        if file not in absent:
            locate(name, file, root)  # no folder in its place
    if not absent:
        return
    folder = data_root(root) / FOLDERS[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _turn(name, root, progress):
            files = missing(name, root)
            bar = Bar({_sent_as(file): FILES[name][file].size for file in files}, progress) if progress else None
            for file in files:
                from_mirrors([*_own_mirror(name), *MIRRORS[name]], FILES[name][file], folder / _sent_as(file), bar)
    except DataError as error:
        raise DataError(
            f"{DATASETS[name].title} is not at {folder} and could not be downloaded ({error}). "
            f"Put {', '.join(map(_sent_as, FILES[name]))} there, or point BOUNDLAB_DATA (or --data-root) at a folder "
            f"that has {FOLDERS[name]}, or BOUNDLAB_MIRROR at a web address that has these files"
        ) from error
    except OSError as error:  # of the disk: those of the network are DataErrors
        raise DataError(_no_room(name, root, error)) from error


def _own_mirror(name: str) -> list[str]:
    """Where BOUNDLAB_MIRROR has a data set; only MNIST's files lie at its top, since three data sets use the same names."""
    url = os.environ.get("BOUNDLAB_MIRROR")
    return [] if not url else [url if name == "mnist" else f"{url.rstrip('/')}/{FOLDERS[name].as_posix()}"]


def _no_room(name: str, root: str | Path | None, error: OSError) -> str:
    what = f"{DATASETS[name].title} needs {download_size(name, root) / 1e6:.1f} MB in {data_root(root) / FOLDERS[name]}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{what}, but the disk or a quota is full ({error.strerror}); make room, or set BOUNDLAB_DATA elsewhere"
    return f"{what}, which cannot be written ({error.strerror or error}); set BOUNDLAB_DATA to a folder of yours"


@contextmanager
def _turn(name: str, root: str | Path | None, progress: DownloadProgress | None) -> Iterator[None]:
    """Hold the folder's download lock; while another process has it, report that one's progress."""
    folder = data_root(root) / FOLDERS[name]
    with (folder / ".download.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress:
                    whole, left = sum(a.size for a in FILES[name].values()), download_size(name, root)
                    begun = sum(part_size(folder / _sent_as(file)) for file in FILES[name])
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
        sys.exit("usage: python -m boundlab.data.sources NAME STATUS_FILE")
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
