"""`boundlab bench runs`: page All runs with ten thousand runs, beside an otherwise empty Streamlit page."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from boundlab.cli.bench_browser import CHART, EMPTY_PAGE, launch, settle, started, until_painted
from boundlab.cli.bench_timing import Timings, distribution, machine, three_digits
from boundlab.errors import BoundlabError
from boundlab.runs.pack import read_pack
from boundlab.runs.part import write_part
from boundlab.runs.places import PACK
from boundlab.runs.run import Run

MANY = 10_000
_GRID = '[data-testid="stDataFrame"] canvas'
_FILTERED = "runs?where=weight_decay%3D..0.008"
_SAID = (
    "() => [...document.querySelectorAll('.stMain p')].find(p => p.innerText.startsWith('Test errors of')).innerText"
)


def write_many(runs: Sequence[Run], count: int, folder: Path) -> None:
    """So many runs as a pack: these, again and again with other seeds, each with its first and last record, if it has several."""
    seeds = max(run.spec.train.seed for run in runs) + 1
    turns = itertools.product(range(-(-count // len(runs))), runs)
    write_part([_with_seed(run, turn * seeds) for turn, run in itertools.islice(turns, count)], folder)


def _with_seed(run: Run, more: int) -> Run:
    """The same numbers under a seed that is so much larger."""
    train = dataclasses.replace(run.spec.train, seed=run.spec.train.seed + more)
    return Run(
        dataclasses.replace(run.spec, train=train), run.records.iloc[sorted({0, run.ends[-1]})], run.sample, run.state
    )


def measure(rounds: int) -> Timings:
    """Milliseconds to the table and from a filter to its sentence, `times empty`, and megabytes of the server. Raises BoundlabError
    without a browser."""
    root = PACK.parents[1]
    if not (root / "app.py").is_file():
        raise BoundlabError(f"there is no app.py in {root}; run this from a checkout of the project")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BoundlabError("this needs playwright: python -m pip install playwright") from error
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            raise BoundlabError("this needs chromium on the PATH: install Debian's package `chromium`")
        found = {"measured": machine() | {"browser": f"chromium {browser.version}", "runs": MANY}}
        found |= _beside_empty(browser, _copy(root, Path(folder, "many")), Path(folder), rounds)
        browser.close()
    return found


def _copy(root: Path, copy: Path) -> Path:
    """The dashboard with many runs in the place of those that ship."""
    for name in ("pages", "src", ".streamlit"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "app.py", copy)
    write_many(read_pack(), MANY, copy / "data" / "runs")
    return copy


def _beside_empty(browser: Any, many: Path, folder: Path, rounds: int) -> Timings:
    (folder / "empty.py").write_text(EMPTY_PAGE)
    env = {**os.environ, "PYTHONPATH": str(many / "src"), "BOUNDLAB_RUNS": str(folder / "none")}
    with started("empty.py", folder) as (empty, _), started("app.py", many, env) as (app, server):
        begun = time.perf_counter()
        _open(browser, f"{app}/runs", _GRID).context.close()
        first = time.perf_counter() - begun
        opened = _opened(browser, {"empty page": (empty, CHART), "all runs": (f"{app}/runs", _GRID)}, rounds)
        page = _open(browser, empty, CHART)
        slider = page.get_by_role("slider")
        moved = {"empty page, slider": _presses(page, slider, lambda act: until_painted(page, act), rounds)}
        page.context.close()
        moved["all runs, filter"] = _filtered(browser, f"{app}/{_FILTERED}", rounds)
        status = Path(f"/proc/{server.pid}/status")
        memory = int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024 if status.exists() else float("nan")
    found = {"opened, server warm": _beside(opened), "moved": _beside(moved)}
    return {"first page of the server, s": three_digits(first)} | found | {"server, MB": three_digits(memory)}


def _opened(browser: Any, pages: Mapping[str, tuple[str, str]], rounds: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, (url, drawn) in pages.items():
            begun = time.perf_counter()
            page = _open(browser, url, drawn)
            spent[name].append(1000 * (time.perf_counter() - begun))
            page.context.close()
    return spent


def _open(browser: Any, url: str, drawn: str) -> Any:
    """The page, in a context of its own that knows no file of it."""
    page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    page.goto(url)
    page.locator(drawn).first.wait_for(timeout=120_000)
    return page


def _filtered(browser: Any, url: str, rounds: int) -> list[float]:
    """From a key on the slider of a filter to the sentence above the table that it leaves."""
    page = _open(browser, url, _GRID)
    settle(page)
    page.get_by_role("button", name="More").click()

    def said(act: Callable[[], None]) -> float:
        before, begun = page.evaluate(_SAID), time.perf_counter()
        act()
        page.wait_for_function(f"before => ({_SAID})() !== before", arg=before, timeout=10_000, polling=4)
        return 1000 * (time.perf_counter() - begun)

    spent = _presses(page, page.get_by_role("slider", name="λ").last, said, rounds)
    page.context.close()
    return spent


def _presses(page: Any, slider: Any, timed: Callable[[Callable[[], None]], float], rounds: int) -> list[float]:
    """Milliseconds per key, to the left and back; the first two warm up."""
    settle(page)
    slider.focus()
    spent = []
    for number in range(2 * rounds + 2):
        key = "ArrowRight" if number % 2 else "ArrowLeft"
        spent.append(timed(lambda key=key: page.keyboard.press(key)))  # type: ignore[misc]
        page.wait_for_timeout(400)
        settle(page)
    return spent[2:]


def _beside(spent: Mapping[str, Sequence[float]]) -> Timings:
    """`distribution` of each, and how many times as long as the first one."""
    found = {name: distribution(times) for name, times in spent.items()}
    empty = next(iter(found.values()))["ms"]
    return {name: timing | {"times empty": three_digits(timing["ms"] / empty)} for name, timing in found.items()}
