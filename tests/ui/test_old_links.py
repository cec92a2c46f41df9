"""Links that people have written down, of version 0.1.0 and December 2026: each opens, without a word about the link, where it led.

A name or a value here may be answered by another one, never be forgotten: this table is only ever added to."""

import pytest

from boundlab.specs.pages import PAGE
from tests.ui.test_pages import open_link

OLD = [
    ("start", {"reveal": "true", "wrong": "45", "promised": "50", "wd": "0.001"}, []),
    (
        "start",
        {"reveal": "true", "dataset": "digits", "layers": "3", "channels": "8", "delta": "0.05", "all": "true"},
        [],
    ),
    (
        "playground",
        {"dataset": "digits", "layers": "2", "channels": "12", "kernel": "3", "label_noise": "0.25", "seed": "1"},
        [],
    ),
    (
        "training",
        {"dataset": "digits", "channels": "8", "layers": "4", "convention": "theorem", "panels": "weight decay"},
        [],
    ),
    (
        "lambda",
        {
            "dataset": "mnist",
            "layers": "3",
            "channels": "16",
            "epoch": "1",
            "scale": "relative",
            "show": "Sparse (Galanti 2023)",
        },
        ["layers"],
    ),
    ("lambda", {"dataset": "digits", "panels": "heat map", "quantity": "Test error"}, []),
    (
        "width",
        {"dataset": "mnist", "wd": "0.001", "convention": "strict", "delta": "0.01", "recipe": "short"},
        ["convention"],
    ),
    ("depth", {"dataset": "digits", "channels": "32", "wd": "0.0004", "paper": "", "flagged": "true"}, []),
    ("memorisation", {"along": "training images", "wd": "1e-05", "label_noise": "0.4", "scale": "log2"}, ["along"]),
    (
        "anatomy",
        {"dataset": "mnist", "layers": "3", "channels": "16", "wd": "0.004", "seed": "1", "bound": "Golowich 2018"},
        ["channels"],
    ),
    ("anatomy", {"view": "two networks", "channels2": "32", "merge": "true"}, []),
    ("anatomy", {"view": "what if", "times": "4", "margin": "2"}, []),
    ("certificates", {"networks": "certified", "task": "MNIST 0 or 1, LINEAR", "weight": "1"}, ["task"]),
    ("certificates", {"networks": "figures", "dataset": "mnist", "wd": "0.001", "margins": "true", "full": "true"}, []),
    ("compare", {"count": "3", "s1": "0", "convention": "theorem", "view": "factors"}, []),
    ("ranking", {"dataset": "digits", "target": "test error", "convention": "strict", "where": "channels=8..16"}, []),
    ("runs", {"where": "dataset=mnist", "columns": "test_error", "group": "channels"}, []),
    (
        "theory",
        {"section": "bounds", "bound": "Golowich 2018", "convention": "theorem", "dataset": "mnist"},
        ["section"],
    ),
    (
        "train",
        {
            "dataset": "digits",
            "preset": "short",
            "conv_layers": "3",
            "channels": "16",
            "weight_decay": "0.004",
            "form": "true",
        },
        [],
    ),
    ("checkpoint", {"dataset": "mnist"}, []),
    (
        "width",
        {"lesson": "3-why-not-width", "step": "2", "guess": "2", "dataset": "mnist", "layers": "3", "wd": "0.004"},
        [],
    ),
    ("depth", {"present": "1", "dataset": "mnist"}, []),
]


@pytest.mark.parametrize(
    ("page", "link", "kept"), OLD, ids=[f"{page}-{place}" for place, (page, _, _) in enumerate(OLD)]
)
def test_an_old_link_still_leads_there(page, link, kept):
    app = open_link(PAGE[page], notes=False, **link)
    assert not app.exception
    said = [element.value for element in [*app.warning, *app.error] if "ink" in element.value]
    assert not said
    for name in kept:
        assert app.session_state[name] == link[name]


def test_every_page_has_an_old_link():
    assert {page for page, _, _ in OLD} | {"lessons"} == set(PAGE)


@pytest.mark.parametrize(
    ("version", "said"), [("1", []), ("2", ["`2`"]), ("one", ["`one`"]), ("<b>", ["&lt;b", "`<b>`"])]
)
def test_a_link_of_another_version_is_told_so_and_opens(version, said):
    app = open_link(PAGE["lambda"], dataset="digits", scale="relative", v=version)
    assert not app.exception
    assert [any(word in warning.value for word in said) for warning in app.warning] == [True] * bool(said)
    assert "v" not in app.query_params
    assert app.query_params["scale"] in ("relative", ["relative"])
