"""Whatever somebody has images in, read: one reader for `boundlab data add` and for the library. No torch.

A file is known by its first bytes: .npz, IDX, CSV, Parquet (CSV and IDX also as .gz). A folder has such files, whose names say
which part they are, or pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.data.arrays import NAMES, read_arrays
from boundlab.data.folders import entries, held_out, part_of, read_folder, resolved
from boundlab.data.idx import decompressed, is_idx, parse_idx
from boundlab.data.labels import numbered
from boundlab.data.npz import CHANNELS, read_npz, said_of
from boundlab.data.picture_files import Packed, read_pictures
from boundlab.data.pictures import LARGEST_DATA, Array, Part, Pictures, check_size, greyed, scaled
from boundlab.data.tables import packed_pictures, parse_csv
from boundlab.errors import DataError

READABLE = (
    ".npz with x_train and y_train, CSV (a label, then the pixels), Parquet (image, label), a folder of IDX files, or a folder "
    "with a folder of pictures per class"
)
_ENDINGS = (".csv", ".tsv", ".parquet", ".npz", ".npy", ".gz")
_BESIDE = (".md", ".txt", ".json", ".html", ".yaml", ".yml", "")  # what lies beside data and is none
_ZIP, _PARQUET, _NPY = b"PK\x03\x04", b"PAR1", b"\x93NUMPY"


def read_source(
    source: Path | bytes,
    channels: Collection[int] = CHANNELS,
    store: bool = True,
    size: tuple[int, int] | None = None,
    grey: bool = False,
) -> Pictures:
    """What a file (or an .npz file's bytes) or a folder holds.

    `channels`, `store`: as `read_arrays` has them. `size`: (height, width) to scale to; `grey`: one channel. Raises DataError.
    """
    if isinstance(source, bytes):
        return _changed(read_npz(source, channels, store), size, grey)
    if not source.exists():
        raise DataError(
            f"{source} should be a folder of pictures or a file ({READABLE}), got nothing there; check the path"
        )
    if source.is_dir():
        files = _data_files(source)
        if not files:
            return read_folder(source, size, grey, store)
        if len(files) == 1 and files[0].suffix == ".npz":
            return read_source(files[0], channels, store, size, grey)
    else:
        files = [source]
        if _begins(source, _ZIP) or source.suffix.lower() == ".npz":
            return _changed(read_npz(source, channels, store), size, grey)
    if all(_begins(file, _PARQUET) for file in files):
        return _packed(source, files, size, grey, store)
    arrays = _arrays(source, files)
    with said_of(f"{source}: "):
        return _changed(read_arrays(arrays, channels, store), size, grey)


def _data_files(folder: Path) -> list[Path]:
    """The files that hold data, in a folder or the folder `data` in it; [] in a folder of pictures."""
    root = resolved(folder)
    for place in (folder, folder / "data"):
        inside = entries(place, root) if place.is_dir() else []
        files = [p for p in inside if p.is_file() and (p.suffix.lower() in _ENDINGS or _begins(p, b"\0\0"))]
        if files:
            unknown = [p.name for p in inside if p not in files and p.is_file() and p.suffix.lower() not in _BESIDE]
            if unknown:
                raise DataError(
                    f"{place} should hold data files of one kind, got {unknown[:3]} beside them; move those away"
                )
            return files
    return []


def _begins(path: Path, sign: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(sign)) == sign
    except OSError:
        return False


def _changed(pictures: Pictures, size: tuple[int, int] | None, grey: bool) -> Pictures:
    def changed(part: Part) -> Part:
        pixels = greyed(part.pixels) if grey else part.pixels
        return Part(scaled(pixels, size) if size and pixels.shape[2:] != size else pixels, part.labels)

    if size:
        images = len(pictures.train.labels) + (len(pictures.test.labels) if pictures.test else 0)
        check_size(images, (1 if grey else pictures.train.pixels.shape[1], *size))
    return Pictures(changed(pictures.train), changed(pictures.test) if pictures.test else None, pictures.class_names)


def _by_part(source: Path, files: Sequence[Path]) -> dict[str, list[Path]]:
    """Part -> its files, as their names say; those that say nothing are one whole, to train on."""
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(part_of(file.name) or "", []).append(file)
    if len(files) == 1 or set(found) == {""}:
        return {"train": list(files)}
    if "" in found or "train" not in found:
        names = [file.name for file in found.get("", files)]
        raise DataError(
            f"{source} should hold files with train, test or valid in their names, got {names[:5]}; rename them"
        )
    return {part: found[part] for part in held_out(list(found))}


def _packed(source: Path, files: Sequence[Path], size: tuple[int, int] | None, grey: bool, store: bool) -> Pictures:
    """Of Parquet files."""
    parts = [packed_pictures(part) for part in _by_part(source, files).values()]
    with said_of(f"{source}: "):
        names, labels = numbered([values for _, values, _ in parts])
    known = parts[0][2]
    grouped: list[dict[str, list[Packed]]] = []
    for (pictures, _, _), numbers in zip(parts, labels, strict=True):
        classes: dict[str, list[Packed]] = {names[number]: [] for number in np.unique(numbers)}
        for picture, number in zip(pictures, numbers, strict=True):
            classes[names[number]].append(picture)
        grouped.append(classes)
    made = read_pictures(grouped, size, grey, store, str(source))
    train, *test = (_as_stored(part, n) for part, n in zip((made.train, made.test), labels, strict=False) if part)
    own = store and known and set(names) <= set(map(str, range(len(known))))
    return Pictures(train, test[0] if test else None, tuple(known[int(name)] for name in names) if own else names)


def _as_stored(part: Part, numbers: Array) -> Part:
    """What was read class by class, in the order of the rows, whose classes are `numbers`."""
    place = np.argsort(np.argsort(numbers, kind="stable"))
    return Part(part.pixels[place], part.labels[place])


def _arrays(source: Path, files: Sequence[Path]) -> dict[str, Array]:
    """Name -> array, as `read_arrays` wants them, of CSV, IDX and .npy files."""
    if all(_begins(file, _NPY) for file in files):
        return {file.stem: _npy(file) for file in files}
    given: dict[str, Array] = {}
    for (_, part), names in zip(_by_part(source, files).items(), (NAMES[:2], NAMES[2:]), strict=False):
        contents = [(file, decompressed(file, 2 * LARGEST_DATA)) for file in part]
        read: Callable[..., Sequence[Any]] = _idx_pair if all(is_idx(c) for _, c in contents) else _csv_rows
        given |= zip(names, read(source, contents), strict=True)
    return given


def _npy(file: Path) -> Array:
    try:
        array: Array = np.load(file, allow_pickle=False)
        return array
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{file} should be an array of numbers (np.save), got: {' '.join(str(error).split())[:200]}"
        ) from error


def _idx_pair(source: Path, contents: Sequence[tuple[Path, bytes]]) -> Sequence[Array]:
    arrays = [parse_idx(content, file) for file, content in contents]
    images, labels = ([a for a in arrays if (a.ndim > 1) == whether] for whether in (True, False))
    if len(images) != 1 or len(labels) != 1:
        got = [f"{file.name} {a.shape}" for (file, _), a in zip(contents, arrays, strict=True)]
        raise DataError(
            f"{source} should hold one IDX file of images and one of labels for each part, got {got[:4]}; give the folder with both"
        )
    return images[0], labels[0]


def _csv_rows(source: Path, contents: Sequence[tuple[Path, bytes]]) -> Sequence[Array]:
    for file, content in contents:
        if b"\0" in content[:4096]:
            raise DataError(f"{file} should be one of: {READABLE}; got a file that begins with {content[:8].hex()}")
    rows = [parse_csv(content, str(file)) for file, content in contents]
    shapes = sorted({images.shape[1:] for images, _ in rows})
    if len(shapes) > 1:
        raise DataError(f"{source} should have images of one size, got {shapes[0]} and {shapes[1]}; separate them")
    return np.concatenate([images for images, _ in rows]), np.concatenate([labels for _, labels in rows])
