"""`boundlab.evaluate` in a notebook: the command line's numbers, from models, files and arrays."""

import json
import random

import numpy as np
import pytest
import torch
from torch import nn

import boundlab
from boundlab.bounds.concentration import clopper_pearson
from boundlab.cli.main import main
from boundlab.data.splits import Split
from boundlab.data.splits import load_splits as load_data
from boundlab.errors import CheckpointError, DataError
from boundlab.evaluation.branched_report import report_on_branched
from boundlab.networks.branched import branched
from boundlab.runs.places import PACK
from boundlab.specs.settings import Settings
from tests.cases import checkpoint
from tests.conftest import write_checkpoint
from tests.networks.test_graph import Inception, Preactivated, ResNet
from tests.networks.test_tracing import trained


def model(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    parts = [nn.Conv2d(1, 4, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout()]
    return nn.Sequential(*parts, nn.Conv2d(4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 10))


def command(capsys, *line) -> dict:
    assert main(["evaluate", *map(str, line), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("convention", ["published", "theorem", "strict"])
def test_the_numbers_are_the_command_lines(tmp_path, capsys, convention):
    net = model()
    path = boundlab.export(net, tmp_path / "net.safetensors", (1, 8, 8), (0.2, 0.9))
    line = [path, "--dataset", "digits", "--convention", convention, "--delta", "0.01", "--margin", "0.7"]
    asked = {"convention": convention, "delta": 0.01, "margin": 0.7}
    from_file, from_model = boundlab.evaluate(path, "digits", **asked), boundlab.evaluate(net, "digits", normalize=(0.2, 0.9), **asked)  # fmt: skip
    expected = command(capsys, *line)
    assert dict(from_file) == dict(from_model) == expected
    assert 0 < expected["errors"]["train"] <= 1


def test_published_n_and_no_errors(tmp_path, capsys):
    path = checkpoint(tmp_path)
    expected = command(capsys, path, "--dataset", "digits", "--n", 5000, "--no-errors")
    assert boundlab.evaluate(path, "digits", n=5000, errors=False) == expected


def test_nothing_of_the_caller_changes():
    net = model().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    threads, states = torch.get_num_threads(), (torch.get_rng_state(), np.random.get_state()[1], random.getstate())  # noqa: NPY002
    torch.set_num_threads(2)
    try:
        boundlab.evaluate(net, "digits")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert net.training
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]


def test_own_arrays_give_the_numbers_of_the_same_data_set(tmp_path):
    net = model()
    train, test = load_data("digits")
    expected = boundlab.evaluate(net, "digits", convention="theorem")
    tensors = (train.images, train.labels, test.images, test.labels)
    arrays = [part.numpy() for part in tensors]
    np.savez(tmp_path / "own.npz", **dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True)))
    path = boundlab.export(net, tmp_path / "net.safetensors", (1, 8, 8))
    flat = (arrays[0][:, 0], arrays[1].astype(np.uint8), arrays[2][:, 0].astype(np.float64), test.labels.tolist())
    for who, data in (
        (net, tensors),
        (net, arrays),
        (path, flat),
        (net, tmp_path / "own.npz"),
        (path, str(tmp_path / "own.npz")),
    ):
        assert boundlab.evaluate(who, data, convention="theorem") == expected | {
            "dataset": "your data",
            "conditions": [],
        }
    alone = boundlab.evaluate(net, tensors[:2], convention="theorem")
    without = {
        "errors": expected["errors"] | {"test": None},
        "hold_out": {"value": None, "reason": "there are no test images"},
    }
    assert alone == expected | {"dataset": "your data", "conditions": []} | without


def test_bytes_and_features_and_the_middle_of_larger_images():
    train, _ = load_data("digits")
    whole = (train.images[:, 0] * 16).round().to(torch.uint8) * 15  # 0 to 240
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))
    scaled = boundlab.evaluate(linear, (whole.float() / 255, train.labels))
    assert boundlab.evaluate(linear, (whole, train.labels)) == scaled
    features = boundlab.evaluate(linear, (whole.flatten(1), train.labels), convention="strict")
    assert features["spec"]["in_shape"] == [1, 1, 64]
    images = boundlab.evaluate(linear, (whole, train.labels), convention="strict")
    assert features["errors"] == images["errors"]
    assert features["bounds"]["sparse"]["value"] == pytest.approx(images["bounds"]["sparse"]["value"], rel=1e-9)
    padded = torch.nn.functional.pad(train.images, (2, 2, 2, 2), value=1.0)
    middle = boundlab.evaluate(linear, (padded, train.labels), in_shape=(1, 8, 8))
    assert middle["bounds"] == boundlab.evaluate(linear, (train.images, train.labels))["bounds"]


def test_a_sub_task(tmp_path, capsys):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False))
    path = boundlab.export(linear, tmp_path / "net.safetensors", (1, 8, 8))
    asked = {"convention": "strict", "labels": [[0, 2, 4], [1, 3, 5]]}
    found = boundlab.evaluate(path, "digits", **asked)
    assert found == boundlab.evaluate(linear, "digits", **asked)
    train, _ = load_data("digits")
    assert found["n"] == int((train.labels < 6).sum())
    for text in ("0,2,4/1,3,5", "[[0, 2, 4], [1, 3, 5]]"):
        assert command(capsys, path, "--dataset", "digits", "--convention", "strict", "--labels", text) == found


def test_a_shipped_certificate_of_a_sub_task(mnist_root, whole_pack, capsys):
    path = next(p for p in sorted(PACK.glob("checkpoints/mnist-linear-cert1-*.safetensors")) if _pair(whole_pack, p))
    run = _pair(whole_pack, path)
    found = command(capsys, path, "--dataset", "mnist", "--data-root", mnist_root, "--labels", "0/1")
    assert found["n"] == run.sample.n
    assert found["errors"]["test"] == pytest.approx(run.final["test_error"])


def _pair(runs, path):
    return next((run for run in runs if run.id == path.stem and run.spec.train.labels == ((0,), (1,))), None)


@pytest.mark.parametrize("text", ["0/", "zero/one", "[[0], 1]", "[[0]", "5"])
def test_labels_that_make_no_sense(tmp_path, capsys, text):
    try:
        code = main(["evaluate", str(checkpoint(tmp_path)), "--dataset", "digits", "--labels", text])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert "labels" in capsys.readouterr().err


def wrong(x=None, y=None):
    return (torch.rand(5, 1, 8, 8) if x is None else x, torch.arange(5) if y is None else y)


@pytest.mark.parametrize(
    ("data", "options", "error", "words"),
    [
        ("imagenet", {}, DataError, "must be one of"),
        ("nowhere.npz", {}, DataError, "or a file or folder that exists"),
        (torch.rand(5, 1, 8, 8), {}, ValueError, "got Tensor"),
        (wrong(x=torch.rand(5)), {}, ValueError, "x_train should be (n, h, w)"),
        (wrong(y=torch.arange(4)), {}, ValueError, "x_train and y_train should be of one length, got 5 and 4"),
        (wrong(y=torch.rand(5)), {}, ValueError, "y_train should be (n,) whole numbers"),
        (wrong(y=torch.arange(5) - 1), {}, ValueError, "labels, up to 3 from -1"),
        (wrong(y=torch.arange(5) + 8), {}, ValueError, "labels, up to 12 from 8"),
        (
            wrong(x=torch.full((5, 1, 8, 8), torch.nan)),
            {},
            ValueError,
            "x_train should be finite floats in [0, 1], got NaN",
        ),
        (
            (*wrong(), *wrong(x=torch.rand(5, 3, 8, 8))),
            {},
            ValueError,
            "both parts should have one shape and dtype, got (1, 8, 8) float32 and (3, 8, 8) float32",
        ),
        (wrong(), {"labels": [[0], [1]]}, ValueError, "sub-task of a data set"),
        (wrong(), {"convention": "mine"}, ValueError, "convention must be one of"),
        (wrong(), {"delta": 2}, ValueError, "delta must lie"),
        ("digits", {"labels": [[0], [0]]}, ValueError, "disjoint"),
        ("digits", {"in_shape": (1, 28, 28)}, ValueError, "does not take inputs of in_shape 1x28x28"),
    ],
)
def test_what_is_wrong_is_said(data, options, error, words):
    with pytest.raises(error) as caught:
        boundlab.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), data, **options)
    assert words in str(caught.value)


def test_a_damaged_npz_and_a_path_with_options(tmp_path):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match=r"should be an \.npz file \(np\.savez\)"):
        boundlab.evaluate(model(), bad)
    np.savez(bad, x_train=np.array([{}], dtype=object), y_train=np.zeros(1, int))
    with pytest.raises(DataError, match="x_train should hold numbers, got Python objects"):
        boundlab.evaluate(model(), bad)
    np.savez(bad, x_train=np.zeros((2, 8, 8)))
    with pytest.raises(DataError, match=r"should hold x_train and y_train, .*got \['x_train'\]"):
        boundlab.evaluate(model(), bad)
    with pytest.raises(ValueError, match="are in its file"):
        boundlab.evaluate(checkpoint(tmp_path), "digits", in_shape=(1, 8, 8))
    with pytest.raises(CheckpointError, match="is not a file"):
        boundlab.evaluate(tmp_path / "none.safetensors", "digits")


def test_a_checkpoint_of_no_known_data_set_is_fed_raw_pixels(tmp_path):
    from boundlab.specs.arch import ArchSpec

    arch = ArchSpec(kind="mlp", in_shape=(3, 2, 5), hidden=(), classes=7)
    spec = {"kind": "mlp", "in_shape": [3, 2, 5], "hidden": [], "classes": 7}
    path = write_checkpoint(tmp_path / "net.safetensors", arch, [np.random.default_rng(0).normal(size=(7, 30))], spec)
    found = boundlab.evaluate(path, (np.random.default_rng(1).random((20, 3, 2, 5)), np.arange(20) % 7))
    assert found["spec"]["normalize"] is None
    assert (found["n"], found["sample"]["n"]) == (20, 20)
    assert found["bounds"]["sparse"]["value"] > 0


def test_published_says_that_it_leaves_biases_out():
    for bias in (True, False):
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=bias))
        found = boundlab.evaluate(net, "digits", convention="published")
        assert any("Biases" in words and "ignored" in words for words in found["warnings"]) == bias
        assert ("Biases" in repr(found)) == bias
        assert not any(
            "Biases" in words for words in boundlab.evaluate(net, "digits", convention="theorem")["warnings"]
        )


def test_it_reads_well():
    report = boundlab.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "digits", convention="strict")
    text = repr(report)
    assert text.startswith("digits, n = 1,437, strict convention, delta = 0.001\ntrain error")
    assert f"theorem_d    {report['theorem_d']['value']:.4g}" in text
    assert report["theorem_d"]["bits"] == 16  # no hidden weights: the constant of the output bias alone
    assert f"theorem_s2   {report['theorem_s2']['value']:.4g}" in text
    assert report["bounds"]["sparse"]["factors"]["biases"] > 1
    output = report["norms"]["layers"][-1]
    assert 0 < output["centered_bias_norm"] <= output["max_bias_norm"] == output["bias_norm"]
    assert all(len(line) < 400 for line in text.splitlines())
    table = report._repr_html_()
    # two errors, hold-out, S, S2, D; the others share one reason
    assert table.count("<tr>") == 7
    assert all(key in table for key in report["bounds"])
    assert (
        report["errors"]["test"]
        < report["hold_out"]["value"]
        == pytest.approx(clopper_pearson(report["errors"]["test"], 360, 0.001))
    )
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("model", [ResNet, Inception, Preactivated])
def test_a_network_that_is_no_chain_has_the_bounds_that_hold_for_it(model):
    torch.manual_seed(1)
    network, rng = trained(model()), torch.Generator().manual_seed(0)
    classes = {ResNet: 10, Inception: 4, Preactivated: 5}[model]
    images, labels = torch.rand(300, 1, 8, 8, generator=rng), torch.randint(0, classes, (300,), generator=rng)
    report = boundlab.evaluate(network, (images[:200], labels[:200], images[200:], labels[200:]), convention="theorem")
    with torch.no_grad():
        outputs = network.eval()(images)
    wrong = (outputs.argmax(1) != labels).double()
    assert report["errors"] == {"train": float(wrong[:200].mean()), "test": float(wrong[200:].mean())}
    assert report["errors"]["test"] < report["hold_out"]["value"] <= 1
    assert (report["spec"]["kind"], report["spec"]["model"]) == ("graph", model.__name__)
    assert all(source < i for i, step in enumerate(report["spec"]["operations"]) for source in step["of"])
    gonon = report["bounds"]["gonon"]
    assert gonon["factors"]["path_norm"] == pytest.approx(report["norms"]["path_l1"])
    assert gonon["value"] > 1
    for key, bound in report["bounds"].items():
        assert key == "gonon" or (bound["value"] is None and "layers that follow each other" in bound["reason"])
    assert "at most" in repr(report)
    json.dumps(report)
    strict = boundlab.evaluate(network, (images[:200], labels[:200]), convention="strict")
    assert strict["bounds"]["gonon"]["value"] is None
    assert report["pac_bayes"] == {"value": None, "reason": report["theorem_d"]["reason"]}
    noisy = strict["pac_bayes"]
    assert noisy["wrong"] / noisy["draws"] == noisy["noisy_error"] < noisy["noisy_error_limit"] < noisy["value"] < 1
    assert f"pac_bayes    {noisy['value']:.4g} (of the network under noise on its weights)" in repr(strict)
    if model is Preactivated:
        assert "ends with a dense layer" in strict["theorem_d"]["reason"]
    elif model is ResNet:
        assert "it would promise nothing" in strict["theorem_d"]["reason"]
    else:
        assert strict["theorem_d"]["value"] <= 1
        assert strict["theorem_d"]["bits"] > 0


def test_a_chain_read_as_a_graph_has_the_same_bound_of_path_norms():
    rng = torch.Generator().manual_seed(0)
    images, labels = torch.rand(120, 1, 8, 8, generator=rng), torch.randint(0, 10, (120,), generator=rng)
    net = model()
    chain = boundlab.evaluate(net, (images, labels), convention="theorem", margin=0.5)
    splits = Split(images, labels), None
    settings = Settings("theorem", margin=0.5)
    graph = report_on_branched(branched(net, (1, 8, 8)), splits, "your data", settings, "it is one")
    assert graph["bounds"]["gonon"]["value"] == pytest.approx(chain["bounds"]["gonon"]["value"], rel=1e-6)
    assert graph["bounds"]["gonon"]["factors"] == pytest.approx(chain["bounds"]["gonon"]["factors"], rel=1e-6)
    assert graph["hold_out"] == chain["hold_out"] == {"value": None, "reason": "there are no test images"}
