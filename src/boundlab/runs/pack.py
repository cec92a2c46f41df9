"""A pack: parts, each written once, read as one store. The shipped one is data/runs: itself a part, and each folder in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from boundlab.errors import RunError
from boundlab.runs.part import CHECKPOINTS, INDEX, RECORDS, Samples, open_part
from boundlab.runs.places import PACK
from boundlab.runs.run import Found, Run


def part_folders(folder: Path) -> list[Path]:
    """The folders of a pack's parts: its own, where it is one, then those in it, by name."""
    inner = sorted({path.parent for name in (INDEX, RECORDS) for path in folder.glob(f"[!.]*/{name}")})
    return [place for place in (folder, *inner) if any((place / name).exists() for name in (INDEX, RECORDS))]


def network_file(part: Path, run: str) -> Path:
    """Where the network of a part's run lies, if it is kept."""
    return part / CHECKPOINTS / f"{run}.safetensors"


def pack_hash(folder: Path = PACK) -> str:
    """The sha256 of what `sha256sum` prints of every part's runs and records, by their paths below `folder`."""
    files = (part / name for part in part_folders(folder) for name in (INDEX, RECORDS) if (part / name).is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    ]
    return hashlib.sha256("".join(sorted(lines, key=lambda line: line.split("  ", 1)[1])).encode()).hexdigest()


def read_pack(folder: Path = PACK) -> list[Run]:
    """The runs of a pack that can be used, ordered by id; raises RunError."""
    return open_pack(folder).runs


def open_pack(folder: Path = PACK) -> Found:
    """All parts of a pack as one store, runs ordered by id. Raises RunError, as `open_parts` does."""
    parts = open_parts(folder)
    left_out: dict[str, str] = {}
    for part, found in parts.items():
        where = "" if part == folder else f" of part {part.name}"
        left_out |= {f"{name}{where}" if name in left_out else name: why for name, why in found.left_out.items()}
    return Found(sorted((run for found in parts.values() for run in found.runs), key=lambda run: run.id), left_out)


def open_parts(folder: Path = PACK) -> dict[Path, Found]:
    """What each part of a pack holds, by its folder. A damaged part costs that part alone, and a run that is in several counts
    in the first of them, both with a word; raises RunError where no part can be read."""
    known: Samples = []
    parts: dict[Path, Found] = {}
    errors = []
    for part in part_folders(folder) or [folder]:
        try:
            parts[part] = open_part(part, known)
        except RunError as error:
            errors.append(error)
            parts[part] = Found([], {f"part {part.name}": str(error)})
    if len(errors) == len(parts):
        raise errors[0]
    return _counted_once(parts)


def _counted_once(parts: dict[Path, Found]) -> dict[Path, Found]:
    """Every run in the first part that has it alone."""
    first: dict[str, Path] = {}
    once = {}
    for part, (runs, left_out) in parts.items():
        again = {
            f"{run.id} of part {part.name}": f"{first[run.id]} has it too, which counts"
            for run in runs
            if run.id in first
        }
        once[part] = Found([run for run in runs if run.id not in first], left_out | again)
        first = {run.id: part for run in runs} | first
    return once
