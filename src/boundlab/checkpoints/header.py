"""What a .safetensors file says it holds, checked before any tensor is read; then its values, in small parts. No torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from safetensors import SafetensorError, deserialize

from boundlab.checkpoints.foreign import foreign_words
from boundlab.checkpoints.inferred import Chain, chain_of, proposed
from boundlab.errors import CheckpointError
from boundlab.specs.arch import ArchSpec
from boundlab.specs.geometry import MAX_WEIGHTS
from boundlab.specs.own_data import DATASETS
from boundlab.specs.shapes import LayerShape

LARGEST_DIMENSION = 1e30
_MOST_BYTES = 16 * MAX_WEIGHTS  # of a file: float64, with the initial weights
_MOST_HEADER = 2**20  # bytes; a network of 64 layers needs 30 kB
_DTYPES = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}
_PART = 2**20  # numbers looked at together
_QUOTE = 60  # letters of a name out of the file
_ECHO = 300  # letters of a sentence about its spec
_PREFIXES = ("module.", "_orig_mod.")  # of torch's DataParallel and compile
_REMEDY = "write it again with `boundlab export`, or with the code under “How to write such a file” (src/boundlab/checkpoints/snippet.py)"


class Stored(NamedTuple):
    """A tensor as the file has it: `dtype` "F16", "BF16", "F32" or "F64", `data` its bytes, little-endian, row by row."""

    dtype: str
    shape: tuple[int, ...]
    data: bytearray


@dataclass(frozen=True)
class Header:
    """A file whose names, dtypes and shapes are those of its spec, and what its tensors hold."""

    path: Path
    arch: ArchSpec
    tensors: dict[str, Stored]


class Unspecified(CheckpointError):
    """A file without spec whose tensors are a plain chain of layers; `spec`: what they say, with first answers to the rest."""

    def __init__(self, said: str, chain: Chain, spec: dict[str, Any]) -> None:
        self.said, self.chain, self.spec = said, chain, spec
        super().__init__(
            f"{said}; its tensors are a plain chain: give `boundlab evaluate` this as `--spec`, with stride, padding, pool, head, in_shape and "
            f"normalize set right: {json.dumps(spec)}"
        )

    def about(self, path: Path) -> Unspecified:
        """The same, naming the file."""
        return Unspecified(f"{path}: {self.said}", self.chain, self.spec)


def tensor_names(shapes: tuple[LayerShape, ...]) -> list[str]:
    """What a checkpoint calls the layers, input to output."""
    return [f"layers.{i}" for i in range(len(shapes) - 1)] + ["output"]


def read_header(path: str | Path, dataset: str | None) -> Header:
    """Check a file's header; `dataset`: its constants are the network's `normalize` where the spec leaves that out.

    The file is opened once, since it may be replaced meanwhile, and read whole only when it has the size that its header
    announces, which has at most 1 MiB. Raises CheckpointError in one sentence, Unspecified where the spec alone is missing.
    """
    path = Path(path)
    spec, tensors = _tensors_of(path)
    try:
        if spec is None:
            _check_numbers("", {name: part for name, part in tensors.items() if part.dtype in _DTYPES})
            raise _unspecified(tensors, dataset)
        arch = _arch(spec, dataset)
        _check_tensors(tensors, _expected(arch))
    except CheckpointError as error:
        raise error.about(path) if isinstance(error, Unspecified) else CheckpointError(f"{path}: {error}") from error
    return Header(path, arch, tensors)


def bare_tensors(path: Path) -> dict[str, Stored]:
    """A file's tensors, whatever its spec, without the prefixes that all of their names have; raises CheckpointError."""
    return _tensors_of(path)[1]


def _tensors_of(path: Path) -> tuple[str | None, dict[str, Stored]]:
    """The spec as it stands there, and the tensors."""
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            entries, content = _entries(file)
        found = _bare(deserialize(content))  # refuses what overlaps, leaves gaps, or ends elsewhere than the file
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a complete .safetensors file ({str(error).splitlines()[0]})") from error
    tensors = {name: Stored(part["dtype"], tuple(part["shape"]), part["data"]) for name, part in found}
    return entries.get("__metadata__", {}).get("spec"), tensors


def _unspecified(tensors: dict[str, Stored], dataset: str | None) -> CheckpointError:
    """What to say of a file without spec, and where it holds a plain chain, the chain and a spec to begin with."""
    begin = "the header has no metadata entry 'spec', so nothing says what network it is"
    try:
        chain = chain_of({name: stored.shape for name, stored in tensors.items()})
        facts = DATASETS[dataset] if dataset else None
        spec = proposed(chain, facts.in_shape if facts else (1, 28, 28), facts.normalize if facts else None)
        return Unspecified(begin, chain, spec)
    except CheckpointError as error:
        return CheckpointError(f"{begin}, and {error}; or {_REMEDY}")


def check_fit(header: Header, dataset: str, classes: int | None = None) -> None:
    """Raises CheckpointError unless the network looks at images of `dataset` and has its number of classes (`classes`: that
    of a sub-task)."""
    arch, data = header.arch, DATASETS[dataset]
    if not data.fits(arch.in_shape) or arch.classes != (classes or data.classes):
        raise CheckpointError(
            f"{header.path}: the network takes {list(arch.in_shape)} inputs and has {arch.classes} classes, "
            f"{dataset} has {list(data.in_shape)} and {classes or data.classes}; choose data that fit"
        )


def check_values(header: Header) -> None:
    """Look at every number, a few MB at a time; raises CheckpointError where one is not finite or absurdly large."""
    _check_numbers(f"{header.path}: ", header.tensors)


def _check_numbers(what: str, tensors: dict[str, Stored]) -> None:
    for name, (dtype, _, data) in tensors.items():
        numbers = np.frombuffer(data, _DTYPES[dtype])
        for first in range(0, len(numbers), _PART):
            _check_part(f"{what}{name[:_QUOTE]}", numbers[first : first + _PART], dtype)


def as_float64(stored: Stored) -> np.ndarray:
    """A tensor's numbers."""
    part = np.frombuffer(stored.data, _DTYPES[stored.dtype])
    if stored.dtype == "BF16":  # the upper half of a float32
        part = (part.astype(np.uint32) << 16).view(np.float32)
    return part.astype(np.float64).reshape(stored.shape)


def _check_part(what: str, part: np.ndarray, dtype: str) -> None:
    if dtype == "BF16":  # the upper half of a float32
        part = (part.astype(np.uint32) << 16).view(np.float32)
    top = float(np.abs(part).max())  # NaN where there is one
    if not np.isfinite(top):
        raise CheckpointError(f"{what} has NaN or infinite values; every weight must be finite")
    if top > LARGEST_DIMENSION:
        raise CheckpointError(f"{what} has weights above {LARGEST_DIMENSION:g}, beyond what can be measured")


def _entries(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """The header's JSON, and the whole file. Nothing is allocated that the file only claims to have."""

    def broken(why: str) -> CheckpointError:
        return CheckpointError(f"this is not a complete .safetensors file ({why}); save it with `safetensors`")

    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if size < 10 or length > size - 8:
        if words := foreign_words(file):
            raise CheckpointError(f"this is not a complete .safetensors file {words}")
        cut = f"it has {size:,} bytes, its beginning announces {length:,} for the header alone"
        announced = cut if length < _MOST_HEADER else "it does not begin as one"
        raise broken(announced if size >= 8 else f"it has {size} bytes")
    if length > _MOST_HEADER:
        raise CheckpointError(f"the header should have at most {_MOST_HEADER:,} bytes, it has {length:,}")
    header = file.read(length)
    try:
        entries = json.loads(header, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise broken(f"its header is not JSON: {str(error)[:_QUOTE]}") from error
    if not isinstance(entries, dict):
        raise broken("its header is not a JSON object")
    if size > _MOST_BYTES:
        raise CheckpointError(f"a checkpoint should have at most {_MOST_BYTES:,} bytes, it has {size:,}")
    return entries, start + header + file.read()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ: of equal ones, two readers might each take another."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _arch(text: str, dataset: str | None) -> ArchSpec:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the metadata entry 'spec' is not JSON ({_cut(str(error))})") from error
    if isinstance(given, dict) and given.get("classes") == 1:
        raise CheckpointError(
            "the network has one output, the bounds are about one output per class: write it with two, weights -w/2 and w/2 (and "
            "biases -b/2 and b/2), which decide as the sign of the one does"
        )
    normalize = DATASETS[dataset].normalize if dataset else None
    if isinstance(given, dict):
        given = {"normalize": list(normalize) if normalize else None} | given
    try:
        return ArchSpec.from_dict(given)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"spec: {_cut(str(error))}") from error


def _expected(arch: ArchSpec) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that must be there."""
    shapes = arch.shapes()
    wanted: dict[str, tuple[int, ...]] = {}
    for name, shape in zip(tensor_names(shapes), shapes, strict=True):
        wanted[f"{name}.weight"] = shape.weight_shape
        if shape.bias:
            wanted[f"{name}.bias"] = shape.bias_shape
    return wanted


def _cut(text: str) -> str:
    return text if len(text) <= _ECHO else f"{text[:_ECHO]} ..."


def _bare(found: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The tensors without the prefixes that all of their names have."""
    for prefix in _PREFIXES * 2:  # in either order
        names = [name.removeprefix("init.") for name, _ in found]
        if names and all(name.startswith(prefix) for name in names):
            leads = ["init." if name.startswith("init.") else "" for name, _ in found]
            pairs = zip(leads, names, found, strict=True)
            found = [(lead + name.removeprefix(prefix), part) for lead, name, (_, part) in pairs]
    return found


def _check_tensors(tensors: dict[str, Stored], expected: dict[str, tuple[int, ...]]) -> None:
    keys = set(tensors)
    if missing := sorted(set(expected) - keys):
        raise CheckpointError(f"missing tensors {missing[:3]} (of {len(missing)}); the spec calls for {len(expected)}")
    known = expected | {f"init.{name}": shape for name, shape in expected.items()}
    if unknown := sorted(keys - set(known)):
        shown = [name[:_QUOTE] for name in unknown[:3]]
        raise CheckpointError(
            f"unknown tensors {shown} (of {len(unknown)}); the spec calls for {sorted(expected)[:3]} ..."
        )
    for key in sorted(keys):
        dtype, shape, _ = tensors[key]
        if shape != known[key]:
            raise CheckpointError(f"{key} should have shape {list(known[key])}, got {list(shape)[:8]}")
        if dtype not in _DTYPES:
            raise CheckpointError(f"{key} should be one of {', '.join(_DTYPES)}, got {dtype}")
