"""A command is answered at once: help and mistakes in arguments load nothing heavy."""

import subprocess
import sys

import pytest

SLOW = {"torch", "pandas", "plotly", "streamlit", "pyarrow", "scipy", "sklearn", "pooch", "safetensors"}


@pytest.mark.parametrize("line", [["--help"], ["evaluate", "--help"], ["data", "add", "--help"], ["sweep"]])
def test_arguments_are_read_without_what_commands_need(line):
    code = (
        "import sys\nfrom boundlab.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as ended: print('\\0', ended.code, *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True, check=True)
    ended, *modules = done.stdout.split("\0")[1].split()
    assert ended == ("2" if line == ["sweep"] else "0")
    assert "boundlab.cli.sweep" in modules
    assert SLOW & set(modules) == set()
