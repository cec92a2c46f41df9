"""What a link, a browser or another choice gets wrong is said, stays said until it is changed, and breaks nothing."""

import json

import pandas as pd
import pytest
import streamlit as st

from boundlab.ui.combinations import nearest, possible, why
from boundlab.ui.page import PAGES
from tests.ui.test_pages import chart, open_link

PAGE = {page.key: page for page in PAGES}
TRAIN, LAMBDA, START = PAGE["train"], PAGE["lambda"], PAGE["start"]


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path))
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def said(app):
    return " ".join(w.value for w in app.warning)


@pytest.mark.parametrize("key", ["train", "checkpoint", "lambda"])
def test_a_note_about_a_link_stays_until_its_control_is_changed(key):
    app = open_link(PAGE[key], dataset="imagenet", delta="0.1")
    assert "imagenet" in said(app)
    app.run()  # as when a component reports, or the reader moves something else
    assert "imagenet" in said(app)
    data = next(g for g in app.get("button_group") if "dataset" in g.proto.id)
    data.set_value(next(option for option in data.options if option != data.value)).run()
    assert "imagenet" not in said(app)


def test_a_number_that_a_link_gets_wrong_stays_named_until_it_is_changed():
    app = open_link(TRAIN, epochs="many")
    app.run()
    assert "`many`" in said(app)
    next(n for n in app.number_input if n.key == "epochs").set_value(7).run()
    assert "`many`" not in said(app)
    assert app.query_params["epochs"] == "7"


@pytest.mark.parametrize(
    ("page", "link", "unused"),
    [
        (TRAIN, {"kind": "linear", "conv_layers": "4"}, "conv_layers"),
        (PAGE["certificates"], {"networks": "certified", "wd": "0.004"}, "wd"),
        (PAGE["theory"], {"section": "gaps", "layers": "5"}, "layers"),
    ],
    ids=["train", "certificates", "theory"],
)
def test_a_parameter_that_is_not_used_with_the_others_is_said(page, link, unused):
    assert f"not used with what is chosen here: `{unused}`" in said(open_link(page, **link))


@pytest.mark.parametrize("key", PAGE)
def test_a_link_of_a_thousand_parts_gets_short_notes(key):
    bad = dict.fromkeys(PAGE[key].params, "nonsense") | {f"x{number}": "1" for number in range(900)}
    app = open_link(PAGE[key], **bad)
    assert not app.exception
    assert 1 <= len(app.warning) <= 3
    assert len(said(app)) < 2_500


MESSAGES = [[], 7, None, "text", {"NAME": 5}, {"NAME": {}}, {"NAME": []}, {"NAME": "x" * 10**6}, {"NAME": "\ud800"}]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: json.dumps(m)[:20])
@pytest.mark.parametrize(("page", "mark", "name"), [(LAMBDA, "frames", "at"), (TRAIN, "token", "token")])
def test_a_malformed_message_of_a_component_is_ignored(page, mark, name, message):
    app = open_link(page)
    component = next(c for c in app.get("bidi_component") if mark in c.proto.json)
    states = app._tree.get_widget_states()
    states.widgets.add(id=component.proto.id).json_value = json.dumps(message).replace("NAME", name)
    app._run(states)
    assert not app.exception
    assert name not in app.query_params


CROSS = pd.DataFrame({"depth": [3, 5, 8, 3, 3], "decay": [1e-3, 1e-3, 1e-3, 4e-3, 1e-2]})


def test_the_moved_variable_stays_and_the_others_follow_to_the_nearest():
    asked = {"depth": 8.0, "decay": 1e-2}
    assert nearest(CROSS, asked, "depth") == {"depth": 8, "decay": 1e-3}
    assert nearest(CROSS, asked, "decay") == {"depth": 3, "decay": 1e-2}
    assert possible(CROSS, "decay", {"depth": 8, "decay": 1e-3}) == {1e-3}
    words = why({"depth": "L", "decay": "λ"}, asked, nearest(CROSS, asked, "depth"), "depth")
    assert words == "**λ moved from 0.01 to 0.001**: no run to draw here has L = 8 and λ = 0.01."


def test_what_a_moved_slider_moves_is_said_until_the_next_choice():
    app = open_link(START, wd="0.0115")
    assert not app.info[:-1]
    layers = next(s for s in app.select_slider if s.key == "layers")
    layers.set_value("8").run()
    note = app.info[0].value
    assert note.startswith("**λ moved from 0.0115 to ")
    assert "L = 8, H = 16 and λ = 0.0115" in note
    assert any(">0.0115</s>" in marks.proto.body for marks in app.get("html"))  # still there, struck out
    app.run()
    assert app.info[0].value == note
    next(s for s in app.select_slider if s.key == "layers").set_value("6").run()
    assert "moved" not in app.info[0].value
    assert len(chart(app)["data"]) > 1
