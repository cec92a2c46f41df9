"""`boundlab sweep`: a grid of runs."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from boundlab.cli.arguments import Commands, command, with_data_root, with_device, with_workers
from boundlab.errors import BoundlabError
from boundlab.runs.places import runs_folder

if TYPE_CHECKING:
    from boundlab.jobs.cluster import Cluster
    from boundlab.specs.run import RunSpec

_BAR = "{l_bar}{bar}| {n:.1f}/{total} runs [{elapsed}<{remaining}]"
_WORKER_BAR = "  {desc} {percentage:3.0f}%|{bar}|"
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:[0-9]{1,5}")


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "train a grid of runs in local processes or on a Dask cluster (resumes, skips sealed runs)"
    sub = command(commands, "sweep", text, _run, with_data_root(), with_device(), with_workers())
    sub.add_argument("grid", type=Path)
    sub.add_argument("--out", type=Path, default=runs_folder())
    where = "a Dask scheduler, tcp://HOST:PORT, or `local`: workers of this machine (pip install 'boundlab[cluster]')"
    sub.add_argument("--scheduler", type=_scheduler, metavar="ADDRESS", help=where)


def _scheduler(text: str) -> str:
    if text != "local" and not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"must be tcp://HOST:PORT, tls://HOST:PORT or local, got {text!r}")
    return text


def _run(a: argparse.Namespace) -> int:
    from boundlab.specs.grid import load_grid

    specs = load_grid(a.grid)
    return 0 if (train_on_cluster if a.scheduler else train_all)(specs, a.out, a) else 1


def train_all(specs: list[RunSpec], out: Path, a: argparse.Namespace) -> bool:
    """Train what is not finished below `out`, with the workers, the device and the data root of `a`; whether none failed."""
    from tqdm import tqdm

    from boundlab.jobs.sweep import finished, sweep
    from boundlab.system.devices import best_kind

    done = sum(finished(out / spec.id) for spec in specs)
    arguments = ["--device", a.device] + (["--data-root", str(a.data_root)] if a.data_root else [])
    with tqdm(total=len(specs), initial=done, unit="run", bar_format=_BAR) as bar:
        kind = "cpu" if a.device == "cpu" else best_kind()
        failed = sweep(specs, out, a.workers, arguments, lambda now: bar.update(now - bar.n), kind)
    return _said(failed)


def train_on_cluster(specs: list[RunSpec], out: Path, a: argparse.Namespace) -> bool:
    """The same on the cluster of `a`, a bar for all and one for each worker."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise BoundlabError(
            "--scheduler needs Dask: pip install 'boundlab[cluster]', or -e '.[cluster]' in the repository"
        ) from error
    from tqdm import tqdm

    from boundlab.jobs.cluster import sweep_on
    from boundlab.jobs.sweep import finished

    done = sum(finished(out / spec.id) for spec in specs)
    bars: dict[str, tqdm] = {}
    quiet = not sys.stderr.isatty()
    with tqdm(total=len(specs), initial=done, unit="run", bar_format=_BAR, position=0) as whole:

        def told(now: float, workers: dict[str, tuple[str, float]]) -> None:
            whole.update(now - whole.n)
            for name, (what, share) in workers.items():
                if name not in bars:
                    bars[name] = tqdm(
                        total=1.0, bar_format=_WORKER_BAR, position=len(bars) + 1, leave=False, disable=quiet
                    )
                bars[name].set_description_str(f"{name}: {what}", refresh=False)
                bars[name].n = share
                bars[name].refresh()

        try:
            failed = sweep_on(_cluster(specs, a), specs, out, told)
        finally:
            for bar in bars.values():
                bar.close()
    return _said(failed)


def _cluster(specs: list[RunSpec], a: argparse.Namespace) -> Cluster:
    """Where, and which files of the data sets its workers need."""
    from boundlab.data.locate import files_below
    from boundlab.jobs.cluster import Cluster
    from boundlab.specs.own_data import data_root

    root = data_root(a.data_root)
    names = {spec.train.dataset for spec in specs}
    files = {name: os.path.getsize(root / name) for dataset in sorted(names) for name in files_below(dataset, root)}
    return Cluster(a.scheduler, a.device, a.workers, files, lambda name: (root / name).read_bytes())


def _said(failed: dict[str, str]) -> bool:
    for name, error in failed.items():
        print(f"{name}: {error}", file=sys.stderr)
    return not failed
