"""Milliseconds from moving a handle or a slider to the repainted chart, beside an otherwise empty Streamlit page.

    .venv/bin/python -m tests.e2e.measure [--times 40]

Prints one JSON object: per page p50 and p95 of the handle (drag: no server) and of a slider (server), the same for a page
with one slider and one Plotly chart, all in one run. Timings are noisy: compare within a run.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from boundlab.cli.bench_browser import EMPTY_PAGE, launch, settle, until_painted
from tests.e2e.readers import Readers
from tests.e2e.serving import serving, visit


def moves(page, slider, times):
    """Milliseconds per key press on a slider, back and forth, to the painted chart."""
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(1500)
    settle(page)
    spent = []
    for i in range(times):
        key = "ArrowLeft" if i % 2 == 0 else "ArrowRight"
        spent.append(until_painted(page, lambda key=key: page.keyboard.press(key)))
        page.wait_for_timeout(400)
        settle(page)
    return {
        "p50_ms": round(statistics.median(spent)),
        "p95_ms": round(sorted(spent)[int(0.95 * (times - 1))]),
        "times": times,
    }


def drags(page, handle, times):
    """Milliseconds per mouse move with the handle held down, to the painted chart."""
    box = handle.bounding_box()
    y, at = box["y"] + box["height"] / 2, lambda part: box["x"] + 8 + part * (box["width"] - 16)
    page.mouse.move(at(1.0), y)
    page.mouse.down()
    spent = []
    steps = max(1, int(handle.get_attribute("max")))
    for i in range(times):
        k = abs((i + 1) % (2 * steps) - steps)  # to the left end and back
        spent.append(until_painted(page, lambda k=k: page.mouse.move(at(k / steps), y)))
    page.mouse.up()
    return {
        "p50_ms": round(statistics.median(spent)),
        "p95_ms": round(sorted(spent)[int(0.95 * (times - 1))]),
        "times": times,
    }


def measure(times):
    """All pages, and the empty one, with one browser."""
    result = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        Path(folder, "empty.py").write_text(EMPTY_PAGE)
        launched = launch(playwright)
        if launched is None:
            raise SystemExit("no chromium on this machine: install Debian's package `chromium`")
        browser = Readers(launched, 30_000)
        with serving() as url, serving("empty.py", folder) as empty_url:
            page = visit(browser, empty_url)
            result["empty page, slider"] = moves(page, page.get_by_role("slider"), times)
            for name, slider in (
                ("training", "Channels H"),
                ("lambda", "Channels H"),
                ("width", "Weight"),
                ("depth", "Weight"),
            ):
                page = visit(browser, f"{url}/{name}?dataset=digits")
                handle = page.get_by_test_id("stBidiComponentIsolated").get_by_role("slider")
                result[f"{name}, handle dragged"] = drags(page, handle, times)
                result[f"{name}, handle by keys"] = moves(page, handle, times)
                result[f"{name}, slider"] = moves(page, page.get_by_role("slider", name=slider), times)
                browser.leave(page)
        launched.close()
    return result


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--times", type=int, default=40)
    print(json.dumps(measure(arguments.parse_args().times), indent=1))
