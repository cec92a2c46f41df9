"""A notebook run by this Python from the first cell to the last, and what it shows then."""

import sys

import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT


def run_cells(notebook, folder):
    """The notebook itself, its outputs new; `folder`: an empty one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        patch.setenv("JUPYTER_DATA_DIR", str(folder))
        patch.setenv("IPYTHONDIR", str(folder))
        kernel = folder / "kernels" / "this"
        kernel.mkdir(parents=True)
        words = f'["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
        (kernel / "kernel.json").write_text(f'{{"argv": {words}, "display_name": "this", "language": "python"}}')
        NotebookClient(
            notebook, timeout=600, kernel_name="this", resources={"metadata": {"path": str(folder)}}
        ).execute()
    return notebook


def shown(notebook):
    """The text of every output of every code cell."""
    return [
        "".join(str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", "")) for out in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
