"""The terminal's own events: a reader that leaves, Ctrl-C while modules load, links that lead round in a circle."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from boundlab.cli.main import main
from boundlab.data.own import add
from boundlab.errors import DataError

BOUNDLAB = [sys.executable, "-m", "boundlab"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["runs"], 141),
        (["runs", "--json"], 141),
        (["data", "list"], 141),
        # argparse itself is quiet
        (["runs", "--help"], 0),
    ],
)
def test_a_reader_that_leaves_is_no_error(line, code):
    read, write = os.pipe()
    os.close(read)  # whatever is written finds nobody
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run([*BOUNDLAB, *line], stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("module", ["numpy", "boundlab.cli.arguments", "torch"])
def test_ctrl_c_while_modules_load(tmp_path, module):
    """The interrupt comes when `module` is about to be loaded, whatever the machine's speed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, also where the tests run in the background\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            sys.meta_path.remove(self)\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    line = [*BOUNDLAB, "evaluate", str(tmp_path / "none.safetensors"), "--dataset", "digits"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths})
    assert (done.returncode, done.stdout) == (128 + signal.SIGINT, "")
    assert done.stderr.startswith("boundlab: stopped")
    assert len(done.stderr.splitlines()) == 1


def test_links_in_a_circle_are_named(tmp_path, capsys):
    for name in ("cat", "dog"):
        (tmp_path / "a" / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((4, 4), 9 * i, np.uint8)).save(tmp_path / "a" / name / f"{i}.png")
    places = [tmp_path / "a" / "cat" / "x.png", tmp_path / "a" / "emu", tmp_path / "circle"]
    for place in places:
        place.symlink_to(place)
        source = place if place.parent == tmp_path else tmp_path / "a"
        assert main(["data", "add", str(source), "--data-root", str(tmp_path / "root")]) == 2
        said = capsys.readouterr().err
        assert f"{place} should be a file or folder, got a link that leads round in a circle" in said
        assert len(said.splitlines()) == 1
        place.unlink()
    (tmp_path / "a" / "emu").symlink_to("..")  # a way round through a folder
    with pytest.raises(DataError, match="leads out of it"):
        add(tmp_path / "a", root=tmp_path / "root")
