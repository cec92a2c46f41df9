"""In a class the pages know the shipped runs, the reader's own, and those that their owners share; at home all."""

import hashlib
import json
import re
from urllib.parse import quote_plus

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import boundlab.ui.page
from boundlab.jobs import queue
from boundlab.runs import job as jobstate
from boundlab.ui import run_tables, shelf, visitor
from boundlab.ui.page import PAGES
from boundlab.ui.pages.figures import drawing
from boundlab.ui.shelf import run_name
from tests.conftest import ROOT
from tests.ui.test_own_runs import NUMBERED, put, stand_in
from tests.ui.test_study_pages import STUDY

COMPARE = next(page for page in PAGES if page.key == "compare")
LAMBDA = next(page for page in PAGES if page.key == "lambda")


@pytest.fixture(scope="session")
def source(pack):
    return next(run for run in pack if run.id.startswith("digits-conv-3-16-wd0.002-s0"))


@pytest.fixture
def out(tmp_path, monkeypatch):
    """The folder of a class's runs, looked at before every use."""
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path))
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    monkeypatch.setattr(shelf, "SCAN_EVERY", 0.0)
    for cache in (st.cache_data, drawing._drawing, drawing._picture):
        cache.clear()
    yield tmp_path
    st.cache_data.clear()


def of(run, out, name):
    """The run, now owned by the reader of that name."""
    owner = hashlib.sha256(name.encode()).hexdigest()[:16]
    job = {"owner": owner, "submitted": 1.0, "attempt": 1, "shared": False}
    (out / run.id / "job.json").write_text(json.dumps(job))
    return run


def share(run, out, shared=True):
    queue.share(jobstate.read_job_folder(out / run.id), shared)


def open_as(name, page, **params):
    """The page as the reader of that name sees it, its notes opened."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.session_state["notes"] = True
    app.session_state["visitor_without_browser"] = name
    for key, value in params.items():
        app.query_params[key] = value
    app = (app if page.key == "start" else app.switch_page(page.path)).run()
    assert not app.exception
    return app


def sent(app):
    """Everything beside the menu that was sent to the browser, without names that are drawn anew."""
    text = " ".join(str(element.proto) for element in app.main if hasattr(element, "proto"))
    return re.sub(r'\$\$ID-[0-9a-f]+|[0-9a-f]{56,}|(uu|file_)id: "[^"]*"', "", text)


@pytest.mark.parametrize("page", [*NUMBERED, COMPARE], ids=lambda page: page.key)
def test_a_run_is_on_its_owners_pages_until_it_is_shared(page, out, source, finished, monkeypatch):
    asked = {"dataset": "digits", "wd": "0.002", "seed": "7"}
    link = {name: value for name, value in asked.items() if name in page.params}
    before = sent(open_as("ben", page, **link))
    run = of(stand_in(out, source, finished, seed=7), out, "anna")
    end = run.id[-6:]
    mine = sent(open_as("anna", page, **link))
    assert mine != before
    assert "trained here" in mine
    assert sent(open_as("ben", page, **link)) == before
    share(run, out)
    assert sent(open_as("ben", page, **link)) == mine
    share(run, out, False)
    assert sent(open_as("ben", page, **link)) == before
    assert end not in before
    monkeypatch.delenv("BOUNDLAB_SHARED")
    assert sent(open_as("ben", page, **link)) == mine


@pytest.mark.parametrize("page", STUDY, ids=lambda page: page.key)
@pytest.mark.parametrize("others", [False, True], ids=["alone", "with a run of one's own"])
def test_a_link_to_somebody_elses_run_says_what_a_link_to_none_says(page, others, out, source, finished):
    theirs, gone = (stand_in(out, source, finished, seed=seed) for seed in (7, 8))
    of(theirs, out, "anna")
    queue.delete(jobstate.read_job_folder(out / gone.id))
    if others:
        of(put(out, finished), out, "ben")
    answers = []
    for run in (theirs, gone):
        app = open_as("ben", page, networks="trained here", run=run_name(run))
        (words,) = [w.value for w in app.warning]
        answers.append((words.replace(run_name(run), "..."), sent(app).replace(run_name(run), "...")))
    assert answers[0] == answers[1]
    assert theirs.id[-6:] not in answers[0][1]
    app = open_as("anna", page, networks="trained here", run=run_name(theirs))
    assert not app.warning
    assert "trained here" in app.caption[0].value


def test_a_link_to_somebody_elses_recipe_or_network_says_the_same_too(out, source, finished):
    theirs = of(stand_in(out, source, finished, label_noise=0.5), out, "anna")
    label = " · ".join(run_name(theirs).split(" · ")[:-2])
    for page, link in ((LAMBDA, {"dataset": "digits", "recipe": "short, label noise 0.5"}), (COMPARE, {"n1": label})):
        assert not open_as("anna", page, **link).warning
        (name, value), *_ = list(link.items())[::-1]
        before = sent(open_as("ben", page, **link))
        other = value.replace("0.5", "0.9")
        after = sent(open_as("ben", page, **link | {name: other})).replace(other, value)
        assert after.replace(quote_plus(other), quote_plus(value)) == before
        assert "the link asks for" in before


def test_readers_without_runs_of_their_own_share_one_table_and_nobody_gets_anothers(out, source, finished, monkeypatch):
    made, real = [], run_tables.final_table

    def spy(runs, settings):
        made.append(len(runs))
        return real(runs, settings)

    monkeypatch.setattr(run_tables, "final_table", spy)
    of(stand_in(out, source, finished, weight_decay=0.0025), out, "anna")
    for reader in range(30):
        assert "trained here" not in sent(open_as(f"reader {reader}", LAMBDA, dataset="digits"))
    assert "with 1 run trained here" in sent(open_as("anna", LAMBDA, dataset="digits"))
    of(stand_in(out, source, finished, weight_decay=0.0035), out, "ben")
    assert "with 1 run trained here" in sent(open_as("ben", LAMBDA, dataset="digits"))
    for reader in ("anna", "reader 7"):
        open_as(reader, LAMBDA, dataset="digits")
    assert made == [made[0], made[0] + 1, made[0] + 1]


def test_a_run_that_ends_while_a_table_is_made_is_in_nobodys_else(out, source, finished, monkeypatch):
    real = run_tables.final_table

    def slow(runs, settings):
        monkeypatch.setattr(run_tables, "final_table", real)
        of(stand_in(out, source, finished, weight_decay=0.0025), out, "anna")
        return real(runs, settings)

    monkeypatch.setattr(run_tables, "final_table", slow)
    open_as("anna", LAMBDA, dataset="digits")
    assert "trained here" not in sent(open_as("ben", LAMBDA, dataset="digits"))
    assert "with 1 run trained here" in sent(open_as("anna", LAMBDA, dataset="digits"))


def test_a_run_whose_owner_cannot_be_read_is_nobodys_in_a_class(out, source, finished, monkeypatch):
    run = stand_in(out, source, finished, weight_decay=0.0025)
    (out / run.id / "job.json").write_text('{"owner": 5}')
    assert "trained here" not in sent(open_as("ben", LAMBDA, dataset="digits"))
    monkeypatch.delenv("BOUNDLAB_SHARED")
    assert "with 1 run trained here" in sent(open_as("ben", LAMBDA, dataset="digits"))


def test_the_link_is_read_again_once_the_browser_has_said_who_it_is(out, source, finished, monkeypatch):
    run = of(stand_in(out, source, finished, seed=7), out, "anna")
    app = open_as("nobody yet", STUDY[0], networks="trained here", run=run_name(run), delta="0.05")
    assert "the link asks for" in app.warning[0].value
    app.session_state["visitor_without_browser"] = "anna"
    with monkeypatch.context() as told:
        told.setattr(boundlab.ui.page, "meet", visitor._known)  # what the component's answer calls
        app.run()
    app.run()
    assert not app.exception
    assert not app.warning
    assert "trained here" in app.caption[0].value
    assert app.selectbox(key="delta").value == "0.05"
