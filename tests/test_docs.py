"""What the notes of the repository name is there: links, files, packages, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from boundlab.cli.main import main
from tests.conftest import ROOT

NOTES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("data/*.md")),
    *sorted(ROOT.glob(".github/*.md")),
    *sorted(ROOT.glob("src/**/*.md")),
]
PACKAGE = ROOT / "src" / "boundlab"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("note", NOTES, ids=named)
def test_links_lead_somewhere(note):
    for target in re.findall(r"\]\(([^)#\s]+)\)", note.read_text()):
        assert "://" in target or (note.parent / target).exists(), target


@pytest.mark.parametrize("note", NOTES, ids=named)
def test_files_that_are_named_exist(note):
    for name in re.findall(r"`([\w/.]+\.(?:py|md|toml|csv|js))\b", note.read_text()):
        places = (ROOT, ROOT / "src", PACKAGE, note.parent, ROOT / "data", ROOT / ".github")
        assert any((place / name.removeprefix("/")).exists() for place in places), name


def test_the_map_names_every_package():
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "src" / "README.md").read_text(), re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    ours = {path.stem for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    ground = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    assert listed == ours | ground


def test_commands_that_are_named_exist(capsys):
    pattern = re.compile(r"^(?:\.venv/bin/)?boundlab (\w+)", re.MULTILINE)
    commands = {command for note in NOTES for command in pattern.findall(note.read_text())}
    assert len(commands) >= 6
    for command in commands:
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0, command
