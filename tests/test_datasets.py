import gzip

import numpy as np
import pytest
import torch

from boundlab import datasets
from boundlab.catalog import DATASETS
from boundlab.datasets import load, read_idx, seen, task
from boundlab.errors import DataError
from boundlab.specs import RunSpec


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.astype(np.uint8).tobytes()


IMAGES = np.arange(2 * 3 * 4).reshape(2, 3, 4)


def test_reads_plain_and_gzipped(tmp_path):
    (tmp_path / "plain").write_bytes(idx(IMAGES))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(idx(IMAGES)))
    for name in ("plain", "packed.gz"):
        np.testing.assert_array_equal(read_idx(tmp_path / name, 3), IMAGES)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", idx(IMAGES), "should begin with the IDX magic 00000801, got 00000803"),
        ("a", idx(np.arange(5))[:-2], "announces 5 bytes but holds 3: wrong size"),
        ("a", idx(np.arange(5)) + b"x", "announces 5 bytes but holds 6: wrong size"),
        ("a", b"", "got nothing"),
        ("a", b"\x00\x00\x08\x01", "wrong size"),
        ("a.gz", gzip.compress(idx(np.arange(5000)))[:-20], "is not a complete gzip file"),
        ("a.gz", b"not gzip at all", "is not a complete gzip file"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / name, 1)


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "LARGEST", 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(np.zeros(5000))))
    with pytest.raises(DataError, match="unpacks to more than 1,000 bytes"):
        read_idx(tmp_path / "a.gz", 1)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").mkdir(parents=True)
    with pytest.raises(DataError, match="should be a file"):
        load("mnist", tmp_path)


def test_wrong_number_of_images_is_named(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 28, 28))))
    for name in ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (folder / name).write_bytes(idx(np.zeros(3)))
    with pytest.raises(DataError, match=r"needs images \(60000, 28, 28\)"):
        load("mnist", tmp_path)


def test_digits_are_embedded_and_split_as_documented():
    train, test = load("digits")
    assert (tuple(train.images.shape), tuple(test.images.shape)) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert (float(train.images.min()), float(train.images.max())) == (0.0, 1.0)
    counts = torch.bincount(test.labels)
    assert counts.max() - counts.min() <= 2  # stratified


def test_subsets_are_nested_and_tasks_relabelled():
    def images(**fields):
        return task(RunSpec.from_dict({"dataset": "digits", **fields}).train)

    small, large = images(n_train=50)[0], images(n_train=200)[0]
    assert torch.equal(small.images, large.images[:50])
    train, test = images(labels=[[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]])
    assert (len(train.labels), len(test.labels)) == (1437, 360)
    assert set(train.labels.tolist()) == {0, 1}
    zero_one, _ = images(labels=[[0], [1]])
    assert len(zero_one.labels) == int((load("digits")[0].labels < 2).sum())
    with pytest.raises(ValueError, match="only 288 training images"):
        images(labels=[[0], [1]], n_train=1000)


def test_label_noise_is_seeded_and_of_the_right_size():
    def labels(**fields):
        return task(RunSpec.from_dict({"dataset": "digits", **fields}).train)[0].labels

    clean, noisy = labels(), labels(label_noise=0.5)
    changed = float((clean != noisy).float().mean())
    assert changed == pytest.approx(0.45, abs=0.05)  # a redrawn label is right one time in ten
    assert torch.equal(noisy, labels(label_noise=0.5))
    assert not torch.equal(noisy, labels(label_noise=0.5, seed=1))


def test_unknown_data_set():
    with pytest.raises(ValueError, match=r"dataset must be one of \['digits', .*'svhn'\], got 'cifar'"):
        load("cifar")


def test_counts_are_those_of_the_data():
    train, test = load("digits")
    assert DATASETS["digits"].train_counts == tuple(torch.bincount(train.labels).tolist())
    assert DATASETS["digits"].train_images(None) == DATASETS["digits"].train_size == len(train.labels)
    assert DATASETS["digits"].test_counts == tuple(torch.bincount(test.labels).tolist())
    assert DATASETS["digits"].test_images(None) == DATASETS["digits"].test_size == len(test.labels)


def test_counts_of_mnist(mnist_root):
    train, test = load("mnist", mnist_root)
    assert DATASETS["mnist"].train_counts == tuple(torch.bincount(train.labels).tolist())
    assert DATASETS["mnist"].test_counts == tuple(torch.bincount(test.labels).tolist())
    zeros_and_ones = RunSpec.from_dict({"dataset": "mnist", "labels": [[0], [1]]}).train
    assert (
        DATASETS["mnist"].test_images(zeros_and_ones.labels) == 2115 == len(task(zeros_and_ones, mnist_root)[1].labels)
    )


def test_a_network_may_look_at_the_middle_of_the_images():
    arch = {"kind": "mlp", "hidden": [], "in_shape": [1, 4, 6]}
    spec = RunSpec.from_dict({"dataset": "digits", "arch": arch})
    whole, middle = task(spec.train)[0], seen(spec)[0]
    assert torch.equal(middle.images, whole.images[:, :, 2:6, 1:7])
    assert torch.equal(middle.labels, whole.labels)
    full = RunSpec.from_dict({"dataset": "digits"})
    assert torch.equal(seen(full)[1].images, task(full.train)[1].images)
    for shape in ([1, 5, 8], [1, 10, 10], [3, 8, 8]):
        with pytest.raises(ValueError, match="or an even number less: the middle"):
            RunSpec.from_dict({"dataset": "digits", "arch": arch | {"in_shape": shape}})
