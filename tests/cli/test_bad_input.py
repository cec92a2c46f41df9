"""Broken and hostile input: exit code 2 and one sentence that says what was expected, never a traceback."""

import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest

from boundlab.cli.main import main
from boundlab.specs.arch import ArchSpec
from tests.cases import DIGITS, checkpoint
from tests.conftest import reference_weights, write_checkpoint


def malformed(tmp_path):
    """(name, file, what the sentence must say)."""
    good = checkpoint(tmp_path).read_bytes()
    header_size = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + header_size])

    def rewritten(change):
        new = json.loads(json.dumps(header))
        change(new)
        text = json.dumps(new).encode()
        return struct.pack("<Q", len(text)) + text + good[8 + header_size :]

    weights = reference_weights(DIGITS, 0)
    bad = [w.copy() for w in weights]
    bad[1][0, 0, 0, 0] = np.nan
    write_checkpoint(tmp_path / "nan", DIGITS, bad)
    write_checkpoint(tmp_path / "shape", DIGITS, [weights[0], weights[1], weights[2][:, :-1].copy()])
    write_checkpoint(tmp_path / "int", DIGITS, [weights[0].astype(np.int32), *weights[1:]])
    write_checkpoint(tmp_path / "huge", DIGITS, weights, DIGITS.to_dict() | {"channels": 10**9})
    write_checkpoint(tmp_path / "other", DIGITS, weights, DIGITS.to_dict() | {"classes": 7})
    (tmp_path / "torch.pt").write_bytes(pickle.dumps({"layers.0.weight": 1}))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "truncated").write_bytes(good[:-100])
    (tmp_path / "half").write_bytes(good[:50])
    (tmp_path / "giant").write_bytes(struct.pack("<Q", 2**62) + good[8:])
    (tmp_path / "nospec").write_bytes(rewritten(lambda h: h.pop("__metadata__")))
    (tmp_path / "badspec").write_bytes(rewritten(lambda h: h["__metadata__"].update(spec="{")))
    (tmp_path / "listspec").write_bytes(rewritten(lambda h: h["__metadata__"].update(spec="[1]")))
    (tmp_path / "offsets").write_bytes(rewritten(lambda h: h["layers.1.weight"].update(data_offsets=[0, 144])))
    (tmp_path / "renamed").write_bytes(rewritten(lambda h: h.update({"../x": h.pop("layers.1.weight")})))
    return {
        "nan": "has NaN or infinite values", "shape": "output.weight should have shape [10, 108], got [10, 107]",
        "int": "should be one of F16", "huge": "channels must be a whole number", "other": "output.weight should have shape [7, 108]",
        "torch.pt": "not a complete .safetensors file", "empty": "not a complete .safetensors file",
        "truncated": "not a complete .safetensors file", "half": "not a complete .safetensors file",
        "giant": "not a complete .safetensors file", "nospec": "no metadata entry 'spec'", "badspec": "is not JSON",
        "listspec": "must be a JSON object", "offsets": "not a complete .safetensors file", "renamed": "missing tensors",
        "absent": "is not a file",
    }  # fmt: skip


def test_bad_files_end_in_exit_code_2_and_one_sentence(tmp_path, capfd):
    for name, sentence in malformed(tmp_path).items():
        assert main(["evaluate", str(tmp_path / name), "--dataset", "digits"]) == 2, name
        out, err = capfd.readouterr()
        assert sentence in err, (name, err)
        assert out == ""
        assert len(err.strip().splitlines()) == 1, (name, err)


def test_exit_codes_of_the_real_process(tmp_path):
    (tmp_path / "net.pt").write_bytes(pickle.dumps([1, 2, 3]))
    command = [sys.executable, "-m", "boundlab", "evaluate", str(tmp_path / "net.pt"), "--dataset", "digits"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "not a complete .safetensors file" in done.stderr


def test_bad_settings_and_specs_are_sentences(tmp_path, capsys):
    path = checkpoint(tmp_path)
    assert main(["evaluate", str(path), "--dataset", "digits", "--delta", "2"]) == 2
    assert "delta must lie strictly between 0 and 1" in capsys.readouterr().err
    (tmp_path / "spec.json").write_text('{"dataset": "digits", "epoch": 3}')
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path)]) == 2
    assert "unknown fields ['epoch']" in capsys.readouterr().err
    (tmp_path / "grid.json").write_text('[{"base": {}, "axis": {}}]')
    assert main(["sweep", str(tmp_path / "grid.json"), "--out", str(tmp_path)]) == 2
    assert main(["pack", "--runs", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert "is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "grid",
    ["[]", "{}", '[{"axes": [1]}]', '[{"axes": null}]', '[{"base": []}]', '[{"base": {"arch": "abc"}}]', "[" * 100_000,
     '[{"base": {"dataset": "digits"}, "axes": {"seed": 3}}]'],
)  # fmt: skip
def test_odd_grids_are_sentences(tmp_path, capsys, grid):
    (tmp_path / "grid.json").write_text(grid)
    assert main(["sweep", str(tmp_path / "grid.json"), "--out", str(tmp_path / "runs")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["sweep", "g", "--workers", "0"], ["evaluate", "f"], ["evaluate", "f", "--n", "1e3"], []]
)
def test_usage_errors_are_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_messages_have_a_limit(tmp_path, capsys):
    (tmp_path / "spec.json").write_text(json.dumps({"dataset": "digits"} | {f"x{i}": 1 for i in range(10_000)}))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err) < 700


def test_extreme_weights_are_measured_or_refused(tmp_path, capfd):
    weights = [w.astype(np.float64) for w in reference_weights(DIGITS, 0)]
    for factor, code in ((1e200, 2), (1e-200, 2), (1e-60, 0), (0.0, 0)):
        path = write_checkpoint(tmp_path / f"w{factor}", DIGITS, [w * factor for w in weights])
        assert main(["evaluate", str(path), "--dataset", "digits", "--json"]) == code
        out, err = capfd.readouterr()
        assert len(err.splitlines()) == (code > 0)
        assert "Infinity" not in out
        assert "NaN" not in out
    deep = ArchSpec(in_shape=(1, 8, 8), channels=1, conv_layers=64, kernel_size=1)
    path = write_checkpoint(tmp_path / "deep", deep, [np.full(s.weight_shape, 1e20, np.float32) for s in deep.shapes()])
    assert main(["evaluate", str(path), "--dataset", "digits", "--no-errors", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out, parse_constant=pytest.fail)["norms"]["rho"] is None
    assert err == ""


def test_folders_that_cannot_be_used_are_sentences(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "spec.json").write_text('{"dataset": "digits"}')
    (tmp_path / "grid.json").write_text('[{"base": {"dataset": "digits"}}]')
    for command, given in (("train", "spec.json"), ("sweep", "grid.json")):
        assert main([command, str(tmp_path / given), "--out", str(tmp_path / "file")]) == 2
        assert "is a file where a folder of runs should be" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["runs", "--out", str(tmp_path / "empty")]) == 0
    assert "no runs in" in capsys.readouterr().out
    broken = tmp_path / "runs" / "some-run"
    broken.mkdir(parents=True)
    (broken / "status.json").write_text('{"state": "done"}')
    assert main(["runs", "--out", str(tmp_path / "runs")]) == 2
    assert "spec.json cannot be read" in capsys.readouterr().err
    (broken / "status.json").write_text("[]")
    assert main(["runs", "--out", str(tmp_path / "runs")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2  # why, and how many are left


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["evaluate", f"{LONG}.safetensors", "--dataset", "digits"], "File name too long"),
        (["train", "SPEC", "--out", "OUT"], "dataset must be one of"),
        (["runs", "--out", LONG], "File name too long"),
        (["data", "remove", LONG], "see `boundlab data list`"),
    ],
)
def test_what_was_given_does_not_hide_what_is_said_about_it(tmp_path, capsys, command, words):
    (tmp_path / "spec.json").write_text(json.dumps({"dataset": LONG}))
    given = [{"SPEC": str(tmp_path / "spec.json"), "OUT": str(tmp_path / "out")}.get(part, part) for part in command]
    assert main(given) == 2
    said = capsys.readouterr().err
    print(said)
    assert words in said
    assert LONG not in said  # cut, so that the rest is seen
    assert len(said) < 600


def test_a_folder_with_nothing_but_a_broken_spec_is_named_and_a_run_that_waits_is_not(tmp_path, capsys):
    for name, text in (("broken", "{"), ("wrong", "{}"), ("waits", json.dumps({"dataset": "digits"}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.json").write_text(text)
    assert main(["runs", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "left out broken: " in said
    assert "left out wrong: " in said
    assert "waits" not in said


def test_a_list_of_specs_is_refused_by_entry_and_the_same_run_twice_is_once(tmp_path, capsys):
    good = {"dataset": "digits", "epochs": 1, "arch": {"channels": 2, "conv_layers": 1}}
    (tmp_path / "bad.json").write_text(json.dumps([good, good | {"weight_decay": "much"}]))
    assert main(["train", str(tmp_path / "bad.json"), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert "entry 2 of the list: weight_decay must be" in capsys.readouterr().err
    (tmp_path / "twice.json").write_text(json.dumps([good, good]))
    assert (
        main(["train", str(tmp_path / "twice.json"), "--out", str(tmp_path / "out"), "--quiet", "--device", "cpu"]) == 0
    )
    assert len(list((tmp_path / "out").glob("digits-*"))) == 1
