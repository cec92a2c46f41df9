"""The page "Your checkpoint" without a browser: upload, progress, result, keep, open by link, delete."""

import dataclasses
import json
import shutil
import time

import numpy as np
import pytest
import streamlit as st
import torch
from safetensors.torch import save
from torch import nn

import boundlab
from boundlab.bounds import ALL
from boundlab.charts.theme import styles
from boundlab.data.splits import load_splits as load_data
from boundlab.errors import RunError
from boundlab.evaluation.report import evaluate_file, measure_checkpoint
from boundlab.jobs.scheduler import Scheduler
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.specs.settings import Settings
from boundlab.ui import server, subjects
from boundlab.ui.page import PAGES
from boundlab.ui.privacy import with_code
from boundlab.uploads import kept
from tests.cases import DIGITS, checkpoint
from tests.conftest import reference_weights, write_checkpoint
from tests.hostile import HOSTILE, good
from tests.ui.test_pages import open_link

PAGE = next(page for page in PAGES if page.key == "checkpoint")


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    yield
    server.upload_server().close()
    st.cache_resource.clear()


@pytest.fixture
def started(monkeypatch) -> list[Scheduler]:
    """The schedulers of trainings that this page starts; there should be none."""
    found: list[Scheduler] = []
    monkeypatch.setattr(Scheduler, "start", lambda self: found.append(self) or self)
    return found


def uploaded(app, content, name="net.safetensors"):
    """The page after the upload has been measured."""
    app.file_uploader[0].upload(name, content, "application/octet-stream").run()
    return wait_until_measured(app)


def wait_until_measured(app):
    deadline = time.monotonic() + 300
    while any(box.icon == ":material/hourglass:" for box in app.info):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    assert not app.exception
    return app


def button(app, label):
    return next(b for b in app.button if b.label.startswith(label))


def table(app):
    return next(d.value for d in app.dataframe if "bound" in d.value).set_index("bound")


@pytest.mark.parametrize("convention", ["published", "strict"])
def test_every_bound_is_there_as_the_command_line_has_it_or_its_reason(tmp_path, convention):
    path = checkpoint(tmp_path)
    app = uploaded(open_link(PAGE, dataset="digits", convention=convention, delta="0.01"), path.read_bytes())
    assert not app.error
    expected = evaluate_file(path, "digits", Settings(convention, 0.01))
    said = expected["bounds"] | {"doubled": expected["theorem_s2"]}
    shown = table(app)
    texts = " ".join(m.value for m in app.markdown)
    rounded = [b for b in app.get("download_button") if b.proto.label == "Network with rounded weights"]
    if convention == "strict":
        coded = expected["theorem_d"]
        assert shown.loc["Theorem D"]["value"] == pytest.approx(coded["value"], rel=1e-12)
        assert f"**Theorem {coded['theorem']}**: " in texts
        assert f"{coded['bits']:,} bits say all of them; it errs on" in texts
        assert len(rounded) == 1
    else:
        assert not rounded
    assert len(shown) == len(ALL) + (convention == "strict")
    for bound in ALL:
        row, one = shown.loc[styles(convention)[bound.key].name], said[bound.key]
        if one["value"] is None:
            assert row["why there is no number"] == one["reason"]
        else:
            assert row["value"] == pytest.approx(one["value"], rel=1e-12)
    texts = " ".join(m.value for m in app.markdown)
    assert f"**{100 * expected['errors']['train']:.2f} %** of the training images" in texts
    assert "**Hold-out (Clopper–Pearson)**" in texts
    norms = next(d.value for d in app.dataframe if "layer" in d.value)
    assert norms["frobenius"].tolist() == [layer["frobenius"] for layer in expected["norms"]["layers"]]


def test_a_broken_file_is_said_dropped_and_forgotten_with_the_next(tmp_path):
    app = uploaded(open_link(PAGE, dataset="digits"), HOSTILE["a name of markup"][0](), "../<b>x</b>.safetensors")
    (said,) = [e.value for e in app.error]
    assert "unknown fields" in said
    assert "<img" not in said.replace("\\<", "")  # escaped
    assert list(server.upload_server()._home.iterdir()) == []
    app = uploaded(app, good())
    assert not app.error
    assert len(list(server.upload_server()._home.iterdir())) == 1
    button(app, "Delete it").click().run()
    assert list(server.upload_server()._home.iterdir()) == []
    assert not app.dataframe


def test_the_first_screen_says_what_to_do_and_has_an_example_to_try():
    app = open_link(PAGE, dataset="digits")
    assert [uploader.label for uploader in app.file_uploader] == ["Drop your network here"]
    button(app, "Try an example").click().run()
    app = uploaded_already(app)
    assert not app.error
    assert not app.exception
    assert any("CONV-3-16" in c.value and "digits 8×8" in c.value for c in app.caption)
    assert app.session_state[subjects.UNSAVED].title == "example"
    assert not any(b.label == "Try an example" for b in app.button)
    folds = {box.label for box in app.expander}
    assert {"What may be promised", "Every bound as a number", "Norms per layer"} <= folds
    assert not any(box.proto.expanded for box in app.expander)


def test_data_that_do_not_fit_are_said_and_others_offered(tmp_path):
    arch = dataclasses.replace(DIGITS, classes=2)
    path = write_checkpoint(tmp_path / "two", arch, reference_weights(arch, 0))
    app = uploaded(open_link(PAGE, dataset="digits"), path.read_bytes())
    assert "has 2 classes" in app.error[0].value
    button(app, "Measure on digits 8×8, 0 against 1").click().run()
    app = uploaded_already(app)
    assert not app.error
    assert any("digits 8×8 0 or 1" in c.value and "n = 288" in c.value for c in app.caption)


def uploaded_already(app):
    deadline = time.monotonic() + 300
    while not app.dataframe and not app.error:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    return app


def test_what_is_kept_is_listed_opened_by_link_and_deleted(tmp_path, monkeypatch, started):
    app = uploaded(open_link(PAGE, dataset="digits"), good())
    before = table(app)
    assert app.session_state[subjects.UNSAVED].title == "net"
    with monkeypatch.context() as patch:
        patch.setattr(kept, "MOST_KEPT", 0)
        button(app, "Keep it").click().run()
    assert "you keep 0 checkpoints" in app.error[0].value
    button(app, "Keep it").click().run()
    assert not app.error
    (key,) = [folder.name for folder in (tmp_path / "runs" / "checkpoints").iterdir()]
    assert list(server.upload_server()._home.iterdir()) == []
    assert (tmp_path / "runs" / "checkpoints" / key / "network.safetensors").read_bytes() == good()
    other = open_link(PAGE, checkpoint=key)
    assert not other.warning
    assert table(other).equals(before)
    button(other, "Delete").click().run()
    assert not (tmp_path / "runs" / "checkpoints" / key).exists()
    assert not other.dataframe
    gone = open_link(PAGE, checkpoint=key)
    assert "keeps no checkpoint" in gone.warning[0].value
    assert not gone.exception
    assert not started


@pytest.mark.parametrize("key", ["../../etc", "0" * 12, "<b>", "A" * 12])
def test_a_wrong_link_is_said(key):
    app = open_link(PAGE, checkpoint=key)
    assert not app.exception
    assert "keeps no checkpoint" in app.warning[0].value


def test_in_a_class_one_lists_and_deletes_only_ones_own(tmp_path, monkeypatch, subject):
    network = tmp_path / "net"
    network.write_bytes(good())
    mine, theirs = kept.keep(network, subject, "me"), kept.keep(network, subject, "they")
    assert mine != theirs
    assert {one.key for one in kept.kept_by("me", everybody=True)} == {mine, theirs}
    assert [one.key for one in kept.kept_by("me")] == [mine]
    monkeypatch.setattr(subjects, "at_home", lambda: False)
    assert kept.find(theirs).subject.to_dict() == subject.to_dict()  # by link
    assert list(subjects.kept_subjects("me").values())[-1].to_dict() == subject.to_dict()
    monkeypatch.setattr(st, "session_state", {subjects.UNSAVED: subject})
    assert list(subjects.kept_subjects("me")) == ["net (not kept)", f"net · digits 8×8 · {mine[-6:]}"]
    kept.forget(mine)
    assert list(subjects.kept_subjects("me")) == ["net (not kept)"]


def test_keeping_has_limits(tmp_path, monkeypatch, subject):
    network = tmp_path / "net"
    monkeypatch.setattr(kept, "MOST_KEPT", 2)
    for title in "ab":
        network.write_bytes(title.encode())
        kept.keep(network, subject, "me")
    network.write_bytes(b"c")
    with pytest.raises(
        RunError, match="you keep 2 checkpoints of 0 MB together, at most 2 and 200 MB are possible; delete"
    ):
        kept.keep(network, subject, "me")
    kept.keep(network, subject, "another")
    monkeypatch.setattr(kept, "MOST_OF_ALL", 3)
    with pytest.raises(RunError, match="this server keeps 3 checkpoints"):
        kept.keep(network, subject, "a third")


def test_a_damaged_one_is_left_out(tmp_path, subject):
    network = tmp_path / "net"
    network.write_bytes(good())
    key = kept.keep(network, subject, "me")
    for text in ("{", "[]", json.dumps(subject.to_dict() | {"arch": {"kind": "x"}})):
        (tmp_path / "runs" / "checkpoints" / key / "subject.json").write_text(text)
        assert kept.kept_by("me") == []
        assert not open_link(PAGE, checkpoint=key).exception


def record(**changes):
    """A change of the stored record."""
    return lambda given: given["record"].update(changes)


def entry(*path, value):
    """A change of one entry of the stored subject, at any depth."""

    def change(given):
        for key in path[:-1]:
            given = given[key]
        given[path[-1]] = value

    return change


def shorter(name):
    return lambda given: given["record"][name].pop()


BROKEN = {
    "a norm is text": record(**{"layers.0.frobenius": "text"}),
    "a norm is infinite": record(**{"layers.0.spectral_map": float("inf")}),
    "a norm is negative": record(**{"layers.1.norm_21": -1.0}),
    "a norm is null": record(**{"layers.2.max_row": None}),
    "a norm is a bool": record(**{"layers.0.bias_norm": True}),
    "a norm is an object": record(**{"layers.0.frobenius": {"a": 1}}),
    "a norm has no room": record(**{"layers.0.frobenius": 10**400}),
    "a norm is gone": lambda given: given["record"].pop("layers.1.frobenius"),
    "no patch norm": record(**{"layers.0.patch_norm": None}),
    "a short list of taps": shorter("layers.0.tap_frobenius"),
    "taps are a number": record(**{"layers.0.tap_frobenius": 1.0}),
    "taps are text": record(**{"layers.0.tap_frobenius": ["text"] * 9}),
    "taps are mixed": record(**{"layers.0.tap_frobenius": ["text", 1.0, None]}),
    "path norm is text": record(path_l1="text"),
    "path norm is infinite": record(path_l1=float("inf")),
    "path norm is null": record(path_l1=None),
    "train error above 1": record(train_error=1.5),
    "train error is text": record(train_error="text"),
    "test error is null": record(test_error=None),
    "test error is NaN": record(test_error=float("nan")),
    "no errors": lambda given: [given["record"].pop(name) for name in ("train_error", "test_error", "ramp")],
    "a loss is infinite": record(train_loss=float("inf")),
    "a short ramp": shorter("ramp"),
    "the ramp is null": record(ramp=None),
    "the ramp falls": lambda given: given["record"]["ramp"].reverse(),
    "a short list of quantiles": shorter("margin_quantiles"),
    "quantiles are text": record(margin_quantiles=["text"] * 101),
    "the scale is negative": record(margin_scale=-1.0),
    "a short scaled ramp": shorter("scaled_ramp"),
    "counts are text": record(test_in_train="text"),
    "doubts are a number": record(altered=3),
    "the size of images is text": record(image_shape="text"),
    "a record of null": entry("record", value=None),
    "a record of text": entry("record", value="text"),
    "title is a list": entry("title", value=["a"]),
    "title is null": entry("title", value=None),
    "labels out of range": entry("labels", value=[[0], [99]]),
    "labels are text": entry("labels", value="01"),
    "n is text": entry("sample", "n", value="text"),
    "n is negative": entry("sample", "n", value=-5),
    "other classes": entry("sample", "classes", value=3),
    "data are a list": entry("sample", "dataset", value=["digits"]),
    "pixel sums are negative": entry("sample", "raw", "pixel_energy", value=[[-1.0] * 8] * 8),
    "pixel sums are text": entry("sample", "fed", "pixel_energy", value=[["a"] * 8] * 8),
    "pixel sums are short": entry("sample", "fed", "pixel_energy", value=[1.0]),
    "the largest norm is null": entry("sample", "fed", "max_norm", value=None),
    "patch sums are infinite": entry("sample", "patch_energy", value=[[float("inf")] * 8] * 8),
    "a deeper network": entry("arch", "conv_layers", value=4),
}


@pytest.fixture
def one_good(tmp_path, subject):
    """(folder of kept checkpoints, key of a good one, and of one to break)."""
    network, keys = tmp_path / "net", []
    for content in (good(), good() + b" "):
        network.write_bytes(content)
        keys.append(kept.keep(network, subject, "me"))
    return tmp_path / "runs" / "checkpoints", *keys


@pytest.mark.parametrize("what", BROKEN)
def test_wrong_contents_leave_one_out_and_not_the_others(one_good, subject, what):
    folder, fine, bad = one_good
    given = subject.to_dict()
    BROKEN[what](given)
    (folder / bad / "subject.json").write_text(json.dumps(given))
    assert [one.key for one in kept.kept_by("me")] == [fine]
    assert list(kept.left_out("me")) == [bad]
    with pytest.raises(RunError, match=rf"^the checkpoint {bad} cannot be read \(.+\); delete it"):
        kept.find(bad)


def test_pages_open_with_broken_ones_and_say_so(one_good, subject):
    folder, fine, bad = one_good
    for i, change in enumerate(BROKEN.values()):
        broken = folder / f"{i:012x}"
        shutil.copytree(folder / bad, broken)
        given = subject.to_dict()
        change(given)
        (broken / "subject.json").write_text(json.dumps(given))
    (folder / bad / "network.safetensors").unlink()
    for page in (PAGE, next(page for page in PAGES if page.key == "compare")):
        app = open_link(page)
        assert not app.exception, [e.value for e in app.exception]
        said = [c.value for c in app.caption if c.value.startswith(f"Left out, {len(BROKEN) + 1} kept checkpoints ")]
        assert len(said) == 1
    linked = open_link(PAGE, checkpoint=bad)
    assert "its network is not there" in linked.warning[0].value
    app = open_link(PAGE, checkpoint=fine)
    assert table(app) is not None
    assert not app.warning
    app.button(key=f"delete_{bad}").click().run()
    assert not app.exception
    assert not (folder / bad).exists()
    assert len(list(folder.iterdir())) == len(BROKEN) + 1


def test_what_could_not_be_read_again_is_not_kept(tmp_path, subject):
    (tmp_path / "net").write_bytes(good())
    odd = dataclasses.replace(subject, record={**subject.record, "train_loss": float("inf")})
    with pytest.raises(RunError, match="this network cannot be kept: train_loss should be a number from 0 on, got inf"):
        kept.keep(tmp_path / "net", odd, "me")
    assert kept.kept_by("me") == []


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    path = checkpoint(tmp_path_factory.mktemp("subject"))
    return measure_checkpoint(load_checkpoint(path, "digits"), load_data("digits"), "digits", "net")[0]


def test_a_pickle_is_named_for_what_it_is():
    app = uploaded(open_link(PAGE, dataset="digits"), HOSTILE["zip of torch.save"][0](), "net.pt")
    assert "but a pickle, as torch.save writes it" in app.error[0].value
    assert "boundlab export" in app.error[0].value


def bare_file():
    """A network of 8x8 digits without spec: two convolutions and a dense layer, pooled once."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 10)
    )
    names = {"0": "conv1", "2": "conv2", "6": "fc"}
    return save({f"{names[n.split('.')[0]]}.{n.split('.')[1]}": t for n, t in net.state_dict().items()}), net


def test_a_file_without_spec_is_asked_about_and_measured_with_the_answers(tmp_path):
    content, net = bare_file()
    app = uploaded(open_link(PAGE, dataset="digits"), content, "net.safetensors")
    assert not app.error
    asked = {box.label: box for box in app.text_input}
    assert {label: box.value for label, box in asked.items()} == {
        "Images": "1, 8, 8", "Stride": "1, 1", "Padding": "0, 0", "Pooling": "none, max2", "Scaling": "none"
    }  # fmt: skip
    asked["Pooling"].input("none").run()
    assert "with these answers fc would take 80 values, but in the file it takes 20" in app.warning[0].value
    assert not [b for b in app.button if b.label == "Measure with these answers"]
    next(box for box in app.text_input if box.label == "Pooling").input("one").run()
    assert "whole numbers with commas" in app.warning[0].value
    next(box for box in app.text_input if box.label == "Pooling").input("none, max2").run()
    button(app, "Measure with these answers").click().run()
    wait_until_measured(app)
    found = app.session_state[subjects.UNSAVED]
    expected = boundlab.evaluate(net, "digits")
    assert found.arch.title == "CONV-2-4,5 k3 -,max2 bias"
    assert (found.record["train_error"], found.test_error) == pytest.approx(
        (expected["errors"]["train"], expected["errors"]["test"])
    )


def test_commands_in_what_is_wrong_are_code_and_nothing_else_is_markup():
    said = with_code("a *b* `boundlab export *x*` [c](d)")
    assert said == r"a \*b\* `boundlab export *x*` \[c\](d)"
    assert with_code("one ` alone *b*") == r"one \` alone \*b\*"


def test_a_download_that_cannot_start_is_said_and_starts_nothing_else(tmp_path, monkeypatch, started):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "file" / "runs"))
    app = open_link(PAGE, dataset="mnist")
    button(app, "Download MNIST").click().run()
    assert not app.exception
    assert any("is a file where a folder of runs should be" in e.value and "Try again" in e.value for e in app.error)
    assert not started


@pytest.mark.parametrize(("asked", "opened"), [({}, "theorem"), ({"convention": "published"}, "published")])
def test_it_opens_with_most_numbers_and_an_empty_row_says_why(tmp_path, asked, opened):
    arch = dataclasses.replace(DIGITS, pool=("max2", ""), bias=True)
    path = write_checkpoint(tmp_path / "net.safetensors", arch, reference_weights(arch, 0))
    app = uploaded(open_link(PAGE, dataset="digits", **asked), path.read_bytes())
    assert next(c for c in app.segmented_control if c.label == "Convention").value == opened
    bounds = table(app)
    chart = json.loads(app.get("plotly_chart")[0].proto.spec)
    notes = " ".join(note["text"].replace("<br>", " ") for note in chart["layout"]["annotations"])
    for name, row in bounds.iterrows():
        key = next(key for key in (b.key for b in ALL) if name == styles(opened)[key].name)
        if opened in next(b for b in ALL if b.key == key).formulas and not np.isfinite(row["value"]):
            assert row["why there is no number"][:60] in notes
    assert (bounds["value"].notna().sum() > 0) == (opened == "theorem")
