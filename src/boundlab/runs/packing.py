"""A new part of a pack, made of run folders. A part that is there is never written again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from boundlab.errors import RunError
from boundlab.runs.certificates import CERTIFICATES
from boundlab.runs.coded import CODED, TRAINED, trained_network_file
from boundlab.runs.folder import list_runs
from boundlab.runs.pack import network_file, open_parts, part_folders
from boundlab.runs.part import CHECKPOINTS, INDEX, RECORDS, write_part
from boundlab.runs.run import Found, Run
from boundlab.runs.thinning import MOST_RECORDS, thinned
from boundlab.specs.run import RunSpec
from boundlab.system.files import make_folder, write_atomic

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def new_part(out: Path, name: str | None) -> Path:
    """The folder of a part that is to be written: `name` in the pack `out`, None: `out` itself, its first. Raises RunError
    where that is none, or one is there."""
    if name is not None and (name == CHECKPOINTS or not _NAME.fullmatch(name)):
        raise RunError(
            f"a part's name must be small letters, digits, - and _, and not {CHECKPOINTS}; got {name[:60]!r}"
        )
    part = out / name if name else out
    if (part / INDEX).exists():
        raise RunError(f"{part} is a part of a pack already, and those are never written again; give another --part")
    if (part / RECORDS).exists() or any((part / CHECKPOINTS).glob("*.safetensors")):
        raise RunError(f"{part} has pieces of a part but no {INDEX}; restore it, or give another --part")
    return part


def packed_ids(out: Path) -> set[str]:
    """The runs of the pack `out`, none where there is no pack yet. Raises RunError for a damaged one: what cannot be read would
    be packed again."""
    if not part_folders(out):
        return set()
    parts = open_parts(out)
    for part, found in parts.items():
        for name, why in found.left_out.items():
            raise RunError(f"{part} is damaged ({name}: {why}); restore it, or give another --out")
    return {run.id for found in parts.values() for run in found.runs}


def unpacked(out: Path, grid: Sequence[RunSpec]) -> list[RunSpec]:
    """What of a grid no part of the pack `out` has; raises RunError for a damaged one."""
    packed = packed_ids(out)
    return [spec for spec in grid if spec.id not in packed]


def pack(
    out: Path,
    folders: Path,
    checkpoints: Sequence[str],
    name: str | None = None,
    grid: Sequence[RunSpec] | None = None,
    most: int = MOST_RECORDS,
    say: Callable[[Found], None] = lambda found: None,
) -> int:
    """Write the finished runs below `folders` that no part of the pack `out` has as a new part; returns how many they are.

    `checkpoints`: patterns of ids whose networks are kept. `name`: as for `new_part`. `grid`: only its runs. `most`: records of
    each run, as for `thinned`. `say` gets what lies below `folders`, with what was left out of it. Raises RunError and
    ValueError, and then nothing is written.
    """
    part, packed = new_part(out, name), packed_ids(out)
    wanted = None if grid is None else {spec.id for spec in grid}
    found = list_runs(folders)
    say(found)
    fresh = [run for run in found.runs if run.state == "done" and run.id not in packed]
    fresh = [run for run in fresh if wanted is None or run.id in wanted]
    if not fresh:
        raise RunError(
            f"no finished runs in {folders} that are not packed yet; train some with `boundlab sweep GRID --out {folders}`"
        )
    thin = [dataclasses.replace(run, records=thinned(run.records, most)) for run in fresh]
    files = _networks([run.id for run in fresh if any(fnmatch(run.id, p) for p in checkpoints)], folders, part)
    files |= _made_for_certificates(fresh, folders, part)
    try:
        make_folder(part / CHECKPOINTS)
        for place, network in files.items():
            make_folder(place.parent)
            write_atomic(place, network.read_bytes())
        write_part(thin, part)
    except OSError:  # half a part would be in the way of the next try; all of it is ours (`new_part`)
        for name in (RECORDS, INDEX, CERTIFICATES, CODED, TRAINED):
            (part / name).unlink(missing_ok=True)
        for place in files:
            place.unlink(missing_ok=True)
        raise
    return len(fresh)


def _networks(kept: list[str], folders: Path, part: Path) -> dict[Path, Path]:
    """Where the networks of finished runs go, and where they are; raises RunError where one is missing."""
    networks = {network_file(part, run): folders / run / "network.safetensors" for run in kept}
    for network in networks.values():
        if not network.is_file():
            raise RunError(f"{network.parent} has no network.safetensors; delete that folder and train it again")
    return networks


def _made_for_certificates(runs: Sequence[Run], folders: Path, part: Path) -> dict[Path, Path]:
    """The same of the networks that were made for a certificate."""
    files = {}
    for run in runs:
        if any(one.trained for one in run.coded):
            network = trained_network_file(folders / run.id, run.id)
            if not network.is_file():
                raise RunError(
                    f"{network} is not there, and {network.parent.parent / TRAINED} is about it; run `boundlab certify {run.id} "
                    f"--theorem d --train --runs {folders}` again"
                )
            files[trained_network_file(part, run.id)] = network
    return files
