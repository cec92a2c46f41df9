"""300 run folders with wrong contents, seeded: no page and no command falls over, and words name what was left out.

`python -m tests.runs.test_broken_runs FOLDER` writes them, to look at.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from boundlab.cli.main import main
from boundlab.jobs.scheduler import Scheduler
from boundlab.runs.certificates import CERTIFICATES, store_certificate
from boundlab.runs.folder import open_run
from boundlab.specs.run import RunSpec
from boundlab.ui import server
from boundlab.ui import shelf as library
from boundlab.ui.page import PAGES
from tests.bounds.test_pac_bayes import certificate_of
from tests.cases import TRAINED
from tests.ui.test_pages import open_link
from tests.ui.test_train_page import CPU, Limits

HOW_MANY = 300
VALUES = ("text", "<b>", "inf", float("inf"), -1.0, float("nan"), None, True, 1e300, -(10**12), [], [1.0], {"a": 1}, "")
FILES = (
    "spec.json",
    "sample.json",
    "status.json",
    "env.json",
    CERTIFICATES,
    "job.json",
    "network.safetensors",
    "epochs.parquet",
)
BYTES = (b"", b"[1", b"null", b"3", b'"text"', b"[]", b"{}", b"\xff\xfe\x00", b"[" * 100_000, b"PAR1", b'{"a": NaN}')


def copied(source, out, seed):
    """The finished run again, as that of another seed."""
    spec = RunSpec.from_dict(TRAINED | {"seed": seed})
    folder = out / spec.id
    shutil.copytree(source, folder)
    (folder / "spec.json").write_text(json.dumps(spec.to_dict()))
    (folder / "job.json").write_text(json.dumps({"owner": None, "submitted": 1.0, "attempt": 0, "request": "run"}))
    return folder


def wrong_cell(folder, rng):
    """One value of one column, or all of them, in the records of a sealed run or of one whose state says that it trains."""
    frame = pd.read_parquet(folder / "epochs.parquet")
    name = str(rng.choice(frame.columns))
    value = VALUES[rng.integers(len(VALUES))]
    column = [value] * len(frame) if rng.random() < 0.5 else frame[name].astype(object).tolist()
    row = int(rng.integers(len(frame)))
    column[row] = value
    if rng.random() < 0.3:  # as a run that still trains has them
        lines = json.loads(frame.to_json(orient="records", double_precision=15))
        for line, cell in zip(lines, column, strict=True):
            line[name] = cell.tolist() if isinstance(cell, np.ndarray) else cell
        (folder / "epochs.parquet").unlink()
        (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "status.json").write_text('{"state": "paused"}')
        return f"records.jsonl: {name} = {value!r}"
    try:
        frame.assign(**{name: pd.Series(column, dtype=None)}).to_parquet(folder / "epochs.parquet")
    except (ValueError, TypeError, OverflowError):  # parquet has no such mixture: all of the column, as text
        frame.assign(**{name: [str(value)] * len(frame)}).to_parquet(folder / "epochs.parquet")
    return f"epochs.parquet: {name} = {value!r}"


def wrong_shape(folder, rng):
    """Records turned round, doubled, cut, without a column, with short or long lists, errors above 1, negative steps."""
    frame = pd.read_parquet(folder / "epochs.parquet")
    lists = [name for name in frame if isinstance(frame[name].iloc[-1], np.ndarray)]
    numbers = [name for name in frame if frame[name].dtype.kind in "fi"]
    name, number = str(rng.choice(lists)), str(rng.choice(numbers))
    ways = {
        "reversed": lambda: frame[::-1],
        "doubled": lambda: pd.concat([frame, frame]),
        "no rows": lambda: frame[:0],
        "without the end": lambda: frame[:-1],
        f"no {name}": lambda: frame.drop(columns=name),
        f"no {number}": lambda: frame.drop(columns=number),
        f"short {name}": lambda: frame.assign(**{name: [v if v is None else v[:-1] for v in frame[name]]}),
        f"long {name}": lambda: frame.assign(**{name: [v if v is None else [*v, 0.5] for v in frame[name]]}),
        f"shifted {name}": lambda: frame.assign(**{name: [v if v is None else v - 1e200 for v in frame[name]]}),
        f"negative {number}": lambda: frame.assign(**{number: -1 - frame[number].abs()}),
        f"{number} without numbers": lambda: frame.assign(**{number: np.nan}),
        "errors above 1": lambda: frame.assign(test_error=frame["test_error"] + 1.5),
        "epochs back": lambda: frame.assign(epoch=frame["epoch"].to_numpy()[::-1]),
    }
    way = str(rng.choice(list(ways)))
    ways[way]().to_parquet(folder / "epochs.parquet", index=False)
    return f"epochs.parquet: {way}"


def wrong_entry(folder, rng):
    """One entry of one of the JSON files, at any depth."""
    file = folder / str(rng.choice([name for name in FILES if name.endswith(".json")]))
    content = json.loads(file.read_text())
    at, path = content, []
    while True:
        key = rng.integers(len(at)) if isinstance(at, list) else str(rng.choice(list(at)))
        path.append(key)
        if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.3:
            break
        at = at[key]
    value = VALUES[rng.integers(len(VALUES))]
    if rng.random() < 0.2:
        del at[key]
    else:
        at[key] = value
    file.write_text(json.dumps(content))
    return f"{file.name}: {path} = {value!r}"


def wrong_file(folder, rng):
    """A whole file: cut, emptied, other bytes, gone, a folder in its place."""
    file = folder / str(rng.choice(FILES))
    content = file.read_bytes()
    kind = int(rng.integers(len(BYTES) + 4))
    file.unlink()
    if kind < len(BYTES):
        file.write_bytes(BYTES[kind])
    elif kind == len(BYTES):
        file.mkdir()
    elif kind <= len(BYTES) + 2:
        file.write_bytes(content[: int(rng.integers(len(content)))])
    return f"{file.name}: way {kind}"


def write_broken(source, out, how_many=HOW_MANY, seed=0):
    """Folder's name -> what is wrong in it."""
    rng = np.random.default_rng(seed)
    ways = (wrong_cell, wrong_cell, wrong_shape, wrong_entry, wrong_file)
    wrong = {}
    for i in range(how_many):
        folder = copied(source, out, i + 1)
        wrong[folder.name] = ways[i % len(ways)](folder, rng)
    return wrong


@pytest.fixture(scope="module")
def source(finished, tmp_path_factory):
    """A small run with a certificate."""
    folder = tmp_path_factory.mktemp("source") / finished.name
    shutil.copytree(finished, folder)
    store_certificate(folder, folder.name, certificate_of(open_run(folder)))
    return folder


@pytest.fixture(scope="module")
def broken(source, tmp_path_factory):
    """(folder of runs, what is wrong in each): the good run is among them."""
    out = tmp_path_factory.mktemp("broken")
    wrong = write_broken(source, out)
    shutil.copytree(source, out / source.name)
    return out, wrong


@pytest.fixture
def shown(broken, monkeypatch):
    """They are this server's runs; its scheduler starts nothing."""
    out, _ = broken
    monkeypatch.setenv("BOUNDLAB_RUNS", str(out))
    idle = Scheduler(out, Limits(running=2, per_person=4), lambda: [CPU])
    idle.devices = [CPU]
    monkeypatch.setattr(server, "scheduler", lambda: idle)
    st.cache_data.clear()
    yield out
    st.cache_data.clear()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_every_page_opens_with_300_broken_runs(shown, source, broken, page):
    app = open_link(page)
    assert not app.exception, [e.value for e in app.exception]
    left_out = library.shelf().left_out
    (note,) = [c.value for c in app.sidebar.caption]
    assert note.startswith(f"Left out, {len(left_out)} not readable: ")
    assert f"`{sorted(left_out)[0][:50]}" in note
    assert source.name in library.shelf().runs
    assert library.shelf().runs[source.name].certificates
    assert not library.find_run(source.name).trouble


def test_what_the_writer_would_not_write_is_left_out(shown, source, broken):
    """Every one of the finished folders is left out with a word about it, or its records are as good as the good one's."""
    out, wrong = broken
    shelf = library.shelf()
    for name in set(wrong) - set(shelf.runs) - set(shelf.broken):  # it does not say that it is done
        status = out / name / "status.json"
        assert not status.exists() or json.loads(status.read_text())["state"] != "done"
    refused = [name for name in shelf.broken if wrong[name].startswith("epochs.parquet")]
    assert len(refused) > 100
    kept = {name: what for name, what in wrong.items() if name in shelf.runs and what.startswith("epochs.parquet")}
    assert len(kept) < 10, kept
    good = shelf.runs[source.name].records
    for name, what in kept.items():  # the value was the same, or another that the writer might have written
        for column in good:
            got, before = shelf.runs[name].records[column], good[column]
            if got.isna().all() and before.isna().all():  # nothing, as None or as NaN
                continue
            if before.dtype.kind not in "fi":
                assert str(got.tolist()) == str(before.tolist()), what
            else:
                changed = got[~((got == before) | (got.isna() & before.isna()))].astype(float)
                assert ((changed >= 0) & np.isfinite(changed)).all(), what


@pytest.mark.parametrize("page", [p for p in PAGES if "run" in p.params], ids=lambda page: page.key)
def test_a_run_with_a_bad_file_beside_its_records_is_drawn(shown, broken, page):
    """What is readable of the 300 opens too: on each page the first and the last of them."""
    runs = [run for run in library.own_runs() if run.id in broken[1]]
    for run in (runs[0], runs[-1]):
        link = {"networks": "trained here", "run": library.run_name(run)}
        app = open_link(page, **({"run": run.id} if page.key == "train" else link))
        assert not app.exception, [e.value for e in app.exception]


def test_a_run_that_still_trains_with_bad_records_is_a_sentence(shown, broken):
    _, wrong = broken
    names = [name for name, what in wrong.items() if what.startswith("records.jsonl")]
    train = next(page for page in PAGES if page.key == "train")
    for name in names[:6]:
        app = open_link(train, run=name)
        assert not app.exception, (wrong[name], [e.value for e in app.exception])


def test_the_command_lists_the_good_ones_and_counts_the_rest(broken, source, capsys):
    out, _ = broken
    assert main(["runs", "--out", str(out), "--json"]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert source.name in [row["id"] for row in rows]
    assert f"{len(rows)} runs are there" in said.err
    assert len(said.err.strip().splitlines()) == 6


if __name__ == "__main__":
    from boundlab.training.worker import train_run

    target = Path(sys.argv[1])
    good = train_run(RunSpec.from_dict(TRAINED), target / "good")
    store_certificate(good, good.name, certificate_of(open_run(good)))
    print("\n".join(f"{name}: {what}" for name, what in write_broken(good, target).items()))
