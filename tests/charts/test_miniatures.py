"""Small pictures of one network, as SVG."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from boundlab.charts import miniatures
from boundlab.charts.svg import as_image

SVG = "{http://www.w3.org/2000/svg}"


def rects(text):
    return ElementTree.fromstring(text).findall(f"{SVG}rect")


@pytest.mark.parametrize("dark", [False, True])
def test_filters_are_on_one_scale_and_told_apart_by_sign(dark):
    weights = np.zeros((3, 2, 2))
    weights[0, 0, 0], weights[1, 1, 1], weights[2, 0, 1] = 4.0, -4.0, 2.0
    cells = [rect.get("fill") for rect in rects(miniatures.filters(weights, dark))]
    assert len(cells) == 12
    blank = cells[1]
    assert (cells[0], cells[7]) == ("#c25608", "#2b62b5")
    assert cells[9] not in (blank, cells[0])
    assert cells.count(blank) == 9


def test_no_more_filters_than_asked_for_and_none_divides_by_zero():
    assert len(rects(miniatures.filters(np.zeros((20, 3, 3)), False, most=4))) == 36


def test_margins_below_zero_are_another_colour_and_as_many():
    quantiles = np.linspace(-1, 3, 101)
    found = rects(miniatures.margin_bars(quantiles, 0.25, False))
    heights = np.array([float(rect.get("height")) for rect in found])
    wrong = np.array([rect.get("fill") == "#A8321F" for rect in found])
    assert wrong.sum() == 5
    np.testing.assert_allclose(heights[wrong].sum() / heights.sum(), 0.25, atol=0.01)


def test_factors_point_to_both_sides():
    first, second = rects(miniatures.factor_lengths([("norms", 6.0), ("<n>", -3.0)], False))
    assert float(first.get("width")) == 2 * float(second.get("width"))
    assert float(first.get("x")) == float(second.get("x")) + float(second.get("width"))


def test_words_are_escaped_and_said_to_who_cannot_see():
    text = miniatures.factor_lengths([('<b>"&', 1.0)], False)
    ElementTree.fromstring(text)
    words = re.search(r'alt="([^"]*)"', as_image(text))[1]
    assert "<" not in words
    assert "What makes the sparse bound large" in words
