"""Pictures in folders, one folder per class, as arrays; scaling and greying of arrays. Pillow, no torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from boundlab.errors import DataError

Array = np.ndarray
LARGEST_DATA = 2 * 2**30  # bytes of a data set as float32
LONGEST = 4096  # pixels; of ArchSpec
_MOST_CLASSES = 1000
_SMALLER = "take fewer, smaller or grey images (pictures in a folder can be scaled with --size and --grey)"
_FORMATS = ("PNG", "JPEG", "BMP")
_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")
_PIXELS = 64_000_000  # of one picture: a small file can unpack to any size
_ORIENTATION = 0x0112  # EXIF; from 5 on the picture lies on its side


@dataclass(frozen=True)
class Part:
    """(n, channels, height, width) pixels, uint8 or float32 in [0, 1], and (n,) labels from 0 on, int64."""

    pixels: Array
    labels: Array


@dataclass(frozen=True)
class Pictures:
    """A data set before its test part is split off (None), or with it; class i has the name `class_names[i]`."""

    train: Part
    test: Part | None
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class _Looks:
    """What a picture's header says: height and width upright, and whether it has colours."""

    size: tuple[int, int]
    colour: bool


def check_size(n: int, shape: Sequence[int]) -> None:
    """Raise DataError when n images of this shape are too many values, or one of them is larger than a network takes."""
    looks = "×".join(map(str, shape))
    if max(shape) > LONGEST:
        raise DataError(f"images should be at most {LONGEST} pixels on a side, got {looks}; {_SMALLER}")
    if (size := 4 * n * math.prod(shape)) > LARGEST_DATA:
        raise DataError(
            f"{n:,} images of {looks} are {size / 2**30:.1f} GiB as float32, and "
            f"{LARGEST_DATA / 2**30:.0f} GiB is the most; {_SMALLER}"
        )


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Raises DataError for what is no picture, within the block too: Pillow decodes late."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                yield image
    except DataError:
        raise
    except Exception as error:  # decoders raise what they like on damaged bytes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path} should be a PNG, JPEG or BMP picture, got {reason}; mend or remove it") from error


def _looks(path: Path) -> _Looks:
    with _opened(path) as image:
        if image.mode not in _GREY + _COLOUR:
            raise DataError(
                f"{path} should be grey or RGB with 8 bits per channel, got mode {image.mode}; convert it first"
            )
        width, height = image.size
        if width * height > _PIXELS:
            raise DataError(f"{path} should have at most {_PIXELS:,} pixels, got {width}×{height}; scale it down first")
        lying = image.getexif().get(_ORIENTATION, 1) >= 5
        return _Looks((width, height) if lying else (height, width), image.mode in _COLOUR)


def _pixels(path: Path, channels: int, size: tuple[int, int]) -> Array:
    """(channels, height, width) uint8, upright, transparency on white."""
    with _opened(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            image = white
        image = image.convert("L" if channels == 1 else "RGB")
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(*size, channels).transpose(2, 0, 1)


def resolved(path: Path) -> Path:
    """Where a path leads; raises DataError for a link that leads to itself."""
    try:
        return path.resolve()
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{path} should be a file or folder, got a link that leads round in a circle; remove it"
        ) from error


def _entries(folder: Path, root: Path) -> list[Path]:
    """What lies in a folder, hidden files left out; raises DataError for a link that leads out of `root`."""
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in found:
        if not resolved(path).is_relative_to(root):
            raise DataError(f"{path} should lie in {root}, but is a link that leads out of it; copy what it leads to")
    return found


def _classes(folder: Path, root: Path) -> dict[str, list[Path]]:
    """Class name -> its pictures."""
    classes = {}
    for path in _entries(folder, root):
        if not path.is_dir():
            raise DataError(f"{folder} should hold one folder of pictures per class, got the file {path.name}; move it")
        classes[path.name] = _entries(path, root)
        for picture in classes[path.name]:
            if not picture.is_file() or picture.suffix.lower() not in _ENDINGS:
                kind = "another folder" if picture.is_dir() else "something else"
                raise DataError(f"{picture} should be a .png, .jpg or .bmp file, got {kind}; convert or remove it")
    return classes


def check_classes(train: dict[str, int], test: dict[str, int] | None, what: str) -> None:
    """Raise DataError unless the numbers of images per class name, of a whole where `test` is None, will do."""
    if not 2 <= len(train) <= _MOST_CLASSES:
        raise DataError(f"{what} should have 2 to {_MOST_CLASSES} classes, got {len(train)}")
    if test is not None and set(train) != set(test):
        odd = sorted(set(train) ^ set(test))
        raise DataError(
            f"{what} should have the same classes in both parts, got {odd[:5]} in one of them only; complete it"
        )
    need, of = (2, "training images") if test is not None else (3, "images (2 to train, 1 to test)")
    if scarce := [name for name, count in train.items() if count < need]:
        raise DataError(f"{what} should have at least {need} {of} per class, got {train[scarce[0]]} of {scarce[0]!r}")
    if bare := [name for name, count in (test or {}).items() if count < 1]:
        raise DataError(f"{what} should have at least 1 test image per class, got none of {bare[0]!r}")


def read_folder(source: Path, size: tuple[int, int] | None = None, grey: bool = False) -> Pictures:
    """Pictures from SOURCE/class/x.png, or SOURCE/train/class/x.png and SOURCE/test/class/x.png; raises DataError.

    `size`: (height, width) to which each is scaled whatever its shape (bilinear); None: all must have one size. Three
    channels unless all are grey; `grey` weighs them by ITU-R 601.
    """
    root = resolved(source)
    whole = _entries(source, root)
    split = {"train", "test"} <= {path.name for path in whole} and any(p.is_dir() for p in (source / "train").iterdir())
    if split and (others := sorted({path.name for path in whole} - {"train", "test"})):
        raise DataError(f"{source} should hold train and test alone, got {others[:5]} beside them; move those away")
    parts = [_classes(source / part, root) for part in ("train", "test")] if split else [_classes(source, root)]
    counts = [{name: len(files) for name, files in part.items()} for part in parts]
    looks = {
        path: _looks(path) for part in parts for files in part.values() for path in files
    }  # unreadable: said first
    check_classes(counts[0], counts[1] if split else None, str(source))
    size = size or _common(looks)
    channels = 3 if not grey and any(look.colour for look in looks.values()) else 1
    check_size(len(looks), (channels, *size))
    train, *test = (_decoded(list(part.values()), channels, size) for part in parts)
    return Pictures(train, test[0] if test else None, tuple(parts[0]))


def _common(looks: dict[Path, _Looks]) -> tuple[int, int]:
    first = next(iter(looks))
    size = looks[first].size
    for path, look in looks.items():
        if look.size != size:
            (h, w), (h2, w2) = size, look.size
            raise DataError(
                f"all pictures should have one size, but {first} is {h}×{w} and {path} {h2}×{w2}; give --size"
            )
    return size


def _decoded(classes: Sequence[Sequence[Path]], channels: int, size: tuple[int, int]) -> Part:
    pixels = np.empty((sum(map(len, classes)), channels, *size), np.uint8)
    for place, path in zip(pixels, (path for files in classes for path in files), strict=True):
        place[...] = _pixels(path, channels, size)
    return Part(pixels, np.repeat(np.arange(len(classes)), [len(files) for files in classes]))


def scaled(pixels: Array, size: tuple[int, int]) -> Array:
    """(n, channels, height, width) pixels at another (height, width), bilinear."""
    made = np.empty((*pixels.shape[:2], *size), pixels.dtype)
    for index in np.ndindex(pixels.shape[:2]):
        made[index] = np.asarray(Image.fromarray(pixels[index]).resize(size[::-1], Image.Resampling.BILINEAR))
    return made


def greyed(pixels: Array) -> Array:
    """(n, 1, height, width) from (n, 3, height, width): weights of ITU-R 601, for uint8 rounded as Pillow does."""
    if pixels.shape[1] == 1:
        return pixels
    made = np.empty((len(pixels), 1, *pixels.shape[2:]), pixels.dtype)
    for place, image in zip(made[:, 0], pixels, strict=True):
        weighed = np.tensordot((19595, 38470, 7471), image.astype(np.float64), 1)
        place[...] = (weighed + 32768) // 65536 if pixels.dtype == np.uint8 else weighed / 65536
    return made
