"""Runs that are trained together: while they are, `<out>/.stacks/<id>` holds the state of all, and a member's folder says which
stack it is in and where. A stack that was killed goes on as the same stack: only then are its numbers the same to the last digit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boundlab.errors import RunError
from boundlab.system.files import make_folder, read_json, write_atomic

STACK_FILE = "stack.json"


def stack_id(members: Sequence[str]) -> str:
    """Of run ids in their order."""
    return hashlib.sha256("\n".join(members).encode()).hexdigest()[:12]


def stack_folder(out: Path, stack: str) -> Path:
    """Where the state of a stack of runs below `out` lies."""
    return out / ".stacks" / stack


def join(out: Path, members: Sequence[str]) -> Path:
    """Say in a folder for the stack, and in those of its members that are given, who is in it; returns the former."""
    name = stack_id(members)
    folder = stack_folder(out, name)
    make_folder(folder)
    write_atomic(folder / STACK_FILE, json.dumps({"members": list(members)}) + "\n")
    for place, member in enumerate(members):
        if (out / member).is_dir():
            write_atomic(out / member / STACK_FILE, json.dumps(place_in(name, place, len(members))) + "\n")
    return folder


def place_in(stack: str, place: int, members: int) -> dict[str, Any]:
    """What a member's folder says: in stack.json while it is trained, in env.json once it is sealed."""
    return {"stack": stack, "place": place, "members": members}


def leave(folder: Path) -> None:
    """The run of this folder is in no stack any more."""
    (folder / STACK_FILE).unlink(missing_ok=True)


def dissolve(folder: Path) -> None:
    """Remove a stack that nobody needs any more."""
    shutil.rmtree(folder, ignore_errors=True)


def mates(folder: Path) -> list[str] | None:
    """The ids of the stack that the run of this folder is in, in order; None where it is in none that can go on."""
    try:
        name = str(read_json(folder / STACK_FILE)["stack"])
        members = read_json(stack_folder(folder.parent, name) / STACK_FILE)["members"]
    except (OSError, RunError, ValueError, KeyError, TypeError):
        return None
    sound = isinstance(members, list) and all(isinstance(member, str) for member in members)
    return members if sound and folder.name in members and stack_id(members) == name else None


def with_mates(folders: Sequence[Path]) -> tuple[list[list[Path]], list[Path]]:
    """(the stacks that these folders were begun in, as far as they are among them; the folders that are in none)."""
    stacks: dict[str, list[Path]] = {}
    alone = []
    for folder in folders:
        if (members := mates(folder)) is None:
            alone.append(folder)
        else:
            stacks.setdefault(stack_id(members), []).append(folder)
    return list(stacks.values()), alone
