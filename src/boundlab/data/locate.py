"""Where the published files of the data sets lie, and which are missing. Nothing is read here, and nothing fetched."""

from __future__ import annotations

import os
import re
from pathlib import Path

from boundlab.data.published import FILES, FOLDERS, sent_as
from boundlab.errors import DataError
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.own_data import DATASETS, data_root
from boundlab.validation import one_of


def folder_of(name: str, root: str | Path | None = None) -> Path:
    """Where the files of a data set belong."""
    return data_root(root) / FOLDERS[name]


def _place(name: str, file: str, root: str | Path | None) -> Path | None:
    folder = folder_of(name, root)
    usual = next((path for path in (folder / file, folder / sent_as(file)) if os.path.exists(path)), None)
    return usual or _renamed(folder, file)


def _renamed(folder: Path, file: str) -> Path | None:
    """The file as browsers and other tools name it: train-images.idx3-ubyte, "train-images-idx3-ubyte (1).gz", upper case."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # no folder
        return None
    for name in names:
        usual = re.sub(r"[ _]?\(\d+\)", "", name.lower()).replace(".idx", "-idx")
        if usual in (file.lower(), sent_as(file).lower()):
            return folder / name
    return None


def locate(name: str, file: str, root: str | Path | None = None) -> Path:
    """Where a file of a data set lies, plain or .gz; raises DataError when it is missing or no file."""
    path = _place(name, file, root)
    if path is None:
        raise DataError(f"{file} of {SHIPPED[name].title} is not in {folder_of(name, root)}; fetch it first")
    if not path.is_file():
        raise DataError(f"{path} should be a file; move what is there away")
    return path


def files_below(name: str, root: str | Path | None = None) -> list[str]:
    """The files of a data set, shipped or own, as they lie below the data root; [] where it needs none. Raises DataError for one
    that is missing."""
    base = data_root(root)
    if name in SHIPPED:
        return [locate(name, file, root).relative_to(base).as_posix() for file in FILES.get(name, {})]
    key = name.removeprefix("own-")
    return [f"own/{key}.{ending}" for ending in ("npz", "json")]


def missing(name: str, root: str | Path | None = None) -> list[str]:
    """Files of a data set that are not there, [] when it can be loaded; raises ValueError for an unknown name."""
    one_of("dataset", name, DATASETS)
    return [file for file in FILES.get(name, {}) if _place(name, file, root) is None]


def download_size(name: str, root: str | Path | None = None) -> int:
    """Bytes that `fetch` has to download, by the usual archives: 11.6 MB for the whole of MNIST, 246 MB for SVHN."""
    return sum(FILES[name][file].size for file in missing(name, root))
