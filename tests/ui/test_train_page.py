"""The Train page without a browser: form, price, validation, queue, notes; nothing is trained here."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from boundlab.data import locate
from boundlab.jobs import queue
from boundlab.jobs.queue import Limits
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs import job as jobstate
from boundlab.runs.status import read_request, write_request, write_status
from boundlab.specs.counterparts import locally_connected, mlp, tree
from boundlab.specs.run import RunSpec
from boundlab.specs.work import memory
from boundlab.system.devices import Device
from boundlab.ui import server
from boundlab.ui.page import PAGES
from boundlab.ui.pages.train import engine
from boundlab.ui.pages.train.starts import STARTS
from boundlab.ui.privacy import without_paths
from tests.conftest import ROOT
from tests.ui.test_pages import open_link

TRAIN = next(page for page in PAGES if page.key == "train")
CPU = Device("cpu", "a processor", 2**30, cores=2)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A scheduler that never starts anything."""
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path))
    idle = Scheduler(tmp_path, Limits(running=2, per_person=4), lambda: [CPU])
    idle.devices = [CPU]
    monkeypatch.setattr(server, "scheduler", lambda: idle)
    engine.measured_runs.clear()
    return idle


@pytest.mark.parametrize(
    ("found", "same"), [("10.0.0.7", "10.0.0.7"), ("2001:db8::1", "2001:db8::abcd:2"), ("unknown", "unknown")]
)
def test_a_fresh_name_does_not_help_against_the_limit_of_an_address(machine, monkeypatch, found, same):
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")  # not a stub: modules first imported meanwhile would keep it
    monkeypatch.setattr(machine, "limits", Limits(running=2, per_person=4, per_address=1))
    address = {"now": found}
    monkeypatch.setattr(ContextProxy, "ip_address", property(lambda _: address["now"]))
    said = {}
    for place in (found, same, "10.9.9.9"):
        address["now"] = place
        app = open_link(TRAIN, seeds=str(len(said)))  # a session, and so a name, of its own
        trains(app).click().run()
        said[len(said)] = [e.value for e in app.error]
    assert said[0] == said[2] == []
    assert "1 jobs from your network address wait or run" in said[1][0]
    assert found not in (machine.out / queued(machine)[0].id / "job.json").read_text()


def button(app, label):
    return next(b for b in app.button if b.label == label)


def starts(app):
    return next(g for g in app.get("button_group") if g.proto.label == "Start from")


def trains(app):
    return next(b for b in app.button if b.label.startswith("Train"))


def queued(machine):
    return [job.spec for job in queue.jobs(machine.out)]


def test_the_page_opens_names_the_device_and_the_price(machine):
    app = open_link(TRAIN)
    assert not app.exception
    assert not app.warning
    assert any("About" in m.value and "CPU (a processor, 2 cores)" in m.value for m in app.markdown)


def test_the_form_is_folded_until_it_is_asked_for_and_the_page_says_what_is_trained(machine):
    app = open_link(TRAIN)
    (fold,) = (box for box in app.expander if box.label == "Customise")
    assert not fold.proto.expanded
    assert any(c.value.startswith("CONV-3-16 · digits 8×8 · λ = 0.004 · short, 60 epochs") for c in app.caption)
    assert len(app.get("plotly_chart")) == 1  # how a shipped run like it went
    assert starts(app).value == "Quick digits"
    starts(app).set_value("λ sweep").run()
    assert any("λ = 0.001 / λ = 0.002 / λ = 0.004" in c.value for c in app.caption)
    app.number_input(key="epochs").set_value(7).run()
    assert starts(app).value is None
    asked = open_link(TRAIN, form="true")
    (fold,) = (box for box in asked.expander if box.label == "Customise")
    assert fold.proto.expanded
    assert asked.query_params["form"] == "true"


@pytest.mark.parametrize("start", STARTS, ids=lambda s: s.title)
def test_every_start_is_a_run_that_the_data_sets_have_room_for(machine, start, mnist_root):
    app = open_link(TRAIN)
    starts(app).set_value(start.title).run()
    assert not app.exception
    assert starts(app).value == start.title  # marked while the form stands there
    assert not app.error
    trains(app).click().run()
    specs = queued(machine)
    assert len(specs) == len(start.values()["weight_decay"])
    for spec in specs:
        assert spec.train.dataset == start.dataset
        assert spec.train.epochs == start.values()["epochs"]
        assert spec.train.loss == {"certified": "certificate", "coded": "certificate_d"}.get(start.preset, "mse")


def test_a_link_fills_the_form(machine):
    link = dict(dataset="digits", channels="8", conv_layers="2", kernel_size="3", stride="2", padding="1", epochs="7")
    app = open_link(
        TRAIN, **link, weight_decay="0.002", seeds="3", lr="0.05", batch_size="16", bias="true", label_noise="0.1"
    )
    assert not app.warning
    trains(app).click().run()
    given = {
        "dataset": "digits",
        "weight_decay": 0.002,
        "seed": 3,
        "lr": 0.05,
        "batch_size": 16,
        "epochs": 7,
        "label_noise": 0.1,
    }
    arch = {"channels": 8, "conv_layers": 2, "kernel_size": 3, "stride": 2, "padding": 1, "bias": True}
    assert queued(machine) == [RunSpec.from_dict(given | {"arch": arch})]


def test_a_link_may_give_one_value_per_layer_and_everything_under_more(machine):
    link = dict(channels="4, 4, 8", kernel_size="3,2,2", padding="1", dilation="1, 1, 1", groups="1, 2, 4")
    app = open_link(TRAIN, **link, pool="max2, none, none", head="gap", dense="6, 5")
    assert not app.warning
    trains(app).click().run()
    arch = {"channels": [4, 4, 8], "kernel_size": [3, 2, 2], "padding": 1, "groups": [1, 2, 4], "head": "gap"}
    arch |= {"pool": ["max2", "", ""], "hidden": [6, 5]}
    (spec,) = queued(machine)
    assert spec.arch == RunSpec.from_dict({"dataset": "digits", "arch": arch}).arch


COUNTERPARTS = {
    "Locally connected counterpart": locally_connected,
    "Locally connected of as many parameters": lambda arch: locally_connected(arch, matched=True),
    "Tree of as many parameters": tree,
    "MLP of as many parameters": mlp,
}


@pytest.mark.parametrize("title", COUNTERPARTS)
def test_a_counterpart_at_a_click_stays_what_it_is_and_is_trained(machine, title):
    app = open_link(TRAIN, channels="6", kernel_size="3", padding="1", weight_decay="0.002")
    button(app, title).click().run()
    app.run()  # what was filled in is not lost when the page runs again
    assert not app.exception
    assert not app.error
    trains(app).click().run()
    given = {"dataset": "digits", "weight_decay": 0.002, "arch": {"channels": 6, "kernel_size": 3, "padding": 1}}
    (spec,) = queued(machine)
    assert spec.arch == COUNTERPARTS[title](RunSpec.from_dict(given).arch)
    assert spec.train.weight_decay == 0.002


def test_the_link_of_a_counterpart_restores_it(machine):
    app = open_link(TRAIN)
    button(app, "Locally connected of as many parameters").click().run()
    link = {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}
    again = open_link(TRAIN, **link)
    assert not again.warning
    trains(again).click().run()
    assert queued(machine)[0].arch.title == "LC-3-5,4,4"


def test_a_counterpart_that_there_is_not_cannot_be_clicked(machine):
    assert button(open_link(TRAIN, groups="1, 2, 2"), "Locally connected counterpart").disabled
    linear = open_link(TRAIN, kind="linear")
    assert all(button(linear, title).disabled for title in COUNTERPARTS)
    wrong = open_link(TRAIN, channels="many")
    assert all(button(wrong, title).disabled for title in COUNTERPARTS)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"conv_layers": "8", "kernel_size": "8"}, "does not fit"),
        ({"channels": "8, 16"}, "channels must be one value or 3, one per layer, got 2"),
        ({"channels": "8, "}, "must have a value after every comma"),
        ({"channels": "8, x, 16"}, "Channels H must be whole numbers"),
        ({"stride": "-1"}, "Stride must be whole numbers"),
        ({"channels": "1," * 400}, "Channels H must have at most 600 letters"),
        ({"pool": "min2"}, 'pool must be ""'),
        ({"groups": "3"}, "must divide its 1 input"),
        ({"kind": "lc", "channels": "100000"}, "more than the 2,000,000,000 allowed"),
        ({"dense": "wide"}, "Dense layers must be whole numbers"),
        ({"padding": "3"}, "padding must be a whole number from 0 to 1"),
        ({"weight_decay": "much"}, "weight_decay must be numbers"),
        ({"weight_decay": "11"}, "weight_decay must be a number from 0 to 10"),
        ({"seeds": "-1"}, "Seeds must be whole numbers"),
        ({"kind": "mlp", "hidden": "wide"}, "Hidden layers must be whole numbers"),
        ({"kind": "mlp", "hidden": "²"}, "Hidden layers must be whole numbers"),
        ({"kind": "mlp", "hidden": "30000, 30000"}, "GiB of memory"),
        ({"seeds": [str(seed) for seed in range(1000)]}, "at most 60 runs at once, got 1,000"),
        ({"weight_decay": "![x](y)"}, r"\!\[x\]"),
    ],
)
def test_what_cannot_be_trained_is_explained_and_not_offered(machine, link, words):
    app = open_link(TRAIN, **link)
    assert not app.exception
    said = " ".join(e.value for e in app.error)
    assert words in (said if "\\" in words else said.replace("\\", ""))
    assert trains(app).disabled


def test_a_bad_link_is_answered_with_a_note_and_the_default(machine):
    app = open_link(TRAIN, dataset="imagenet", colour="<b>red</b>", run="../../etc", kind="transformer")
    assert not app.exception
    notes = " ".join(w.value for w in app.warning)
    for word in ("colour", "imagenet", "../../etc", "transformer"):
        assert word in notes


@pytest.mark.parametrize("value", ["1e400", "9" * 400, "nan", "-1", "0", "many"])
def test_a_number_that_a_link_gets_wrong_is_named(machine, value):
    app = open_link(TRAIN, epochs=value)
    assert not app.exception
    assert "Epochs" in app.warning[0].value
    assert app.number_input(key="epochs").value == 60


def test_a_class_has_a_limit_on_how_long_a_run_takes(machine, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    app = open_link(TRAIN, epochs="50000")
    assert "60 minutes is the most here" in app.error[0].value
    assert trains(app).disabled
    monkeypatch.setenv("BOUNDLAB_MINUTES", "100000")
    assert not open_link(TRAIN, epochs="50000").error


def test_a_senseless_limit_is_named(machine, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_MINUTES", "an hour")
    app = open_link(TRAIN)
    assert not app.exception
    assert "BOUNDLAB_MINUTES must be a whole number" in app.error[0].value


def test_nobody_touches_other_peoples_jobs_in_a_class(machine, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    mine, other = open_link(TRAIN), open_link(TRAIN)
    trains(mine).click().run()
    other.run()
    (job,) = queue.jobs(machine.out)
    assert f"stop_{job.id}" in {b.key for b in mine.button}
    assert f"stop_{job.id}" not in {b.key for b in other.button}
    assert any("1 of them somebody else's" in c.value for c in other.caption)


def open_as(name, **params):
    """The page as the reader of that name sees it, who owns what `owner(name)` owns."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.session_state["visitor_without_browser"] = name
    for key, value in params.items():
        app.query_params[key] = value
    return app.switch_page(TRAIN.path).run()


def owner(name):
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def taken_away(app):
    return {button.proto.label for button in app.get("download_button")}


def test_in_a_class_a_run_is_seen_by_its_owner_and_by_others_once_it_is_shared(machine, monkeypatch, finished):
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    folder = machine.out / finished.name
    shutil.copytree(finished, folder)
    (folder / "job.json").write_text(json.dumps({"owner": owner("anna"), "submitted": 1.0, "attempt": 1}))
    anna = open_as("anna", run=folder.name)
    assert {"Checkpoint", "History", "Spec"} <= taken_away(anna)
    ben = open_as("ben", run=folder.name)
    assert not taken_away(ben)
    assert not ben.get("plotly_chart")
    assert "possible: `(none yet)`" in ben.warning[0].value
    no_link = open_as("ben")
    assert folder.name not in page_text(no_link)
    anna.toggle(key=f"share_{folder.name}").set_value(True).run()
    ben = open_as("ben", run=folder.name)
    assert {"Checkpoint", "History", "Spec"} <= taken_away(ben)
    assert not ben.warning
    assert f"share_{folder.name}" not in {toggle.key for toggle in ben.toggle}  # hers to switch
    anna.toggle(key=f"share_{folder.name}").set_value(False).run()
    assert not taken_away(open_as("ben", run=folder.name))
    monkeypatch.delenv("BOUNDLAB_SHARED")
    assert {"Checkpoint", "History", "Spec"} <= taken_away(open_as("ben", run=folder.name))  # at home


def test_in_a_class_a_run_of_nobody_and_one_that_was_asked_for_are_seen(machine, monkeypatch, finished):
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    shutil.copytree(finished, machine.out / finished.name)  # of the command line
    assert {"Checkpoint", "History", "Spec"} <= taken_away(open_as("ben", run=finished.name))
    trains(open_as("anna")).click().run()
    (job,) = [job for job in queue.jobs(machine.out) if job.owner]
    ben = open_as("ben", run=job.id)
    assert "the link asks for" in ben.warning[0].value
    trains(ben).click().run()
    assert any("somebody else's too: the same settings are one run. You can watch it" in i.value for i in ben.info)
    assert any("Waiting for its turn" in i.value for i in ben.info)


def page_text(app):
    """Everything that was sent to the browser."""
    return " ".join(
        str(element.proto) for block in (app.main, app.sidebar) for element in block if hasattr(element, "proto")
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_in_a_class_no_page_says_where_things_lie_on_the_server(machine, monkeypatch, tmp_path, page):
    for name in ("bad-run", "worse-run"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status.json").write_text('{"state": "done"}')
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    (tmp_path / ".downloads").mkdir()
    failed = {"state": "failed", "error": f"MNIST is not at {tmp_path}/data/MNIST/raw and could not be downloaded"}
    (tmp_path / ".downloads" / "mnist.json").write_text(json.dumps(failed))
    machine.trouble = f"bad-run: {tmp_path}/bad-run cannot be written"
    link = {"dataset": "mnist"} if page.key in ("train", "checkpoint") else {}
    home = page_text(open_link(page, **link))
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    app = open_link(page, **link)
    assert not app.exception
    text = page_text(app)
    assert "bad-run" in home
    assert not re.search(r"bad-run|worse-run", text)
    assert "Left out, 2 not readable." in text
    for secret in (str(tmp_path), str(ROOT), str(Path.home())):
        assert secret not in text.replace("/root/.cache", "")
    if link:
        assert str(tmp_path) in home
        assert "MNIST is not on this machine: 4 files are missing." in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{runs} cannot be written (No space left); make room", "… cannot be written (No space left); make room"),
        ("{runs}/x-1 is not a readable run folder", "…/x-1 is not a readable run folder"),
        ("'/srv/a b/secret/net.bin' is a file", "'…/a b/secret/net.bin' is a file"),
        ("see https://example.org/a/b, 1/2 and 3/4 of it", "see https://example.org/a/b, 1/2 and 3/4 of it"),
        ("`/etc/boundlab/keys/x` (/var/lib/y)", "`…/x` (…/y)"),
    ],
)
def test_paths_are_cut_in_a_class_only(monkeypatch, tmp_path, text, shown):
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "my runs"))
    text = text.format(runs=tmp_path / "my runs")
    assert without_paths(text) == text
    monkeypatch.setenv("BOUNDLAB_SHARED", "1")
    assert without_paths(text) == shown


def test_pressing_twice_makes_one_run_and_the_limit_is_said(machine):
    app = open_link(TRAIN)
    trains(app).click().run()
    trains(app).click().run()
    assert len(queued(machine)) == 1
    assert any("Number 1 in line" in m.value for m in app.markdown)
    for seed in "1234":
        app = open_link(TRAIN, seeds=seed)
        trains(app).click().run()
    jobs_of = {job.owner for job in queue.jobs(machine.out)}
    assert len(jobs_of) == 5  # every AppTest is another browser


def test_one_persons_limit_is_said(machine):
    app = open_link(TRAIN)
    app.multiselect(key="seeds").set_value(list("01234")).run()
    trains(app).click().run()
    assert len(queued(machine)) == 4
    assert "4 is the most for one person" in " ".join(e.value for e in app.error)


def test_missing_images_are_said_with_the_size_of_the_download(machine, tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "nowhere"))
    app = open_link(TRAIN, dataset="mnist")
    assert not app.exception
    assert "is not on this machine" in app.info[0].value
    assert any("Download MNIST (12 MB)" in b.label for b in app.button)
    assert trains(app).disabled
    assert locate.missing("mnist")


def test_a_queued_job_can_be_stopped_resumed_and_deleted(machine):
    app = open_link(TRAIN)
    trains(app).click().run()
    (job,) = queue.jobs(machine.out)
    app.button(key=f"stop_{job.id}").click().run()
    assert jobstate.read_job_folder(job.folder).state == "stopped"
    app.button(key=f"resume_{job.id}").click().run()
    assert jobstate.read_job_folder(job.folder).state == "queued"
    app.button(key=f"stop_{job.id}").click().run()
    app.button(key=f"delete_{job.id}").click().run()
    assert not job.folder.exists()
    assert not app.exception


def rows(app):
    """Ids of the jobs in the order of their rows on the page."""
    return [b.key.partition("_")[2] for b in app.button if b.key and b.key.startswith(("stop_", "resume_"))]


def test_after_stop_no_job_changes_its_place_and_the_buttons_name_their_run(machine):
    app = open_link(TRAIN)
    app.multiselect(key="seeds").set_value(list("0123")).run()
    trains(app).click().run()
    before = rows(app)
    assert len(before) == 4
    for turn in (1, 0, 3, 2):
        app.button(key=f"stop_{before[turn]}").click().run()
        assert rows(app) == before
    app.button(key=f"resume_{before[3]}").click().run()
    assert rows(app) == before
    for job in queue.jobs(machine.out):
        seed = f"seed {job.spec.train.seed}"
        assert app.button(key=f"resume_{job.id}" if job.state == "stopped" else f"stop_{job.id}").help.count(seed) == 1
        if job.state == "stopped":
            assert seed in app.button(key=f"delete_{job.id}").label
            assert any(f"{seed} and all it recorded?" in m.value for m in app.markdown)
    app.button(key=f"delete_{before[1]}").click().run()
    assert rows(app) == [before[0], *before[2:]]


def test_a_stopped_job_far_down_keeps_its_row(machine):
    """More jobs than rows are shown at first: none vanishes, and moves those below it, because it was stopped."""
    machine.limits = Limits(running=2, per_person=8)
    app = open_link(TRAIN)
    app.multiselect(key="seeds").set_value(list("01234567")[:7]).run()
    trains(app).click().run()
    before = rows(app)
    assert len(before) == 7
    app.button(key=f"stop_{before[5]}").click().run()
    assert rows(app) == before


def test_memory_is_summed_over_what_runs_and_waits_and_is_free(machine):
    """Two runs that each fit alone: the second is told that it waits; one that never fits is refused."""
    one = {"kind": "mlp", "hidden": "10000, 10000"}
    need = memory(RunSpec.from_dict({"dataset": "digits", "arch": {"kind": "mlp", "hidden": [10_000, 10_000]}}))
    machine.devices = [replace(CPU, memory=round(1.5 * need))]
    machine._free = lambda: round(1.4 * need)
    first = open_link(TRAIN, **one)
    assert not first.error
    assert not any("wait in line until there is room" in c.value for c in first.caption)
    trains(first).click().run()
    second = open_link(TRAIN, **one, seeds="1")
    (said,) = [c.value for c in second.caption if "wait in line until there is room" in c.value]
    assert f"{need / 2**30:.1f} GiB are wanted by runs that wait" in said
    assert not trains(second).disabled
    machine.waits = {job.id: (need, 2**29) for job in queue.jobs(machine.out)}
    second.run()
    first.run()
    assert any("of memory are free; 0.5 are" in m.value for m in first.markdown)
    machine._free = lambda: need // 2
    third = open_link(TRAIN, **one, seeds="2")
    assert "would be free for it once no other run is there" in third.error[0].value
    assert trains(third).disabled


def test_what_was_played_to_its_end_has_no_row_until_it_is_kept(machine, finished, tmp_path):
    folder = tmp_path / finished.name
    shutil.copytree(finished, folder)

    def has_row(played):
        write_request(folder, replace(read_request(folder), owner="anna", played=played))
        app = open_link(TRAIN)
        assert not app.exception
        return any(button.key == f"delete_{finished.name}" for button in app.button)

    assert not has_row(played=True)
    assert has_row(played=False)


@pytest.mark.parametrize(("state", "words"), [("failed", "the loss is not finite"), ("lost", "Interrupted")])
def test_how_a_job_ended_is_said(machine, state, words):
    spec = RunSpec.from_dict({"dataset": "digits"})
    job = queue.submit(spec, "anna", "cpu", machine.out, machine.limits)
    said = job.said("running" if state == "lost" else state, error=words if state == "failed" else None)
    write_status(job.folder, said)
    app = open_link(TRAIN)
    assert words in " ".join(e.value for e in [*app.error, *app.caption])


def test_a_finished_run_can_be_watched_and_leads_to_the_other_pages(machine, finished, tmp_path):
    (tmp_path / finished.name).symlink_to(finished)
    app = open_link(TRAIN, run=finished.name)
    assert not app.exception
    assert any("epoch 24 of 24" in c.value for c in app.caption)
    links = [link.proto.label for link in app.get("page_link")]
    assert {"Anatomy", "Certificates", "Weight decay λ"} <= set(links)
