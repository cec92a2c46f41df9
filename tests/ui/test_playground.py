"""The Playground without a browser: handles, queue, links; nothing is trained here."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from boundlab.charts.trend import film
from boundlab.jobs import queue
from boundlab.jobs.queue import Limits
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs.job import read_job_folder
from boundlab.specs.played import Played
from boundlab.specs.run import RunSpec
from boundlab.system.devices import Device
from boundlab.ui import server
from boundlab.ui.page import PAGES
from boundlab.ui.pages.playground import picture
from boundlab.ui.shelf import own_runs, shelf
from tests.cases import TRAINED
from tests.ui.test_pages import open_link

PLAYGROUND = next(page for page in PAGES if page.key == "playground")
CPU = Device("cpu", "a processor", 2**34, cores=2)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A scheduler that never starts anything."""
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path))
    idle = Scheduler(tmp_path, Limits(running=2), lambda: [CPU])
    idle.devices = [CPU]
    monkeypatch.setattr(server, "scheduler", lambda: idle)
    return idle


def button(app, label):
    return next(b for b in app.button if b.label == label)


def said(app):
    return " ".join(m.value for m in [*app.markdown, *app.caption, *app.error, *app.warning, *app.info])


def test_it_is_second_in_the_menu():
    assert [page.key for page in PAGES[:2]] == ["start", "playground"]


def test_play_queues_one_network_per_weight_decay_and_nothing_before(machine, tmp_path):
    app = open_link(PLAYGROUND)
    assert not app.exception
    assert list(tmp_path.iterdir()) == []
    assert len(app.get("plotly_chart")) == 1  # the axes are there before anything is
    button(app, "Play").click().run()
    assert {job.id for job in queue.jobs(tmp_path)} == {spec.id for spec in Played().specs}
    assert "In line" in said(app)
    button(app, "Pause").click().run()
    assert {job.state for job in queue.jobs(tmp_path)} == {"paused"}


def test_moving_a_handle_while_playing_starts_the_new_sweep_in_the_place_of_the_old(machine, tmp_path):
    app = open_link(PLAYGROUND)
    button(app, "Play").click().run()
    app.number_input(key="channels").set_value(16).run()
    wide = {spec.id for spec in Played(channels=16).specs}
    states = {job.id in wide: set() for job in queue.jobs(tmp_path)}
    for job in queue.jobs(tmp_path):
        states[job.id in wide].add(job.state)
    assert states == {True: {"queued"}, False: {"stopped"}}


def test_every_state_is_a_link(machine, tmp_path):
    params = {"layers": "2", "channels": "16", "kernel": "3", "kind": "tree", "label_noise": "0.25", "n_train": "300"}
    app = open_link(PLAYGROUND, **params, seed="3", wd="0.008")
    assert not app.exception
    assert not app.warning
    button(app, "Play").click().run()
    wanted = Played("digits", "tree", 2, 16, 3, 1, 0.25, 300, 3)
    assert {job.id for job in queue.jobs(tmp_path)} == {spec.id for spec in wanted.specs}
    assert {name: app.query_params[name] for name in params} == params


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"layers": "99"}, "the link asks for `99`"),
        ({"kind": "x"}, "possible"),
        ({"seed": "1000"}, "Seed"),
        ({"ghost": "nonsense"}, "In the link, `ghost`"),
        (
            {"ghost": Played(channels=12).written},
            "In the link, `ghost`: CONV-3-12 · digits 8×8 was never played here, so nothing is drawn behind.",
        ),
        ({"wd": "7"}, "0.004"),
    ],
)
def test_a_wrong_link_is_named_and_the_page_works(machine, params, words):
    app = open_link(PLAYGROUND, **params)
    assert not app.exception
    assert words in said(app)
    assert button(app, "Play")
    assert "ghost" not in app.query_params


def test_a_network_that_cannot_be_is_named_and_nothing_is_lost(machine):
    app = open_link(PLAYGROUND, layers="8", kernel="3")
    assert not app.exception
    assert "does not fit" in said(app) or "kernel" in said(app)
    app.number_input(key="layers").set_value(2).run()
    assert button(app, "Play")


def test_what_is_played_is_on_no_other_page_until_it_is_kept(machine, finished, tmp_path):
    spec = RunSpec.from_dict(TRAINED)
    folder = tmp_path / spec.id
    job = queue.submit(spec, None, "cpu", tmp_path, Limits(running=2))
    for file in finished.iterdir():
        shutil.copy(file, folder / file.name)
    assert read_job_folder(folder).state == "done"

    def shown(played):
        from boundlab.runs.status import Request, write_request

        write_request(folder, Request(played=played, attempt=job.attempt))
        shelf()._scanned = -float("inf")
        return [run.id for run in own_runs()]

    assert shown(True) == []
    assert shelf().find(spec.id) is not None  # the Playground finds it
    assert shown(False) == [spec.id]


def test_the_last_sweep_stands_behind_every_moment_as_json_has_it():
    """The browser gets what stands still as JSON, in which nothing is NaN."""
    decays = [spec.train.weight_decay for spec in Played().specs]
    ghost = pd.DataFrame(
        {"series": "sparse", "weight_decay": decays, "mean": [2.0, np.nan, *[1.0] * (len(decays) - 2)]}
    )
    where = picture.ground(Played().specs, False, ghost, "another")
    sparse = next(line for line in where.behind if line["name"].startswith("Sparse"))
    written = json.loads(json.dumps(sparse, allow_nan=False))
    assert written["x"] == pytest.approx([decays[0], *decays[2:]])
    assert written["y"] == [1.0, *[0.0] * (len(decays) - 2)]
    now = film(picture.blank(where.decays), picture._AXIS, picture._SHOWN, where.canvas, behind=where.behind)
    assert sparse in now.still
