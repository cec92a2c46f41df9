"""`boundlab app | evaluate | export | train | sweep | runs | rank | pack | certify | data | lesson | exercises | bench`. Bad input: exit code 2 and one sentence.

Each command is a file, listed here, in the order of `boundlab --help`. What a command needs (pandas, torch) it loads when it
runs, so that help and mistakes in arguments are answered at once.
"""

from __future__ import annotations

import sys

import numpy as np

from boundlab.cli import app, bench, certify, data, evaluate, exercises, export, lesson, pack, rank, runs, sweep, train
from boundlab.cli.arguments import Parser
from boundlab.errors import BoundlabError
from boundlab.specs.own_data import at_root
from boundlab.training.failure import of_a_command

_COMMANDS = (app, evaluate, export, train, sweep, runs, rank, pack, certify, data, lesson, exercises, bench)


def _parser() -> Parser:
    top = Parser(prog="boundlab", description="Generalization bounds of small convolutional networks.")
    top.set_defaults(stopped="the same command goes on from here")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add_to(commands)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    a = _parser().parse_args(argv)
    try:
        # what is infinite or not measured is said in the result
        with at_root(getattr(a, "data_root", None)), np.errstate(all="ignore"):
            return int(a.function(a))
    except BrokenPipeError:
        raise  # nobody reads the output any more: `__main__` ends quietly
    except (ValueError, TypeError, OSError, BoundlabError) as error:
        print(f"boundlab: {of_a_command(error, getattr(a, 'out', None))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"boundlab: stopped; {a.stopped}", file=sys.stderr)
        return 130
