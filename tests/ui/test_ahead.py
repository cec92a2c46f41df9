"""What a reader is likely to choose next is there before they choose it, and is what they would have been shown."""

import queue
import threading

import pytest

from boundlab.ui.ahead import Ahead
from boundlab.ui.pages.figures import neighbours
from tests.ui.test_drawing import forget, kept, shown  # noqa: F401 (fixture)
from tests.ui.test_pages import FIGURES, open_link

WAIT = 60  # seconds, where something must come


class AtOnce:
    """Makes what is asked for before the page goes on, in a thread without a session."""

    def ask(self, tasks):
        def work():
            try:
                for task in tasks:
                    task()
            except Exception as error:
                self.failures.append(error)

        self.asked += len(tasks)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    def __init__(self):
        self.failures, self.asked = [], 0


@pytest.fixture
def at_once(monkeypatch):
    made = AtOnce()
    monkeypatch.setattr(neighbours, "ahead", lambda: made)
    yield made
    assert made.failures == []


SLIDERS = [("training", "layers"), ("lambda", "channels"), ("width", "wd"), ("depth", "channels")]


def one_step(app, name):
    """The slider's value one step lower, else higher."""
    slider = app.select_slider(key=name)
    here = slider.options.index(slider.value)
    return slider.options[here - 1 if here else here + 1]


@pytest.mark.parametrize(("page", "name"), SLIDERS)
def test_one_step_of_a_slider_shows_what_was_made_ahead(page, name, kept, at_once):  # noqa: F811
    page = next(p for p in FIGURES if p.key == page)
    films, _ = kept
    app = open_link(page, dataset="digits")
    made = len(films)
    assert made == at_once.asked + 1 > 1
    at_once.ask = lambda tasks: None
    value = one_step(app, name)
    app.select_slider(key=name).set_value(value).run()
    moved = shown(app)
    assert len(films) == made  # nothing is made now
    forget()
    assert shown(open_link(page, dataset="digits", **{name: value}))[1:4] == moved[1:4]


def test_nothing_is_made_before_the_start_or_after_the_end():
    done = queue.Queue()
    made = Ahead(pause=0)
    made.ask([lambda: done.put("before")])
    made.start().ask([lambda: done.put("between")])
    assert done.get(timeout=WAIT) == "between"
    made.close()
    made.ask([lambda: done.put("after")])
    assert done.empty()


def test_the_newest_comes_first_and_one_that_fails_stops_no_other():
    done, begun, go = queue.Queue(), threading.Event(), threading.Event()
    made = Ahead(pause=0).start()
    made.ask([lambda: begun.set() or go.wait()])
    assert begun.wait(WAIT)
    made.ask([lambda: done.put("old")])
    made.ask([lambda: done.put("first"), lambda: 1 / 0, lambda: done.put("third")])
    go.set()
    assert [done.get(timeout=WAIT) for _ in range(3)] == ["first", "third", "old"]
    made.close()
