"""`boundlab certify`: PAC-Bayes certificates of finished runs, and those of Theorems D and D2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from boundlab.cli.arguments import Commands, command, integer, positive, with_data_root
from boundlab.cli.left_out import say_left_out
from boundlab.errors import BoundlabError, RunError
from boundlab.runs.places import PACK, runs_folder
from boundlab.specs.settings import PRIORS
from boundlab.text import decimals, one_line

if TYPE_CHECKING:
    from boundlab.bounds.pac_bayes import PacBayes
    from boundlab.runs.run import Run

Computed = TypeVar("Computed")


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "certificates of finished runs, by PAC-Bayes or Theorem D, stored beside them"
    sub = command(commands, "certify", text, _run, with_data_root())
    sub.set_defaults(stopped="what it finished is kept")
    sub.add_argument("run", nargs="+", metavar="RUN", help="run id; * stands for anything")
    sub.add_argument("--runs", type=Path, default=runs_folder(), help="run folders; priors are trained here too")
    sub.add_argument("--pack", action="store_true", help="the runs of the shipped pack instead")
    sub.add_argument("--out", type=Path, default=PACK, help="where the pack is")
    sub.add_argument("--theorem", choices=("pac-bayes", "d"), default="pac-bayes", help="d: Theorems D and D2")
    sub.add_argument(
        "--missing", action="store_true", help="with --theorem d: only runs that have no such certificate yet"
    )
    sub.add_argument(
        "--train",
        action="store_true",
        help="with --theorem d: of a network made of the run's for it (channels merged, output layer trained), kept beside it",
    )
    sub.add_argument(
        "--rescale",
        action="store_true",
        help="of PAC-Bayes: only make stored certificates smaller by rescaling neurons; nothing is drawn",
    )
    sub.add_argument("--prior", choices=PRIORS, default="fixed", help="of PAC-Bayes")
    sub.add_argument("--draws", type=positive, default=100_000, help="of PAC-Bayes: draws of (noise, example)")
    sub.add_argument("--seed", type=integer, default=0, help="of the draws; choose it before you see a result")


def _run(a: argparse.Namespace) -> int:
    from boundlab.analysis.conditions import conditions_of
    from boundlab.runs.folder import list_runs
    from boundlab.runs.pack import network_file, open_parts

    parts = open_parts(a.out) if a.pack else {a.runs: list_runs(a.runs)}
    for found in parts.values():
        say_left_out(found)
    every = [run for found in parts.values() for run in found.runs]
    # where a run's certificates lie, and its network, if it is kept
    homes = {run.id: part if a.pack else part / run.id for part, found in parts.items() for run in found.runs}
    networks = {name: network_file(h, name) if a.pack else h / "network.safetensors" for name, h in homes.items()}
    runs = [run for run in every if run.state == "done" and networks[run.id].is_file()]
    failed = 0
    for run in _matching(runs, a.run):
        if a.missing and a.theorem == "d" and any(one.trained == a.train for one in run.coded):
            continue
        try:
            words = (_coded if a.theorem == "d" else _drawn)(a, run, networks[run.id], homes[run.id])
        except (ValueError, BoundlabError) as error:
            print(f"{run.id}: {one_line(str(error))}", file=sys.stderr)
            failed += 1
            continue
        print(f"{run.id}: {words}", flush=True)
        print("".join(f"  note: {words}\n" for words in conditions_of(run.spec)), end="")
    return 2 if failed else 0


def _drawn(a: argparse.Namespace, run: Run, network: Path, home: Path) -> str:
    """By PAC-Bayes: certified, checked (what would not be read is not written), stored; what to say of it."""
    from boundlab.runs.certificates import check, store_certificate

    certificate = _rescaled(run, network) if a.rescale else _certificate(a, run, network)
    check(run, certificate)
    store_certificate(home, run.id, certificate, a.pack)
    return f"{_line(certificate, 0.001)}; {decimals(certificate.value(0.05), 4)} at delta 0.05"


def _rescaled(run: Run, network: Path) -> PacBayes:
    """The run's stored certificate of the fixed prior, rescaled; raises RunError where there is none."""
    from boundlab.evaluation.pac_bayes import rescaled_run

    stored = next((one for one in run.certificates if one.prior == "fixed"), None)
    if stored is None:
        raise RunError("it has no certificate of the fixed prior to rescale; certify it without --rescale")
    return rescaled_run(stored, run.spec, network)


def _coded(a: argparse.Namespace, run: Run, network: Path, home: Path) -> str:
    """By Theorems D and D2, in the same three steps."""
    from tqdm import tqdm

    from boundlab.evaluation.theorem_d import certify_coded_run
    from boundlab.evaluation.trained_output import certify_trained_run
    from boundlab.networks.checkpoint import save
    from boundlab.runs.coded import CODED, TRAINED, check_coded, store_coded, trained_network_file
    from boundlab.system.files import make_folder

    with tqdm(desc=run.id, disable=None) as bar:

        def progress(what: str, done: int, whole: int) -> None:
            bar.set_description(f"{run.id}: {what}", refresh=False)
            bar.total = whole or None
            bar.update(done - bar.n)

        compute = certify_trained_run if a.train else certify_coded_run
        made = _within_memory(lambda: compute(run.spec, network, a.data_root, progress))
    for certificate in made.certificates:
        check_coded(run, certificate)
    if a.train:
        kept = trained_network_file(home, run.id)
        make_folder(kept.parent)
        save(kept, made.network)
    store_coded(home, run.id, made.certificates, TRAINED if a.train else CODED)
    smallest = "; ".join(f"Theorem {c.theorem} {decimals(c.value(0.001), 4)}" for c in made.certificates)
    one = made.certificates[0]
    test = "" if one.test_error is None else f", test {decimals(one.test_error, 4)}"
    return f"{smallest} at delta 0.001, of the network with {one.bits} bits of hidden weights (errors: training {decimals(one.train_error, 4)}{test})"


def _within_memory(compute: Callable[[], Computed]) -> Computed:
    """Compute it in at most half of the memory that is free, so that the machine goes on; raises ValueError where that is too little."""
    from boundlab.system import memory as room
    from boundlab.system.devices import free_memory

    if free := free_memory():
        room.limit_itself(free // 3)  # which allows for half as much again
    try:
        return compute()
    except (MemoryError, RuntimeError) as error:
        if not room.exceeded(error):
            raise
        gib = (free or 0) / room.GIB
        raise ValueError(
            f"this network needs more memory than half of the {gib:.1f} GiB that are free; end other programs"
        ) from error


def _matching(runs: list[Run], patterns: list[str]) -> list[Run]:
    """Those whose id one of the patterns stands for; raises RunError for a pattern that stands for none."""
    for pattern in patterns:
        if not any(fnmatch(run.id, pattern) for run in runs):
            raise RunError(
                f"no run {pattern!r} among the {len(runs)} finished ones with a stored network (* stands for anything)"
            )
    return [run for run in runs if any(fnmatch(run.id, pattern) for pattern in patterns)]


def _certificate(a: argparse.Namespace, run: Run, network: Path) -> PacBayes:
    from tqdm import tqdm

    from boundlab.evaluation.pac_bayes import certify_run

    with tqdm(desc=run.id, total=a.draws, unit="draw", disable=None) as bar:

        def progress(drawn: int, _: int) -> None:
            bar.update(drawn - bar.n)

        return certify_run(run.spec, network, a.prior, a.draws, a.seed, a.runs, a.data_root, progress)


def _line(found: PacBayes, delta: float) -> str:
    parts = found.parts(delta)
    plain = "" if found.rescaled is None else f" (before neurons were rescaled {decimals(found.kl, 1)})"
    return (
        f"{found.prior} prior, test error under noise at most {decimals(parts.value, 4)} at delta {delta:g} "
        f"({found.wrong} of {found.draws} draws wrong, at most {decimals(parts.noisy_error_limit, 4)}; KL {decimals(found.least_kl, 1)}{plain}, n {found.n})"
    )
