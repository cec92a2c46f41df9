"""What is installed from a wheel is whole: every file of the package is in it, and `boundlab app` opens every page outside the
repository."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from boundlab.ui.page import PAGES
from tests.conftest import ROOT
from tests.e2e.conftest import browser, chromium
from tests.e2e.serving import settle

__all__ = ["browser", "chromium"]


def _has_the_backend() -> bool:
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel of this tree, built as `pip install .` does: by the build backend of pyproject.toml."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE", "app.py"):
        shutil.copy(ROOT / name, source / name)
    for name in ("src", "pages", "data", ".streamlit"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
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
    beside = {name for name in packed if name.startswith("boundlab/dashboard/")}
    assert packed - beside == ours
    there = {path.removeprefix("boundlab/dashboard/") for path in beside}
    assert {"app.py", ".streamlit/config.toml", "data/runs/mnist/epochs.parquet", "data/runs/coded/pack.json"} <= there
    assert {path.name for path in (ROOT / "pages").glob("*.py")} == {
        Path(n).name for n in there if n.startswith("pages/")
    }
    assert all((ROOT / name).is_file() for name in there)
    assert wheel.stat().st_size < 5_000_000


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


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment that holds the wheel alone; what it depends on it finds where these tests do."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, with_pip=False)
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(place / "bin" / "python"),
        "install",
        "--no-deps",
        "--quiet",
    ]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (packages,) = place.glob("lib/python*/site-packages")
    ours = [Path(path) for path in sys.path if path.endswith("-packages")]
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in ours))
    return place


def test_boundlab_app_opens_every_page_of_a_wheel(installed, tmp_path, browser):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "BOUNDLAB_RUNS")}
    where = [installed / "bin" / "python", "-c", "import boundlab; print(boundlab.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(installed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [installed / "bin" / "boundlab", "app", "--port", str(port), "--no-browser"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        for entry in PAGES:
            page = browser.new_context().new_page()
            page.goto(f"http://127.0.0.1:{port}/{'' if entry.key == 'start' else entry.path.split('_', 1)[1][:-3]}")
            page.get_by_test_id("stSidebar").get_by_text("Boundlab").first.wait_for(timeout=120_000)
            settle(page)
            assert entry.title in page.title()
            said = " ".join(page.get_by_test_id("stAlert").all_inner_texts())
            assert "cannot be read" not in said, said
            assert page.get_by_test_id("stException").count() == 0, (entry.key, (tmp_path / "log").read_text())
            assert page.get_by_role("heading").count() >= 1
            page.context.close()
    finally:
        server.terminate()
        server.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until it answers."""
    for _ in range(600):
        assert server.poll() is None
        with suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")
