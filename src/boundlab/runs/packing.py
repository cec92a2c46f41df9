"""The shipped pack, rebuilt from run folders and from what is packed already."""

from __future__ import annotations

import dataclasses
import filecmp
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from boundlab.bounds.pac_bayes import replaced
from boundlab.errors import RunError
from boundlab.runs.folder import list_runs
from boundlab.runs.pack import open_pack, write_pack
from boundlab.runs.run import Found, Run
from boundlab.specs.run import RunSpec
from boundlab.system.files import make_folder, write_atomic


def pack(
    out: Path,
    folders: Path,
    checkpoints: Sequence[str],
    grid: Sequence[RunSpec] | None = None,
    train: Callable[[list[RunSpec]], bool] = lambda missing: True,
    say: Callable[[Found], None] = lambda found: None,
) -> int:
    """Add the finished runs below `folders` to the pack in `out`; returns how many it holds then.

    `checkpoints`: patterns of ids whose networks are kept. With `grid` the pack will hold the grid's runs alone, and what
    is neither packed nor finished goes to `train` first (False: it failed, and the pack stays as it was). `say` gets what lies
    below `folders`, with what was left out of it. Raises RunError, and then the pack stays as it was too.
    """
    packed = {run.id: run for run in _packed(out)}
    if grid is not None:
        wanted = {spec.id for spec in grid}
        packed = {name: run for name, run in packed.items() if name in wanted}
        missing = [spec for spec in grid if spec.id not in packed]
        if missing and not train(missing):
            return 0
    looked = folders.is_dir() or grid is None  # with a grid, everything may be packed already
    found = list_runs(folders) if looked else Found([], {})
    say(found)
    fresh = {run.id: run for run in found.runs if run.state == "done"}
    if grid is not None:
        fresh = {name: run for name, run in fresh.items() if name in wanted}
    if not fresh and (grid is None or not packed):
        raise RunError(f"no finished runs in {folders}; train some with `boundlab sweep GRID --out {folders}`")
    fresh = {name: _with_certificates(run, packed.get(name), folders, out) for name, run in fresh.items()}
    runs = list((packed | fresh).values())
    new = not (out / "pack.json").exists()
    try:
        kept = [run.id for run in runs if any(fnmatch(run.id, p) for p in checkpoints)]
        _write_checkpoints(kept, fresh, folders, out)
        write_pack(runs, out)
    except OSError:
        if new:  # half a pack would be in the way of the next try; all of it is ours (`_packed`)
            for leftover in (out / "epochs.parquet", *(out / "checkpoints").glob("*.safetensors")):
                leftover.unlink(missing_ok=True)
        raise
    return len(runs)


def _packed(out: Path) -> list[Run]:
    """The runs in `out`; none where there is no pack yet. Raises RunError for a damaged one: what cannot be read would be
    gone from the new one."""
    if (out / "pack.json").is_file():
        found = open_pack(out)
        for name, why in found.left_out.items():
            raise RunError(f"{out} is damaged ({name}: {why}); restore it, or give another --out")
        return found.runs
    if (out / "epochs.parquet").exists() or any((out / "checkpoints").glob("*.safetensors")):
        raise RunError(f"{out} has parts of a pack but no pack.json; restore it, or give an --out without them")
    return []


def _with_certificates(run: Run, packed: Run | None, folders: Path, out: Path) -> Run:
    """`run` with what it lacks of the packed run's certificates: under a fixed prior only if the network is the same."""
    ours, theirs = folders / run.id / "network.safetensors", out / "checkpoints" / f"{run.id}.safetensors"
    same = ours.is_file() and theirs.is_file() and filecmp.cmp(ours, theirs, shallow=False)
    kept = tuple(c for c in (packed.certificates if packed else ()) if same or c.prior == "learnt")
    for certificate in run.certificates:
        kept = replaced(kept, certificate)
    return dataclasses.replace(run, certificates=kept)


def _write_checkpoints(kept: list[str], fresh: dict[str, Run], folders: Path, out: Path) -> None:
    """Copy the networks of `kept`; those of runs that were packed earlier, and have no folder here, stay as they are."""
    if gone := [name for name in kept if name in fresh and not (folders / name / "network.safetensors").is_file()]:
        raise RunError(f"{folders / gone[0]} has no network.safetensors; delete that folder and train it again")
    target = out / "checkpoints"
    make_folder(target)
    for old in target.glob("*.safetensors"):
        if old.stem not in kept:
            old.unlink()
    for name in kept:
        if name in fresh:
            write_atomic(target / f"{name}.safetensors", (folders / name / "network.safetensors").read_bytes())
