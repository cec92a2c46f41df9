"""`boundlab app`: the dashboard, from any folder, also from an installed wheel."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from boundlab.cli.arguments import Commands, command, positive
from boundlab.errors import BoundlabError
from boundlab.specs.beside import BESIDE


def add_to(commands: Commands) -> None:
    """The command and its arguments."""
    text = "open the dashboard; runs trained here lie in .runs of this folder (or BOUNDLAB_RUNS)"
    sub = command(commands, "app", text, _run)
    sub.add_argument("--port", type=_port, help="where it listens (default: the first free one from 8501 on)")
    everybody = "for a class: listen on every network address; who may do what is in src/boundlab/jobs/README.md"
    sub.add_argument("--class", dest="everybody", action="store_true", help=everybody)
    sub.add_argument(
        "--lessons", type=Path, metavar="FOLDER", help="a folder with lessons of your own (or BOUNDLAB_LESSONS)"
    )
    sub.add_argument("--no-browser", action="store_true", help="only serve")


def _port(text: str) -> int:
    if (port := positive(text)) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port from 1 to 65535, got {port}")
    return port


def _run(a: argparse.Namespace) -> int:
    script = BESIDE / "app.py"
    if not script.is_file():
        raise BoundlabError(
            f"the pages should be at {script}, where nothing is; install the wheel again, or run from the repository"
        )
    if a.lessons and not a.lessons.is_dir():
        raise BoundlabError(f"--lessons must be a folder with lessons (.md), got {a.lessons}")
    if a.lessons:
        os.environ["BOUNDLAB_LESSONS"] = str(a.lessons.absolute())
    options = ["--server.headless", str(a.no_browser).lower()]
    options += ["--server.port", str(a.port)] if a.port else []
    options += ["--server.address", "0.0.0.0"] if a.everybody else []
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "streamlit", "run", str(script), *options])
