"""What a button is for, done as its callback; what goes wrong is for the page to say where the button is."""

from __future__ import annotations

from collections.abc import Callable

from boundlab.errors import BoundlabError


def failure(*steps: Callable[[], object]) -> str | None:
    """Do the steps one after the other; why one failed, after which the rest are left undone. None: all are done."""
    try:
        for step in steps:
            step()
    except BoundlabError as error:
        return str(error)
    return None
