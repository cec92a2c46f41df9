"""Pages show first and explain after: at most 60 words and 6 controls before anything is touched, each with an explanation at hand."""

import pytest

from tests.e2e.first_words import controls, words
from tests.e2e.serving import CHART, FORMULA, GRID, visit

FIRST = {
    "certificates": CHART,
    "compare": CHART,
    "lessons": "[class*='st-key-lesson_']",
    "memorisation": CHART,
    "ranking": CHART,
    "runs": GRID,
    "theory": FORMULA,
    "train": CHART,
    "checkpoint": '[data-testid="stFileUploader"]',
}


@pytest.mark.parametrize("path", FIRST)
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_begins_with_few_words_and_controls(browser, server, path, width):
    page = visit(browser, f"{server}/{path}", width=width, drawn=FIRST[path])
    page.wait_for_timeout(1000)
    seen, moved = words(page), controls(page)
    print(f"{path} at {width}: {len(seen)} words, {len(moved)} controls")
    assert 8 < len(seen) <= 60, " ".join(seen)
    assert (1 if path != "lessons" else 0) <= len(moved) <= 6, moved  # there everything is a link
