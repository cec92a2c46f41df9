"""The arrows of `src/README.md`, held against the syntax tree of every file and against a fresh interpreter per package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meanings import REASONS, shared

SOURCE = Path(__file__).resolve().parents[1] / "src"
GROUND = {"errors", "validation", "text", "version"}
WITH_TORCH = {"networks", "training", "evaluation", "data.splits"}
HEAVY = {"torch", "streamlit", "plotly", "sklearn", "pooch"}


def _table() -> dict[str, set[str]]:
    block = (SOURCE / "README.md").read_text().split("```")[1]
    rows = (line.split("->") for line in block.strip().splitlines())
    return {left.strip(): set(right.split()) for left, right in rows}


def _modules() -> dict[str, Path]:
    """Dotted name below boundlab ("" for the package itself) -> file."""
    found = {}
    for path in sorted((SOURCE / "boundlab").rglob("*.py")):
        parts = path.relative_to(SOURCE / "boundlab").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


ARROWS, MODULES = _table(), _modules()


def _package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:3]) if parts[:2] == ["ui", "pages"] and parts[2:] else parts[0] or "boundlab"


PACKAGES = sorted({_package(module) for module in MODULES} - GROUND - {"boundlab", "__main__"})


def _allowed(package: str) -> set[str]:
    return ARROWS["ui.pages.*" if package.startswith("ui.pages.") else package]


def _imported(tree: ast.Module) -> Iterator[str]:
    """The modules of ours that a file imports anywhere, in functions and for type checking, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in (name for name in names if name.split(".")[0] == "boundlab"):
            inner = name.removeprefix("boundlab").lstrip(".")
            yield inner if inner in MODULES else inner.rpartition(".")[0]


def _wrong(module: str, tree: ast.Module) -> list[str]:
    package = _package(module)
    used = {_package(name) for name in _imported(tree)} - {package} - GROUND
    return sorted(f"{module} -> {name}" for name in used - (set() if package in GROUND else _allowed(package)))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_package_may(module):
    assert _wrong(module, ast.parse(MODULES[module].read_text())) == []


@pytest.mark.parametrize(
    ("module", "line", "wrong"),
    [
        ("charts.theme", "from boundlab.runs.pack import PACK", "charts.theme -> runs"),
        ("jobs.queue", "def f():\n    from boundlab.training import worker", "jobs.queue -> training"),
        ("text", "import boundlab.specs.run", "text -> specs"),
        ("ui.pages.start", "from boundlab.ui.pages import theory", "ui.pages.start -> ui.pages.theory"),
        ("ui.page", "from boundlab.ui.pages.train import board", "ui.page -> ui.pages.train"),
    ],
)
def test_a_wrong_import_is_seen(module, line, wrong):
    assert _wrong(module, ast.parse(line)) == [wrong]


def test_the_table_has_no_circle_and_names_every_package():
    rest = {left: rights - {left} for left, rights in ARROWS.items()}
    assert {_package(m) for m in MODULES} - GROUND == {p for p in rest if p != "ui.pages.*"} | {
        p for p in PACKAGES if p.startswith("ui.pages.")
    }
    while rest:
        leaves = {left for left, rights in rest.items() if not rights & set(rest)}
        assert leaves, f"a circle among {sorted(rest)}"
        rest = {left: rights for left, rights in rest.items() if left not in leaves}


def test_every_arrow_is_used():
    used: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        package = "ui.pages.*" if module.startswith("ui.pages.") else _package(module)
        used.setdefault(package, set()).update(_package(name) for name in _imported(ast.parse(path.read_text())))
    unused = {left: sorted(rights - used[left]) for left, rights in ARROWS.items() if rights - used[left]}
    assert unused == {}


def _may_load(package: str) -> set[str]:
    torch = {"torch"} if package in WITH_TORCH else set()
    plotly = {"plotly"} if package in ("charts", "words") or package.startswith("ui") else set()
    return torch | plotly | ({"streamlit"} if package.startswith("ui") else set())


@pytest.mark.parametrize("package", [*PACKAGES, *sorted(GROUND), "evaluation.upload_worker"])
def test_a_package_loads_without_what_it_must_not_need(package):
    """All of its modules in one fresh interpreter; the upload worker looks at a file before it loads torch."""
    light = [m for m in MODULES if package in (_package(m), m) and m not in WITH_TORCH - {package}]
    code = "import importlib, sys\nfor m in sys.argv[1:]: importlib.import_module(f'boundlab.{m}')\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *light], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) <= _may_load(package)


def test_a_public_name_has_one_meaning():
    homes = shared()
    assert {name: where for name, where in homes.items() if name not in REASONS} == {}, (
        "give each its own name, or a reason"
    )
    assert set(REASONS) <= set(homes), "reasons for names that have one home by now"
