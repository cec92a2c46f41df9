"""Where runs lie. Loads nothing, so that a command's `--help` need not wait for pandas."""

from __future__ import annotations

import os
from pathlib import Path

from boundlab.specs.beside import BESIDE

PACK = BESIDE / "data" / "runs"


def runs_folder() -> Path:
    """Where runs trained here lie: BOUNDLAB_RUNS, else `.runs` in the working directory."""
    return Path(os.environ.get("BOUNDLAB_RUNS") or ".runs")
