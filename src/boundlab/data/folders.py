"""Folders as people have them: training and test parts by name, one folder of pictures per class, and what systems leave there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from boundlab.data.labels import label_values
from boundlab.data.picture_files import PictureFile, read_pictures
from boundlab.data.pictures import Pictures
from boundlab.errors import DataError

# in any case of the letters; t10k: MNIST's
PARTS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "t10k"),
    "valid": ("valid", "val", "validation"),
}
# of Windows, macOS and Synology; hidden files are left out anyway
_LEFT_BEHIND = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r", "@eadir", "$recycle.bin")
_NAMED = 5  # files that are in the way
_Classes = dict[str, list[PictureFile]]


def resolved(path: Path) -> Path:
    """Where a path leads; raises DataError for a link that leads to itself."""
    try:
        return path.resolve()
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{path} should be a file or folder, got a link that leads round in a circle; remove it"
        ) from error


def entries(folder: Path, root: Path) -> list[Path]:
    """What lies in a folder, without hidden files and what systems leave behind; raises DataError for a link out of `root`."""
    found = sorted(folder.iterdir(), key=lambda path: _plain(path.name))
    found = [p for p in found if not p.name.startswith(".") and p.name.lower() not in _LEFT_BEHIND]
    for path in found:
        if not resolved(path).is_relative_to(root):
            raise DataError(f"{path} should lie in {root}, but is a link that leads out of it; copy what it leads to")
    return found


def part_of(name: str) -> str | None:
    """ "train", "test" or "valid" where a name has such a word in it, between what is no letter or digit."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((part for word in words for part, spellings in PARTS.items() if word in spellings), None)


def held_out(parts: Sequence[str]) -> list[str]:
    """Of these parts those to read: "train", then the one to test on, "valid" only where there is no "test"."""
    return ["train", *[part for part in ("test", "valid") if part in parts][:1]]


def read_folder(source: Path, size: tuple[int, int] | None = None, grey: bool = False, store: bool = True) -> Pictures:
    """Pictures from SOURCE/class/x.png, or SOURCE/train/class/x.png and SOURCE/test/class/x.png; raises DataError.

    Parts have the names of `PARTS`; classes the folders' names (NFC), in order of `labels.label_values`. The rest is
    `read_pictures`'.
    """
    root = resolved(source)
    whole = entries(source, root)
    split = _parts(source, whole, root)
    parts = [_classes(split[part], root) for part in held_out(list(split))] if split else [_classes(source, root)]
    names = _ordered(list(dict.fromkeys(name for part in parts for name in part)), source)
    ordered = [{name: part[name] for name in names if name in part} for part in parts]
    return read_pictures(ordered, size, grey, store, str(source))


def _parts(source: Path, whole: Sequence[Path], root: Path) -> dict[str, Path]:
    """Part -> its folder; {} where these are the classes themselves."""
    found: dict[str, list[Path]] = {}
    for path in whole:
        for part, spellings in PARTS.items():
            if path.name.lower() in spellings and path.is_dir():
                found.setdefault(part, []).append(path)
    train = found.get("train", [])
    if not train or not any(path.is_dir() for path in entries(train[0], root)):
        return {}
    named = [path for paths in found.values() for path in paths]
    if others := [path.name for path in whole if path not in named]:
        raise DataError(
            f"{source} should hold train, test and valid alone, got {others[:5]} beside them; move those away"
        )
    if twice := [[path.name for path in paths] for paths in found.values() if len(paths) > 1]:
        raise DataError(f"{source} should hold each part once, got {twice[0]}; put them together")
    return {part: paths[0] for part, paths in found.items()}


def _classes(folder: Path, root: Path) -> _Classes:
    """Class name -> its pictures."""
    classes: _Classes = {}
    if files := [path.name for path in entries(folder, root) if not path.is_dir()]:
        named = ", ".join(files[:_NAMED]) + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")
        it = "it" if len(files) == 1 else "them"
        raise DataError(
            f"{folder} should hold one folder of pictures per class, got the file{'s' * (len(files) > 1)} {named}; move {it}"
        )
    for path in entries(folder, root):
        if (name := _plain(path.name)) in classes:
            raise DataError(f"{folder} should hold each class once, got two folders {name!r}; put them together")
        classes[name] = list(entries(path, root))
    return classes


def _ordered(names: list[str], source: Path) -> list[str]:
    """By the rule for labels: names that are whole numbers in numerical order."""
    values = label_values(np.array(names, str), "the folders' names") if names else np.array(names)
    if len(set(values.tolist())) < len(names):
        raise DataError(f"{source} should hold each class once, got folders that are the same number, {names[:5]}")
    return [names[i] for i in np.argsort(values, kind="stable")]


def _plain(name: str) -> str:
    """A name as it is compared: macOS writes accents apart from their letters, others do not."""
    return unicodedata.normalize("NFC", name)
