"""What a link, a browser or another choice gets wrong is said, stays said until it is changed, and breaks nothing."""

import dataclasses
import json
import re
from urllib.parse import parse_qs

import pandas as pd
import pytest
import streamlit as st

from boundlab.specs.run import RunSpec
from boundlab.ui.combinations import nearest, possible, why
from boundlab.ui.page import PAGES
from boundlab.ui.pages.train import page as page_of_train
from boundlab.ui.shipped import shipped_runs
from tests.ui.test_pages import chart, open_link

PAGE = {page.key: page for page in PAGES}
TRAIN, LAMBDA, WIDTH = PAGE["train"], PAGE["lambda"], PAGE["width"]


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


def sliders(app):
    return {s.key: s.value for s in app.select_slider if s.key in ("layers", "channels", "wd")}


def test_sliders_stay_where_they_are_put_and_what_is_missing_offers_to_be_trained():
    app = open_link(WIDTH, wd="0.0115")
    next(s for s in app.select_slider if s.key == "layers").set_value("8").run()
    assert not app.exception
    assert sliders(app) == {"layers": "8", "wd": "0.0115"}
    assert not app.get("plotly_chart")
    assert "**No network with L = 8 and λ = 0.0115 has been trained** on MNIST." in [m.value for m in app.markdown]
    assert any(">0.0115</s>" in marks.proto.body for marks in app.get("html"))  # where the reader is, struck out
    assert app.query_params == {"layers": "8", "wd": "0.0115"}
    (nearest_one,) = app.main.button
    layers, decay = re.fullmatch(r"Show the nearest: L = (\d) and λ = ([\d.]+)", nearest_one.label).groups()
    assert "5" <= layers < "8"  # of those with several widths, the deepest there are
    nearest_one.click().run()
    assert sliders(app) == {"layers": layers, "wd": decay}
    assert len(chart(app)["data"]) > 1


def test_what_other_data_do_not_have_at_all_follows_and_is_said_until_the_next_choice():
    app = open_link(WIDTH, layers="8", wd="0.004")
    next(g for g in app.get("button_group") if "dataset" in g.proto.id).set_value("digits").run()
    note = app.info[0].value
    assert note.startswith("**L moved from 8 to 6**: no run to draw here has ")
    assert "L = 8" in note
    assert len(chart(app)["data"]) > 1
    app.run()
    assert app.info[0].value == note
    next(s for s in app.select_slider if s.key == "layers").set_value("5").run()
    assert not any("moved" in info.value for info in app.info)


# Of every page with the three variables, a combination that nothing was trained at: what it is called, and what is offered
MISSING = {
    "training": ({"layers": "8", "wd": "0.0115"}, "CONV-8-16 at λ = 0.0115", "CONV-8-16 at λ = 0.0115"),
    "lambda": (
        {"layers": "8", "channels": "64"},
        "CONV-8-64",
        "CONV-8-64 at λ = 0.0008, 0.0009, 0.001, 0.002, 0.003, 0.004, 0.0115",
    ),
    "width": ({"layers": "8", "wd": "0.0115"}, "No network with L = 8 and λ = 0.0115", "CONV-8-16 at λ = 0.0115"),
    "depth": ({"channels": "64", "wd": "0.0115"}, "No network with H = 64 and λ = 0.0115", "CONV-3-64 at λ = 0.0115"),
    "anatomy": ({"layers": "8", "wd": "0.0115", "seed": "1", "epoch": "3"}, "CONV-8-16 at λ = 0.0115", None),
    "certificates": (
        {"networks": "figures", "layers": "8", "wd": "0.0115", "epoch": "3", "margin": "1"},
        "CONV-8-16 at λ = 0.0115",
        None,
    ),
    "theory": ({"layers": "8", "wd": "0.0115"}, "CONV-8-16 at λ = 0.0115", None),
}


def offered(app):
    """The label of the link to page Train, and what it asks the form for."""
    links = [link.proto for link in app.main.get("page_link") if link.proto.page == "train" and link.proto.query_string]
    return {link.label: parse_qs(link.query_string) for link in links}


@pytest.mark.parametrize("key", MISSING)
def test_a_link_to_a_missing_combination_offers_to_train_it(key):
    link, called, trained = MISSING[key]
    app = open_link(PAGE[key], delta="0.05", **link)
    assert not app.exception
    assert not app.warning  # what the link says of controls that wait for a network is no mistake
    assert not app.get("plotly_chart")
    verb = "has" if called.startswith("No ") else "has not"
    assert f"**{called} {verb} been trained** on MNIST." in [m.value for m in app.markdown]
    assert app.query_params == {"delta": "0.05"} | link
    assert list(offered(app)) == [f"Train {trained or called}"]
    (button,) = (button for button in app.button if button.label.startswith("Show the nearest: "))
    button.click().run()
    assert not app.exception
    assert app.get("plotly_chart") or key == "theory"
    assert not any("has not been trained" in m.value for m in app.markdown)
    assert app.query_params["delta"] == "0.05"
    kept = {name: value for name, value in link.items() if name in ("seed", "epoch", "margin")}
    assert {name: app.query_params[name] for name in kept} == kept


@pytest.mark.parametrize("key", MISSING)
def test_page_train_opens_filled_in_with_what_is_missing(key, monkeypatch):
    asked = []
    monkeypatch.setattr(page_of_train, "price", lambda specs, *rest: asked.append(specs))
    link, _, trained = MISSING[key]
    (form,) = offered(open_link(PAGE[key], **link)).values()
    app = open_link(TRAIN, **form)
    assert not app.exception
    assert not app.warning
    alike = next(run.spec for run in shipped_runs() if run.id.startswith("mnist-conv-3-16-wd0.004-s0"))
    name = trained or "CONV-8-16 at λ = 0.0115"
    layers, channels = map(int, name.split(" ")[0].split("-")[1:])
    decays = [float(value) for value in name.split("= ")[1].split(", ")]
    wanted = [
        RunSpec(
            dataclasses.replace(alike.arch, conv_layers=layers, channels=channels),
            dataclasses.replace(alike.train, weight_decay=decay),
        ).id
        for decay in decays
    ]
    assert [spec.id for spec in asked[-1]] == wanted


def test_a_class_that_may_not_train_so_long_gets_the_sentence_alone(monkeypatch):
    monkeypatch.setenv("BOUNDLAB_MINUTES", "1")
    app = open_link(WIDTH, layers="8", wd="0.0115")
    assert not offered(app)
    assert any("No network with L = 8 and λ = 0.0115 has been trained" in m.value for m in app.markdown)
    assert any("1 minute is the most here" in c.value for c in app.caption)
    monkeypatch.setenv("BOUNDLAB_MINUTES", "soon")
    app = open_link(WIDTH, layers="8", wd="0.0115")
    assert not app.exception
    assert not offered(app)


def test_the_handle_asks_for_a_lambda_that_this_network_was_not_trained_at():
    app = open_link(PAGE["training"], wd="0.0115")
    assert len(chart(app)["data"]) > 1
    next(s for s in app.select_slider if s.key == "layers").set_value("8").run()
    assert not app.get("plotly_chart")
    assert app.query_params == {"layers": "8", "wd": "0.0115"}
    next(s for s in app.select_slider if s.key == "layers").set_value("3").run()
    assert "λ = 0.0115" in app.caption[0].value
    unknown = open_link(PAGE["training"], wd="0.0116")  # that nothing was trained at: a mistake of the link
    assert "0.0116" in said(unknown)
    assert unknown.get("plotly_chart")


def test_the_second_network_may_be_missing_too():
    app = open_link(PAGE["anatomy"], view="two networks", layers2="8", wd2="0.0115")
    assert not app.exception
    assert not app.warning
    assert any("**CONV-8-16 at λ = 0.0115 has not been trained**" in m.value for m in app.markdown)
    assert len(app.get("plotly_chart")) == 1  # the first one's
    next(button for button in app.button if button.label.startswith("Show the nearest")).click().run()
    assert "hatched" in next(c.value for c in app.caption if "solid" in c.value)
    assert (app.query_params["layers2"], app.query_params["wd2"]) == ("8", "0.004")


def test_a_line_with_gaps_links_to_what_would_fill_them():
    app = open_link(LAMBDA, layers="8")
    assert list(offered(app)) == ["Train CONV-8-16 at λ = 0.0008, 0.0009, 0.002, 0.003, 0.0115"]
    assert not offered(open_link(LAMBDA))
    width = open_link(PAGE["width"], layers="8")
    assert list(offered(width)) == [f"Train CONV-8-{channels} at λ = 0.004" for channels in (8, 32, 64)]


def test_a_hundred_choices_are_not_named_one_by_one():
    words = said(open_link(PAGE["start"], wrong="-5"))
    assert "values from `0` to `100`" in words
    assert "`17`" not in words


def test_of_long_choices_the_first_are_named_and_how_many_more_there_are():
    words = said(open_link(PAGE["certificates"], networks="certified", task="seven"))
    named = re.search(r"the link asks for `seven`, possible: (.*), and (\d+) more\.", words)
    options = next(box for box in open_link(PAGE["certificates"]).selectbox if box.key == "task").options
    assert named
    assert named[1].count("`") // 2 + int(named[2]) == len(options)
    assert len(named[1]) < 240
