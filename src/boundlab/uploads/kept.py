"""Checkpoints that somebody asked to keep: `<runs folder>/checkpoints/<key>/` with network, subject and owner."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from boundlab.analysis.subject import Subject
from boundlab.errors import BoundlabError, RunError
from boundlab.runs.places import runs_folder
from boundlab.specs.own_data import DATASETS
from boundlab.system.files import cached_reader, make_folder, read_json
from boundlab.text import one_line
from boundlab.uploads.protocol import NETWORK, SUBJECT

_OWNER = "owner.json"
MOST_KEPT, _MOST_BYTES = 20, 200 * 2**20  # of one person
MOST_OF_ALL = 500
_WRONG = (ValueError, KeyError, TypeError, AttributeError, OverflowError)  # what reading wrong contents raises


@dataclass(frozen=True)
class Kept:
    """One of them; `owner`: as `visitor()` names people."""

    key: str
    folder: Path
    owner: str
    subject: Subject
    size: int  # bytes of the network


def name_of(one: Kept) -> str:
    """What the pages call it."""
    return f"{one.subject.title} · {DATASETS[one.subject.dataset].title} · {one.key[-6:]}"


def kept_by(me: str, everybody: bool = False) -> list[Kept]:
    """What this reader may delete, newest first: their own, or everything where the server is theirs (`everybody`)."""
    return [one for one in _found(me, everybody).values() if isinstance(one, Kept)]


def left_out(me: str, everybody: bool = False) -> dict[str, str]:
    """Of the same, key -> why it cannot be read. Where one is nobody's, it is shown where the server is the reader's."""
    return {key: one for key, one in _found(me, everybody).items() if isinstance(one, str)}


def _found(me: str, everybody: bool) -> dict[str, Kept | str]:
    found = {}
    for folder in _folders():
        if everybody or _owner(folder) == me:
            try:
                one: Kept | str | None = find(folder.name)
            except RunError as error:
                one = str(error)
            if one is not None:
                found[folder.name] = one
    return found


def _owner(folder: Path) -> str | None:
    try:
        return str(read_json(folder / _OWNER)["owner"])
    except (BoundlabError, *_WRONG):
        return None


def find(key: str) -> Kept | None:
    """One of them by its key, whoever kept it; None when it is not there. Raises RunError when it cannot be read."""
    folder = _root() / key
    if not re.fullmatch(r"[0-9a-f]{12}", key) or not folder.is_dir():
        return None
    try:
        size, _ = (folder / NETWORK).stat().st_size, (folder / SUBJECT).stat()
        subject, owner = _read_subject(folder / SUBJECT), _owner(folder)
    except OSError as error:
        subject, owner = f"its {'network' if error.filename.endswith(NETWORK) else 'measurement'} is not there", None
    if isinstance(subject, Subject) and owner is not None:
        return Kept(key, folder, owner, subject, size)
    why = subject if isinstance(subject, str) else "nothing says whose it is"
    raise RunError(f"the checkpoint {key} cannot be read ({why}); delete it and upload the network again")


def _subject(path: Path) -> Subject | str:
    """What a file holds, or what is wrong with it."""
    try:
        subject = Subject.from_dict(read_json(path))
        subject.check()
        return subject
    except RunError:
        return "it is no JSON"
    except _WRONG as error:
        return (
            one_line(str(error)) if isinstance(error, ValueError) else "something is missing in it, or of another type"
        )


_read_subject = cached_reader(_subject, MOST_OF_ALL)


def keep(network: Path, subject: Subject, me: str) -> str:
    """Keep a network and what was measured; returns its key. Raises RunError beyond the limits or where there is no room."""
    mine = kept_by(me)
    used = sum(one.size for one in mine)
    if len(mine) >= MOST_KEPT or used + network.stat().st_size > _MOST_BYTES:
        raise RunError(
            f"you keep {len(mine)} checkpoints of {used / 2**20:.0f} MB together, at most {MOST_KEPT} and "
            f"{_MOST_BYTES // 2**20} MB are possible; delete one first"
        )
    if len(_folders()) >= MOST_OF_ALL:
        raise RunError(f"this server keeps {MOST_OF_ALL} checkpoints, no more are possible; delete one first")
    try:
        subject.check()
    except _WRONG as error:  # what is shown now could not be read again
        raise RunError(f"this network cannot be kept: {error}; rescale its layers") from error
    content = network.read_bytes()
    about = json.dumps([me, subject.dataset, subject.labels], sort_keys=True).encode()
    key = hashlib.sha256(content + about).hexdigest()[:12]
    try:
        make_folder(_root())
        with tempfile.TemporaryDirectory(prefix=".new-", dir=_root()) as fresh:
            folder = Path(fresh, key)
            folder.mkdir()
            (folder / NETWORK).write_bytes(content)
            (folder / SUBJECT).write_text(json.dumps(subject.to_dict()))
            (folder / _OWNER).write_text(json.dumps({"owner": me}))
            forget(key)  # kept before: the same again
            folder.rename(_root() / key)
    except OSError as error:
        raise RunError(f"{_root()} cannot be written ({error.strerror}); make room there") from error
    return key


def forget(key: str) -> None:
    """Delete one; whether the reader may is the caller's question."""
    shutil.rmtree(_root() / key, ignore_errors=True)


def _root() -> Path:
    return runs_folder() / "checkpoints"


def _folders() -> list[Path]:
    """Newest first."""
    folders = []
    with suppress(OSError):
        folders = [folder for folder in _root().iterdir() if not folder.name.startswith(".")]
    return sorted(folders, key=_age)


def _age(folder: Path) -> float:
    try:
        return -folder.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0
