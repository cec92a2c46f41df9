"""What is installed from a wheel is whole: every file of the package is in it, and it works outside the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.conftest import ROOT


def _has_the_backend() -> bool:
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel of this tree, built as `pip install .` does: by the build backend of pyproject.toml."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    how = ["--no-build-isolation"] if _has_the_backend() else []  # else pip fetches it
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", *how, "--quiet", "--wheel-dir", str(out), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (found,) = out.glob("boundlab-*.whl")
    return found


def test_every_file_of_the_package_is_in_a_wheel(wheel):
    source = ROOT / "src"
    ours = {str(path.relative_to(source)) for path in (source / "boundlab").rglob("*") if path.is_file()}
    ours = {name for name in ours if "__pycache__" not in name}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {"boundlab/ui/visitor/visitor.js", "boundlab/ui/player/player.css"} <= ours
    assert packed == ours


def test_a_wheel_works_outside_the_repository(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = "import boundlab, boundlab.ui.visitor, boundlab.ui.player, boundlab.ui.pages.theory, boundlab.cli.main; print(boundlab.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "installed")
