"""Disks that are full or read-only, files where folders should be, two sweeps at once: one sentence, and nothing lost."""

import contextlib
import errno
import json
import re
import subprocess
import sys

import pytest

from boundlab.cli.main import main
from boundlab.specs.grid import load_grid
from boundlab.specs.run import RunSpec
from boundlab.training.failure import of_a_command
from tests.training.test_worker import small_disk  # noqa: F401

BASE = {"dataset": "digits", "epochs": 1, "arch": {"conv_layers": 1, "channels": 2}}


@pytest.fixture
def ready(tmp_path):
    """spec.json, grid.json and a finished run below `runs`."""
    (tmp_path / "spec.json").write_text(json.dumps(BASE))
    (tmp_path / "grid.json").write_text(json.dumps([{"base": BASE}]))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path / "runs"), "--quiet"]) == 0
    return tmp_path


def commands(ready, out):
    """Everything that writes below `out`."""
    return {
        "train": ["train", str(ready / "spec.json"), "--out", str(out), "--quiet"],
        "sweep": ["sweep", str(ready / "grid.json"), "--out", str(out)],
        "pack": ["pack", "--runs", str(ready / "runs"), "--out", str(out)],
    }


def refused(arguments, capsys):
    """The one sentence of a command that ends with exit code 2 (a sweep whose run fails: 1, and the run's sentence)."""
    capsys.readouterr()
    assert main(arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "Traceback" not in said
    assert "Errno" not in said
    return said


@pytest.mark.parametrize("command", ["train", "sweep", "pack"])
@pytest.mark.parametrize("below", [False, True], ids=["itself", "a part of it"])
def test_a_file_where_a_folder_should_be_is_named(ready, capsys, command, below):
    (ready / "file").write_text("mine")
    out = ready / "file" / "deeper" if below else ready / "file"
    said = refused(commands(ready, out)[command], capsys)
    assert f"{ready / 'file'} is a file where a folder" in said
    assert (ready / "file").read_text() == "mine"


@pytest.mark.parametrize("command", ["train", "sweep", "pack", "certify"])
def test_a_full_disk_is_named_with_its_remedy(ready, capsys, small_disk, command):  # noqa: F811
    if command == "certify":
        subprocess.run(["cp", "-r", *map(str, (ready / "runs").glob("digits-*")), str(small_disk)], check=True)
    fill(small_disk / "filler")
    asked = commands(ready, small_disk) | {"certify": ["certify", "*", "--runs", str(small_disk), "--draws", "20"]}
    said = refused(asked[command], capsys)
    assert re.search(f"the disk with {small_disk}.* is full: free space and give the same command again", said), said
    (small_disk / "filler").unlink()
    assert main(asked[command]) == 0


def fill(path):
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("command", ["train", "sweep", "pack", "certify"])
def test_a_read_only_disk_is_named_with_its_remedy(ready, capsys, small_disk, command):  # noqa: F811
    subprocess.run(["cp", "-r", *map(str, (ready / "runs").glob("digits-*")), str(small_disk)], check=True)
    asked = commands(ready, small_disk / "new") | {
        "certify": ["certify", "*", "--runs", str(small_disk), "--draws", "20"]
    }
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    said = refused(asked[command], capsys)
    assert "cannot be read or written (Read-only file system): change its permissions and give the same command" in said
    assert str(small_disk) in said


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk with runs/x is full"),
        (errno.EDQUOT, "the disk with runs/x is full"),
        (errno.EROFS, "runs/x cannot be read or written"),
        (errno.EACCES, "runs/x cannot be read or written"),
        (errno.ENOTDIR, "runs/x is a file where a folder should be"),
        (errno.EIO, "runs/x failed"),
    ],
)
def test_every_errno_has_a_sentence(code, words):
    said = of_a_command(OSError(code, "words of the system", "runs/x"))
    assert words in said
    assert said.endswith("give the same command again")


def test_two_sweeps_on_one_folder_share_the_work_and_both_succeed(tmp_path):
    grid = [{"base": BASE | {"epochs": 6}, "axes": {"seed": [0, 1, 2]}}]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    command = [sys.executable, "-m", "boundlab", "sweep", str(tmp_path / "grid.json"), "--out", str(tmp_path / "runs")]
    both = [
        subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all((tmp_path / "runs" / spec.id / "epochs.parquet").is_file() for spec in load_grid(tmp_path / "grid.json"))
    assert not list((tmp_path / "runs" / ".queue").glob("*.log"))


def test_a_run_whose_status_cannot_be_read_does_not_stop_the_sweep(tmp_path, capsys):
    (tmp_path / "grid.json").write_text(json.dumps([{"base": BASE, "axes": {"seed": [0, 1]}}]))
    bad = tmp_path / "runs" / RunSpec.from_dict(BASE).id
    bad.mkdir(parents=True)
    (bad / "status.json").write_text("[1")
    assert main(["sweep", str(tmp_path / "grid.json"), "--out", str(tmp_path / "runs"), "--device", "cpu"]) == 1
    assert f"{bad / 'status.json'}" in capsys.readouterr().err
    assert len(list((tmp_path / "runs").glob("*/epochs.parquet"))) == 1
