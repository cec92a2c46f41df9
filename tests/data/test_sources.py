"""Data as people have them: the same images out of every file and folder, labels by one rule, and what will not do."""

import gzip
import io
import json
import struct
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import boundlab
from boundlab.cli.main import main
from boundlab.data import own
from boundlab.data.labels import label_values, mapping_words, numbered, outputs_of
from boundlab.data.pictures import Pictures
from boundlab.data.sources import read_source
from boundlab.data.tables import parse_csv
from boundlab.errors import DataError

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (12, 4, 4)).astype(np.uint8), np.arange(12) % 3
X_TEST, Y_TEST = RNG.integers(0, 256, (6, 4, 4)).astype(np.uint8), np.arange(6) % 3
COLOURS = RNG.integers(0, 256, (12, 4, 5, 3)).astype(np.uint8)
WORDS = np.array(["owl", "cat", "dog"])


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "root"))


def linear(outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, outputs, bias=False))


def idx(array: np.ndarray, code: int) -> bytes:
    """As the format's description has it: two zeros, a type, the number of dimensions, sizes and numbers big-endian."""
    kind = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[code]
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(kind).tobytes()


def csv(x, y, header=None, mark=",", last=False) -> str:
    rows = [[str(label), *map(str, image.ravel().tolist())] for image, label in zip(x, y, strict=True)]
    rows = [[*row[1:], row[0]] if last else row for row in rows]
    return "\n".join(mark.join(row) for row in ([header] if header else []) + rows) + "\n"


def encoded(image: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, lossless=True)
    return file.getvalue()


def hub_table(x, y, names=None, bare=False):
    """As Hugging Face's `datasets` writes a data set of images."""
    images = [encoded(image) if bare else {"bytes": encoded(image), "path": None} for image in x]
    table = pa.table({"image": images, "label": pa.array(list(y))})
    if names is None:
        return table
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


PIXELS = [f"pixel{i}" for i in range(16)]


def one_csv(folder, **how):
    (folder / "a.csv").write_text(csv(X, Y, **how))
    return folder / "a.csv"


def csv_folder(folder):
    (folder / "mnist_train.csv").write_text(csv(X, Y, ["label", *PIXELS]))
    (folder / "mnist_test.csv").write_text(csv(X_TEST, Y_TEST))
    (folder / "README.md").write_text("what it is")
    (folder / "Thumbs.db").write_bytes(b"x")
    return folder


def csv_zipped(folder):
    (folder / "a.csv.gz").write_bytes(gzip.compress(csv(X, Y).encode()))
    return folder / "a.csv.gz"


def idx_folder(folder, code=8, ending="", zipped=False):
    for name, x, y in (("train", X, Y), ("t10k", X_TEST, Y_TEST)):
        for what, array in (("images", x), ("labels", y)):
            content = idx(array, code)
            file = folder / f"{name}-{what}-idx{array.ndim}-ubyte{ending}"
            file.write_bytes(gzip.compress(content) if zipped else content)
    return folder


def npy_folder(folder):
    np.save(folder / "x_train.npy", X)
    np.save(folder / "y_train.npy", Y)
    return folder


def hub_folder(folder):
    (folder / "data").mkdir()
    (folder / "README.md").write_text("a card")
    for first, last, name in ((0, 7, "train-00000-of-00002"), (7, 12, "train-00001-of-00002")):
        parquet.write_table(hub_table(X[first:last], Y[first:last]), folder / "data" / f"{name}.parquet")
    parquet.write_table(hub_table(X_TEST, Y_TEST), folder / "data" / "test-00000-of-00001.parquet")
    return folder


def hub_file(folder, **how):
    parquet.write_table(hub_table(X, Y, **how), folder / "a.parquet")
    return folder / "a.parquet"


def npz(folder, **arrays):
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


WHOLE = {
    "CSV without names": one_csv,
    "CSV with names": lambda f: one_csv(f, header=["label", *PIXELS]),
    "CSV with the label last": lambda f: one_csv(f, header=[*PIXELS, "Class"], last=True),
    "CSV with numbers as names": lambda f: one_csv(f, header=["label", *map(str, range(16))]),
    "CSV with semicolons": lambda f: one_csv(f, mark=";"),
    "CSV, .gz": csv_zipped,
    "Keras": lambda f: npz(f, x_train=X, y_train=Y),
    "MedMNIST without a test part": lambda f: npz(f, train_images=X, train_labels=Y[:, None].astype(np.uint8)),
    "one-hot": lambda f: npz(f, x_train=X, y_train=np.eye(3)[Y]),
    ".npy files": npy_folder,
    "Parquet": hub_file,
    "Parquet with bytes": lambda f: hub_file(f, bare=True),
}
SPLIT = {
    "CSV files": csv_folder,
    "IDX files": idx_folder,
    "IDX of 16 bits": lambda f: idx_folder(f, 11),
    "IDX of 32 bits": lambda f: idx_folder(f, 12),
    "IDX files, .gz": lambda f: idx_folder(f, ending=".gz", zipped=True),
    "IDX files zipped but not called so": lambda f: idx_folder(f, ending=".gz"[:0] + ".idx.gz", zipped=True),
    "Parquet files": hub_folder,
    "MedMNIST": lambda f: npz(
        f, train_images=X, train_labels=Y[:, None], val_images=X, val_labels=Y[:, None], test_images=X_TEST, test_labels=Y_TEST[:, None]
    ),
    "Keras": lambda f: npz(f, x_train=X, y_train=Y, x_test=X_TEST, y_test=Y_TEST),
}  # fmt: skip


def rows(part) -> list[tuple[bytes, int]]:
    pixels = part.pixels if part.pixels.dtype == np.uint8 else np.round(part.pixels * 255).astype(np.uint8)
    return sorted((image.tobytes(), int(label)) for image, label in zip(pixels, part.labels, strict=True))


def expected(x, y) -> list[tuple[bytes, int]]:
    return sorted((image.tobytes(), int(label)) for image, label in zip(x, y, strict=True))


@pytest.mark.parametrize("kind", WHOLE)
def test_every_file_of_one_part_gives_the_same_images(tmp_path, kind):
    found: Pictures = read_source(WHOLE[kind](tmp_path))
    assert rows(found.train) == expected(X, Y)
    assert (found.test, found.class_names, found.train.pixels.shape[1:]) == (None, ("0", "1", "2"), (1, 4, 4))


@pytest.mark.parametrize("kind", SPLIT)
def test_every_folder_of_two_parts_gives_the_same_images(tmp_path, kind):
    source = SPLIT[kind](tmp_path)
    found = read_source(source)
    assert rows(found.train) == expected(X, Y)
    assert rows(found.test) == expected(X_TEST, Y_TEST)
    arrays = ((X, Y), (X_TEST, Y_TEST))
    assert boundlab.evaluate(linear(), source) == boundlab.evaluate(linear(), arrays)
    assert (
        own.add(source, "a").name
        == own.add(npz(tmp_path, x_train=X, y_train=Y, x_test=X_TEST, y_test=Y_TEST), "a").name
    )


@pytest.mark.parametrize(("code", "scale"), [(13, 1 / 255), (14, 1 / 255), (9, 0.5)])
def test_idx_files_of_floats_and_signed_bytes(tmp_path, code, scale):
    x = (X * scale if code != 9 else X // 2).astype(float)
    (tmp_path / "train-images.idx3").write_bytes(idx(x, code))
    (tmp_path / "train-labels.idx1").write_bytes(idx(Y, 12))
    found = read_source(tmp_path).train
    np.testing.assert_allclose(found.pixels[:, 0] / (1 if found.pixels.dtype == np.float32 else 255), x / (1 if code != 9 else 255), rtol=1e-6)  # fmt: skip


def test_hub_names_are_the_classes_in_the_order_of_their_numbers(tmp_path):
    data = own.add(hub_file(tmp_path, names=["zebra", "ant", "owl"]))
    assert data.class_names == ("zebra", "ant", "owl")


@pytest.mark.parametrize(
    ("labels", "names", "classes"),
    [
        (Y + 1, ("1", "2", "3"), Y),
        (Y * 5, ("0", "5", "10"), Y),
        (np.where(Y == 0, 1, -1), ("-1", "1"), Y == 0),
        (Y == 0, ("0", "1"), Y == 0),
        (WORDS[Y], ("cat", "dog", "owl"), np.array([2, 0, 1])[Y]),
        (WORDS[Y].astype("S"), ("cat", "dog", "owl"), np.array([2, 0, 1])[Y]),
        (np.array(["9", "10", "2"])[Y], ("2", "9", "10"), np.array([1, 2, 0])[Y]),
        (np.eye(3)[Y], ("0", "1", "2"), Y),
        (np.array(["e\u0301", "a", "b"])[Y], ("a", "b", "é"), np.array([2, 0, 1])[Y]),
    ],
)
def test_labels_of_every_kind_become_classes_by_one_rule(tmp_path, labels, names, classes):
    data = own.add(npz(tmp_path, x_train=X, y_train=labels, x_test=X, y_test=labels), "a")
    assert data.class_names == names
    found = read_source(tmp_path / "a.npz")
    assert found.train.labels.tolist() == np.asarray(classes, int).tolist()
    report = boundlab.evaluate(linear(len(names)), tmp_path / "a.npz")
    plain = boundlab.evaluate(linear(len(names)), ((X, np.asarray(classes, int)), (X, np.asarray(classes, int))))
    kept = list(names) if names != tuple(map(str, range(len(names)))) else None
    assert report.pop("labels", None) == kept
    assert report == plain


def test_labels_that_are_numbers_of_outputs_are_left_as_they_are():
    """A sample need not have every class: 0 and 2 are the outputs 0 and 2 of a network with three."""
    assert outputs_of(("0", "2"), 3).tolist() == [0, 2]
    assert outputs_of(("1", "2", "3"), 3).tolist() == [0, 1, 2]
    assert outputs_of(("1", "2", "3"), 4).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="has 4 classes, but got data with 3 different labels, `cat`, `dog`, `owl`"):
        outputs_of(("cat", "dog", "owl"), 4)
    with pytest.raises(ValueError, match="one kind, got numbers in one and words in the other"):
        numbered([np.array([1]), np.array(["a"])])
    with pytest.raises(ValueError, match="labels up to 9223372036854775809"):
        label_values(np.array([2**63 + 1], np.uint64), "y")


def test_the_mapping_is_said(tmp_path, capsys):
    assert main(["data", "add", str(npz(tmp_path, x_train=X, y_train=WORDS[Y]))]) == 0
    assert "\nclasses: 0 = cat, 1 = dog, 2 = owl\n" in capsys.readouterr().out
    assert main(["data", "add", str(npz(tmp_path, x_train=X, y_train=Y))]) == 0
    assert "classes:" not in capsys.readouterr().out
    report = boundlab.evaluate(linear(), (X, WORDS[Y]))
    assert "Labels as outputs of the network: 0 = cat, 1 = dog, 2 = owl." in repr(report)
    assert mapping_words([f"c{i}" for i in range(1000)]).endswith("9 = c9, ..., 999 = c999")


class Pairs(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        if i >= len(X):
            raise IndexError
        return Image.fromarray(X[i]), int(Y[i])


class Stream(IterableDataset):
    def __iter__(self):
        return zip(torch.from_numpy(X / np.float32(255))[:, None], Y.tolist(), strict=True)


TENSORS = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


@pytest.mark.parametrize(
    "given",
    [
        TENSORS,
        [TENSORS],
        Pairs(),
        DataLoader(TENSORS, batch_size=5),
        DataLoader(TENSORS, batch_size=5, shuffle=True),
        DataLoader(TENSORS, batch_size=None),
        Stream(),
        DataLoader(Stream(), batch_size=4),
        (X, Y),
    ],
)
def test_a_dataset_or_a_loader_is_read_whole(given):
    before = torch.get_rng_state()
    found, plain = boundlab.evaluate(linear(), given), boundlab.evaluate(linear(), (X, Y))
    assert torch.equal(before, torch.get_rng_state())
    assert (found["n"], found["errors"]) == (plain["n"], plain["errors"])
    assert found["bounds"]["sparse"]["value"] == pytest.approx(plain["bounds"]["sparse"]["value"], rel=1e-6)


def test_two_of_them_are_training_and_test():
    test = TensorDataset(torch.from_numpy(X_TEST), torch.from_numpy(Y_TEST))
    plain = boundlab.evaluate(linear(), (X, Y, X_TEST, Y_TEST))
    assert boundlab.evaluate(linear(), (TENSORS, test)) == plain
    assert boundlab.evaluate(linear(), (TENSORS, DataLoader(test, 4))) == plain
    assert boundlab.evaluate(linear(), ((X, Y), (X_TEST, Y_TEST))) == plain


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (DataLoader(TENSORS, 5, drop_last=True), "drop_last=True leaves images out"),
        (TensorDataset(torch.from_numpy(X)), "should give pairs .image, label., got tuple of 1"),
        (TensorDataset(torch.zeros(0, 4, 4), torch.zeros(0)), "should have images, got none"),
        ([(X[0], 0), (X[1], 1), (X[2], 2)], "data must be one of"),
        (((X, Y), (X_TEST, Y_TEST), (X, Y)), "data must be one of"),
    ],
)
def test_datasets_that_will_not_do(given, words):
    with pytest.raises((ValueError, DataError), match=words):
        boundlab.evaluate(linear(), given)


def test_a_dataset_too_large_is_not_read_to_its_end(monkeypatch):
    from boundlab.evaluation import given_data

    monkeypatch.setattr(given_data, "LARGEST_DATA", 4 * 16 * 5)
    with pytest.raises(ValueError, match="take a Subset"):
        boundlab.evaluate(linear(), Stream())


@pytest.mark.parametrize("channels_last", [True, False])
def test_channels_are_found_where_the_shape_says(tmp_path, channels_last):
    x = COLOURS if channels_last else COLOURS.transpose(0, 3, 1, 2)
    found = read_source(npz(tmp_path, x_train=x, y_train=Y)).train
    assert found.pixels.tobytes() == np.ascontiguousarray(COLOURS.transpose(0, 3, 1, 2)).tobytes()


def test_a_shape_that_may_be_either_is_refused_by_both(tmp_path):
    path = npz(tmp_path, x_train=np.zeros((12, 3, 6, 3), np.uint8), y_train=Y)
    conv = nn.Sequential(nn.Conv2d(3, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3))
    for read in (lambda: read_source(path), lambda: boundlab.evaluate(conv, path)):
        with pytest.raises(
            DataError, match=r"channels second or last, got shape \(12, 3, 6, 3\), of which both are possible"
        ):
            read()


def spoiled(what, folder):
    cases = {
        "a CSV that is no square": lambda: (folder / "a.csv").write_text(csv(X[:, :3, :1], Y)),
        "a CSV with a gap": lambda: (folder / "a.csv").write_text(csv(X, Y).replace(",", ",,", 1).replace(f",{X[0, 3, 3]}\n", "\n", 1)),
        "a CSV with a short row": lambda: (folder / "a.csv").write_text(csv(X, Y) + "1,2\n"),
        "a CSV with words as pixels": lambda: (folder / "a.csv").write_text(csv(X, Y) + ",".join(["1", "x"] + ["0"] * 15) + "\n"),
        "a CSV with names alone": lambda: (folder / "a.csv").write_text(",".join(["label", *PIXELS]) + "\n"),
        "a CSV of bytes": lambda: (folder / "a.csv").write_bytes(bytes(range(200))),
        "labels without images": lambda: (folder / "train-labels-idx1-ubyte").write_bytes(idx(Y, 8)),
        "IDX cut short": lambda: [(folder / f"train-{n}").write_bytes(idx(a, 12)[:-1]) for n, a in (("x", X), ("y", Y))],
        "a gzip file cut short": lambda: (folder / "a.csv.gz").write_bytes(gzip.compress(csv(X, Y).encode())[:-9]),
        "Parquet cut short": lambda: (folder / "a.parquet").write_bytes(b"PAR1" + b"x" * 50),
        "Parquet of numbers": lambda: parquet.write_table(pa.table({"a": [1], "b": [2]}), folder / "a.parquet"),
        "Parquet of paths": lambda: parquet.write_table(pa.table({"image": [{"bytes": None, "path": "x.png"}], "label": [0]}, pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64()})), folder / "a.parquet"),
        "Parquet without a label": lambda: parquet.write_table(pa.table({"image": [encoded(X[0])], "label": pa.array([None], pa.int64())}), folder / "a.parquet"),
        "Parquet of no picture": lambda: parquet.write_table(pa.table({"image": [b"GIF89a"], "label": [0]}), folder / "a.parquet"),
        "objects": lambda: (np.save(folder / "x_train.npy", np.array([{}], object)), np.save(folder / "y_train.npy", Y)),
        "no train part": lambda: [(folder / f"{n}.csv").write_text(csv(X, Y)) for n in ("a-test", "a-valid")],
        "one named, one not": lambda: [(folder / f"{n}.csv").write_text(csv(X, Y)) for n in ("a-test", "b")],
        "something else beside": lambda: (one_csv(folder), (folder / "a.mat").write_bytes(b"x")),
    }  # fmt: skip
    cases[what]()
    return folder


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("a CSV that is no square", "1, 4, 9, ... columns beside the label, got 3"),
        ("a CSV with a gap", "a.csv should have a value in every cell, got empty ones in column 2"),
        ("a CSV with a short row", "Expected 17 columns, got 2"),
        ("a CSV with words as pixels", "numbers as pixels, got words among them"),
        ("a CSV with names alone", "got none below its names"),
        ("a CSV of bytes", "got a file that begins with 0001"),
        ("labels without images", "one IDX file of images and one of labels"),
        ("IDX cut short", "announces 12 x 4 x 4 numbers of 4 bytes but holds"),
        ("a gzip file cut short", "is not a complete gzip file"),
        ("Parquet cut short", "should be a Parquet file with pictures and labels, got"),
        ("Parquet of numbers", "one column of pictures .* got a .int64., b .int64."),
        ("Parquet of paths", "row 1 should hold a picture's bytes, got only the path 'x.png'"),
        ("Parquet without a label", "row 1 should have a label"),
        ("Parquet of no picture", "row 1, should be a PNG, JPEG, BMP or WebP picture, got a GIF picture"),
        ("objects", "x_train.npy should be an array of numbers"),
        ("no train part", "train, test or valid in their names, got .*a-test.csv"),
        ("one named, one not", "train, test or valid in their names, got .*b.csv"),
        ("something else beside", "data files of one kind, got .*a.mat"),
    ],
)
def test_files_that_will_not_do(tmp_path, what, words):
    with pytest.raises(DataError, match=words) as caught:
        read_source(spoiled(what, tmp_path))
    assert "\n" not in str(caught.value)


def test_a_csv_whose_pixels_begin_as_whole_numbers():
    rows = ["0,0,0,0,0"] * 30000 + ["1,0.5,0.25,1,0"]
    images, labels = parse_csv("\n".join(rows).encode(), "a.csv")
    assert images.dtype == np.float32
    assert images[-1].ravel().tolist() == [0.5, 0.25, 1, 0]
    assert (len(images), labels[-1]) == (30001, 1)


def pictures(folder, counts=(4, 4), names=("cat", "dog"), ending="png"):
    for number, (name, count) in enumerate(zip(names, counts, strict=True)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            (folder / name / f"{i}.{ending}").write_bytes(
                encoded(X[4 * number + i], {"png": "PNG", "webp": "WEBP"}[ending])
            )
    return folder


def test_what_systems_leave_behind_is_no_data(tmp_path):
    pictures(tmp_path / "a")
    plain = own.add(tmp_path / "a")
    for folder in (tmp_path / "a", tmp_path / "a" / "cat"):
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._1.png"):
            (folder / name).write_bytes(b"x")
    (tmp_path / "a" / "__MACOSX" / "cat").mkdir(parents=True)
    assert own.add(tmp_path / "a") == plain


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "Testing"), ("TRAIN", "val"), ("train", "Valid"), ("train", "validation")])  # fmt: skip
def test_parts_by_any_of_their_names(tmp_path, train, test):
    pictures(tmp_path / "a" / train)
    pictures(tmp_path / "a" / test, (1, 2))
    data = own.add(tmp_path / "a")
    assert (data.train_counts, data.test_counts) == ((4, 4), (1, 2))


def test_a_validation_part_beside_a_test_part_is_left_unread(tmp_path):
    for part, counts in (("train", (4, 4)), ("val", (3, 3)), ("test", (1, 2))):
        pictures(tmp_path / "a" / part, counts)
    data = own.add(tmp_path / "a")
    assert (data.train_counts, data.test_counts) == ((4, 4), (1, 2))
    pictures(tmp_path / "a" / "Test")
    with pytest.raises(DataError, match=r"each part once, got \['Test', 'test'\]"):
        own.add(tmp_path / "a")


def test_names_are_compared_as_they_are_read(tmp_path):
    """macOS writes é as two characters."""
    apart, whole = unicodedata.normalize("NFD", "café"), "café"
    pictures(tmp_path / "a" / "train", names=(apart, "dog"))
    pictures(tmp_path / "a" / "test", (1, 1), names=(whole, "dog"))
    assert own.add(tmp_path / "a").class_names == (whole, "dog")
    pictures(tmp_path / "b", names=(apart, whole))
    with pytest.raises(DataError, match="each class once, got two folders 'café'"):
        own.add(tmp_path / "b")


def test_folders_that_are_numbers_are_in_their_order(tmp_path):
    pictures(tmp_path / "a", names=("10", "9"))
    assert own.add(tmp_path / "a").class_names == ("9", "10")
    pictures(tmp_path / "b", names=("1", "01"))
    with pytest.raises(DataError, match="folders that are the same number"):
        own.add(tmp_path / "b")


def test_webp_is_read(tmp_path):
    data = read_source(pictures(tmp_path / "a", ending="webp"))
    coloured = np.repeat(X[:8, None], 3, 1)  # the format has no grey
    assert rows(data.train) == expected(coloured, np.repeat([0, 1], 4))


@pytest.mark.parametrize(
    ("content", "real"),
    [
        (b"GIF89a", "a GIF picture"),
        (b"II*\0xxxx", "a TIFF picture"),
        (b"\0\0\0\x20ftypheic", "a HEIC picture"),
        (b"<!doctype html><p>404", "a web page"),
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ],
)
def test_the_real_format_is_named_where_the_ending_lies(tmp_path, content, real):
    pictures(tmp_path / "a")
    (tmp_path / "a" / "cat" / "9.jpg").write_bytes(content)
    with pytest.raises(DataError, match=rf"9\.jpg should be a PNG, JPEG, BMP or WebP picture, got {real}"):
        own.add(tmp_path / "a")
    (tmp_path / "a" / "cat" / "9.jpg").write_bytes(encoded(X[0]))  # a PNG under another's ending is read
    assert own.add(tmp_path / "a").classes == 2


def test_a_folder_of_pictures_is_data_for_the_library(tmp_path):
    pictures(tmp_path / "a")
    found = boundlab.evaluate(linear(2), tmp_path / "a")
    assert found.pop("labels") == ["cat", "dog"]
    assert found == boundlab.evaluate(linear(2), (X[:8], np.repeat([0, 1], 4)))
