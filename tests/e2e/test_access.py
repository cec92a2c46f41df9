"""WCAG 2.2, levels A and AA, by axe-core, on every page in both themes; all by keyboard; twice as large; without motion."""

from pathlib import Path

import axe_playwright_python
import pytest

from boundlab.specs.pages import PAGES
from tests.e2e.serving import CHART, settle, visit

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RUN = """() => axe.run(document, {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}})
  .then(found => found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(' ')}: ${node.html.slice(0, 200)}`)))"""
STATES = {page.key: "" if page.key == "start" else page.key for page in PAGES} | {
    "revealed": "?reveal=true",
    "question": "lambda?lesson=1-the-claim",
    "answer": "lambda?lesson=1-the-claim&guess=1",
    "present": "width?present=1",
    "heat map": "lambda?panels=heat+map",
    "words": "theory?section=words",
}
# What has the focus, where, and whether anything of its looks, or of what is around it, says so
FOCUS = """async () => {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  if (!active || active === document.body) return null;
  const around = [active, active.nextElementSibling, active.firstElementChild, active.previousElementSibling].filter(Boolean);
  for (let up = active.parentElement, far = 0; up && far < 6; up = up.parentElement, far++) around.push(up);
  const looks = () => JSON.stringify(around.map(element => {
    const look = getComputedStyle(element);
    return [look.outlineStyle, look.outlineWidth, look.outlineColor, look.boxShadow, look.borderColor, look.backgroundColor, look.textDecorationLine];
  }));
  const frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  await frames();
  const focused = looks();
  active.blur();
  await frames();
  const seen = focused !== looks();
  active.focus({preventScroll: true});
  await frames();
  const box = active.getBoundingClientRect();
  return [active.innerText || active.getAttribute('aria-label') || active.tagName, Math.round(box.x), Math.round(box.y), seen];
}"""


def arrived(browser, server, path, dark=False, width=1280):
    page = visit(
        browser,
        f"{server}/{path}",
        width=width,
        dark=dark,
        drawn='[data-testid="stMain"] :is(h3, h4, [class*="st-key-"])',
    )
    page.wait_for_timeout(500)
    settle(page)
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(browser, server, state, dark):
    page = arrived(browser, server, STATES[state], dark)
    if state not in ("lessons", "question", "words", "runs", "theory", "train", "checkpoint"):
        page.locator(CHART).first.wait_for(timeout=60_000)
    page.evaluate(AXE)
    assert page.evaluate("() => document.querySelectorAll('[data-testid=stMain] *').length") > 20
    assert page.evaluate(RUN) == []


def test_axe_would_find_something(browser, server):
    page = arrived(browser, server, "lessons")
    page.evaluate(
        "() => document.querySelector('[data-testid=stMain]').insertAdjacentHTML('beforeend', '<img src=data:,><p style=color:#ccc>pale</p>')"
    )
    page.evaluate(AXE)
    found = " ".join(page.evaluate(RUN))
    assert "image-alt" in found
    assert "color-contrast" in found


@pytest.mark.parametrize(
    "path", ["", "?reveal=true", "lambda", "compare", "certificates", "ranking", "train", "lessons", "memorisation"]
)
def test_the_tab_key_goes_everywhere_and_its_place_is_seen(browser, server, path):
    page = arrived(browser, server, path)
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; }")  # looks are there at once
    places, unseen = [], []
    page.keyboard.press("Tab")
    for _ in range(150):
        at = page.evaluate(FOCUS)
        if at is None or tuple(at[:3]) in places:
            break
        places.append(tuple(at[:3]))
        if not at[3]:
            unseen.append(at)
        page.keyboard.press("Tab")
    else:
        raise AssertionError("the focus does not come back")
    names = " ".join(str(place[0]) for place in places)
    assert all(entry.title in names for entry in PAGES)  # the whole menu
    assert not unseen, unseen
    controls = page.locator("[data-testid='stMain'] :is(button, input, select)").evaluate_all(
        "all => all.filter(e => e.checkVisibility() && e.getBoundingClientRect().width > 1 && !e.disabled && e.tabIndex >= 0).length"
    )
    assert len(places) >= len(PAGES) + min(controls, 3)


@pytest.mark.parametrize(
    "path", ["", "?reveal=true", "lambda", "compare", "certificates", "ranking", "theory", "lessons"]
)
def test_at_twice_the_size_nothing_runs_over_the_side(browser, server, path):
    """A window of 1280 × 720 at 200 %: 640 × 360 of its own pixels."""
    page = browser.new_context(viewport={"width": 640, "height": 360}, device_scale_factor=2).new_page()
    page.goto(f"{server}/{path}")
    page.locator('[data-testid="stMain"] h3').first.wait_for(timeout=60_000)
    settle(page)
    page.wait_for_timeout(1000)
    over = page.evaluate(
        "() => { const main = document.querySelector('[data-testid=stMain]'); return [main.scrollWidth - main.clientWidth, document.documentElement.scrollWidth - innerWidth]; }"
    )
    assert max(over) <= 1, over


def test_who_wants_no_motion_gets_steps(browser, server):
    page = browser.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce").new_page()
    page.goto(f"{server}/?reveal=true")
    page.locator(CHART).first.wait_for(timeout=60_000)
    settle(page)
    before = page.url
    page.wait_for_timeout(2500)
    assert page.url == before  # nothing plays by itself
    running = "() => document.getAnimations().filter(a => a.playState === 'running' && a.effect?.getTiming().iterations === Infinity).length"
    assert page.evaluate(running) == 0
