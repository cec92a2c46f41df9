"""How long a run may take on this server: what page Train refuses, and what no other page offers."""

from __future__ import annotations

import os

from boundlab.jobs.cost import estimate
from boundlab.specs.run import RunSpec
from boundlab.text import in_words
from boundlab.ui.visitor import at_home
from boundlab.validation import whole


def longest() -> int:
    """Minutes a run may take by its estimate (BOUNDLAB_MINUTES); 0: any. By default a class has a limit, one's own machine
    none. Raises ValueError for anything else."""
    text = os.environ.get("BOUNDLAB_MINUTES") or ("0" if at_home() else "60")
    whole("BOUNDLAB_MINUTES", int(text) if text.isascii() and text.isdigit() else text, 0, 10**6)
    return int(text)


def too_long(spec: RunSpec) -> str | None:
    """Why the run is not offered: it takes longer than this server allows, on a CPU; None where nothing speaks against it."""
    try:
        most = longest()
    except ValueError:
        return "training is not set up on this server"
    seconds = estimate(spec, "cpu").seconds
    if most and seconds > 60 * most:
        return f"training it would take {in_words(seconds)}, and {most} minute{'s' * (most != 1)} is the most here"
    return None
