"""`boundlab evaluate`: every bound of a checkpoint."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from boundlab.cli.arguments import Commands, command, decimal, integer, with_data_root
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.own_data import DATASETS, dataset_key
from boundlab.specs.run import label_groups
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import decimals
from boundlab.validation import known_fields, one_of, shown

_LABEL = re.compile(r"0|[1-9][0-9]{0,8}")


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    sub = command(commands, "evaluate", "every bound of a .safetensors checkpoint", _run, with_data_root())
    sub.add_argument("file", type=Path)
    sub.add_argument("--dataset", required=True, metavar="NAME", help=f"{', '.join(SHIPPED)}, or one of your own")
    sub.add_argument("--labels", type=_labels, help="a sub-task: the labels of every class, such as 0/1 or 0,2,4/1,3,5")
    sub.add_argument(
        "--spec", metavar="JSON", help="what network it is, of a file that does not say: JSON, or a file of it"
    )
    sub.add_argument("--convention", choices=CONVENTIONS, default="published")
    sub.add_argument("--delta", type=decimal, default=0.001, help="failure probability")
    sub.add_argument("--n", type=integer, help="replaces the sample size, never the sums over the sample")
    sub.add_argument(
        "--margin",
        type=decimal,
        help="fixed margin (default 1; in strict the best of 64, up to 10 times the largest one of a training image)",
    )
    sub.add_argument("--no-errors", action="store_true", help="skip every pass of the network over the data")
    sub.add_argument("--json", action="store_true")


def _labels(text: str) -> tuple[tuple[int, ...], ...]:
    """ "0,2,4/1,3,5" or "[[0, 2, 4], [1, 3, 5]]" -> one tuple of labels per class."""
    try:
        groups = label_groups(json.loads(text)) if text.startswith("[") else _groups(text)
    except (ValueError, RecursionError):
        groups = ()
    if not groups or not all(type(label) is int for group in groups for label in group):
        raise argparse.ArgumentTypeError(
            f"must be the whole-number labels of every class, such as 0/1 or 0,2,4/1,3,5, got {shown(text)}"
        )
    return groups


def _groups(text: str) -> tuple[tuple[int, ...], ...]:
    """Raises ValueError for what is no label."""
    groups = [[part.strip() for part in group.split(",")] for group in text.split("/")]
    if not all(_LABEL.fullmatch(part) for group in groups for part in group):
        raise ValueError(text)
    return tuple(tuple(map(int, group)) for group in groups)


def _run(a: argparse.Namespace) -> int:
    from boundlab.evaluation.report import evaluate_file

    dataset = dataset_key(a.dataset)
    one_of("dataset", dataset, DATASETS)
    settings = Settings(a.convention, a.delta, a.n, a.margin)
    spec = None if a.spec is None else _spec(a.spec)
    result = evaluate_file(a.file, dataset, settings, not a.no_errors, a.data_root, a.labels, spec)
    if a.json:
        print(json.dumps(result))
    else:
        _print(result, settings)
    return 0


def _spec(text: str) -> dict[str, Any]:
    """JSON, or the path of some. Raises ValueError or OSError."""
    try:
        given = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--spec must be a JSON object, or a file of one, got {shown(text)}") from error
    return known_fields(given, "--spec", [*given] if isinstance(given, dict) else [])


def _print(result: dict[str, Any], settings: Settings) -> None:
    errors = {k: "not measured" if v is None else decimals(v, 4) for k, v in result["errors"].items()}
    rho = _rho(result["norms"]["rho"])
    print(f"{settings.convention} convention, n = {result['n']}, delta = {settings.delta:g}, rho = {rho}")
    print(f"train error {errors['train']}, test error {errors['test']}")
    for words in result["warnings"]:
        print(f"warning: {words}")
    for words in result["conditions"] if settings.convention == "strict" else ():
        if words not in result["warnings"]:
            print(f"note: {words}")
    for key, bound in (result["bounds"] | {"theorem_s2": result["theorem_s2"]}).items():
        print(f"{key:12} {_line(bound)}")
    if settings.convention == "strict":
        print(f"{'theorem_d':12} {_coded_line(result['theorem_d'])}")
    if (limit := result["hold_out"]["value"]) is not None:
        print(f"{'hold_out':12} {limit:<12.6g} (from the test images alone, whatever the network)")


def _rho(number: float | None) -> str:
    return "infinite" if number is None else f"{number:.6g}"


def _coded_line(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return f"- ({found['reason']})"
    test = "" if found["test_error"] is None else f", test error {decimals(found['test_error'], 4)}"
    return (
        f"{found['value']:<12.6g} (Theorem {found['theorem']}, of the network with rounded hidden weights: {found['bits']} bits, train "
        f"error {decimals(found['train_error'], 4)}{test}; loss {found['loss']:.4g}, divergence {found['divergence']:.4g} nats){_vacuous(found['value'])}"
    )


def _line(bound: dict[str, Any]) -> str:
    if bound["value"] is None:
        return f"- ({bound['reason']})"
    parts = [f"{name} {bound[name]:.4g}" for name in ("complexity", "confidence", "empirical")]
    margin = [] if bound["margin"] is None else [f"margin {bound['margin']:.3g}"]
    return f"{bound['value']:<12.6g} ({', '.join(parts + margin)}){_vacuous(bound['value'])}"


def _vacuous(value: float) -> str:
    from boundlab.evaluation.printed_report import SAYS_NOTHING

    return f", {SAYS_NOTHING}" if value >= 1 else ""
