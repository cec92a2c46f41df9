"""`boundlab bench app`: cold start, first chart and slider of the dashboard, beside an otherwise empty Streamlit page."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from boundlab.cli.bench_browser import CHART, EMPTY_PAGE, launch, settle, started, until_painted
from boundlab.cli.bench_timing import Timings, distribution, machine, three_digits
from boundlab.errors import BoundlabError
from boundlab.runs.places import PACK

_EMPTY = "empty page"
_QUERY = "?dataset=digits"
# page: its slider
_SLIDERS = {"training": "Channels H", "lambda": "Channels H", "width": "Weight", "depth": "Weight"}
_NEW = 3  # values of a slider that were not shown before


def measure(rounds: int) -> Timings:
    """Milliseconds per page, and `times empty`: the ratio to the empty page. Raises BoundlabError without a browser."""
    root = PACK.parents[1]
    if not (root / "app.py").is_file():
        raise BoundlabError(f"there is no app.py in {root}; run this from a checkout of the project")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BoundlabError("this needs playwright: python -m pip install playwright") from error
    if shutil.which("chromium") is None:
        raise BoundlabError("this needs chromium on the PATH: install Debian's package `chromium`")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser: Any = launch(playwright)
        Path(folder, "empty.py").write_text(EMPTY_PAGE)
        servers = {_EMPTY: ("empty.py", folder), "app": ("app.py", str(root))}
        found = {"measured": machine() | {"browser": f"chromium {browser.version}"}} | _cold(browser, servers, rounds)
        with started(*servers[_EMPTY]) as (empty, _), started(*servers["app"]) as (app, _):
            pages = {_EMPTY: empty, "start": app} | {name: f"{app}/{name}{_QUERY}" for name in _SLIDERS}
            found["first chart, server warm"] = _first_charts(browser, pages, rounds)
            found |= _sliders(browser, {name: url for name, url in pages.items() if name != "start"}, rounds)
        browser.close()
    return found


def _cold(browser: Any, servers: Mapping[str, tuple[str, str]], rounds: int) -> Timings:
    """From the start of the process: until the server answers, and until the first chart of its first page is drawn."""
    answers: dict[str, list[float]] = defaultdict(list)
    charts: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, server in servers.items():
            begun = time.perf_counter()
            with started(*server) as (url, _):
                answers[name].append(1000 * (time.perf_counter() - begun))
                _first_chart(browser, url).context.close()
                charts[name].append(1000 * (time.perf_counter() - begun))
    return {"cold start, server answers": _beside(answers), "cold start, first chart": _beside(charts)}


def _first_chart(browser: Any, url: str) -> Any:
    """The page, in a context of its own that knows no file of it, with its first chart drawn."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.goto(url)
    page.locator(CHART).first.wait_for(timeout=60_000)
    return page


def _first_charts(browser: Any, pages: Mapping[str, str], rounds: int) -> Timings:
    spent: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, url in pages.items():
            begun = time.perf_counter()
            page = _first_chart(browser, url)
            if number:
                spent[name].append(1000 * (time.perf_counter() - begun))
            page.context.close()
    return _beside(spent)


def _sliders(browser: Any, pages: Mapping[str, str], rounds: int) -> Timings:
    """From a key on a slider to the painted chart: at values that the server has not drawn yet, and at two that it has."""
    new: dict[str, list[float]] = defaultdict(list)
    seen: dict[str, list[float]] = defaultdict(list)
    there = {name: _at_the_end(browser, name, url) for name, url in pages.items()}
    for number in range(_NEW + 1 + 2 * rounds):
        key = "ArrowLeft" if number < _NEW or (number - _NEW) % 2 else "ArrowRight"
        for name, (page, slider) in there.items():
            slider.focus()
            with suppress(_not_painted()):
                spent = until_painted(page, lambda key=key, page=page: page.keyboard.press(key))  # type: ignore[misc]
                if number != _NEW:
                    (new if number < _NEW else seen)[name].append(spent)
            page.wait_for_timeout(400)
            settle(page)
    return {"slider, a new value": _beside(new), "slider, a value seen before": _beside(seen)}


def _not_painted() -> type[Exception]:
    from playwright.sync_api import TimeoutError

    return TimeoutError


def _at_the_end(browser: Any, name: str, url: str) -> tuple[Any, Any]:
    page = _first_chart(browser, url)
    settle(page)
    slider = page.get_by_role("slider", name=_SLIDERS[name]) if name in _SLIDERS else page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(1500)
    settle(page)
    return page, slider


def _beside(spent: Mapping[str, list[float]]) -> Timings:
    """`distribution` of each, and how many times as long as the empty page."""
    found = {name: distribution(times) for name, times in spent.items() if len(times) > 1}
    for timing in found.values():
        timing["times empty"] = three_digits(timing["ms"] / found[_EMPTY]["ms"])
    return found
