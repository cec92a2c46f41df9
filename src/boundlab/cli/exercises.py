"""`boundlab exercises`: a sheet of ten exercises, with solutions computed here."""

from __future__ import annotations

import argparse
from pathlib import Path

from boundlab.cli.arguments import Commands, Parser, command, integer


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "ten exercises on bounds, in Markdown or as a notebook; another seed has other numbers"
    sub: Parser = command(commands, "exercises", text, _run)
    sub.add_argument("--seed", type=_seed, default=0)
    sub.add_argument(
        "--solutions", action="store_true", help="with solutions, and the lines of Python that compute them"
    )
    sub.add_argument("--notebook", action="store_true", help="as a Jupyter notebook")
    sub.add_argument("--out", type=Path, help="the file to write (default: on the screen)")


def _seed(text: str) -> int:
    if (seed := integer(text)) < 0:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {seed}")
    return seed


def _run(a: argparse.Namespace) -> int:
    from boundlab.lessons.exercises import exercises, notebook, sheet
    from boundlab.runs.pack import read_pack

    write = notebook if a.notebook else sheet
    text = write(exercises(read_pack(), a.seed), a.seed, a.solutions)
    if a.out is None:
        print(text)
    else:
        a.out.write_text(text + "\n", encoding="utf-8")
        print(f"{a.out}: ten exercises of seed {a.seed}{', with solutions' if a.solutions else ''}")
    return 0
