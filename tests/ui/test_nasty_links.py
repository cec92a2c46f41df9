"""Every page x every parameter of its links x everything a link should not contain: no exception, a note, no markup.

Several parameters go into one link, each nasty value meets each parameter once: `pytest -s` prints the counts.
"""

import itertools
import re

import pytest

from boundlab.specs.pages import EVERYWHERE
from boundlab.ui.page import PAGES
from tests.nasty import NASTY, alive, strings
from tests.ui.test_pages import open_link

# our own drawings, whole: an image that is all in the page, and words without markup
DRAWING = re.compile(
    r'<img alt="[^"<>]*" src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+" style="width: 100%; max-width: \w+">'
)
BY_KEY = {page.key: page for page in PAGES}
COUNT = {"links": 0, "parameters": 0}


@pytest.fixture(scope="module", autouse=True)
def counts():
    yield
    print(f"\n{COUNT['links']} links, {COUNT['parameters']} parameters with a nasty value")


def notes(app):
    """All that the page says about the link, or about what it made of it, as it reads on screen."""
    said = "\n".join(element.value for element in [*app.warning, *app.error, *app.info])
    return re.sub(r"\\([^\w\s]|_)", r"\1", said)


def opened(page, params):
    """The page after such a link; it stands, and nothing of the link is alive on it."""
    app = open_link(page, **params)
    COUNT["links"] += 1
    COUNT["parameters"] += len(params)
    assert not app.exception, (params, [e.value for e in app.exception])
    for element in (e for e in [*app.main, *app.sidebar] if e.proto is not None):
        texts = [text for text in strings(element.proto) if not DRAWING.fullmatch(text)]
        assert not [found for text in texts for found in alive(text)], (element.type, params)
    return app


def links(names):
    """Links of these parameters in which every value meets every parameter once."""
    values = list(NASTY.values())
    for shift in range(len(values)):
        yield {name: values[(place + shift) % len(values)] for place, name in enumerate(names)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.key)
def test_no_value_of_any_parameter_breaks_a_page(page):
    for link in links((*page.params, *EVERYWHERE)):
        app = opened(page, link)
        assert notes(app), link


MODES = {
    "anatomy": [
        *({"view": view} for view in ("two networks", "two epochs", "two conventions", "two theorems", "what if")),
        {"view": "published to strict", "networks": "certified"},
    ],
    "certificates": [{"networks": "certified"}],
    "theory": [{"networks": "certified", "section": section} for section in ("bounds", "references")],
    "compare": [{"count": "4"}, {"n1": "CONV-3-16 · MNIST · λ = 0.004", "n2": "CONV-8-16 · MNIST · λ = 0.004"}],
    "train": [{"form": "true", "kind": kind} for kind in ("conv", "lc", "mlp")],
    "lambda": [{"panels": "channels", "paper": "CONV-3-200"}],
}


@pytest.mark.parametrize("key", MODES)
def test_no_value_breaks_a_page_in_its_other_modes(key):
    page = BY_KEY[key]
    for mode in MODES[key]:
        others = [name for name in page.params if name not in mode]
        for link in itertools.islice(links(others), 1, None, 7):
            opened(page, mode | link)


def unnamed(page, names):
    """Of these parameters, all of them wrong, those about which the page says neither name nor value."""
    said = notes(opened(page, {name: f"zz-{name}-zz" for name in names}))
    return [name for name in names if f"zz-{name}-zz" not in said and f"`{name}`" not in said]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.key)
def test_every_wrong_parameter_is_named(page):
    """A few at a time, because a page does not list every mistake; what is not said then is said where it is the only one."""
    for first in range(0, len(page.params), 4):
        for name in unnamed(page, page.params[first : first + 4]):
            assert not unnamed(page, [name]), f"{page.key}: no word about {name}"


def test_the_check_for_markup_sees_what_is_alive():
    for name in ("markdown", "HTML", "LaTeX and colours"):
        assert alive(NASTY[name])
        assert not alive(f"the link asks for `{NASTY[name]}`.")
    assert alive(f"`{NASTY['breaks out of code']}`")
