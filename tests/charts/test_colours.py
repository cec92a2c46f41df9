"""Colours: every pair of series is told apart by everybody, and all words meet WCAG AA on their ground."""

import itertools
import tomllib

import numpy as np
import pytest
from plotly.colors import hex_to_rgb

from boundlab.analysis.tables import SERIES
from boundlab.charts import certified, guarantees, margins_of_run, waterfall
from boundlab.charts.networks import NETWORKS
from boundlab.charts.theme import ALERT, INK, STYLES, tick_texts
from tests.conftest import ROOT

SIGHTS = {  # Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
    "usual": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])
PUBLISHED = (
    "ledent",
    "graf",
    "golowich",
    "long_sedghi",
    "sparse",
    "test_error",
    "train_error",
    "gap",
)  # drawn together
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]


def linear(colour):
    part = np.array(colour, float) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    scaled = XYZ @ np.clip(rgb, 0, 1) / (0.95047, 1, 1.08883)
    x, y, z = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one, other, sight):
    """CIE 1976 distance of two colours as somebody sees them; about 2 is just noticed."""
    seen = [lab(np.asarray(SIGHTS[sight]) @ linear(hex_to_rgb(colour))) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def contrast(one, other):
    """WCAG 2's ratio of two RGB colours."""
    low, high = sorted(float(linear(colour) @ XYZ[1]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def over(colour, ground, opacity):
    return [opacity * a + (1 - opacity) * b for a, b in zip(colour, ground, strict=True)]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_every_pair_of_series_is_told_apart(sight, dark):
    coloured = [name for name in SERIES if name != "holdout"]  # dotted, in the test error's ink
    for one, other in itertools.combinations(coloured, 2):
        distance = apart(STYLES[one].colour(dark), STYLES[other].colour(dark), sight)
        assert distance > (15 if {one, other} <= set(PUBLISHED) else 12), (one, other, distance)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_meet_aa_on_the_grounds_they_stand_on(scheme):
    colours = {name: hex_to_rgb(value) for name, value in THEME[scheme].items()}
    page, second, text = colours["backgroundColor"], colours["secondaryBackgroundColor"], colours["textColor"]
    primary, code = colours["primaryColor"], colours["codeTextColor"]
    pairs = {
        "text": [(text, page), (text, second)],
        "captions, 60 % of the text": [(over(text, ground, 0.6), ground) for ground in (page, second)],
        "primary": [(primary, page), (primary, second), (primary, over(primary, page, 0.1))],  # the last: a chosen pill
        "words on a primary button": [(page, primary)],
        "code in a caption": [(over(code, second, 0.6), second)],
    }
    for what, these in pairs.items():
        for words, ground in these:
            assert contrast(words, ground) >= 4.5, (what, contrast(words, ground))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_words_in_charts_meet_aa(dark):
    page = hex_to_rgb(THEME["dark" if dark else "light"]["backgroundColor"])
    colours = [style.colour(dark) for style in STYLES.values()] + [INK[dark], ALERT[dark]]
    colours += [network.colour(dark) for network in NETWORKS]
    lines = (*margins_of_run.MARGIN_LINES.values(), *certified.THEOREM_LINES.values(), *waterfall.GROUPS.values())
    colours += [look[1 + dark] for look in lines] + [pair[dark] for pair in guarantees.COLOURS.values()]
    for colour in colours:
        assert contrast(hex_to_rgb(colour), page) >= 4.5, (colour, contrast(hex_to_rgb(colour), page))


def test_the_ticks_of_an_axis_are_in_one_notation():
    assert tick_texts([8e-4, 2e-3, 0.0115]) == ["0.0008", "0.002", "0.0115"]
    assert tick_texts([1e-5, 8e-4, 0.0115]) == ["1e-5", "8e-4", "1.15e-2"]
    assert tick_texts([8, 16, 200.0]) == ["8", "16", "200"]
    assert tick_texts([0.0, 0.1, 1.0]) == ["0", "0.1", "1"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_graf_and_golowich_are_far_apart(sight, dark):
    """Their lines run side by side in most figures, so what is enough elsewhere is not enough for them."""
    assert apart(STYLES["graf"].colour(dark), STYLES["golowich"].colour(dark), sight) > 30
