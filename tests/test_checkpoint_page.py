"""The page "Your checkpoint" without a browser: upload, progress, result, keep, open by link, delete."""

import dataclasses
import json
import time

import numpy as np
import pytest
import streamlit as st

from boundlab.bounds import ALL
from boundlab.charts.theme import STYLES
from boundlab.checkpoints import load
from boundlab.datasets import load as load_data
from boundlab.errors import RunError
from boundlab.reports import evaluate_file, measure_checkpoint
from boundlab.scheduler import Scheduler
from boundlab.specs import Settings
from boundlab.ui.checkpoint import desk, kept
from boundlab.ui.page import PAGES
from tests.cases import DIGITS, checkpoint
from tests.conftest import reference_weights, write_checkpoint
from tests.hostile import HOSTILE, good
from tests.test_pages import open_link

PAGE = next(page for page in PAGES if page.key == "checkpoint")


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    yield
    desk.judges().close()
    st.cache_resource.clear()


def uploaded(app, content, name="net.safetensors"):
    """The page after the upload has been judged."""
    app.file_uploader[0].upload(name, content, "application/octet-stream").run()
    deadline = time.monotonic() + 60
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
    assert len(shown) == len(ALL)
    for bound in ALL:
        row, one = shown.loc[STYLES[bound.key].name], said[bound.key]
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
    assert list(desk.judges()._home.iterdir()) == []
    app = uploaded(app, good())
    assert not app.error
    assert len(list(desk.judges()._home.iterdir())) == 1
    button(app, "Delete it").click().run()
    assert list(desk.judges()._home.iterdir()) == []
    assert not app.dataframe


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
    deadline = time.monotonic() + 60
    while not app.dataframe and not app.error:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    return app


def test_what_is_kept_is_listed_opened_by_link_and_deleted(tmp_path):
    app = uploaded(open_link(PAGE, dataset="digits"), good())
    before = table(app)
    assert app.session_state[kept.UNSAVED].title == "net"
    button(app, "Keep it").click().run()
    (key,) = [folder.name for folder in (tmp_path / "runs" / "checkpoints").iterdir()]
    assert list(desk.judges()._home.iterdir()) == []
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
    assert {one.key for one in kept.listing("me")} == {mine, theirs}  # at home everything is one's own
    monkeypatch.setattr(kept, "at_home", lambda: False)
    assert [one.key for one in kept.listing("me")] == [mine]
    assert kept.find(theirs).subject.to_dict() == subject.to_dict()  # by link
    assert list(kept.kept_subjects("me").values())[-1].to_dict() == subject.to_dict()
    monkeypatch.setattr(st, "session_state", {kept.UNSAVED: subject})
    assert list(kept.kept_subjects("me")) == ["net (not kept)", f"net · digits 8×8 · {mine[-6:]}"]
    kept.delete(mine)
    assert list(kept.kept_subjects("me")) == ["net (not kept)"]


def test_keeping_has_limits(tmp_path, monkeypatch, subject):
    network = tmp_path / "net"
    monkeypatch.setattr(kept, "MOST", 2)
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
        assert kept.listing("me") == []
        assert not open_link(PAGE, checkpoint=key).exception


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    path = checkpoint(tmp_path_factory.mktemp("subject"))
    return measure_checkpoint(load(path, "digits"), load_data("digits"), "digits", "net")[0]


def test_a_pickle_is_named_for_what_it_is():
    app = uploaded(open_link(PAGE, dataset="digits"), HOSTILE["zip of torch.save"][0](), "net.pt")
    assert "but a pickle, as torch.save writes it" in app.error[0].value
    assert "boundlab export" in app.error[0].value


def test_a_download_that_cannot_start_is_said_and_starts_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "file" / "runs"))
    started = []
    monkeypatch.setattr(Scheduler, "start", lambda self: started.append(self) or self)
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
        key = next(key for key in (b.key for b in ALL) if name == STYLES[key].name)
        if opened in next(b for b in ALL if b.key == key).formulas and not np.isfinite(row["value"]):
            assert row["why there is no number"][:60] in notes
    assert (bounds["value"].notna().sum() > 0) == (opened == "theorem")
