"""Odd arrays, labels and arguments: the same numbers as the plain form, or one sentence; and one reader for both doors."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import boundlab
from boundlab.data import own
from boundlab.data.splits import load_splits
from boundlab.errors import DataError
from tests.cases import checkpoint

N = 12
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (N, 8, 8)).astype(np.uint8)
X, Y = (BYTES / 255).astype(np.float32), np.arange(N) % 3
SAME = None  # instead of words: the numbers of (BYTES, Y)


def linear() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False))


def conv(channels: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(channels, 3, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10, bias=False))


def masked(array):
    return np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 1)


def sparse(array):
    return torch.as_tensor(np.asarray(array, np.float32)).to_sparse()


OBJECTS = Y.astype(object)
IMAGES = {
    "bytes of int64": (BYTES.astype(np.int64), SAME),
    "bytes of uint16": (BYTES.astype(np.uint16), SAME),
    "bytes of uint64": (BYTES.astype(np.uint64), SAME),
    "bytes, big-endian": (BYTES.astype(">i4"), SAME),
    "bytes in Fortran's order": (np.asfortranarray(BYTES), SAME),
    "bytes read backwards": (BYTES[:, :, ::-1][:, :, ::-1], SAME),
    "bytes in lists": (BYTES.tolist(), SAME),
    "bytes of torch.uint16": (torch.from_numpy(BYTES.astype(np.uint16)), SAME),
    "read-only": (np.frombuffer(BYTES.tobytes(), np.uint8).reshape(BYTES.shape), SAME),
    "floats, big-endian": (X.astype(">f8"), SAME),
    "floats of 128 bits": (X.astype(np.longdouble), SAME),
    "floats with a gradient": (torch.from_numpy(X).requires_grad_(), SAME),
    "floats above 1 by rounding": (np.where(X == 1, 1 + 9e-7, X.astype(np.float64)), SAME),
    "floats below 0 by rounding": (np.where(X == 0, -9e-7, X.astype(np.float64)), SAME),
    "a view of a negated tensor": (torch._neg_view(-torch.from_numpy(X)), SAME),
    "channels last": (BYTES[..., None], SAME),
    "masked": (masked(BYTES), "masked"),
    "sparse": (sparse(X.reshape(N, 64)), "sparse"),
    "on no device": (torch.empty(N, 8, 8, device="meta"), "meta"),
    "floats up to 255": (BYTES.astype(np.float32), "divide by 255"),
    "from -1 to 1": (2 * X - 1, "normalize=(mean, deviation)"),
    "signed bytes": (BYTES.astype(np.int16) - 128, "whole numbers from 0 to 255"),
    "12 bits": (BYTES.astype(np.uint16) * 16, "whole numbers from 0 to 255"),
    "complex": (X + 0j, "complex"),
    "truth values": (BYTES > 99, "bool"),
    "objects": (BYTES.astype(object), "Python objects"),
    "words": (BYTES.astype(str), "<U"),
    "times": (BYTES.astype("datetime64[s]"), "datetime64"),
    "ragged lists": ([[1, 2], [3]], "of one shape"),
    "a dictionary": ({"a": 1}, "an array"),
    "nothing": (None, "an array"),
    "one number": (3, "()"),
    "no image": (BYTES[:0], "(0, 8, 8)"),
    "no width": (BYTES[:, :, :0], "(12, 8, 0)"),
    "five dimensions": (BYTES[:, None, None], "(12, 1, 1, 8, 8)"),
    "NaN": (np.where(X[0, 0, 0] == X, np.nan, X), "NaN"),
    "infinite": (np.where(X[0, 0, 0] == X, np.inf, X), "inf"),
    "two channels": (np.repeat(BYTES[:, None], 2, 1), "(12, 2, 8, 8)"),
}
LABELS = {
    **{f"{kind}": (Y.astype(kind), SAME) for kind in ("u1", "u2", "u4", "u8", "i1", "i2", "<i8", ">i8", ">i2", ">u4")},
    "a column": (Y[:, None], SAME),
    "a list": (Y.tolist(), SAME),
    "numbers of NumPy in a list": (list(Y), SAME),
    "torch.uint16": (torch.from_numpy(Y.astype(np.uint16)), SAME),
    "a series": (pd.Series(Y), SAME),
    "objects": (OBJECTS, "astype(int)"),
    "numbers as words": (Y.astype(str), SAME),
    "numbers as bytes": (Y.astype("S1"), SAME),
    "floats": (Y.astype(float), SAME),
    "halves": (Y / 2, "whole numbers"),
    "not a number": (np.where(Y == 1, np.nan, Y), "whole numbers"),
    "words for three classes of ten": (np.array(["a", "b", "c"])[Y], "3 different labels, `a`, `b`, `c`"),
    "words that are empty": (np.array(["0", "", "2"])[Y], "empty ones"),
    "bytes that are no text": (np.array([b"\xff", b"1", b"2"])[Y], "not UTF-8"),
    "below 0": (Y - 1, "from 0 on"),
    "one-hot": (np.eye(10, dtype=int)[Y], SAME),
    "one-hot floats": (np.eye(10)[Y], SAME),
    "two of one hot": (np.ones((N, 3), int), "one-hot"),
    "too many": (np.arange(13) % 3, "13"),
    "too large for the network": (Y + 8, "labels, up to 10 from 8"),
    "too large for anything": (Y.astype(np.uint64) + 2**63, "labels up to"),
    "masked": (masked(Y), "masked"),
    "on no device": (torch.empty(N, dtype=torch.long, device="meta"), "meta"),
    "a set": (set(Y.tolist()), "an array"),
    "nothing": (None, "an array"),
}
ARGUMENTS = {
    "n": [(np.int64(20), 20), (np.uint8(20), 20), (np.array(20), 20), ("20", "n must"), (20.5, "n must"), (True, "n must"), (10**400, "n must")],
    "delta": [(np.float64(0.25), 0.25), (np.float32(0.25), 0.25), ("0.25", "delta must"), ([0.25], "delta must"), (None, "delta must"), (np.nan, "delta must")],
    "margin": [(np.float32(0.5), 0.5), (np.int8(2), 2), ("2", "margin must"), ([2], "margin must"), (np.inf, "margin must"), (True, "margin must"), (10**400, "margin must")],
    "normalize": [(np.array([0.5, 0.25]), (0.5, 0.25)), (torch.tensor([0.5, 0.25]), (0.5, 0.25)), (0.5, "[mean, deviation]"), ((0.5,), "[mean, deviation]"), ("ab", "[mean, deviation]"), (("a", "b"), "normalize mean must"), ((0.5, 0), "normalize deviation must"), ((0.5, np.nan), "normalize deviation must"), (((0.5,) * 3,) * 2, (0.5, 0.5)), (((0.5, 0.4), (1, 1)), "one mean and one deviation for all channels"), ({0.5: 1}, "[mean, deviation]")],
    "in_shape": [(np.array([1, 8, 8]), (1, 8, 8)), (torch.Size([1, 8, 8]), (1, 8, 8)), (64, "[channels, height, width]"), ((8, 8), "[channels, height, width]"), ("188", "in_shape must"), ((1, 8.0, 8), "in_shape must"), ((1, -8, -8), "in_shape must"), ((True, 8, 8), "in_shape must"), (None, None)],
    "labels": [([[0], [1]], "leave them out"), (5, "labels must"), ("0/1", "labels must"), ([0, [1]], "labels must")],
    "convention": [(np.str_("theorem"), "theorem"), (["strict"], "convention must"), (None, "convention must")],
    "data_root": [(5, "data_root must"), ([], "data_root must")],
}  # fmt: skip


def told(run, words):
    """`run` must be refused in one sentence that has `words`; anything but a ValueError or DataError is a failure."""
    with pytest.raises((ValueError, DataError)) as caught:
        run()
    said = str(caught.value)
    assert words in said
    assert "\n" not in said
    assert len(said) < 500
    assert "got " in said or "leave them out" in said


def check(run, plain, words):
    if words is SAME:
        assert run() == plain
    else:
        told(run, words)


@pytest.mark.parametrize("name", IMAGES)
def test_odd_images(name):
    given, words = IMAGES[name]
    check(lambda: boundlab.evaluate(conv(), (given, Y)), boundlab.evaluate(conv(), (BYTES, Y)), words)


@pytest.mark.parametrize("name", LABELS)
def test_odd_labels(name):
    given, words = LABELS[name]
    check(lambda: boundlab.evaluate(linear(), (BYTES, given)), boundlab.evaluate(linear(), (BYTES, Y)), words)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_odd_arguments(name):
    for given, expected in ARGUMENTS[name]:
        run = lambda value: boundlab.evaluate(linear(), (BYTES, Y), **{name: value})  # noqa: E731
        if isinstance(expected, str) and expected != "theorem":
            told(lambda: run(given), expected)  # noqa: B023
        else:
            assert run(given) == run(expected)


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (("x_train", "y_train"), {}),
        (("X_train", "y_train"), {}),
        (("train_images", "train_labels"), {}),
        (("train_images", "train_labels"), {"val_images": BYTES, "val_labels": Y[:, None]}),
        (("X", "y"), {}),
        (("images", "labels"), {}),
    ],
)
def test_names_that_people_use(tmp_path, monkeypatch, names, more):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path))
    given = dict(zip(names, (BYTES, Y[:, None].astype(">u2")), strict=True)) | more
    plain = boundlab.evaluate(linear(), (BYTES, Y))
    np.savez(tmp_path / "a.npz", **given)
    np.savez(tmp_path / "plain.npz", x_train=BYTES, y_train=Y, **({"x_test": BYTES, "y_test": Y} if more else {}))
    assert boundlab.evaluate(linear(), tmp_path / "a.npz") == boundlab.evaluate(linear(), given) == plain
    with np.load(tmp_path / "a.npz") as opened:
        assert boundlab.evaluate(linear(), opened) == plain
    assert own.add(tmp_path / "a.npz", "a").name == own.add(tmp_path / "plain.npz", "a").name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x_train": X, "y_train": Y, "train_images": X, "train_labels": Y}, "got ['train_images',"),
        ({"arr_0": X, "arr_1": Y}, "x_train and y_train, perhaps x_test and y_test (or train_images,"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "got ['x_test', 'x_train', 'y_train']"),
        ({"x_train": X, "y_train": Y, "x_extra": X}, "got ['x_extra', 'x_train', 'y_train']"),
        ({"x_train": X, "X_train": X, "y_train": Y}, "got ['X_train', 'x_train', 'y_train']"),
        ({}, "got []"),
    ],
)
def test_names_that_say_too_little_or_too_much(tmp_path, given, words):
    np.savez(tmp_path / "a.npz", **given)
    told(lambda: boundlab.evaluate(linear(), tmp_path / "a.npz"), words)
    told(lambda: boundlab.evaluate(linear(), given), words)
    told(lambda: own.add(tmp_path / "a.npz", root=tmp_path), words)


def test_both_doors_read_the_same_pixels(tmp_path):
    """The library and `data add` get equal pixels of every kind that both take; labels are numbered anew by one only."""
    for kind in ("u1", "u2", ">u4", "i8", "f2", ">f4", "f8"):
        x = BYTES.astype(kind) if kind[-2] in "ui" else X.astype(kind)
        np.savez(tmp_path / "a.npz", x_train=x, y_train=Y * 2)
        stored = own.add(tmp_path / "a.npz", test=0.3, root=tmp_path)
        train, _ = load_splits(stored.name, tmp_path)
        assert stored.class_names == ("0", "2", "4")
        assert sorted(set(train.labels.tolist())) == [0, 1, 2]
        whole = {image.astype(np.float32).tobytes() for image in (X.astype(kind) if kind[-2] not in "ui" else X)}
        assert {image.numpy().tobytes() for image in train.images} <= whole
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False))
        told(lambda: boundlab.evaluate(net, tmp_path / "a.npz"), "labels, up to 4")  # noqa: B023


def test_a_network_for_colours_takes_them_first_and_last():
    colours = np.random.default_rng(1).random((N, 3, 8, 8)).astype(np.float32)
    plain = boundlab.evaluate(conv(3), (colours, Y))
    assert boundlab.evaluate(conv(3), (np.ascontiguousarray(colours.transpose(0, 2, 3, 1)), Y)) == plain


def test_a_network_and_data_that_do_not_fit(tmp_path):
    small = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    told(lambda: boundlab.evaluate(small, "digits"), "has 5 classes")
    told(lambda: boundlab.evaluate(linear(), "digits", in_shape=(1, 4, 16)), "[1, 8, 8]")
    told(lambda: boundlab.evaluate(checkpoint(tmp_path), (np.zeros((5, 9, 9)), Y[:5])), "[1, 9, 9]")
    told(lambda: boundlab.export(linear(), tmp_path / "a.safetensors", 64), "[channels, height, width]")
    told(lambda: boundlab.export(linear(), tmp_path / "a.safetensors", (1, 8, 8), 0.5), "[mean, deviation]")


def test_odd_labels_of_a_sub_task():
    two = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False))
    plain = boundlab.evaluate(two, "digits", labels=[[0, 2], [1]])
    for same in (((0, 2), (1,)), [np.array([0, 2]), np.array([1])], [[np.int64(0), np.uint8(2)], (1,)]):
        assert boundlab.evaluate(two, "digits", labels=same) == plain
    assert boundlab.evaluate(two, "digits", labels=np.array([[0], [1]])) == boundlab.evaluate(
        two, "digits", labels=[0, 1]
    )
    for odd in (
        [[0.9], [1.9]],
        [[True], [False]],
        [["0"], ["01"]],
        [[0], [[1]]],
        [[0], [1e400]],
        [[0], [10**400]],
        [[0], []],
        {0, 1},
    ):
        told(lambda: boundlab.evaluate(two, "digits", labels=odd), "labels must be")  # noqa: B023


def test_a_dictionary_that_cannot_be_read(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=np.array([{}], dtype=object), y_train=Y)
    with np.load(tmp_path / "a.npz") as opened:
        told(lambda: boundlab.evaluate(linear(), opened), "Object arrays cannot be loaded")
    told(lambda: boundlab.evaluate(linear(), {1: X, 2: Y}), "got ['1', '2']")
