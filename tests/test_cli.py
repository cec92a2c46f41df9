"""The command line as a user meets it: real processes for exit codes, `main` for content."""

import itertools
import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from boundlab.cli import main
from boundlab.runs import PACK
from boundlab.specs import ArchSpec
from tests.conftest import reference_weights, write_checkpoint

DIGITS = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=2)


def evaluate(capsys, *arguments):
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def checkpoint(tmp_path, arch=DIGITS, seed=0):
    return write_checkpoint(tmp_path / "net.safetensors", arch, reference_weights(arch, seed))


def test_evaluate_prints_everything_promised(tmp_path, capsys):
    got = evaluate(capsys, checkpoint(tmp_path), "--dataset", "digits", "--delta", 0.01)
    assert set(got) >= {"spec", "n", "delta", "convention", "norms", "bounds", "errors"}
    assert (got["n"], got["delta"], got["convention"]) == (1437, 0.01, "published")
    assert set(got["bounds"]) >= {"sparse", "golowich", "ledent", "long_sedghi", "graf"}
    assert set(got["norms"]["layers"][0]) >= {"name", "frobenius", "spectral_kernel", "spectral_map", "norm_21"}
    assert 0 <= got["errors"]["train"] <= 1
    for bound in got["bounds"].values():
        if bound["value"] is None:
            assert bound["reason"]
        else:
            assert np.prod(list(bound["factors"].values())) == pytest.approx(bound["complexity"], rel=1e-12)
            assert bound["value"] == pytest.approx(bound["complexity"] + bound["confidence"] + bound["empirical"])


def test_evaluate_without_errors_strict_and_n(tmp_path, capsys):
    path = checkpoint(tmp_path)
    quick = evaluate(capsys, path, "--dataset", "digits", "--no-errors")
    assert quick["errors"] == {"train": None, "test": None}
    assert quick["bounds"]["sparse"]["value"] > 0
    other = evaluate(capsys, path, "--dataset", "digits", "--no-errors", "--n", 5748)
    assert other["n"] == 5748
    assert other["bounds"]["sparse"]["complexity"] == pytest.approx(quick["bounds"]["sparse"]["complexity"] / 4)
    strict = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict", "--margin", 0.37)
    assert strict["bounds"]["sparse"]["margin"] == 0.37
    assert strict["bounds"]["golowich"]["value"] is None
    refused = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict", "--n", 5748)
    assert "size of the sample" in refused["bounds"]["sparse"]["reason"]


def test_strict_ramp_at_a_free_margin_is_exact(tmp_path, capsys):
    from boundlab.checkpoints import load
    from boundlab.datasets import load as load_data
    from boundlab.nets import from_weights
    from tests import oracles

    path = checkpoint(tmp_path)
    strict = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict", "--margin", 0.37)
    read = load(path, "digits")
    train, _ = load_data("digits")
    with torch.no_grad():
        outputs = from_weights(read.arch, read.weights, read.biases)(train.images).numpy()
    expected = oracles.ramp(oracles.margins(outputs, train.labels.numpy()), 0.37)
    assert strict["bounds"]["sparse"]["empirical"] == pytest.approx(expected, abs=1e-6)


def test_shipped_checkpoints_evaluate_to_their_shipped_record(pack, capsys):
    path = next(PACK.glob("checkpoints/digits-*.safetensors"))
    run = next(run for run in pack if run.id == path.stem)
    got = evaluate(capsys, path, "--dataset", "digits", "--convention", "theorem")
    assert got["errors"]["test"] == pytest.approx(run.final["test_error"])
    assert got["norms"]["rho"] == pytest.approx(float(run.norms(run.epochs).rho[-1]), rel=1e-6)
    assert all(bound["value"] is not None for bound in got["bounds"].values())


@pytest.mark.parametrize(
    ("channels", "seed", "expected"),
    [
        (16, 1016, {"sparse": 10.05667, "golowich": 631882.4, "ledent": 7896476, "long_sedghi": 5.003969, "graf": 202884.0}),
        (64, 1064, {"sparse": 75.18083, "golowich": 4923165, "ledent": 13851950, "long_sedghi": 12.29397, "graf": 1332997}),
    ],
)  # fmt: skip
def test_reference_rows_on_mnist(mnist_root, tmp_path, capsys, channels, seed, expected):
    arch = ArchSpec(channels=channels, bias=True)
    spec = {
        "kind": "conv",
        "in_shape": [1, 28, 28],
        "channels": channels,
        "conv_layers": 3,
        "kernel_size": 2,
        "classes": 10,
        "bias": True,
    }
    path = write_checkpoint(tmp_path / "net.safetensors", arch, reference_weights(arch, seed), spec)
    got = evaluate(capsys, path, "--dataset", "mnist", "--no-errors", "--data-root", mnist_root)
    assert got["n"] == 50000
    assert {key: got["bounds"][key]["value"] for key in expected} == pytest.approx(expected, rel=5e-5)
    assert got["sample"]["raw"]["path_energy_root"] == pytest.approx(18344.5, rel=1e-5)
    assert got["sample"]["fed"]["path_energy_root"] == pytest.approx(53816.2, rel=1e-5)
    strict = evaluate(
        capsys, path, "--dataset", "mnist", "--no-errors", "--data-root", mnist_root, "--convention", "strict"
    )
    assert "no biases" in strict["bounds"]["sparse"]["reason"]


def test_an_mlp_checkpoint_has_every_bound(tmp_path, capsys):
    arch = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(16, 12))
    spec = {"kind": "mlp", "in_shape": [1, 8, 8], "hidden": [16, 12], "classes": 10}
    path = write_checkpoint(tmp_path / "mlp.safetensors", arch, reference_weights(arch, 0), spec)
    got = evaluate(capsys, path, "--dataset", "digits")
    assert [layer["name"] for layer in got["norms"]["layers"]] == ["dense1", "dense2", "output"]
    assert all(got["bounds"][key]["value"] > 0 for key in ("sparse", "golowich", "ledent", "long_sedghi", "graf"))
    assert evaluate(capsys, path, "--dataset", "digits", "--convention", "strict")["bounds"]["sparse"]["value"] > 0


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
        "int": "should be one of F16", "huge": "channels must be a whole number", "other": "7 classes",
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
    for factor, code in ((1e200, 2), (1e-200, 0), (0.0, 0)):
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


def test_pack_leaves_other_files_alone_and_checks_first(tmp_path, capsys):
    (tmp_path / "spec.json").write_text('{"dataset": "digits", "epochs": 1, "arch": {"channels": 2, "conv_layers": 1}}')
    runs, out = tmp_path / "runs", tmp_path / "pack"
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(runs), "--quiet"]) == 0
    (out / "checkpoints").mkdir(parents=True)
    (out / "checkpoints" / "thesis.txt").write_text("mine")
    assert main(["pack", "--runs", str(runs), "--out", str(out)]) == 0
    assert (out / "checkpoints" / "thesis.txt").read_text() == "mine"
    network = next(runs.glob("*/network.safetensors"))
    before = sorted(p.name for p in out.rglob("*"))
    network.unlink()
    capsys.readouterr()
    assert main(["pack", "--runs", str(runs), "--out", str(out)]) == 2
    assert "has no network.safetensors" in capsys.readouterr().err
    assert sorted(p.name for p in out.rglob("*")) == before
    assert (
        main(["train", str(tmp_path / "spec.json"), "--out", str(runs), "--quiet"]) == 0
    )  # not sealed any more: trained again
    assert network.is_file()


def test_folders_that_cannot_be_used_are_sentences(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    (tmp_path / "spec.json").write_text('{"dataset": "digits"}')
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path / "file"), "--quiet"]) == 2
    assert "Not a directory" in capsys.readouterr().err
    broken = tmp_path / "runs" / "some-run"
    broken.mkdir(parents=True)
    (broken / "status.json").write_text('{"state": "done"}')
    assert main(["runs", "--out", str(tmp_path / "runs")]) == 2
    assert "spec.json cannot be read" in capsys.readouterr().err
    (broken / "status.json").write_text("[]")
    assert main(["runs", "--out", str(tmp_path / "runs")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_sweep_and_pack(tmp_path, capsys):
    base = {"dataset": "digits", "epochs": 2, "arch": {"conv_layers": 1, "channels": 2}}
    grid = [{"base": base, "axes": {"arch.channels": [2, 3], "weight_decay": [1e-3, 2e-3]}}]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    runs, out = tmp_path / "runs", tmp_path / "pack"
    arguments = ["--grid", str(tmp_path / "grid.json"), "--runs", str(runs), "--out", str(out), "--device", "cpu"]
    assert main(["pack", *arguments, "--checkpoints", "*-3-*", "*-1-3-*"]) == 0
    assert "4 runs and 2 checkpoints" in capsys.readouterr().out
    assert main(["runs", "--out", str(runs), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {(r["channels"], r["weight_decay"]) for r in listed} == {(2, 1e-3), (2, 2e-3), (3, 1e-3), (3, 2e-3)}
    assert all(not r["at_plateau"] for r in listed)
    before = {p: p.stat().st_mtime_ns for p in runs.glob("*/epochs.parquet")}
    assert main(["sweep", str(tmp_path / "grid.json"), "--out", str(runs)]) == 0  # nothing left to do
    assert {p: p.stat().st_mtime_ns for p in runs.glob("*/epochs.parquet")} == before


def test_a_failed_run_does_not_stop_the_sweep(tmp_path, capsys):
    grid = [
        {"base": {"dataset": "mnist", "epochs": 1}},
        {"base": {"dataset": "digits", "epochs": 1, "arch": {"conv_layers": 1}}},
    ]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"junk")
    arguments = [str(tmp_path / "grid.json"), "--out", str(tmp_path / "runs"), "--data-root", str(tmp_path)]
    assert main(["sweep", *arguments]) == 1
    assert "IDX magic" in capsys.readouterr().err
    assert len(list((tmp_path / "runs").glob("*/epochs.parquet"))) == 1


def test_the_shipped_runs_say_what_the_paper_says(capsys):
    assert main(["runs", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    mnist = [r for r in runs if r["dataset"] == "mnist" and r["channels"] == 16]
    by_decay = sorted((r for r in mnist if r["conv_layers"] == 3), key=lambda r: r["weight_decay"])
    rho = [r["rho"] for r in by_decay]
    assert len(rho) == 6
    assert all(a > b for a, b in itertools.pairwise(rho))
    assert by_decay[-1]["bounds"]["sparse"] < 1.3
    deep = {r["conv_layers"]: r["bounds"] for r in mnist if r["weight_decay"] == 4e-3}
    for a, b in ((3, 4), (4, 5), (5, 6), (6, 8)):
        assert deep[b]["golowich"] / deep[a]["golowich"] > 5 ** (b - a)
        assert deep[b]["sparse"] / deep[a]["sparse"] < 3 ** (b - a)
    assert all(r["trained"] and r["at_plateau"] for r in runs)
    assert all(0 < r["test_error"] < 0.1 for r in runs)
