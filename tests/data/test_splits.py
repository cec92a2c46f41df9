import dataclasses
import gzip
import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from scipy.io import savemat
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from boundlab.data import locate, read
from boundlab.data.digits import read_digits
from boundlab.data.pictures import Part
from boundlab.data.read import read_idx, read_mat
from boundlab.data.splits import apply_task, as_split, load_splits, seen
from boundlab.errors import DataError
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.own_data import DATASETS
from boundlab.specs.run import RunSpec


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
    monkeypatch.setattr(read, "LARGEST_FILE", 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(np.zeros(5000))))
    with pytest.raises(DataError, match="unpacks to more than 1,000 bytes"):
        read_idx(tmp_path / "a.gz", 1)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").mkdir(parents=True)
    with pytest.raises(DataError, match="should be a file"):
        load_splits("mnist", tmp_path)


def test_wrong_number_of_images_is_named(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 28, 28))))
    for name in ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (folder / name).write_bytes(idx(np.zeros(3)))
    with pytest.raises(DataError, match=r"needs images \(60000, 28, 28\)"):
        load_splits("mnist", tmp_path)


def idx_folder(folder, facts, seed=0):
    """The four files of a data set of these facts, with random images and labels in a random order."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for part, counts in (("train", facts.train_counts), ("t10k", facts.test_counts)):
        labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        images = rng.integers(0, 256, (len(labels), *facts.in_shape[1:]))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images), 1))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels), 1))
    return images, labels


@pytest.fixture
def smaller(monkeypatch):
    """The data sets whose files are made here, with few images."""
    for name in ("fashion_mnist", "kmnist", "svhn"):
        facts = dataclasses.replace(SHIPPED[name], train_counts=tuple(range(5, 15)), test_counts=tuple(range(2, 12)))
        monkeypatch.setitem(SHIPPED, name, facts)


@pytest.mark.parametrize(("name", "folder"), [("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_mnists_like_are_read_from_torchvisions_folders(tmp_path, smaller, name, folder):
    images, labels = idx_folder(tmp_path / folder / "raw", SHIPPED[name])
    train, test = load_splits(name, tmp_path)
    assert (tuple(train.images.shape), tuple(test.images.shape)) == ((95, 1, 28, 28), (65, 1, 28, 28))
    np.testing.assert_array_equal(test.images[:, 0], (images / 255).astype(np.float32))
    np.testing.assert_array_equal(test.labels, labels)
    facts = SHIPPED[name]
    assert (facts.normalize, facts.published_n) == ((0.1307, 0.3081), 50_000)


def test_other_numbers_of_images_per_label_are_other_files(tmp_path, smaller, monkeypatch):
    idx_folder(tmp_path / "KMNIST" / "raw", SHIPPED["kmnist"])
    turned = dataclasses.replace(SHIPPED["kmnist"], test_counts=SHIPPED["kmnist"].test_counts[::-1])
    monkeypatch.setitem(SHIPPED, "kmnist", turned)
    with pytest.raises(DataError, match=r"KMNIST \(t10k\) should have \(11, 10, .*got \(2, 3, .*fetch them again"):
        load_splits("kmnist", tmp_path)


def mat(path, n, dtype=np.uint8, labels=None, seed=0, **more):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (32, 32, 3, n)).astype(dtype)
    labels = rng.integers(1, 11, (n, 1), dtype=np.uint8) if labels is None else labels
    path.parent.mkdir(exist_ok=True)
    savemat(path, {"X": images, "y": labels} | more, do_compression=True)
    return images, labels


def test_svhn_is_read_from_matlab_files(tmp_path, smaller):
    counts = {"train": SHIPPED["svhn"].train_counts, "test": SHIPPED["svhn"].test_counts}
    for part, of in counts.items():
        labels = np.random.default_rng(1).permutation(np.repeat([10, *range(1, 10)], of))[:, None]
        images, _ = mat(tmp_path / "SVHN" / f"{part}_32x32.mat", len(labels), labels=labels.astype(np.uint8))
    train, test = load_splits("svhn", tmp_path)
    assert (tuple(train.images.shape), tuple(test.images.shape)) == ((95, 3, 32, 32), (65, 3, 32, 32))
    assert train.images.is_contiguous()
    for i in (0, 64):
        for channel in range(3):
            np.testing.assert_array_equal(test.images[i, channel], (images[:, :, channel, i] / 255).astype(np.float32))
        assert int(test.labels[i]) == int(labels[i, 0]) % 10  # 10 is the digit 0
    assert torch.bincount(train.labels).tolist() == list(counts["train"])


def test_svhns_floating_labels_are_read(tmp_path):
    labels = np.array([[10.0], [1.0], [9.0]])  # as MATLAB itself stores them
    mat(tmp_path / "a.mat", 3, labels=labels)
    assert read_mat(tmp_path / "a.mat", 3)[1].tolist() == [0, 1, 9]


def test_svhn_needs_little_more_memory_than_its_floats(tmp_path):
    mat(tmp_path / "a.mat", 2000)
    tracemalloc.start()
    split = as_split(Part(*read_mat(tmp_path / "a.mat", 2000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4 * split.images.numel() < peak < 2 * 4 * split.images.numel()


_V73 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n".ljust(512, b"\0")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: mat(path, 4),
            r"should hold arrays of shapes .*'X': \(32, 32, 3, 5\).*got .*'X': \(32, 32, 3, 4\)",
        ),
        (
            lambda path: mat(path, 5, labels=np.full((5, 1), 11)),
            "labels y from 1 to 10, got uint8 and .* from 11 to 11",
        ),
        (lambda path: mat(path, 5, labels=np.zeros((5, 1))), "labels y from 1 to 10, got uint8 and .* from 0"),
        (
            lambda path: mat(path, 5, labels=np.full((5, 1), np.nan)),
            "labels y from 1 to 10, got uint8 and float64 from nan",
        ),
        (lambda path: mat(path, 5, dtype=np.int16), "should hold bytes X and labels y from 1 to 10, got int16"),
        (lambda path: mat(path, 5, z=1), r"got .*'z': \(1, 1\)"),
        (lambda path: savemat(path, {"digitStruct": np.zeros((1, 5))}), "got .*digitStruct"),
        (lambda path: path.write_bytes(_V73), "should be a MATLAB 5 file, got: Please use HDF reader for matlab v7.3"),
        (lambda path: path.write_bytes(pickle.dumps({"X": 1})), "should be a MATLAB 5 file, got: "),
        (lambda path: path.write_bytes(b""), "should be a MATLAB 5 file, got: "),
    ],
)
def test_damaged_matlab_files_are_named(tmp_path, make, message):
    path = tmp_path / "train_32x32.mat"
    make(path)
    with pytest.raises(DataError, match=message) as error:
        read_mat(path, 5)
    assert str(path) in str(error.value)
    assert str(error.value).endswith("delete it and fetch it again")


def test_a_truncated_matlab_file_is_named_wherever_it_ends(tmp_path):
    path = tmp_path / "train_32x32.mat"
    mat(path, 5)
    content = path.read_bytes()
    for length in range(0, len(content), 997):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"should (be a MATLAB 5 file|hold arrays of shapes)"):
            read_mat(path, 5)


def test_digits_are_embedded_and_split_as_documented():
    train, test = load_splits("digits")
    assert (tuple(train.images.shape), tuple(test.images.shape)) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert (float(train.images.min()), float(train.images.max())) == (0.0, 1.0)
    counts = torch.bincount(test.labels)
    assert counts.max() - counts.min() <= 2  # stratified


def test_digits_are_those_of_scikit_learn_split_by_it():
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=360, random_state=0, stratify=labels)
    for split, pixels, classes in zip(load_splits("digits"), parts[:2], parts[2:], strict=True):
        assert torch.equal(split.images.flatten(1), torch.tensor(pixels / 16.0, dtype=torch.float32))
        assert split.labels.tolist() == classes.tolist()


def test_another_file_of_digits_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "digits.csv.gz"
    for content, told in (
        (b"1,2\n3,4\n", r"should hold \(1797, 65\) numbers, got \(2, 2\)"),
        (b"a,b", "cannot be read"),
    ):
        other.write_bytes(gzip.compress(content))
        monkeypatch.setattr("boundlab.data.digits.digits_file", lambda: other)
        with pytest.raises(DataError, match=told):
            read_digits()


def test_subsets_are_nested_and_tasks_relabelled():
    def images(**fields):
        return apply_task(RunSpec.from_dict({"dataset": "digits", **fields}).train)

    small, large = images(n_train=50)[0], images(n_train=200)[0]
    assert torch.equal(small.images, large.images[:50])
    train, test = images(labels=[[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]])
    assert (len(train.labels), len(test.labels)) == (1437, 360)
    assert set(train.labels.tolist()) == {0, 1}
    zero_one, _ = images(labels=[[0], [1]])
    assert len(zero_one.labels) == int((load_splits("digits")[0].labels < 2).sum())
    with pytest.raises(ValueError, match="only 288 training images"):
        images(labels=[[0], [1]], n_train=1000)


def test_label_noise_is_seeded_and_of_the_right_size():
    def labels(**fields):
        return apply_task(RunSpec.from_dict({"dataset": "digits", **fields}).train)[0].labels

    clean, noisy = labels(), labels(label_noise=0.5)
    changed = float((clean != noisy).float().mean())
    assert changed == pytest.approx(0.45, abs=0.05)  # a redrawn label is right one time in ten
    assert torch.equal(noisy, labels(label_noise=0.5))
    assert not torch.equal(noisy, labels(label_noise=0.5, seed=1))


def test_unknown_data_set():
    with pytest.raises(ValueError, match=r"dataset must be one of \['digits', .*'svhn'.*\], got 'cifar'"):
        load_splits("cifar")


def test_counts_are_those_of_the_data():
    train, test = load_splits("digits")
    assert DATASETS["digits"].train_counts == tuple(torch.bincount(train.labels).tolist())
    assert DATASETS["digits"].train_images(None) == DATASETS["digits"].train_size == len(train.labels)
    assert DATASETS["digits"].test_counts == tuple(torch.bincount(test.labels).tolist())
    assert DATASETS["digits"].test_images(None) == DATASETS["digits"].test_size == len(test.labels)


def test_counts_add_up_to_the_published_sizes():
    sizes = {name: (facts.train_size, facts.test_size, facts.classes) for name, facts in SHIPPED.items()}
    assert sizes == {
        "mnist": (60_000, 10_000, 10),
        "digits": (1437, 360, 10),
        "fashion_mnist": (60_000, 10_000, 10),
        "kmnist": (60_000, 10_000, 10),
        "svhn": (73_257, 26_032, 10),
    }


def test_counts_of_mnist(mnist_root):
    train, test = load_splits("mnist", mnist_root)
    assert DATASETS["mnist"].train_counts == tuple(torch.bincount(train.labels).tolist())
    assert DATASETS["mnist"].test_counts == tuple(torch.bincount(test.labels).tolist())
    zeros_and_ones = RunSpec.from_dict({"dataset": "mnist", "labels": [[0], [1]]}).train
    assert (
        DATASETS["mnist"].test_images(zeros_and_ones.labels)
        == 2115
        == len(apply_task(zeros_and_ones, mnist_root)[1].labels)
    )


def test_a_network_may_look_at_the_middle_of_the_images():
    arch = {"kind": "mlp", "hidden": [], "in_shape": [1, 4, 6]}
    spec = RunSpec.from_dict({"dataset": "digits", "arch": arch})
    whole, middle = apply_task(spec.train)[0], seen(spec)[0]
    assert torch.equal(middle.images, whole.images[:, :, 2:6, 1:7])
    assert torch.equal(middle.labels, whole.labels)
    full = RunSpec.from_dict({"dataset": "digits"})
    assert torch.equal(seen(full)[1].images, apply_task(full.train)[1].images)
    for shape in ([1, 5, 8], [1, 10, 10], [3, 8, 8]):
        with pytest.raises(ValueError, match="or an even number less: the middle"):
            RunSpec.from_dict({"dataset": "digits", "arch": arch | {"in_shape": shape}})


@pytest.mark.parametrize(
    "name",
    [
        "train-images.idx3-ubyte",
        "TRAIN-IMAGES-IDX3-UBYTE.GZ",
        "train-images-idx3-ubyte (1).gz",
        "train-images.idx3-ubyte(2)",
    ],
)
def test_files_under_nearly_the_right_names_are_found(tmp_path, smaller, name):
    folder = tmp_path / "KMNIST" / "raw"
    idx_folder(folder, SHIPPED["kmnist"])
    expected = load_splits("kmnist", tmp_path)[0].images
    packed = folder / "train-images-idx3-ubyte.gz"
    content = packed.read_bytes()
    packed.unlink()
    (folder / name).write_bytes(content if name.lower().endswith(".gz") else gzip.decompress(content))
    assert torch.equal(load_splits("kmnist", tmp_path)[0].images, expected)


def test_other_names_are_not_taken_for_the_files(tmp_path, smaller):
    folder = tmp_path / "KMNIST" / "raw"
    idx_folder(folder, SHIPPED["kmnist"])
    (folder / "train-images-idx3-ubyte.gz").rename(folder / "my-train-images-idx3-ubyte.gz")
    assert locate.missing("kmnist", tmp_path) == ["train-images-idx3-ubyte"]
