"""The command line as a user meets it: real processes for exit codes, `main` for content."""

import collections
import itertools
import json

import numpy as np
import pytest
import torch

from boundlab.bounds import BY_KEY
from boundlab.bounds.base import BIASES_IGNORED
from boundlab.bounds.base import evaluate as evaluate_bound
from boundlab.cli.main import main
from boundlab.runs.pack import open_parts, read_pack
from boundlab.runs.part import write_part
from boundlab.runs.places import PACK
from boundlab.specs.arch import ArchSpec
from boundlab.specs.grid import load_grid
from boundlab.specs.settings import Settings
from tests.cases import checkpoint
from tests.conftest import ROOT, reference_weights, write_checkpoint


def evaluate(capsys, *arguments):
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


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
    assert [key for key, bound in strict["bounds"].items() if bound["value"] is not None] == ["sparse"]
    assert 0 < strict["theorem_s2"]["complexity"] < strict["bounds"]["sparse"]["complexity"]
    refused = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict", "--n", 5748)
    assert "size of the sample" in refused["bounds"]["sparse"]["reason"]


def test_strict_ramp_at_a_free_margin_is_exact(tmp_path, capsys):
    from boundlab.data.splits import load_splits as load_data
    from boundlab.networks.build import from_weights
    from boundlab.networks.checkpoint import load_checkpoint
    from tests import oracles

    path = checkpoint(tmp_path)
    strict = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict", "--margin", 0.37)
    read = load_checkpoint(path, "digits")
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
    best = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict")
    record = run.norms(run.epochs.iloc[-1:])
    for key, of in (
        ("sparse", lambda report: report["bounds"]["sparse"]),
        ("doubled", lambda report: report["theorem_s2"]),
    ):
        packed = evaluate_bound(BY_KEY[key], record, run.sample, Settings("strict"))
        margin = f"{float(packed.margin[0])!r}"
        same = evaluate(capsys, path, "--dataset", "digits", "--convention", "strict", "--margin", margin)
        assert of(same)["value"] == pytest.approx(float(packed.value[0]), rel=1e-5)
        assert of(best)["value"] <= of(same)["value"] * (1 + 1e-2)  # searched relative to its margins, not up to 10


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
    assert BIASES_IGNORED in got["warnings"]
    assert BIASES_IGNORED not in strict["warnings"]
    for proved in (strict["bounds"]["sparse"], strict["theorem_s2"]):  # its biases are all zero
        assert "margins" in proved["reason"]
        assert 1 < proved["factors"]["biases"] < 1.01


@pytest.mark.parametrize("hidden", [(16, 12), ()], ids=["two hidden layers", "linear"])
def test_an_mlp_checkpoint_has_every_bound(tmp_path, capsys, hidden):
    arch = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=hidden)
    spec = {"kind": "mlp", "in_shape": [1, 8, 8], "hidden": list(hidden), "classes": 10}
    path = write_checkpoint(tmp_path / "mlp.safetensors", arch, reference_weights(arch, 0), spec)
    got = evaluate(capsys, path, "--dataset", "digits")
    names = [f"dense{i}" for i in range(1, len(hidden) + 1)] + ["output"]
    assert [layer["name"] for layer in got["norms"]["layers"]] == names
    assert all(got["bounds"][key]["value"] > 0 for key in ("sparse", "golowich", "ledent", "long_sedghi", "graf"))
    assert evaluate(capsys, path, "--dataset", "digits", "--convention", "strict")["bounds"]["sparse"]["value"] > 0


def test_pack_leaves_other_files_alone_and_checks_first(tmp_path, capsys):
    (tmp_path / "spec.json").write_text('{"dataset": "digits", "epochs": 1, "arch": {"channels": 2, "conv_layers": 1}}')
    runs, out = tmp_path / "runs", tmp_path / "pack"
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(runs), "--quiet"]) == 0
    (out / "checkpoints").mkdir(parents=True)
    (out / "checkpoints" / "thesis.txt").write_text("mine")
    assert main(["pack", "--runs", str(runs), "--out", str(out)]) == 0
    assert (out / "checkpoints" / "thesis.txt").read_text() == "mine"
    network = next(runs.glob("*/network.safetensors"))
    network.unlink()
    capsys.readouterr()
    assert main(["pack", "--runs", str(runs), "--out", str(tmp_path / "other")]) == 2
    assert "has no network.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    # not sealed any more: trained again
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(runs), "--quiet"]) == 0
    assert network.is_file()


def test_one_bad_folder_costs_its_run_alone(tmp_path, capsys):
    """Listed, packed and certified are the others; the words go to standard error, so that `--json` stays JSON."""
    base = {"dataset": "digits", "epochs": 1, "arch": {"conv_layers": 1, "channels": 2}}
    (tmp_path / "grid.json").write_text(json.dumps([{"base": base, "axes": {"seed": [0, 1, 2]}}]))
    runs, out = tmp_path / "runs", tmp_path / "pack"
    assert main(["sweep", str(tmp_path / "grid.json"), "--out", str(runs), "--device", "cpu"]) == 0
    bad, *good = sorted(p.parent for p in runs.glob("*/spec.json"))
    (bad / "sample.json").write_text("[1]")
    capsys.readouterr()
    assert main(["runs", "--out", str(runs), "--json"]) == 0
    said = capsys.readouterr()
    assert [run["id"] for run in json.loads(said.out)] == [folder.name for folder in good]
    assert bad.name in said.err
    assert "1 left out, 2 runs are there" in said.err
    assert main(["certify", "*", "--runs", str(runs), "--draws", "20"]) == 0
    assert main(["pack", "--runs", str(runs), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "2 runs" in said.out
    assert said.err.count("1 left out, 2 runs are there") == 2
    assert [run.id for run in read_pack(out)] == [folder.name for folder in good]
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    index = json.loads((out / "pack.json").read_text())
    (out / "pack.json").write_text(json.dumps(index | {"runs": [index["runs"][0], "nonsense"]}))
    before[out / "pack.json"] = (out / "pack.json").read_bytes()
    # it would be packed again
    assert main(["pack", "--runs", str(runs), "--out", str(out), "--part", "more"]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


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


def test_a_new_part_holds_what_no_part_has_and_the_others_stay_as_they_are(tmp_path, capsys):
    base = {"dataset": "digits", "epochs": 1, "arch": {"conv_layers": 1, "channels": 2}}
    for name, seeds in {"one.json": [0], "three.json": [0, 1, 2]}.items():
        (tmp_path / name).write_text(json.dumps([{"base": base, "axes": {"seed": seeds}}]))
    runs, out = tmp_path / "runs", tmp_path / "pack"
    one, three = (["--grid", str(tmp_path / name), "--device", "cpu"] for name in ("one.json", "three.json"))
    common = ["--runs", str(runs), "--out", str(out)]
    assert main(["pack", *one, *common]) == 0
    assert "1 runs and 1 checkpoints" in capsys.readouterr().out
    (tmp_path / "spec.json").write_text(json.dumps(base | {"seed": 1}))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(runs), "--quiet"]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["pack", *three, *common, "--part", "second", "--finished", "--checkpoints"]) == 0
    assert (
        f"1 runs and 0 checkpoints in {out / 'second'}; 1 of the grid are not finished, for a later part"
        in capsys.readouterr().out
    )
    assert len(list(runs.glob("*/epochs.parquet"))) == 2  # nothing was trained
    assert [run.spec.train.seed for run in read_pack(out)] == [0, 1]
    assert main(["pack", *three, *common, "--part", "third"]) == 0  # the rest is trained
    assert [run.spec.train.seed for run in read_pack(out)] == [0, 1, 2]
    written = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {path: written[path] for path in before} == before
    assert {path.parent.name for path in set(written) - set(before)} == {"second", "third", "checkpoints"}
    capsys.readouterr()
    assert main(["pack", *three, *common, "--part", "fourth"]) == 0  # as there is nothing to do
    assert (
        f"all 3 runs of {tmp_path / 'three.json'} are packed in {out}; nothing was written" in capsys.readouterr().out
    )
    for arguments, words in (
        (
            ["--part", "second"],
            "second is a part of a pack already, and those are never written again; give another --part",
        ),
        ([], "is a part of a pack already"),
        (["--part", "fourth"], "no finished runs in"),
        (["--part", "fourth", "--runs", str(tmp_path / "none")], "is not a folder"),
        (["--part", "../fourth"], "a part's name must be small letters, digits, - and _"),
        (["--part", "checkpoints"], "and not checkpoints; got 'checkpoints'"),
    ):
        assert main(["pack", *common, *arguments]) == 2
        assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == written


def test_a_damaged_pack_is_named_and_left_alone(tmp_path, capsys, pack):
    base = {"dataset": "digits", "epochs": 1, "arch": {"conv_layers": 1, "channels": 2}}
    (tmp_path / "spec.json").write_text(json.dumps(base))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path / "runs"), "--quiet"]) == 0
    out = tmp_path / "pack"
    write_part(pack[:2], out)
    index = json.loads((out / "pack.json").read_text())
    renamed = json.dumps(index | {"runs": [index["runs"][0] | {"id": "nonsense"}]})
    before = (out / "epochs.parquet").read_bytes()
    for damaged, words in (("{}", "damaged"), (renamed, "damaged"), (None, "no pack.json")):
        (out / "pack.json").unlink(missing_ok=True)
        if damaged is not None:
            (out / "pack.json").write_text(damaged)
        capsys.readouterr()
        for name in ([], ["--part", "more"]):
            assert main(["pack", "--runs", str(tmp_path / "runs"), "--out", str(out), *name]) == 2
        assert words in capsys.readouterr().err
        assert (out / "epochs.parquet").read_bytes() == before
        assert not (out / "more").exists()


def test_a_failed_run_does_not_stop_the_sweep(tmp_path, capsys):
    grid = [
        {"base": {"dataset": "mnist", "epochs": 1}},
        {"base": {"dataset": "digits", "epochs": 1, "arch": {"conv_layers": 1}}},
    ]
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "MNIST" / "raw" / f"{part}-ubyte").write_bytes(b"junk")
    arguments = [str(tmp_path / "grid.json"), "--out", str(tmp_path / "runs"), "--data-root", str(tmp_path)]
    assert main(["sweep", *arguments]) == 1
    assert "IDX magic" in capsys.readouterr().err
    assert len(list((tmp_path / "runs").glob("*/epochs.parquet"))) == 1


def test_the_shipped_runs_are_the_grids(whole_pack, first_part):
    """The first part has the runs of data/grid.toml, all of them and nothing else, the figures' with three seeds at every
    point; what further parts have is of a shipped grid too, which need not be finished."""
    first = {spec.id for spec in load_grid(ROOT / "data" / "grid.toml")}
    assert {run.id for run in open_parts()[PACK].runs} == first
    runs = [run for run in whole_pack if run.id in first]
    assert collections.Counter(run.spec.train.dataset for run in first_part) == {"mnist": 63, "digits": 126}
    points = collections.Counter(
        (run.spec.train.dataset, run.spec.arch, run.spec.train.weight_decay) for run in first_part
    )
    assert set(points.values()) == {3}
    assert all(run.trained and run.at_plateau for run in runs)
    grids = {spec.id for path in ROOT.glob("data/grid*.toml") for spec in load_grid(path)}
    assert {run.id for run in whole_pack} <= grids


@pytest.mark.parametrize(("dataset", "sizes"), [("mnist", (6, 3, 4, 1)), ("digits", (12, 4, 6, 3))])
def test_the_full_grids_are_full(dataset, sizes):
    """Every combination of lambda, width, depth and seed; those of data/grid.toml are the same runs."""
    specs = load_grid(ROOT / "data" / f"grid_{dataset}.toml")
    points = [(s.train.weight_decay, s.arch.channels, s.arch.conv_layers, s.train.seed) for s in specs]
    axes = [sorted(set(values)) for values in zip(*points, strict=True)]
    assert tuple(map(len, axes)) == sizes
    assert sorted(points) == list(itertools.product(*axes))
    before = {s.id for s in load_grid(ROOT / "data" / "grid.toml")} & {s.id for s in specs}
    assert len(before) == {"mnist": 16, "digits": 108}[dataset]


def of_the_figures(capsys, first_part):
    """What `boundlab runs --json` says of the runs that the figures are about, at the paper's weight decays."""
    assert main(["runs", "--json"]) == 0
    ids = {run.id for run in first_part if run.spec.train.weight_decay <= 4e-3}
    return [run for run in json.loads(capsys.readouterr().out) if run["id"] in ids]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shipped_runs_say_what_the_paper_says(capsys, first_part, seed):
    runs = of_the_figures(capsys, first_part)
    mnist = [r for r in runs if r["dataset"] == "mnist" and r["channels"] == 16 and r["seed"] == seed]
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


def test_width_hardly_matters_once_there_are_16_channels(capsys, first_part):
    runs = [r for r in of_the_figures(capsys, first_part) if r["dataset"] == "mnist" and r["conv_layers"] == 3]

    def mean(channels):
        values = [r["bounds"]["sparse"] for r in runs if (r["channels"], r["weight_decay"]) == (channels, 4e-3)]
        assert len(values) == 3
        return sum(values) / 3

    assert 0.8 < mean(64) / mean(16) < 1.25
