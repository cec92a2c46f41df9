"""The notebook that ships runs from the first cell to the last, and shows what it says."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = ROOT / "data" / "from_python.ipynb"


def shown(notebook):
    """The text of every output of every code cell."""
    return [
        "".join(str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", "")) for out in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook, run anew by this Python."""
    folder = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        patch.setenv("JUPYTER_DATA_DIR", str(folder))
        patch.setenv("IPYTHONDIR", str(folder))
        kernel = folder / "kernels" / "this"
        kernel.mkdir(parents=True)
        words = f'["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
        (kernel / "kernel.json").write_text(f'{{"argv": {words}, "display_name": "this", "language": "python"}}')
        notebook = nbformat.read(NOTEBOOK, 4)
        NotebookClient(
            notebook, timeout=600, kernel_name="this", resources={"metadata": {"path": str(folder)}}
        ).execute()
    return notebook


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
