"""Which commands there are, and what each of them takes."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from boundlab.bounds.pac_bayes import PRIORS
from boundlab.data.arrays import WANTED
from boundlab.runs.folder import runs_folder
from boundlab.runs.pack import PACK
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.run import label_groups
from boundlab.specs.settings import CONVENTIONS
from boundlab.validation import shown

Command = Callable[[argparse.Namespace], int]


_WHOLE = re.compile(r"-?[0-9]{1,18}")
_LABEL = re.compile(r"0|[1-9][0-9]{0,8}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):  # `int` takes 1_000 and the digits of other scripts, too
        raise argparse.ArgumentTypeError(f"must be a whole number, got {shown(text)}")
    return int(text)


def _positive(text: str) -> int:
    if not _WHOLE.fullmatch(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {shown(text)}")
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise argparse.ArgumentTypeError(f"must be a number such as 0.05 or 1e-3, got {shown(text)}")
    return float(text)


def _height_and_width(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(map(_WHOLE.fullmatch, sides)):
        raise argparse.ArgumentTypeError(f"must be HxW such as 32x32, got {shown(text)}")
    return int(sides[0]), int(sides[1])


def _listed(kind: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    """Numbers with commas between them."""
    return lambda text: tuple(kind(part) for part in text.split(","))


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


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: {line if len(line) <= 600 else line[:600] + ' ...'} (see --help)\n")


def parser(functions: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The command line; `functions`: what each command runs."""
    top = _Parser(prog="boundlab", description="Generalization bounds of small convolutional networks.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str, *parents: _Parser) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, parents=parents)
        sub.set_defaults(function=functions[name])
        return sub

    data = _Parser(add_help=False)
    data.add_argument(
        "--data-root", type=Path, help="folder with MNIST/raw and so on (default: BOUNDLAB_DATA, else a cache folder)"
    )
    device = _Parser(add_help=False)
    device.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    workers = _Parser(add_help=False)
    workers.add_argument("--workers", type=_positive, default=2, help="runs at a time, each in its own process")

    sub = command("evaluate", "every bound of a .safetensors checkpoint", data)
    sub.add_argument("file", type=Path)
    sub.add_argument("--dataset", required=True, metavar="NAME", help=f"{', '.join(SHIPPED)}, or one of your own")
    sub.add_argument("--labels", type=_labels, help="a sub-task: the labels of every class, such as 0/1 or 0,2,4/1,3,5")
    sub.add_argument("--convention", choices=CONVENTIONS, default="published")
    sub.add_argument("--delta", type=_number, default=0.001, help="failure probability")
    sub.add_argument("--n", type=_whole, help="replaces the sample size, never the sums over the sample")
    sub.add_argument(
        "--margin",
        type=_number,
        help="fixed margin (default 1; in strict the best of 64, up to 10 times the largest one of a training image)",
    )
    sub.add_argument("--no-errors", action="store_true", help="skip every pass of the network over the data")
    sub.add_argument("--json", action="store_true")

    sub = command("export", "a torch.nn.Sequential of your own as a .safetensors checkpoint")
    sub.add_argument(
        "model", metavar="MODULE:NAME", help="a Sequential, or a function that returns one; runs your code"
    )
    sub.add_argument("file", type=Path, metavar="OUT.safetensors")
    sub.add_argument("--in-shape", type=_listed(_whole), default=(1, 28, 28), help="channels,height,width (1,28,28)")
    sub.add_argument("--normalize", type=_listed(_number), help="mean,deviation; left out: it is fed pixels in [0, 1]")
    sub.add_argument("--init", metavar="MODULE:NAME", help="the same model before training")

    sub = command("train", "train one run spec (resumes, skips when sealed)", data, device)
    sub.add_argument("spec", type=Path)
    sub.add_argument("--out", type=Path, default=runs_folder())
    sub.add_argument("--quiet", action="store_true")
    sub.add_argument("--with-parent", action="store_true", help="stop when standard input closes (a sweep's runs do)")

    sub = command(
        "sweep", "train a grid of runs in local processes (resumes, skips sealed runs)", data, device, workers
    )
    sub.add_argument("grid", type=Path)
    sub.add_argument("--out", type=Path, default=runs_folder())

    sub = command("runs", "list runs with errors and published bounds (default: the shipped pack)")
    sub.add_argument("--out", type=Path)
    sub.add_argument("--json", action="store_true")

    sub = command(
        "pack",
        "add finished runs to the shipped pack; with --grid it holds the grid's alone, and what is missing is trained first",
        data,
        device,
        workers,
    )
    sub.add_argument("--grid", type=Path)
    sub.add_argument("--runs", type=Path, default=runs_folder())
    sub.add_argument("--out", type=Path, default=PACK)
    sub.add_argument("--checkpoints", nargs="*", default=["*"], metavar="GLOB", help="ids whose networks are kept")

    sub = command("certify", "PAC-Bayes certificates of finished runs, stored beside them", data)
    sub.add_argument("run", nargs="+", metavar="RUN", help="run id; * stands for anything")
    sub.add_argument("--runs", type=Path, default=runs_folder(), help="run folders; priors are trained here too")
    sub.add_argument("--pack", action="store_true", help="the runs of the shipped pack instead")
    sub.add_argument("--out", type=Path, default=PACK, help="where the pack is")
    sub.add_argument("--prior", choices=PRIORS, default="fixed")
    sub.add_argument("--draws", type=_positive, default=100_000, help="draws of (noise, example)")
    sub.add_argument("--seed", type=_whole, default=0, help="of the draws; choose it before you see a result")

    _own_data(command("data", "your own data sets: add, list, remove"), data)

    sub = command("bench", "measure throughput on this machine")
    sub.add_argument("what", choices=["bounds", "train", "store"])
    sub.add_argument("--json", action="store_true")
    return top


def _own_data(sub: argparse.ArgumentParser, root: _Parser) -> None:
    """The three commands of `boundlab data`."""
    actions = sub.add_subparsers(required=True, metavar="ACTION", dest="action")
    text = "check a data set and store it below the data root"
    add = actions.add_parser("add", help=text, description=text, parents=[root])
    folders = "SOURCE/class/x.png (or .jpg, .bmp), or SOURCE/train/class/... and SOURCE/test/class/..."
    arrays = f"an .npz file with {WANTED}"
    add.add_argument("source", type=Path, metavar="SOURCE", help=f"{folders}, or {arrays}")
    add.add_argument("--name", help="default: the source's")
    add.add_argument(
        "--test", type=_number, metavar="FRACTION", help="of each class, where there is no test part (0.2)"
    )
    add.add_argument("--size", type=_height_and_width, metavar="HxW", help="scale every image to this")
    add.add_argument("--grey", action="store_true", help="one channel, weighed by ITU-R 601")
    text = "all data sets, and whether they are on this machine"
    actions.add_parser("list", help=text, description=text, parents=[root])
    text = "delete a data set of your own; runs of it cannot be shown until the same is added again"
    remove = actions.add_parser("remove", help=text, description=text, parents=[root])
    remove.add_argument("name", metavar="NAME", help="or the whole key")
