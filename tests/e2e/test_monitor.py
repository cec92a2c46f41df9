"""A training loop of somebody's own, watched live: page During training grows without a reload, and page Train says what it cannot do."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from boundlab.runs.folder import open_run
from boundlab.runs.job import read_job_folder
from tests.conftest import ROOT
from tests.e2e.serving import serving, settle, visit

LOOP = """
import sys, torch, boundlab
from boundlab.data.splits import load_splits
from torch import nn
torch.manual_seed(0)
train, test = load_splits("digits")
layers = [nn.Conv2d(1, 8, 2, bias=False), nn.ReLU(), nn.Conv2d(8, 8, 2, bias=False), nn.ReLU()]
model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 10, bias=False))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=2e-3)
monitor = boundlab.Monitor(model, (train.images[:1000], train.labels[:1000]), (test.images, test.labels), optimizer=optimizer)
print(monitor.folder, flush=True)
for epoch in sys.stdin:  # one a line
    for rows in torch.randperm(1000).split(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train.images[rows]), train.labels[rows]).backward()
        optimizer.step()
    monitor()
    print(monitor.epoch, flush=True)
"""
LAST = """() => {
  const line = document.querySelector('.js-plotly-plot')?.data?.find(trace => (trace.name ?? '').startsWith('Sparse'));
  return line ? line.x.at(-1) : -1;
}"""


@contextmanager
def looping(tmp_path):
    """A loop: its folder, what trains one more epoch, its process."""
    program = subprocess.Popen(
        [sys.executable, "-c", LOOP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ.copy(),
    )
    folder = tmp_path / "runs" / os.path.basename(program.stdout.readline().strip())

    def train(epochs=1):
        for _ in range(epochs):
            program.stdin.write("\n")
            program.stdin.flush()
            assert program.stdout.readline()

    yield folder, train, program
    program.stdin.close()
    program.wait()
    program.stdout.close()


@pytest.fixture
def loop(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    with looping(tmp_path) as started:
        yield started


def test_a_loop_of_ones_own_is_watched_live(loop, browser):
    folder, train, program = loop
    train(4)
    assert read_job_folder(folder).state == "running"
    dataset = open_run(folder).spec.train.dataset
    with serving() as url:
        page = visit(browser, f"{url}/training?dataset={dataset}")
        page.wait_for_function(f"() => ({LAST})() === 4", timeout=120_000)
        page.evaluate("() => { window.notReloaded = true; }")
        for epoch in (5, 6, 7):
            train()
            page.wait_for_function(f"() => ({LAST})() === {epoch}", timeout=120_000)
        assert page.evaluate("() => window.notReloaded")
        assert page.get_by_test_id("stException").count() == 0
        page = visit(browser, f"{url}/train?run={folder.name}")
        row = page.locator(f'[class*="st-key-job_{folder.name[:12]}"]').first
        row.get_by_text("live from its own program").wait_for(timeout=120_000)
        row.get_by_text("which alone can pause it, stop it or go on").wait_for(timeout=120_000)
        assert row.get_by_role("button").count() == 0  # it is watched already, and nothing else may be done with it
        program.stdin.close()
        program.wait()
        row.get_by_text("done").first.wait_for(timeout=120_000)
        settle(page)
    assert open_run(folder).state == "done"


def test_the_page_offers_the_loop_and_says_what_became_of_it(loop, browser):
    """Somebody who looks at the shipped runs is led to what grows; when its program is killed the page says so, and where its records are."""
    folder, train, program = loop
    train(3)
    with serving() as url:
        page = visit(browser, f"{url}/training", width=1280, height=720)
        assert page.get_by_text("my-data", exact=True).count() == 1  # among the data, by the reader's own name
        assert page.get_by_text("own-my-data").count() == 0
        page.get_by_role("button", name="Live: my-data").click()
        page.get_by_text("live, epoch 3").wait_for(timeout=120_000)
        page.wait_for_function(f"() => ({LAST})() === 3", timeout=120_000)
        train()
        page.get_by_text("live, epoch 4").wait_for(timeout=120_000)
        program.kill()
        program.wait()
        said = page.get_by_test_id("stAlert").filter(has_text="is no longer trained")
        said.wait_for(timeout=120_000)
        assert "its program ended without a word, as a killed one does. It has no result" in said.inner_text()
        assert page.get_by_text("live, epoch").count() == 0
        assert page.get_by_test_id("stException").count() == 0
        page.get_by_text("What it recorded").click()
        row = page.locator(f'[class*="st-key-job_{folder.name[:12]}"]').first
        row.get_by_text("its program ended without a word").wait_for(timeout=120_000)
        row.get_by_text("epoch 4").wait_for(timeout=120_000)
        settle(page)


def test_tabs_that_were_open_before_it_began_follow_it(tmp_path, monkeypatch, browser):
    """The way a reader comes who reads the page first and starts the loop then: nothing is touched, nothing reloaded."""
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    with serving() as url:
        figure, train_page = visit(browser, f"{url}/training"), visit(browser, f"{url}/train")
        for page in (figure, train_page):
            page.evaluate("() => { window.notReloaded = true; }")
        with looping(tmp_path) as (folder, train, _):
            train(2)
            figure.get_by_role("button", name="Live: my-data").wait_for(timeout=120_000)
            row = train_page.locator(f'[class*="st-key-job_{folder.name[:12]}"]').first
            row.get_by_text("live from its own program").wait_for(timeout=120_000)
            row.get_by_text("epoch 2").wait_for(timeout=120_000)
            train()
            row.get_by_text("epoch 3").wait_for(timeout=120_000)
        figure.get_by_role("button", name="Live: my-data").wait_for(state="detached", timeout=120_000)
        for page in (figure, train_page):
            assert page.evaluate("() => window.notReloaded")
            assert page.get_by_test_id("stException").count() == 0


def test_what_is_trained_here_is_offered_where_it_can_be_watched(tmp_path, monkeypatch, browser):
    """A run of the command line, not of a monitor: it joins the figure when it is finished, and page Train shows it until then."""
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    (spec := tmp_path / "spec.json").write_text(
        '{"dataset": "digits", "epochs": 5000, "arch": {"channels": 4, "conv_layers": 2}}'
    )
    command = [sys.executable, "-m", "boundlab", "train", str(spec), "--out", str(tmp_path / "runs"), "--device", "cpu"]
    program = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=os.environ.copy()
    )
    try:
        with serving() as url:
            page = visit(browser, f"{url}/training")
            offered = page.get_by_role("link", name="Live: digits")
            offered.wait_for(timeout=120_000)  # it may not have begun when the page was drawn
            offered.click()
            page.wait_for_url("**/train?run=digits-conv-2-4-*", timeout=120_000)
            page.locator('[class*="st-key-job_digits-conv-2-4"]').first.get_by_text("running").wait_for(timeout=120_000)
    finally:
        program.kill()
        program.wait()


def test_a_loop_that_finishes_stays_in_the_figure(loop, browser):
    _, train, program = loop
    train(2)
    with serving() as url:
        page = visit(browser, f"{url}/training")
        page.get_by_role("button", name="Live: my-data").click()
        page.get_by_text("live, epoch 2").wait_for(timeout=120_000)
        program.stdin.close()
        program.wait()
        page.get_by_text("live, epoch 2").wait_for(state="detached", timeout=120_000)
        page.wait_for_function(f"() => ({LAST})() === 2", timeout=120_000)
        assert page.get_by_text("is no longer trained").count() == 0
