"""The reader's own data: pictures in folders and .npz files, what is stored, what is refused and how."""

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import boundlab
from boundlab.cli.main import main
from boundlab.data import npz, own
from boundlab.data import pictures as images
from boundlab.data.splits import load_splits
from boundlab.errors import BoundlabError, DataError
from boundlab.jobs.queue import jobs
from boundlab.networks.sample_stats import sample_stats
from boundlab.specs.arch import ArchSpec
from boundlab.specs.catalog import SHIPPED
from boundlab.specs.own_data import DATASETS, at_root, catalogue, data_root, own_datasets, own_recipe
from boundlab.specs.run import RunSpec
from boundlab.ui.page import PAGES
from tests.ui.test_pages import open_link
from tests.ui.test_train_page import TRAIN, machine, trains  # noqa: F401

CLASSES = ("cat", "dog", "owl")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def pictures(folder, counts=(5, 6, 7), size=(6, 4), mode="RGB", ending="png", seed=0):
    """Pictures of noise, by class; returns them as written, in order of class and name."""
    rng, written = np.random.default_rng(seed), []
    for name, count in zip(CLASSES, counts, strict=False):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            shape = size if mode in ("1", "L") else (*size, len(mode))
            array = rng.integers(0, 256, shape).astype(np.uint8)
            Image.fromarray(array, None if mode == "1" else mode).convert(mode).save(folder / name / f"{i}.{ending}")
            written.append(array)
    return np.stack(written)


def arrays(n=20, shape=(6, 4), classes=2, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, *shape)).astype(np.uint8)
    return {"x_train": x if dtype == np.uint8 else (x / 255).astype(dtype), "y_train": np.arange(n) % classes}


def saved(path, **given):
    np.savez(path, **given)
    return path


def rows(key):
    """Every stored image with its label, in any order."""
    both = load_splits(key)
    return sorted(
        (x.tobytes(), int(y)) for split in both for x, y in zip(split.images.numpy(), split.labels, strict=True)
    )


def test_pictures_of_a_folder_are_split_by_class_and_loaded(tmp_path):
    written = pictures(tmp_path / "My Pets!")
    data = own.add(tmp_path / "My Pets!")
    assert data.name.startswith("own-my-pets-")
    assert (data.in_shape, data.class_names, data.normalize) == ((3, 6, 4), CLASSES, None)
    assert (data.train_counts, data.test_counts) == ((4, 5, 6), (1, 1, 1))
    train, test = load_splits(data.name)
    assert torch.bincount(train.labels).tolist() == [4, 5, 6]
    assert torch.bincount(test.labels).tolist() == [1, 1, 1]
    images = (written / np.float32(255)).astype(np.float32).transpose(0, 3, 1, 2)
    labels = np.repeat([0, 1, 2], [5, 6, 7])
    assert rows(data.name) == sorted((np.ascontiguousarray(x).tobytes(), int(y)) for x, y in zip(images, labels))  # noqa: B905


def test_a_test_part_of_its_own_is_kept(tmp_path):
    pictures(tmp_path / "a" / "train", (2, 3, 4))
    written = pictures(tmp_path / "a" / "test", (1, 2, 1), seed=1)
    data = own.add(tmp_path / "a")
    assert (data.train_counts, data.test_counts) == ((2, 3, 4), (1, 2, 1))
    np.testing.assert_array_equal(
        load_splits(data.name)[1].images.numpy(), (written / 255).astype(np.float32).transpose(0, 3, 1, 2)
    )
    with pytest.raises(ValueError, match=r"has a test part of its own, got --test 0\.3; leave that out"):
        own.add(tmp_path / "a", test=0.3)


def test_a_class_may_be_called_train(tmp_path):
    pictures(tmp_path / "a")
    for old, new in (("cat", "test"), ("dog", "train")):
        (tmp_path / "a" / old).rename(tmp_path / "a" / new)
    assert own.add(tmp_path / "a").class_names == ("owl", "test", "train")


@pytest.mark.parametrize(
    ("ending", "mode"), [("bmp", "RGB"), ("png", "L"), ("png", "1"), ("jpg", "L"), ("jpeg", "RGB")]
)
def test_formats_and_channels(tmp_path, ending, mode):
    pictures(tmp_path / "a", mode=mode, ending=ending)
    (tmp_path / "a" / "cat" / ".DS_Store").write_text("x")
    data = own.add(tmp_path / "a")
    assert data.in_shape == (3 if mode == "RGB" else 1, 6, 4)
    train = load_splits(data.name)[0]
    with Image.open(tmp_path / "a" / "owl" / f"6.{ending}") as image:
        expected = torch.from_numpy(np.array(image.convert(mode if mode != "1" else "L"))) / 255
    found = [
        torch.equal(x.permute(1, 2, 0).squeeze(-1), expected)
        for x in (*train.images, *load_splits(data.name)[1].images)
    ]
    assert any(found)


def test_grey_and_size_are_those_of_pillow(tmp_path):
    pictures(tmp_path / "a")
    grey = own.add(tmp_path / "a", size=(3, 5), grey=True)
    assert grey.in_shape == (1, 3, 5)
    made = []
    for path in sorted((tmp_path / "a").glob("*/*.png")):
        with Image.open(path) as image:
            made.append(np.asarray(image.convert("L").resize((5, 3), Image.Resampling.BILINEAR)) / np.float32(255))
    assert [x for x, _ in rows(grey.name)] == sorted(x.astype(np.float32).tobytes() for x in made)


def test_arrays_are_greyed_as_pictures_are():
    rng = np.random.default_rng(0)
    given = rng.integers(0, 256, (50, 3, 8, 9), dtype=np.uint8)
    expected = [np.asarray(Image.fromarray(x.transpose(1, 2, 0)).convert("L")) for x in given]
    np.testing.assert_array_equal(images.greyed(given)[:, 0], expected)
    np.testing.assert_allclose(
        images.greyed((given / 255).astype(np.float32))[:, 0], np.array(expected) / 255, atol=1 / 255
    )


def test_transparent_pixels_are_white_and_photographs_upright(tmp_path):
    for name in CLASSES[:2]:
        (tmp_path / "a" / name).mkdir(parents=True)
        for i in range(3):
            clear = Image.new("RGBA", (2, 3), (255, 0, 0, 0 if i else 255))
            clear.save(tmp_path / "a" / name / f"{i}.png")
        exif = Image.Exif()
        exif[0x0112] = 6  # lies on its side
        lying = Image.new("RGB", (3, 2), "white")
        lying.paste("black", (0, 0, 3, 1))
        lying.save(tmp_path / "a" / name / "9.png", exif=exif)
    data = own.add(tmp_path / "a")
    assert data.in_shape == (3, 3, 2)
    colours = {tuple(x[:, 0, 0].tolist()) for split in load_splits(data.name) for x in split.images}
    assert colours == {(1.0, 0.0, 0.0), (1.0, 1.0, 1.0)}
    upright = [
        x[0]
        for split in load_splits(data.name)
        for x in split.images
        if x.unique().tolist() == [0, 1] and x[1].max() > 0
    ]
    assert [x.tolist() for x in upright] == [[[1, 0], [1, 0], [1, 0]]] * 2  # what was above is now on the right


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 1), (6, 4, 3), (1, 6, 4), (3, 6, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_arrays_of_every_layout_and_dtype(tmp_path, shape, dtype):
    given = arrays(shape=shape, dtype=dtype)
    data = own.add(saved(tmp_path / "a.npz", **given))
    channels = 3 if 3 in shape else 1
    assert data.in_shape == (channels, 6, 4)
    x = given["x_train"].astype(np.float32) / np.float32(255 if dtype == np.uint8 else 1)
    x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2) if shape[-1] == channels else x
    assert [b for b, _ in rows(data.name)] == sorted(np.ascontiguousarray(i).tobytes() for i in x)


def test_an_upload_gives_the_same_data_set_as_its_file(tmp_path):
    rng = np.random.default_rng(1)
    given = arrays() | {"x_test": rng.integers(0, 256, (4, 6, 4), dtype=np.uint8), "y_test": np.array([1, 0, 0, 1])}
    given |= {"y_train": given["y_train"][:, None] * 5 - 1, "y_test": given["y_test"] * 5 - 1}
    path = saved(tmp_path / "shapes.npz", **given)
    data = own.add(path)
    assert (data.train_counts, data.test_counts, data.class_names) == ((10, 10), (2, 2), ("-1", "4"))
    assert load_splits(data.name)[1].labels.tolist() == [1, 0, 0, 1]
    assert own.add(path.read_bytes(), "shapes") == data
    assert len(list((tmp_path / "data" / "own").iterdir())) == 2
    with pytest.raises(ValueError, match="a data set's name must be 1 to 32 lower-case letters"):
        own.add(path.read_bytes())


def test_scaling_floats_stays_in_range(tmp_path):
    data = own.add(saved(tmp_path / "a.npz", **arrays(shape=(6, 4, 3), dtype=np.float64)), size=(9, 9), grey=True)
    train = load_splits(data.name)[0].images
    assert data.in_shape == (1, 9, 9)
    assert 0 <= float(train.min()) < float(train.max()) <= 1


def test_the_key_names_the_contents(tmp_path):
    given = arrays()
    keys = {own.add(saved(tmp_path / "a.npz", **given)).name, own.add(saved(tmp_path / "a.npz", **given)).name}
    assert len(keys) == 1
    given["x_train"][3, 2, 1] ^= 1
    keys.add(own.add(saved(tmp_path / "a.npz", **given)).name)
    keys.add(own.add(saved(tmp_path / "a.npz", **given), test=0.4).name)
    given["y_train"] = given["y_train"] + 1  # the same images by other names
    keys.add(own.add(saved(tmp_path / "a.npz", **given)).name)
    assert len(keys) == 4
    assert set(DATASETS) - set(SHIPPED) == keys


@pytest.mark.parametrize("fraction", [0.001, 0.2, 0.5, 0.999])
def test_splits_are_stratified_and_repeat(fraction):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [3, 40, 200]))
    test = own.held_out_mask(labels, fraction)
    counts, whole = np.bincount(labels[test], minlength=3), np.array([3, 40, 200])
    assert counts.tolist() == [min(max(1, round(fraction * n)), n - 2) for n in whole]
    np.testing.assert_array_equal(test, own.held_out_mask(labels, fraction))


def test_the_catalogue_follows_what_lies_there(tmp_path, monkeypatch):
    assert list(DATASETS) == list(SHIPPED)
    data = own.add(saved(tmp_path / "a.npz", **arrays(classes=3)))
    assert (list(DATASETS), len(DATASETS)) == ([*SHIPPED, data.name], len(SHIPPED) + 1)
    assert DATASETS[data.name] == data
    spec = RunSpec.from_dict({"dataset": data.name, "arch": {"conv_layers": 2}})
    assert (spec.arch.in_shape, spec.arch.classes, spec.train.epochs) == ((1, 6, 4), 3, data.short_epochs)
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "elsewhere"))
    assert list(DATASETS) == list(SHIPPED)
    with pytest.raises(ValueError, match=rf"dataset must be one of \['digits', .*got '{data.name}'"):
        RunSpec.from_dict({"dataset": data.name})
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    assert own.remove("a") == data.name
    assert list(DATASETS) == list(SHIPPED)
    assert DATASETS[data.name] == data  # what holds runs of it still knows it
    with pytest.raises(ValueError, match="dataset must be one of"):
        load_splits(data.name)
    with pytest.raises(KeyError, match="dataset must be one of"):
        DATASETS["own-nothing-01234567"]


def test_a_catalogue_is_of_one_root_and_one_moment(tmp_path):
    before = catalogue(tmp_path / "x")
    data = own.add(saved(tmp_path / "a.npz", **arrays()), root=tmp_path / "x")
    after = catalogue(tmp_path / "x")
    assert (list(before), len(before)) == (list(SHIPPED), len(SHIPPED))
    assert (list(after), len(after), after[data.name]) == ([*SHIPPED, data.name], len(SHIPPED) + 1, data)
    assert data.name not in catalogue()
    with pytest.raises(KeyError, match=rf"dataset must be one of \['digits', .*got '{data.name}'"):
        before[data.name]


def test_a_command_has_a_root_of_its_own_and_leaves_the_environment_alone(tmp_path, root):
    data, environment = own.add(saved(tmp_path / "a.npz", **arrays()), root=tmp_path / "x"), dict(os.environ)
    with at_root(tmp_path / "x"), ThreadPoolExecutor(1) as thread:
        assert (data_root(), data_root("y")) == (tmp_path / "x", Path("y"))
        assert list(DATASETS) == [*SHIPPED, data.name]
        assert thread.submit(RunSpec.from_dict, {"dataset": data.name}).result().train.dataset == data.name
        with at_root(None):
            assert data_root() == tmp_path / "x"
        assert os.environ == environment
    assert (data_root(), list(DATASETS)) == (root, list(SHIPPED))


def test_facts_are_read_without_numpy_and_torch():
    code = "import sys, boundlab.specs.own_data as c; list(c.DATASETS); print([m for m in ('numpy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_damaged_facts_are_left_out_and_listed(tmp_path, root):
    data = own.add(saved(tmp_path / "a.npz", **arrays()))
    file = root / "own" / f"{data.name.removeprefix('own-')}.json"
    facts = json.loads(file.read_text())
    for changes in (
        {"sha256": "0" * 64},
        {"class_names": ["0"]},
        {"train_counts": [0, 16]},
        {"in_shape": [1, 2]},
        None,
    ):
        file.write_text("[" if changes is None else json.dumps(facts | changes))
        assert own_datasets() == {}
        assert own.broken_keys() == [data.name]
    assert own.add(tmp_path / "a.npz") == data  # adding it again mends it
    assert (list(own_datasets()), own.broken_keys()) == ([data.name], [])
    file.with_suffix(".npz").unlink()
    assert (own_datasets(), own.broken_keys()) == ({}, [data.name])
    assert own.remove(data.name) == data.name
    assert not list((root / "own").iterdir())


def test_damaged_contents_are_never_trained_on(tmp_path, root):
    data = own.add(saved(tmp_path / "a.npz", **arrays()))
    file = root / "own" / f"{data.name.removeprefix('own-')}.npz"
    whole = file.read_bytes()
    for content in (whole[:-100], b"", b"PK", whole.replace(b"x_train", b"x_trainx"), b"\x80\x04N."):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"got a damaged file .*boundlab data remove own-a-.*then add it again"):
            load_splits(data.name)
    with np.load(own.add(saved(tmp_path / "a.npz", **arrays())) and file) as stored:
        changed = {name: stored[name].copy() for name in stored.files}
    for spoiled, reason in (
        ({"x_test": np.array([{}])}, "x_test should hold numbers, got Python objects"),
        ({"z": 0}, "z"),
    ):
        np.savez(file, **changed | spoiled)
        with pytest.raises(DataError, match=rf"got a damaged file \(.*{reason}.*then add it again"):
            load_splits(data.name)
    changed["x_test"][0, 0, 0, 0] ^= 1
    np.savez(file, **changed)
    with pytest.raises(DataError, match=rf"should have contents of sha256 {data.name[-8:]}\w+, got "):
        load_splits(data.name)


def test_other_contents_of_the_same_key_are_refused(tmp_path, root):
    """Eight digits are few: two contents that share them must not become one data set."""
    path = saved(tmp_path / "a.npz", **arrays())
    data = own.add(path)
    file = root / "own" / f"{data.name.removeprefix('own-')}.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"sha256": data.name[-8:].ljust(64, "0")}))
    with pytest.raises(DataError, match=f"{data.name} should name these contents, but names others already"):
        own.add(path)
    with pytest.raises(DataError, match=r"should have contents of sha256 \w{8}0{56}, got "):
        load_splits(data.name)
    assert own.add(path, "b").name.startswith("own-b-")


def test_own_recipes_are_those_measured_where_they_were():
    for name in ("digits", "mnist"):
        facts = SHIPPED[name]
        assert own_recipe(facts.train_size) == {field: getattr(facts, field) for field in own_recipe(1)}
    last = own_recipe(1)
    for n in (10, 100, 1000, 3000, 10_000, 30_000, 100_000, 10**6):
        now = own_recipe(n)
        assert now["short_epochs"] <= last["short_epochs"]
        assert last["warmup_steps"] <= now["warmup_steps"] <= 500
        assert last["record_every"] <= now["record_every"] <= 250
        assert now["short_epochs"] / now["errors_every"] <= 40
        assert now["short_epochs"] * -(-n // 32) >= 9000
        last = now


def refused(source, message, **more):
    with pytest.raises((DataError, ValueError), match=message) as error:
        own.add(source, **more)
    assert "\n" not in str(error.value)
    assert not own_datasets()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda a: (a / "cat" / "0.png").write_bytes(b"\x80\x04N."),
            r"cat/0\.png should be a PNG, JPEG, BMP or WebP picture, got",
        ),
        (lambda a: os.truncate(a / "dog" / "1.png", 60), r"dog/1\.png should be a PNG, JPEG, BMP or WebP picture, got"),
        (
            lambda a: Image.new("RGB", (5, 6)).save(a / "owl" / "x.png"),
            "should have one size, but .* is 6×4 and .* 6×5",
        ),
        (
            lambda a: (a / "cat" / "x.gif").write_bytes(b"GIF89a"),
            r"x\.gif should be a \.png, \.jpg, \.bmp or \.webp file",
        ),
        (lambda a: (a / "cat" / "deep").mkdir(), "deep should be a .* got another folder"),
        (lambda a: (a / "readme.txt").write_text("x"), r"one folder of pictures per class, got the file readme\.txt"),
        (lambda a: (a / "emu").mkdir(), r"at least 3 images \(2 to train, 1 to test\) per class, got 0 of 'emu'"),
        (lambda a: (a / "cat" / "x.png").symlink_to("/etc/passwd"), "is a link that leads out of it; copy"),
        (lambda a: (a / "emu").symlink_to(a.parent), "is a link that leads out of it; copy"),
        (
            lambda a: Image.new("I;16", (4, 6)).save(a / "cat" / "x.png"),
            "8 bits per channel, got mode I;16; convert it",
        ),
        (lambda a: Image.new("CMYK", (4, 6)).save(a / "cat" / "x.jpg"), "grey or RGB .* got mode CMYK; convert it"),
        (lambda a: Image.new("1", (9000, 9000)).save(a / "cat" / "x.png"), "at most 64,000,000 pixels, got 9000×9000"),
        (lambda a: Image.new("1", (20000, 20000)).save(a / "cat" / "x.png"), "got Image size .* decompression bomb"),
        (lambda a: os.mkfifo(a / "cat" / "x.png"), "should be a .* got something else"),
    ],
)
def test_folders_that_will_not_do(tmp_path, spoil, message):
    pictures(tmp_path / "a")
    spoil(tmp_path / "a")
    refused(tmp_path / "a", message)


def test_everything_that_is_no_picture_is_named_at_once(tmp_path):
    pictures(tmp_path / "a")
    cat, dog = tmp_path / "a" / "cat", tmp_path / "a" / "dog"
    for name in ("labels.txt", "notes.md", "x.heic"):
        (cat / name).write_text("x")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):  # of systems: nobody has to know of them
        (cat / name).write_text("x")
    (dog / "page.png").write_text("<!DOCTYPE html>")
    (dog / "none.jpg").write_bytes(b"")
    (dog / "deep").mkdir()
    (dog / "odd.png").write_bytes(b"no picture")
    refused(
        tmp_path / "a",
        r"^7 files are not a PNG, JPEG, BMP or WebP picture that can be read: cat/labels\.txt \(a \.txt file\), cat/notes\.md \(a \.md file\), "
        r"cat/x\.heic \(a \.heic file\), dog/deep \(another folder\), dog/none\.jpg \(an empty file\) and 2 more; convert, mend or remove them$",
    )
    for name in ("labels.txt", "notes.md", "x.heic"):
        (cat / name).unlink()
    (dog / "deep").rmdir()
    refused(
        tmp_path / "a",
        r"^3 files .*none\.jpg \(an empty file\), dog/odd\.png \(bytes of no picture\), dog/page\.png \(a web page\); convert",
    )
    for name in ("none.jpg", "odd.png"):
        (dog / name).unlink()
    refused(
        tmp_path / "a",
        r"page\.png should be a PNG, JPEG, BMP or WebP picture, got a web page; convert, mend or remove it$",
    )
    (dog / "page.png").unlink()
    own.add(tmp_path / "a")


def test_pictures_whose_bytes_end_too_soon_are_named_at_once(tmp_path):
    pictures(tmp_path / "a")
    for name in ("cat", "dog"):
        whole = (tmp_path / "a" / name / "0.png").read_bytes()
        (tmp_path / "a" / name / "0.png").write_bytes(whole[:60])
    refused(tmp_path / "a", r"^2 files .*cat/0\.png \(.*dog/0\.png \(")


def test_pictures_that_cannot_be_read_are_said_before_they_are_counted(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "a" / name).mkdir(parents=True)
        (tmp_path / "a" / name / "0.png").write_bytes(b"no picture")
    refused(tmp_path / "a", r"2 files are not a PNG, JPEG, BMP or WebP picture .*cat/0\.png \(.*dog/0\.png \(")


def test_parts_that_will_not_do(tmp_path):
    pictures(tmp_path / "a" / "train")
    (tmp_path / "a" / "test").mkdir()
    refused(tmp_path / "a", r"same classes in both parts, got \['cat', 'dog', 'owl'\] in one of them only")
    for name in CLASSES:
        (tmp_path / "a" / "test" / name).mkdir()
    refused(tmp_path / "a", "at least 1 test image per class, got none of 'cat'")
    (tmp_path / "a" / "more").mkdir()
    refused(tmp_path / "a", r"train, test and valid alone, got \['more'\] beside them")
    refused(tmp_path / "a" / "train" / "cat", r"one folder of pictures per class, got the files 0\.png")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "should have 2 to 1000 classes, got nothing in it")
    refused(tmp_path / "nowhere", r"nowhere should be a folder of pictures or a file .*, got nothing there")


class Evil:
    def __reduce__(self):
        return (os.mkdir, (os.environ["BOUNDLAB_DATA"] + "-owned",))


def _many(classes):
    return {"x_train": np.zeros((3 * classes, 2, 2), np.uint8), "y_train": np.arange(3 * classes) % classes}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x_train": arrays()["x_train"]}, r"should hold x_train and y_train, .* got \['x_train'\]"),
        (arrays() | {"x_test": arrays()["x_train"]}, r"should hold x_train and y_train"),
        (arrays() | {"x_val": np.zeros(3)}, r"got \['x_train', 'x_val', 'y_train'\]"),
        (arrays() | {"x_train": np.array([Evil()])}, "x_train should hold numbers, got Python objects"),
        (arrays() | {"y_train": np.array([Evil()] * 20)}, "y_train should hold numbers, got Python objects"),
        (
            arrays() | {"x_train": arrays()["x_train"].astype(np.int64) + 1},
            r"x_train should be whole numbers from 0 to 255, or floats in \[0, 1\], got int64 from 1 to 256; rescale them",
        ),
        (arrays() | {"x_train": arrays()["x_train"] + 0j}, "got dtype complex128"),
        (
            arrays() | {"x_train": arrays()["x_train"].astype(np.float32)},
            r"floats in \[0, 1\], got 0 to 255; divide by 255",
        ),
        (arrays() | {"x_train": arrays(dtype=np.float32)["x_train"] - 0.5}, r"floats in \[0, 1\], got -0\.5 to 0\.5"),
        (arrays() | {"x_train": np.full((20, 6, 4), np.nan)}, r"got NaN among them"),
        (arrays() | {"x_train": np.full((20, 6, 4), 1e300)}, r"got infinite values among them"),
        (arrays() | {"x_train": np.zeros((20, 6), np.uint8)}, r"\(n, h, w\), .* got shape \(20, 6\)"),
        (arrays() | {"x_train": np.zeros((0, 6, 4), np.uint8)}, r"got shape \(0, 6, 4\)"),
        (arrays(shape=(6, 4, 4)), r"1 or 3 channels second or last, got shape \(20, 6, 4, 4\), of which neither is"),
        (arrays(shape=(3, 4, 1)), r"got shape \(20, 3, 4, 1\), of which both are possible"),
        (
            arrays() | {"y_train": np.arange(20) / 2},
            r"y_train should be \(n,\) whole numbers or words, or one-hot rows, got \(20,\) of dtype float64",
        ),
        (arrays() | {"y_train": np.eye(20, 2, dtype=int)}, r"one-hot rows, got \(20, 2\)"),
        (arrays() | {"y_train": np.arange(19) % 2}, "should be of one length, got 20 and 19"),
        (arrays(classes=1), "should have 2 to 1000 classes, got 1"),
        (_many(1001), "should have 2 to 1000 classes, got 1001"),
        (arrays(classes=7), r"at least 3 images .* per class, got 2 of '6'"),
        (arrays() | {"x_test": np.zeros((2, 6, 4), np.uint8), "y_test": np.array([0, 2])}, r"got \['1', '2'\] in one"),
        (arrays() | {"x_test": np.zeros((2, 6, 4)), "y_test": np.array([0, 1])}, "should have one shape and dtype"),
        (arrays() | {"x_test": np.zeros((2, 6, 5), np.uint8), "y_test": np.array([0, 1])}, "should have one shape and"),
    ],
)
def test_arrays_that_will_not_do(tmp_path, given, message):
    refused(saved(tmp_path / "a.npz", **given), rf"a\.npz.*{message}")
    assert not (tmp_path / "data-owned").exists()


def test_files_that_are_no_arrays_are_refused_wherever_they_break(tmp_path):
    path = saved(tmp_path / "a.npz", **arrays())
    whole = path.read_bytes()
    for content in [b"", b"\x80\x04N.", *(whole[:k] for k in range(1, len(whole), 101))]:
        refused(content, r"the file should be an \.npz file \(np\.savez\)", name="a")
    rng, said = np.random.default_rng(0), []
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        try:
            own.remove(own.add(bytes(content), "a").name)
        except (BoundlabError, ValueError) as error:
            said.append(str(error))
    assert len(said) > 200
    assert not any("\n" in line for line in said)


def test_an_array_longer_than_its_shape_is_refused(tmp_path):
    path = saved(tmp_path / "a.npz", **arrays())
    longer = tmp_path / "longer.npz"
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(longer, "w") as archive:
        for name in given.namelist():
            archive.writestr(name, given.read(name) + b"\0" * (name == "x_train.npy"))
    refused(longer, "more bytes in x_train than its shape says")


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    huge = tmp_path / "huge.npz"
    with zipfile.ZipFile(huge, "w") as archive:
        for name, shape in (("x_train", (10**6, 1000, 1000)), ("y_train", (10**6,))):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    refused(huge, r"1,000,000 images of 1000×1000 are 3725\.3 GiB as float32, and 2 GiB is the most")
    refused(saved(tmp_path / "b.npz", **arrays(n=6, shape=(5000, 1, 1))), "at most 4096 pixels on a side, got 5000×1×1")
    for module in (images, npz):
        monkeypatch.setattr(module, "LARGEST_DATA", 4 * 20 * 24)
    own.remove(own.add(saved(tmp_path / "a.npz", **arrays())).name)
    refused(saved(tmp_path / "b.npz", **arrays(n=21)), "21 images of 6×4 are")
    refused(tmp_path / "a.npz", "20 images of 1×6×5 are", size=(6, 5))
    pictures(tmp_path / "c", (3, 3, 1 + 3))
    refused(tmp_path / "c", "10 images of 3×6×4 are .*take fewer, smaller or grey")


@pytest.mark.parametrize("name", ["", "a b", "Ä", "../x", "-a", "a--b", "x" * 33, "a_b"])
def test_names_that_will_not_do(tmp_path, name):
    refused(saved(tmp_path / "a.npz", **arrays()), "a data set's name must be 1 to 32 lower-case letters", name=name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "data").write_text("a file")
    refused(saved(tmp_path / "a.npz", **arrays()), "data/own cannot be written .*set BOUNDLAB_DATA elsewhere")


def run(capsys, *arguments):
    code = main(["data", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_the_command_line(tmp_path, capsys):
    pictures(tmp_path / "Pets", (10, 10, 10))
    code, out, err = run(
        capsys, "add", tmp_path / "Pets", "--test", 0.3, "--size", "5x7", "--grey", "--data-root", tmp_path / "x"
    )
    assert (code, err) == (0, "")
    key = out.split()[0]
    assert out.endswith("21 training and 9 test images 1×5×7, 3 classes\nclasses: 0 = cat, 1 = dog, 2 = owl\n")
    assert os.environ["BOUNDLAB_DATA"] == str(tmp_path / "data")
    assert key not in run(capsys, "list")[1]
    listed = run(capsys, "list", "--data-root", tmp_path / "x")[1]
    assert (
        "svhn                   73,257 training and 26,032 test images 3×32×32, 10 classes; not on this machine yet, 246 MB"
        in listed
    )
    assert key in listed
    (tmp_path / "x" / "own" / f"{key.removeprefix('own-')}.json").write_text("")
    assert f"{key} " in (broken := run(capsys, "list", "--data-root", tmp_path / "x")[1])
    assert "cannot be used: its .json in" in broken
    assert run(capsys, "remove", "pets", "--data-root", tmp_path / "x")[:2] == (
        0,
        f"{key} removed from {tmp_path / 'x' / 'own'}\n",
    )
    code, out, err = run(capsys, "remove", "pets")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "must be one that was added, and there is none, got 'pets'" in err
    assert run(capsys, "add", tmp_path / "Pets", "--test", 1.5)[2].startswith(
        "boundlab: --test must be a number from 0.001"
    )
    assert run(capsys, "add", tmp_path / "Pets", "--size", "0x5")[2].startswith(
        "boundlab: --size must be a whole number from 1"
    )
    with pytest.raises(SystemExit):
        main(["data", "add", str(tmp_path / "Pets"), "--size", "5"])
    assert "must be HxW such as 32x32, got '5'" in capsys.readouterr().err


def test_a_name_that_several_have_is_not_removed_by_accident(tmp_path, capsys):
    keys = [own.add(saved(tmp_path / "a.npz", **arrays(seed=seed))).name for seed in (0, 1)]
    code, _, err = run(capsys, "remove", "a")
    assert (code, all(key in err for key in keys)) == (2, True)
    assert run(capsys, "remove", keys[0])[0] == 0
    assert run(capsys, "remove", "a")[1].startswith(keys[1])


def test_a_run_of_own_data_is_trained_listed_and_evaluated(tmp_path, capsys):
    pictures(tmp_path / "pets", (10, 10, 10), size=(6, 6))
    key = own.add(tmp_path / "pets", root=tmp_path / "x").name
    (tmp_path / "spec.json").write_text(
        json.dumps({"dataset": key, "epochs": 2, "arch": {"channels": 4, "conv_layers": 1}})
    )
    where = ["--data-root", str(tmp_path / "x")]
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path / "runs"), "--quiet", *where]) == 0
    folder = capsys.readouterr().out.strip()
    network = f"{folder}/network.safetensors"
    assert main(["evaluate", network, "--dataset", key, "--json", *where]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["spec"]["in_shape"], found["spec"]["classes"]) == (24, [3, 6, 6], 3)
    assert boundlab.evaluate(network, key, data_root=tmp_path / "x") == found
    with pytest.raises(ValueError, match="dataset must be one of"):
        boundlab.evaluate(network, key)
    assert main(["evaluate", network, "--dataset", key, "--json"]) == 2
    assert "dataset must be one of ['digits'," in capsys.readouterr().err


def test_three_channels_in_the_statistics_of_a_sample(tmp_path):
    pictures(tmp_path / "a")
    data = own.add(tmp_path / "a")
    pixels = load_splits(data.name)[0].images
    sample = sample_stats(pixels, ArchSpec(in_shape=(3, 6, 4), classes=3, normalize=(0.5, 0.25)), data.name)
    assert (sample.n, sample.published_n) == (15, 15)
    for stats, x in ((sample.raw, pixels.numpy()), (sample.fed, (pixels.numpy() - 0.5) / 0.25)):
        energy = np.zeros((6, 4))
        for image in x.astype(np.float64):
            for channel in image:
                energy += channel**2
        np.testing.assert_allclose(stats.pixel_energy, energy, rtol=1e-6)
        assert stats.max_norm == pytest.approx(max(np.linalg.norm(image) for image in x), rel=1e-6)
        assert stats.max_abs == pytest.approx(np.abs(x).max(), rel=1e-6)


def choices(app, key):
    groups = [*app.get("button_group"), *app.selectbox]
    return list(next(g for g in groups if key in g.proto.id).options)


def test_the_train_page_offers_and_queues_own_data(tmp_path, machine):  # noqa: F811
    pictures(tmp_path / "pets", (200, 200, 200))
    key = own.add(tmp_path / "pets").name
    app = open_link(TRAIN, dataset=key, channels="4", conv_layers="2")
    assert (list(app.exception), list(app.warning), list(app.error)) == ([], [], [])
    assert choices(app, "dataset") == [*SHIPPED, "pets"]
    assert choices(app, "task") == ["all classes", "0 against 1"]
    assert choices(app, "n_train") == ["all", "250"]
    trains(app).click().run()
    (job,) = jobs(machine.out)
    assert (job.spec.train.dataset, job.spec.arch.in_shape, job.spec.arch.classes) == (key, (3, 6, 4), 3)
    app = open_link(TRAIN, dataset="svhn")
    assert any("Download SVHN (246 MB)" in b.label for b in app.button)


def test_figures_offer_the_data_sets_that_have_runs(tmp_path):
    own.add(saved(tmp_path / "a.npz", **arrays()))
    for key in ("start", "lambda", "anatomy", "theory"):
        asked = {"dataset": "svhn"} | ({"reveal": "true"} if key == "start" else {})
        app = open_link(next(page for page in PAGES if page.key == key), **asked)
        assert choices(app, "dataset") == ["mnist", "digits"]
        assert "the link asks for `svhn`, possible: `mnist`, `digits`" in app.warning[0].value


def test_a_name_that_lists_show_is_understood_wherever_a_key_is(tmp_path, capsys, monkeypatch):
    assert main(["data", "add", str(saved(tmp_path / "mine.npz", **arrays(40, (8, 8))))]) == 0
    (key,) = own_datasets()
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2, bias=False))
    path = boundlab.export(network, tmp_path / "net.safetensors", (1, 8, 8))
    by_name, by_key = boundlab.evaluate(path, "mine"), boundlab.evaluate(path, key)
    assert by_name == by_key
    assert by_name["dataset"] == key
    capsys.readouterr()
    assert main(["evaluate", str(path), "--dataset", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dict(by_key)
    assert main(["evaluate", str(path), "--dataset", "mine too"]) == 2
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "mine", **arrays(30, (8, 8), seed=1))
    os.rename("mine.npz", "mine")  # a file of that name is what is meant
    assert boundlab.evaluate(path, "mine")["n"] != by_key["n"]
