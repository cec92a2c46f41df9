"""Page Start: the guess, the reveal, what is drawn and said at every λ, and what a link says."""

import re

import pytest
import streamlit as st

from boundlab.analysis.promises import OLDER, promised
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import STYLES
from boundlab.runs.run import Found
from boundlab.ui import shipped
from boundlab.ui.page import PAGES
from boundlab.words.promises import promise_verdict
from tests.ui.test_pages import chart, dead_runs, frames, open_link, players

__all__ = ["dead_runs"]
START = next(page for page in PAGES if page.key == "start")
REVEALED = {"reveal": "true"}


def networks(pack, name):
    runs = [run for run in pack if re.match(rf"{name}-wd[\d.]+-s0-", run.id)]
    return sorted(runs, key=lambda run: run.spec.train.weight_decay)


def trace(app, name):
    return next(trace for trace in chart(app)["data"] if trace.get("name") == name)


def annotations(app):
    return [note["text"] for note in chart(app)["layout"]["annotations"]]


def button(app, label):
    return next(button for button in app.button if button.label == label)


def test_it_opens_on_the_question_with_two_guesses():
    app = open_link(START)
    assert not app.exception
    assert not app.warning
    assert [title.value for title in app.subheader] == ["How many of 100 new digits will this network get wrong?"]
    assert [slider.value for slider in app.select_slider] == ["50", "50"]
    assert [button.label for button in app.main.button] == ["Reveal", "Show without guessing"]
    assert len(app.get("plotly_chart")) == 1
    assert not [sent for sent in players(app) if sent["frames"]]  # nothing is given away
    assert "60,000" in app.caption[0].value
    assert [link.proto.label for link in app.sidebar.get("page_link")] == [page.title for page in PAGES]
    assert app.query_params == {}


def test_the_guess_is_drawn_before_and_after_the_reveal_and_kept_in_the_link():
    app = open_link(START)
    app.select_slider(key="wrong").set_value("3").run()
    app.select_slider(key="promised").set_value("20").run()
    assert any("3 wrong, promise at most 20" in text for text in annotations(app))
    button(app, "Reveal").click().run()
    assert not app.exception
    assert app.query_params == REVEALED | {"wrong": "3", "promised": "20"}
    assert any("3 wrong, promise at most 20" in text for text in annotations(app))
    assert frames(app)["words"]
    button(app, "Guess again").click().run()
    assert [slider.value for slider in app.select_slider] == ["3", "20"]


def test_who_does_not_want_to_guess_sees_the_picture_without_one():
    app = open_link(START)
    button(app, "Show without guessing").click().run()
    assert app.query_params == REVEALED
    assert not any("<b>You</b>" in text for text in annotations(app))
    assert frames(app)["words"]


def test_every_position_has_its_verdict_and_the_link_its_place(pack):
    expected = [promise_verdict(network) for network in promised(networks(pack, "mnist-conv-3-16"), 0.001)]
    sent = frames(open_link(START, **REVEALED, wd="0.0008"))
    assert sent["labels"] == ["0.0008", "0.0009", "0.001", "0.002", "0.003", "0.004", "0.0115"]
    assert sent["words"] == expected
    assert (sent["at"], len(sent["frames"])) == (0, 7)
    assert frames(open_link(START, **REVEALED))["at"] == 5


def test_what_is_drawn_as_a_promise_is_one_and_its_number_is_rounded_up(pack):
    app = open_link(START, **REVEALED)
    (network,) = promised(
        [run for run in networks(pack, "mnist-conv-3-16") if run.spec.train.weight_decay == 0.004], 0.001
    )
    limits = {guarantee.limit for guarantee in network.made if not guarantee.vacuous}
    drawn = [
        (x, text) for x, text in zip(trace(app, "promises")["x"], trace(app, "promises")["text"], strict=True) if text
    ]
    assert len(drawn) >= 2
    for x, text in drawn:
        assert any(abs(100 * limit - x) < 1e-3 for limit in limits)
        assert float(text.removeprefix(" at most ")) >= x - 1e-9


@pytest.mark.parametrize("every", ["false", "true"])
def test_published_curves_and_constants_that_nobody_knows_are_not_drawn(every):
    app = open_link(START, **REVEALED, all=every)
    words = " ".join(annotations(app))
    for name in ("Long", "Sparse", "published"):
        assert name not in words
    assert ("Theorem S2" in words) or "Theorem D" in words
    older = [key for key in OLDER if STYLES[key].name.split(" (")[0] in words]
    assert len(older) == (len(OLDER) if every == "true" else 2)
    assert all("theorem" in BY_KEY[key].formulas for key in OLDER)
    assert not trace(app, "promises")["text"][-1]  # the older bounds say nothing


def test_a_link_sets_everything_and_the_reveal_keeps_it():
    link = {"dataset": "digits", "layers": "4", "wd": "0.002", "delta": "0.05", "all": "true"}
    app = open_link(START, **link)
    assert not app.warning
    assert "1,437" in app.caption[0].value
    assert app.query_params == link
    button(app, "Show without guessing").click().run()
    assert not app.exception
    assert app.query_params == link | REVEALED
    caption = " ".join(caption.value for caption in app.caption)
    assert "digits 8×8 · CONV-4-16" in caption
    assert "probability 95 %" in caption
    assert frames(app)["labels"][frames(app)["at"]] == "0.002"


@pytest.mark.parametrize("shown", [{}, REVEALED], ids=["guess", "revealed"])
def test_a_bad_link_is_answered_with_a_note_and_the_default(shown):
    app = open_link(START, dataset="imagenet", delta="7", wd="77", layers="9", colour="<b>red</b>", **shown)
    assert not app.exception
    notes = " ".join(note.value for note in app.warning)
    for word in ("colour", "imagenet", "`7`", "`77`", "`9`"):
        assert word in notes
    assert "60,000" in app.caption[0].value
    assert {name: value for name, value in app.query_params.items() if name != "colour"} == shown


def test_empty_and_repeated_parameters():
    app = open_link(START, **dict.fromkeys(START.params, ""))
    assert not app.exception
    app = open_link(START, dataset=["mnist", "digits"])
    assert not app.exception
    assert any("only one of them can be shown" in note.value for note in app.warning)


def test_a_network_with_other_channels_has_its_own_handle():
    app = open_link(START, **REVEALED)
    app.selectbox(key="layers").set_value("8").run()
    assert not app.exception
    assert any("8 layers · 16 channels" in text.value for text in app.markdown)


def test_every_line_is_spelled_out_on_request():
    app = open_link(START, **REVEALED)
    (box,) = (box for box in app.expander if box.label == "What every line promises")
    assert not box.markdown


def test_a_network_that_did_not_train_is_no_position_of_the_handle(dead_runs):
    app = open_link(START, **REVEALED)
    assert not app.exception
    assert dead_runs
    assert "0.004" not in frames(app)["labels"]


def test_without_shipped_networks_the_page_says_so(pack, monkeypatch):
    monkeypatch.setattr(shipped, "open_pack", lambda folder: Found([], {}))
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()
    app = open_link(START, **REVEALED)
    for cache in (st.cache_data, st.cache_resource):
        cache.clear()
    assert not app.exception
    assert any("no shipped networks" in note.value for note in app.info)


def test_stories_lead_on_with_the_settings_of_the_picture():
    app = open_link(START, **REVEALED, channels="8", wd="0.001")
    links = {link.proto.label: link.proto.query_string for link in app.main.get("page_link")}
    assert {label.strip("*") for label in links} >= {"Is it vacuous?", "Does depth hurt?", "What can be certified?"}
    assert "channels=8" in links["**Is it vacuous?**"]
    assert "wd=0.001" in links["**Does depth hurt?**"]
