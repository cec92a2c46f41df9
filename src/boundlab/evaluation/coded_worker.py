"""Certify finished runs by Theorems D and D2: `python -m boundlab.evaluation.coded_worker FOLDER ...`, their folders.

What has such certificates is left as it is; where one has none in the end, standard error says why, and the next one is tried.
"""

from __future__ import annotations

import sys
from pathlib import Path

from boundlab.errors import BoundlabError
from boundlab.runs.coded import check_coded, store_coded
from boundlab.runs.folder import open_run
from boundlab.system import memory as room
from boundlab.system.devices import free_memory
from boundlab.text import one_line


def certify_folder(folder: Path) -> None:
    """Compute and store the certificates of one run, where it has none. Raises BoundlabError or ValueError."""
    run = open_run(folder)
    if any(not one.trained for one in run.coded):
        return
    from boundlab.evaluation.theorem_d import certify_coded_run  # torch

    made = certify_coded_run(run.spec, folder / "network.safetensors")
    for certificate in made.certificates:
        check_coded(run, certificate)
    store_coded(folder, run.id, made.certificates)


def main() -> int:
    """The exit code: 0, or 2 where one of them has no certificate in the end."""
    if free := free_memory():
        room.limit_itself(free // 3)  # which allows for half as much again
    failed = 0
    for folder in map(Path, sys.argv[1:]):
        try:
            certify_folder(folder)
        except (BoundlabError, ValueError, MemoryError, RuntimeError) as error:
            print(f"{folder.name}: {one_line(str(error))}", file=sys.stderr)
            failed += 1
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
