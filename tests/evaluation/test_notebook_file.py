"""The notebook that ships runs from the first cell to the last, and shows what it says."""

from pathlib import Path

import nbformat
import pytest

from tests.conftest import ROOT
from tests.kernel import run_cells, shown

NOTEBOOK = ROOT / "data" / "from_python.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook, run anew by this Python."""
    return run_cells(nbformat.read(NOTEBOOK, 4), tmp_path_factory.mktemp("kernel"))


def test_every_cell_runs_and_shows_what_is_stored(executed):
    stored = shown(nbformat.read(NOTEBOOK, 4))
    fresh = shown(executed)
    assert [bool(text) for text in fresh] == [bool(text) for text in stored]
    assert fresh[0] == stored[0]
    words = " ".join(fresh)
    for part in ("theorem_s2", "hold-out", "random numbers", "path_l1", "layers that follow each other"):
        assert part in words


def test_no_output_names_a_folder_of_whoever_ran_it():
    text = Path(NOTEBOOK).read_text()
    assert "/work/" not in text
    assert "/home/" not in text
    assert "Traceback" not in text
