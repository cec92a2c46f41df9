"""`boundlab evaluate | export | train | sweep | runs | pack | certify | data | bench`. Bad input: exit code 2 and one sentence."""

from __future__ import annotations

import argparse
import json
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from boundlab.analysis.conditions import conditions_of
from boundlab.bounds.pac_bayes import PacBayes
from boundlab.cli.arguments import parser
from boundlab.data import own, sources
from boundlab.errors import BoundlabError, RunError
from boundlab.quantities.doubts import doubts
from boundlab.runs.certificates import check, store_certificate
from boundlab.runs.folder import list_runs, sealed
from boundlab.runs.pack import open_pack
from boundlab.runs.run import Found, Run
from boundlab.specs.catalog import Dataset
from boundlab.specs.own_data import DATASETS, at_root, own_folder
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import Settings
from boundlab.system.files import read_json
from boundlab.text import decimals, one_line
from boundlab.training.failure import of_a_command
from boundlab.validation import one_of

_MOST_WORDS = 5  # things left out that are named one by one


def _train(a: argparse.Namespace) -> int:
    from tqdm import tqdm

    from boundlab.system.processes import end_with_parent
    from boundlab.training.worker import train_run

    if a.with_parent:
        end_with_parent()
    spec = RunSpec.from_dict(read_json(a.spec))
    with tqdm(desc=spec.id, unit="step", disable=a.quiet) as bar:

        def progress(step: int, total: int, record: dict[str, Any] | None) -> None:
            bar.total = total
            bar.set_postfix_str(f"loss {decimals(record['loss'], 4)}" if record and record["loss"] is not None else "")
            bar.update(step - bar.n)

        folder = train_run(spec, a.out, a.device, a.data_root, progress)
    if not sealed(folder):
        print(f"boundlab: stopped from the dashboard; the same command goes on from there ({folder})", file=sys.stderr)
        return 1
    print(folder)
    return 0


def _sweep_grid(a: argparse.Namespace, specs: list[RunSpec], out: Path) -> int:
    from tqdm import tqdm

    from boundlab.jobs.sweep import finished, sweep

    done = sum(finished(out / spec.id) for spec in specs)

    arguments = ["--device", a.device] + (["--data-root", str(a.data_root)] if a.data_root else [])
    with tqdm(
        total=len(specs),
        initial=done,
        unit="run",
        bar_format="{l_bar}{bar}| {n:.1f}/{total} runs [{elapsed}<{remaining}]",
    ) as bar:
        failed = sweep(specs, out, a.workers, arguments, lambda now: bar.update(now - bar.n))
    for name, error in failed.items():
        print(f"{name}: {error}", file=sys.stderr)
    return 1 if failed else 0


def _sweep(a: argparse.Namespace) -> int:
    from boundlab.specs.grid import load_grid

    return _sweep_grid(a, load_grid(a.grid), a.out)


def _pack(a: argparse.Namespace) -> int:
    from boundlab.runs.packing import pack
    from boundlab.specs.grid import load_grid

    grid = load_grid(a.grid) if a.grid else None
    train = lambda missing: _sweep_grid(a, missing, a.runs) == 0  # noqa: E731
    runs = pack(a.out, a.runs, a.checkpoints, grid, train, _say_left_out)
    if not runs:
        print(f"boundlab: not every run of the grid could be trained; {a.out} was not changed", file=sys.stderr)
        return 1
    print(f"{runs} runs and {len(list((a.out / 'checkpoints').glob('*.safetensors')))} checkpoints in {a.out}")
    return 0


def _certify(a: argparse.Namespace) -> int:
    def network(run: Run) -> Path:
        name = Path("checkpoints", f"{run.id}.safetensors") if a.pack else Path(run.id, "network.safetensors")
        return (a.out if a.pack else a.runs) / name

    found = open_pack(a.out) if a.pack else list_runs(a.runs)
    _say_left_out(found)
    finished = [run for run in found.runs if run.state == "done"]
    failed = 0
    for run in _matching([run for run in finished if network(run).is_file()], a.run):
        try:
            certificate = _certify_one(a, run, network(run))
            check(run, certificate)  # what would not be read is not written
        except (ValueError, BoundlabError) as error:
            print(f"{run.id}: {one_line(str(error))}", file=sys.stderr)
            failed += 1
            continue
        store_certificate(a.out if a.pack else a.runs / run.id, run.id, certificate, a.pack)
        print(
            f"{run.id}: {_certificate_line(certificate, 0.001)}; {decimals(certificate.value(0.05), 4)} at delta 0.05"
        )
        print("".join(f"  note: {words}\n" for words in conditions_of(run.spec)), end="")
    return 2 if failed else 0


def _certify_one(a: argparse.Namespace, run: Run, network: Path) -> PacBayes:
    from tqdm import tqdm

    from boundlab.evaluation.pac_bayes import certify_run

    with tqdm(desc=run.id, total=a.draws, unit="draw", disable=None) as bar:
        progress = lambda now, _: bar.update(now - bar.n)  # noqa: E731
        return certify_run(run.spec, network, a.prior, a.draws, a.seed, a.runs, a.data_root, progress)


def _matching(runs: list[Run], patterns: list[str]) -> list[Run]:
    for pattern in patterns:
        if not any(fnmatch(run.id, pattern) for run in runs):
            raise RunError(
                f"no run {pattern!r} among the {len(runs)} finished ones with a stored network (* stands for anything)"
            )
    return [run for run in runs if any(fnmatch(run.id, pattern) for pattern in patterns)]


def _certificate_line(found: PacBayes, delta: float) -> str:
    parts = found.parts(delta)
    return (
        f"{found.prior} prior, test error under noise at most {decimals(parts.value, 4)} at delta {delta:g} "
        f"({found.wrong} of {found.draws} draws wrong, at most {decimals(parts.noisy_error_limit, 4)}; KL {decimals(found.kl, 1)}, n {found.n})"
    )


def _runs(a: argparse.Namespace) -> int:
    from boundlab.analysis.tables import run_summaries

    found = list_runs(a.out) if a.out else open_pack()
    _say_left_out(found)
    if found.left_out and not found.runs:
        return 2
    rows = run_summaries(found.runs)
    if a.json:
        print(json.dumps(rows))
        return 0
    if not rows:
        print(f"no runs in {a.out} yet; train some with `boundlab train` or `boundlab sweep`")
    for row in rows:
        flags = ("" if row["trained"] else "  did not train") + ("" if row["at_plateau"] else "  not at plateau")
        test, sparse = row["test_error"], row["bounds"].get("sparse")
        shown = "no errors yet" if test is None else f"test error {decimals(test, 4)}  sparse {sparse:.4g}"
        print(f"{row['id']:55} {shown}{flags}")
    return 0


def _say_left_out(found: Found) -> None:
    """On standard error what of a store cannot be used, and why: the rest is not held up by it."""
    for name, why in [*found.left_out.items()][:_MOST_WORDS]:
        print(f"boundlab: left out {name}: {one_line(why)}", file=sys.stderr)
    if found.left_out:
        more = len(found.left_out) - _MOST_WORDS
        rest = f" ({more} more than are named here)" if more > 0 else ""
        words = f"{len(found.left_out)} left out{rest}, {len(found.runs)} {'run is' if len(found.runs) == 1 else 'runs are'} there"
        print(f"boundlab: {words}", file=sys.stderr)


def _evaluate(a: argparse.Namespace) -> int:
    from boundlab.evaluation.report import evaluate_file

    one_of("dataset", a.dataset, DATASETS)
    settings = Settings(a.convention, a.delta, a.n, a.margin)
    result = evaluate_file(a.file, a.dataset, settings, not a.no_errors, a.data_root, a.labels)
    if a.json:
        print(json.dumps(result))
        return 0
    errors = {k: "not measured" if v is None else decimals(v, 4) for k, v in result["errors"].items()}
    print(
        f"{settings.convention} convention, n = {result['n']}, delta = {settings.delta:g}, rho = {_shown(result['norms']['rho'])}"
    )
    print(f"train error {errors['train']}, test error {errors['test']}")
    for words in result["warnings"]:
        print(f"warning: {words}")
    for words in result["conditions"] if settings.convention == "strict" else ():
        if words not in result["warnings"]:
            print(f"note: {words}")
    for key, bound in (result["bounds"] | {"theorem_s2": result["theorem_s2"]}).items():
        print(f"{key:12} {_line(bound)}")
    return 0


def _export(a: argparse.Namespace) -> int:
    from boundlab.networks.export import export, load_model

    init = load_model(a.init) if a.init else None
    print(export(load_model(a.model), a.file, a.in_shape, a.normalize, init))
    return 0


def _shown(number: float | None) -> str:
    return "infinite" if number is None else f"{number:.6g}"


def _line(bound: dict[str, Any]) -> str:
    if bound["value"] is None:
        return f"- ({bound['reason']})"
    parts = [f"{name} {bound[name]:.4g}" for name in ("complexity", "confidence", "empirical")]
    margin = [] if bound["margin"] is None else [f"margin {bound['margin']:.3g}"]
    return f"{bound['value']:<12.6g} ({', '.join(parts + margin)})"


def _data(a: argparse.Namespace) -> int:
    if a.action == "add":
        data = own.add(a.source, a.name, a.test, a.size, a.grey)
        print("\n".join([_facts(data), *(f"warning: {words}" for words in doubts(data.copies, data.in_shape))]))
    elif a.action == "remove":
        print(f"{own.remove(a.name)} removed from {own_folder()}")
    else:
        for facts in DATASETS.values():
            size = sources.download_size(facts.name) / 1e6
            print(_facts(facts) + (f"; not on this machine yet, {size:.0f} MB to download" if size else ""))
        for key in own.broken_keys():
            print(f"{key:22} cannot be used: its .json in {own_folder()} is damaged, or a file is missing; remove it")
    return 0


def _facts(data: Dataset) -> str:
    shape = "×".join(map(str, data.in_shape))
    return f"{data.name:22} {data.train_size:,} training and {data.test_size:,} test images {shape}, {data.classes} classes"


def _bench(a: argparse.Namespace) -> int:
    from boundlab.cli.bench import BENCHES

    result = BENCHES[a.what]()
    print(json.dumps(result) if a.json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    return 0


_COMMANDS = {
    "evaluate": _evaluate,
    "export": _export,
    "train": _train,
    "sweep": _sweep,
    "runs": _runs,
    "pack": _pack,
    "certify": _certify,
    "data": _data,
    "bench": _bench,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    a = parser(_COMMANDS).parse_args(argv)
    try:
        with (
            at_root(getattr(a, "data_root", None)),
            np.errstate(all="ignore"),
        ):  # what is infinite or not measured is said in the result
            return int(a.function(a))
    except BrokenPipeError:
        raise  # nobody reads the output any more: `__main__` ends quietly
    except (ValueError, TypeError, OSError, BoundlabError) as error:
        print(f"boundlab: {of_a_command(error, getattr(a, 'out', None))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "what it finished is kept" if a.function is _certify else "the same command goes on from here"
        print(f"boundlab: stopped; {again}", file=sys.stderr)
        return 130
