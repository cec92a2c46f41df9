"""What is said about a sample: test images in training, equal images of other labels, repeated ones, other files, other sizes."""

import gzip
import json
import os

import numpy as np
import pytest
import torch
from torch import nn

import boundlab
from boundlab.cli.main import main
from boundlab.data import inspection, own
from boundlab.data.splits import load_splits
from boundlab.specs.own_data import own_datasets
from tests.cases import checkpoint

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (40, 8, 8)).astype(np.uint8), np.arange(40) % 4
OTHER = RNG.integers(0, 256, (10, 8, 8)).astype(np.uint8)
CLEAN = {"repeated": 0, "contradicting": 0, "test_in_train": 0}


def linear(pixels: int = 64) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 10, bias=False))


def counts(report: dict) -> dict[str, int]:
    return {name: report["sample"][name] for name in CLEAN}


def spoiled() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three training images that equal earlier ones, one of them with another label; four test images from training."""
    x, y = np.concatenate([X, X[:3]]), np.concatenate([Y, Y[:3]])
    y[-1] = 3
    return x, y, np.concatenate([OTHER, X[4:8]]), np.arange(14) % 4


def test_clean_data_is_not_doubted():
    for data in ((X, Y), (X, Y, OTHER, Y[:10]), "digits"):
        report = boundlab.evaluate(linear(), data)
        assert (counts(report), report["warnings"]) == (CLEAN, [])
        assert "equal" not in repr(report)


@pytest.mark.parametrize("floats", [False, True])
def test_copies_are_counted_and_said(floats):
    x, y, x_test, y_test = spoiled()
    scale = 255.0 if floats else 1
    report = boundlab.evaluate(linear(), (x / scale, y, x_test / scale, y_test) if floats else (x, y, x_test, y_test))
    assert counts(report) == {"repeated": 3, "contradicting": 2, "test_in_train": 4}
    tests, labels, copies = report["warnings"]
    assert tests.startswith("4 test images of 14 equal a training image pixel for pixel")
    assert labels.startswith("2 training images equal one with another label")
    assert copies.startswith("3 training images equal an earlier one")
    assert "not independent" in copies
    for words in (tests, labels, copies):
        assert words in repr(report)
        assert words in report._repr_html_()
    assert json.loads(json.dumps(report)) == report


def test_one_image_is_singular_and_a_pixel_makes_another_image():
    nearly = X[:1].copy()
    nearly[0, 3, 3] ^= 1
    report = boundlab.evaluate(linear(), (X, Y, np.concatenate([nearly, X[:1]]), Y[:2]))
    assert report["warnings"][0].startswith("1 test image of 2 equals a training image")
    assert counts(report) == CLEAN | {"test_in_train": 1}


def test_the_command_line_says_it(tmp_path, capsys):
    x, y, x_test, y_test = spoiled()
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    assert main(["data", "add", str(tmp_path / "a.npz"), "--data-root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    key = out.split()[0]
    assert "4 test images of 14 equal a training image" in out
    assert own_datasets(tmp_path)[key].copies == {"repeated": 3, "contradicting": 2, "test_in_train": 4, "tested": 14}
    path = tmp_path / "net.safetensors"
    boundlab.export(nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False)), path, (1, 8, 8))
    line = ["evaluate", str(path), "--dataset", key, "--data-root", str(tmp_path)]
    assert main(line) == 0
    assert "\nwarning: 4 test images of 14 equal" in capsys.readouterr().out
    assert main([*line, "--json", "--no-errors"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (len(found["warnings"]), found["sample"]["contradicting"]) == (3, 2)


def test_a_network_for_other_images_is_said(tmp_path, capsys):
    padded = np.pad(X, ((0, 0), (10, 10), (10, 10)))
    report = boundlab.evaluate(linear(), (padded, Y), in_shape=(1, 8, 8))
    assert report["warnings"] == [
        "The network takes 8×8 pixels, so it was measured on the middle 8×8 of images of 28×28: if it was trained on other data, "
        "its errors and bounds mean nothing here."
    ]


def test_an_8x8_network_on_mnist(tmp_path, mnist_root, capsys):
    assert (
        main(
            ["evaluate", str(checkpoint(tmp_path)), "--dataset", "mnist", "--data-root", str(mnist_root), "--no-errors"]
        )
        == 0
    )
    assert "warning: The network takes 8×8 pixels, so it was measured on the middle 8×8" in capsys.readouterr().out


def test_mnist_has_no_copies_and_is_what_was_published(mnist_root):
    train, test = load_splits("mnist", mnist_root)
    found = inspection.repeated(train.images.numpy(), train.labels.numpy(), test.images.numpy())
    assert found == CLEAN | {"tested": 10_000}
    assert inspection.altered("mnist", mnist_root) == []


def test_digits_have_no_copies():
    train, test = load_splits("digits")
    found = inspection.repeated(train.images.numpy(), train.labels.numpy(), test.images.numpy())
    assert found == CLEAN | {"tested": 360}
    assert inspection.altered("digits") == []


def test_a_transposed_copy_of_mnist_is_said(tmp_path, mnist_root, capsys):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for path in (mnist_root / "MNIST" / "raw").iterdir():
        if "images" not in path.name or "train" in path.name:
            os.symlink(path, folder / path.name)
    packed = next((mnist_root / "MNIST" / "raw").glob("t10k-images*"))
    content = gzip.decompress(packed.read_bytes()) if packed.suffix == ".gz" else packed.read_bytes()
    images = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28)
    (folder / "t10k-images-idx3-ubyte").write_bytes(content[:16] + images.swapaxes(1, 2).tobytes())
    network = checkpoint(tmp_path)
    assert (
        main(["evaluate", str(network), "--dataset", "mnist", "--data-root", str(tmp_path), "--no-errors", "--json"])
        == 0
    )
    (size, words) = json.loads(capsys.readouterr().out)["warnings"]
    assert "middle 8×8" in size
    assert words.startswith(
        "t10k-images-idx3-ubyte does not hold what is published under this name; its images are transposed"
    )
    assert len(inspection.altered("mnist", tmp_path)) == 1


def test_facts_of_data_added_before_are_still_read(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y)
    key = own.add(tmp_path / "a.npz", root=tmp_path).name
    file = tmp_path / "own" / f"{key.removeprefix('own-')}.json"
    facts = json.loads(file.read_text())
    del facts["copies"]
    file.write_text(json.dumps(facts))
    assert own_datasets(tmp_path)[key].copies == {}
