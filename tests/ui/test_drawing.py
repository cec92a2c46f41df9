"""What is kept for all readers is what a fresh page shows, nobody changes it, and it goes when the runs do."""

import pickle
import shutil
from dataclasses import fields

import pytest
import streamlit as st

from boundlab.charts.trend import Film
from boundlab.ui.pages.figures import drawing
from tests.ui.test_own_runs import LAMBDA, control, on_screen, out, source, stand_in  # noqa: F401 (fixtures)
from tests.ui.test_pages import FIGURES, chart, frames, line, numbers, open_link

CHOICES = [
    {},
    {"scale": "relative", "convention": "theorem"},
    {"scale": "linear", "delta": "0.1", "show": ["Sparse (Galanti 2023)", "Test error"]},
    {"panels": "channels", "paper": "CONV-3-200"},
]


def forget():
    st.cache_data.clear()
    st.cache_resource.clear()


def shown(app):
    sent = frames(app)
    return on_screen(app), sent["frames"], sent["labels"], sent["at"], sent["caption"], app.query_params


@pytest.fixture
def kept(monkeypatch):
    """The films and figures made from now on."""
    forget()
    films, pictures, make, draw = [], [], drawing.film, Film.at

    def film(*given, **named):
        films.append(make(*given, **named))
        return films[-1]

    def at(self, *given):
        pictures.append(draw(self, *given))
        return pictures[-1]

    monkeypatch.setattr(drawing, "film", film)
    monkeypatch.setattr(Film, "at", at)
    yield films, pictures
    forget()


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("page", FIGURES, ids=lambda p: p.key)
def test_the_second_reader_sees_what_the_first_saw_and_nothing_is_made_again(page, choice, kept):
    films, pictures = kept
    choice = {name: value for name, value in choice.items() if page.key == "lambda" or name not in ("panels", "paper")}
    first = shown(open_link(page, dataset="digits", **choice))
    assert (len(films), len(pictures)) == (1, 1)
    assert shown(open_link(page, dataset="digits", **choice)) == first
    assert (len(films), len(pictures)) == (1, 1)
    forget()
    assert shown(open_link(page, dataset="digits", **choice)) == first
    assert (len(films), len(pictures)) == (2, 2)


def test_every_choice_has_its_own_picture(kept):
    seen = [str(shown(open_link(LAMBDA, dataset="digits", **choice))[:2]) for choice in CHOICES]
    seen += [str(shown(open_link(LAMBDA, dataset="digits", **{name: value}))[:2]) for name, value in CHOICES[2].items()]
    seen += [
        str(shown(open_link(LAMBDA, dataset="digits", **more))[:2]) for more in ({"channels": "8"}, {"epoch": "20"})
    ]
    assert len(set(seen)) == len(seen)


def test_a_rerun_changes_nothing_that_is_kept(kept):
    def prints():
        every = [[pickle.dumps(getattr(film, part.name)) for part in fields(film)] for film in films]
        return every + [picture.figure.to_json() for picture in pictures]

    films, pictures = kept
    app = open_link(LAMBDA, dataset="digits", paper="CONV-3-200")
    before = prints()
    open_link(LAMBDA, dataset="digits", paper="CONV-3-200", epoch="20")
    assert (len(films), len(pictures)) == (1, 2)  # another position of the same film
    control(app, "scale").set_value("linear").run()
    control(app, "scale").set_value("log2").run()
    assert len(films) == 2
    assert prints()[0] == before[0]
    assert prints()[2] == before[1]


def test_a_run_that_comes_or_goes_makes_a_new_picture(out, source, finished, kept):  # noqa: F811
    films, _ = kept
    before = shown(open_link(LAMBDA, dataset="digits"))
    run = stand_in(out, source, finished, weight_decay=0.0025)
    assert line(open_link(LAMBDA, dataset="digits"), "Sparse", "x", own=True) == [0.0025]
    shutil.rmtree(out / run.id)
    assert shown(open_link(LAMBDA, dataset="digits")) == before
    assert len(films) == 2  # once it is gone, the first one again


def figure(app):
    (sent,) = app.get("plotly_chart")
    return sent.proto.spec


def traces(app):
    drawn = chart(app)
    axes = {name: axis["range"] for name, axis in drawn["layout"].items() if name.startswith(("xaxis", "yaxis"))}
    return axes, [
        {name: numbers(one.get(name)) for name in ("name", "x", "y", "text", "customdata")} for one in drawn["data"]
    ]


@pytest.mark.parametrize(
    ("page", "moves"),
    [("lambda", {"channels": "8"}), ("lambda", {"layers": "6"}), ("training", {"channels": "64"})],
    ids=str,
)
def test_the_browser_makes_the_next_picture_of_the_chart_that_is_there(page, moves):
    """No new figure is sent for a moved slider, and what comes instead makes of it what the link of the new choice shows."""
    page = next(p for p in FIGURES if p.key == page)
    app = open_link(page, dataset="digits")
    first, before = figure(app), traces(app)
    was = {name: app.select_slider(key=name).value for name in moves}
    for name, value in moves.items():
        app.select_slider(key=name).set_value(value).run()
    assert figure(app) == first
    assert traces(app) != before
    assert traces(app) == traces(open_link(page, dataset="digits", **moves))
    for name, value in was.items():
        app.select_slider(key=name).set_value(value).run()
    assert figure(app) == first
    assert traces(app) == before


def test_a_chart_that_comes_back_is_drawn_as_it_is_now():
    """Else it would show the lines of another network until the browser has moved it."""
    app = open_link(LAMBDA, dataset="digits")
    control(app, "panels").set_value("heat map").run()
    control(app, "panels").set_value("one").run()
    app.select_slider(key="channels").set_value("8").run()
    moved = figure(app)
    control(app, "panels").set_value("heat map").run()
    control(app, "panels").set_value("one").run()
    assert figure(app) != moved
    assert figure(app) == figure(open_link(LAMBDA, dataset="digits", channels="8"))
