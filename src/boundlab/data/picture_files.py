"""PictureFile files, or the bytes of some, as arrays: PNG, JPEG, BMP, WebP. Pillow, no torch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from boundlab.data.pictures import Array, Part, Pictures, check_classes, check_size
from boundlab.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_WANTED = "a PNG, JPEG, BMP or WebP picture"
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA")
_NAMED, _QUOTE = 5, 60  # of files that are no pictures: so many, and letters of the reason
_PIXELS = 64_000_000  # of one picture: a small file can unpack to any size
_ORIENTATION = 0x0112  # EXIF; from 5 on the picture lies on its side
# (place, bytes there, what such a file is), of files that are given another's ending
_SIGNATURES = (
    (0, b"GIF8", "a GIF picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyphei", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIC picture"),
    (0, b"\0\0\x01\0", "an ICO picture"),
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML file"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
)


class Packed(NamedTuple):
    """A picture inside another file: what to call it, and its bytes."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


PictureFile = Path | Packed
_T = TypeVar("_T")


class _NoPicture(DataError):
    """Of one file: what it should be and is not."""

    def __init__(self, file: PictureFile, wanted: str, got: str, remedy: str) -> None:
        super().__init__(f"{file} should {wanted}, got {got}; {remedy}")
        self.name = f"{file.parent.name}/{file.name}" if isinstance(file, Path) else str(file)
        self.got = got


@dataclass(frozen=True)
class _Looks:
    """What a picture's header says: height and width upright, and whether it has colours."""

    size: tuple[int, int]
    colour: bool


def read_pictures(
    parts: Sequence[Mapping[str, Sequence[PictureFile]]],
    size: tuple[int, int] | None,
    grey: bool,
    store: bool,
    what: str,
) -> Pictures:
    """One or two parts, each class name -> its pictures, classes in their order; raises DataError.

    `size`: (height, width) to which each is scaled whatever its shape (bilinear); None: all must have one size. Three
    channels unless all are grey; `grey` weighs them by ITU-R 601. `store`: their numbers must be those of a data set.
    """
    every = [file for part in parts for files in part.values() for file in files]
    looks = list(zip(every, _all(_looks, every), strict=True))  # unreadable: said first
    counts = [{name: len(files) for name, files in part.items()} for part in parts]
    if store:
        check_classes(counts[0], counts[1] if len(counts) > 1 else None, what)
    if not looks:
        raise DataError(f"{what} should hold pictures, got none")
    size = size or _common(looks)
    channels = 3 if not grey and any(look.colour for _, look in looks) else 1
    check_size(len(looks), (channels, *size))
    names = tuple(dict.fromkeys(name for part in parts for name in part))
    train, *test = (_decoded(part, names, channels, size) for part in parts)
    return Pictures(train, test[0] if test else None, names)


def _all(read: Callable[[PictureFile], _T], files: Iterable[PictureFile]) -> list[_T]:
    """What `read` makes of every file; raises one DataError for all that are no pictures."""
    found: list[_T] = []
    refused: list[_NoPicture] = []
    for file in files:
        try:
            found.append(read(file))
        except _NoPicture as error:
            refused.append(error)
    if len(refused) > 1:
        some = ", ".join(f"{one.name} ({one.got[:_QUOTE]})" for one in refused[:_NAMED])
        more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        raise DataError(
            f"{len(refused)} files are not {_WANTED} that can be read: {some}{more}; convert, mend or remove them"
        )
    if refused:
        raise refused[0]
    return found


@contextmanager
def _opened(file: PictureFile) -> Iterator[Image.Image]:
    """Raises DataError for what is no picture, within the block too: Pillow decodes late."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file if isinstance(file, Path) else io.BytesIO(file.content), formats=_FORMATS) as image:
                yield image
    except DataError:
        raise
    except Exception as error:  # decoders raise what they like on damaged bytes
        unknown = (
            "bytes of no picture" if isinstance(error, UnidentifiedImageError) else " ".join(str(error).split())[:200]
        )
        reason = _real_format(file) or unknown or type(error).__name__
        raise _NoPicture(file, f"be {_WANTED}", reason, "convert, mend or remove it") from error


def _real_format(file: PictureFile) -> str:
    """What a file is by its first bytes, "" where they do not say."""
    try:
        with file.open("rb") if isinstance(file, Path) else io.BytesIO(file.content) as opened:
            head = opened.read(32)
    except OSError:
        return ""
    if not head:
        return "an empty file"
    plain = head.lstrip().lower()
    return next(
        (name for place, sign, name in _SIGNATURES if head[place:].startswith(sign) or plain.startswith(sign.lower())),
        "",
    )


def _looks(file: PictureFile) -> _Looks:
    if isinstance(file, Path) and not (file.is_file() and file.suffix.lower() in ENDINGS):
        kind = (
            "another folder"
            if file.is_dir()
            else f"a {file.suffix} file"
            if file.is_file() and file.suffix
            else "something else"
        )
        raise _NoPicture(file, "be a .png, .jpg, .bmp or .webp file", kind, "convert or remove it")
    with _opened(file) as image:
        if image.mode not in _GREY + _COLOUR:
            raise _NoPicture(file, "be grey or RGB with 8 bits per channel", f"mode {image.mode}", "convert it first")
        width, height = image.size
        if width * height > _PIXELS:
            raise _NoPicture(file, f"have at most {_PIXELS:,} pixels", f"{width}×{height}", "scale it down first")
        lying = image.getexif().get(_ORIENTATION, 1) >= 5
        return _Looks((width, height) if lying else (height, width), image.mode in _COLOUR)


def _pixels(file: PictureFile, channels: int, size: tuple[int, int]) -> Array:
    """(channels, height, width) uint8, upright, transparency on white."""
    with _opened(file) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            image = white
        image = image.convert("L" if channels == 1 else "RGB")
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(*size, channels).transpose(2, 0, 1)


def _common(looks: Sequence[tuple[PictureFile, _Looks]]) -> tuple[int, int]:
    first, size = looks[0][0], looks[0][1].size
    for file, look in looks:
        if look.size != size:
            (h, w), (h2, w2) = size, look.size
            raise DataError(
                f"all pictures should have one size, but {first} is {h}×{w} and {file} {h2}×{w2}; give --size"
            )
    return size


def _decoded(
    part: Mapping[str, Sequence[PictureFile]], names: Sequence[str], channels: int, size: tuple[int, int]
) -> Part:
    classes = [part.get(name, ()) for name in names]
    pixels = np.empty((sum(map(len, classes)), channels, *size), np.uint8)
    places = iter(pixels)

    def decoded(file: PictureFile) -> None:
        next(places)[...] = _pixels(file, channels, size)

    _all(decoded, (file for files in classes for file in files))
    return Part(pixels, np.repeat(np.arange(len(classes)), [len(files) for files in classes]))
