"""What commands share: the parser, the types of arguments, the arguments that several commands take."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

from boundlab.validation import shown

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit code 2."""
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: {line if len(line) <= 600 else line[:600] + ' ...'} (see --help)\n")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
Command = Callable[[argparse.Namespace], int]


def command(commands: Commands, name: str, text: str, run: Command, *parents: Parser) -> Parser:
    """One more command, which `run` carries out: it returns the exit code. `text`: its help; `parents`: shared arguments."""
    sub = commands.add_parser(name, help=text, description=text, parents=parents)
    sub.set_defaults(function=run)
    return sub


def with_data_root() -> Parser:
    """A parent with `--data-root`."""
    parent = Parser(add_help=False)
    parent.add_argument(
        "--data-root", type=Path, help="folder with MNIST/raw and so on (default: BOUNDLAB_DATA, else a cache folder)"
    )
    return parent


def with_device() -> Parser:
    """A parent with `--device`."""
    parent = Parser(add_help=False)
    parent.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    return parent


def with_workers() -> Parser:
    """A parent with `--workers`."""
    parent = Parser(add_help=False)
    parent.add_argument(
        "--workers", type=positive, default=2, help="processes at a time, each with one run, or several together"
    )
    return parent


def is_whole(text: str) -> bool:
    """Whether it is a whole number; `int` takes 1_000 and the digits of other scripts, too."""
    return bool(_WHOLE.fullmatch(text))


def integer(text: str) -> int:
    """Raises ArgumentTypeError, as all types of arguments here do."""
    if not is_whole(text):
        raise argparse.ArgumentTypeError(f"must be a whole number, got {shown(text)}")
    return int(text)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not is_whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {shown(text)}")
    return int(text)


def decimal(text: str) -> float:
    """A finite number."""
    if not _DECIMAL.fullmatch(text) or math.isinf(float(text)):
        raise argparse.ArgumentTypeError(f"must be a number such as 0.05 or 1e-3, got {shown(text)}")
    return float(text)


def comma_list(kind: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    """Numbers with commas between them."""
    return lambda text: tuple(kind(part) for part in text.split(","))
