"""What certifies finished runs for the Playground, by Theorems D and D2, as the command does."""

import json
import shutil
import subprocess
import sys

from boundlab.cli.main import main
from boundlab.evaluation.coded_worker import certify_folder
from boundlab.runs.coded import CODED
from boundlab.runs.folder import open_run


def copied(finished, folder):
    return shutil.copytree(finished, folder / finished.name)


def test_it_stores_what_the_command_stores_and_leaves_it(finished, tmp_path):
    one, other = copied(finished, tmp_path / "one"), copied(finished, tmp_path / "other")
    certify_folder(one)
    assert main(["certify", other.name, "--theorem", "d", "--runs", str(other.parent)]) == 0
    assert json.loads((one / CODED).read_text()) == json.loads((other / CODED).read_text())
    assert [made.theorem for made in open_run(one).coded] == ["D", "D2"]
    before = (one / CODED).stat().st_mtime_ns
    certify_folder(one)
    assert (one / CODED).stat().st_mtime_ns == before


def test_a_network_without_one_is_named_and_the_next_is_tried(finished, tmp_path):
    broken, whole = copied(finished, tmp_path / "broken"), copied(finished, tmp_path / "whole")
    (broken / "network.safetensors").write_bytes(b"nonsense")
    command = [sys.executable, "-m", "boundlab.evaluation.coded_worker", str(broken), str(whole)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{broken.name}: ")
    assert done.stderr.count("\n") == 1
    assert not (broken / CODED).exists()
    assert open_run(whole).coded
