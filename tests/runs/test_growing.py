"""The records of a run that trains, read as they come."""

import json

import pytest

from boundlab.runs.folder import open_run
from boundlab.runs.growing import Growing, latest_of
from boundlab.runs.part_errors import FILE, PartErrors
from boundlab.specs.run import RunSpec
from boundlab.system.files import write_atomic
from tests.cases import TRAINED

SPEC = RunSpec.from_dict(TRAINED)


@pytest.fixture
def lines(finished, tmp_path):
    """The folder of a run that has its head only, and the lines of its records."""
    for name in ("spec.json", "sample.json"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    records = open_run(finished).records
    return [json.dumps({k: v for k, v in json.loads(row).items() if v is not None}) + "\n" for row in
            (record.to_json() for _, record in records.iterrows())]  # fmt: skip


def test_each_line_is_read_once_it_is_whole(lines, tmp_path):
    growing = Growing(tmp_path, SPEC)
    assert growing.look() is None
    with (tmp_path / "records.jsonl").open("a") as file:
        for number, line in enumerate(lines[:12]):
            file.write(line[:40])
            file.flush()
            before = growing.look()
            assert (before.last["step"] if before else None) == (
                json.loads(lines[number - 1])["step"] if number else None
            )
            file.write(line[40:])
            file.flush()
            now = growing.look()
            assert now.last == json.loads(line)
            assert "train_error" in now.whole
    assert growing.look() is growing.look()


def test_errors_of_a_part_come_along(lines, tmp_path):
    (tmp_path / "records.jsonl").write_text(lines[0])
    part = PartErrors(45, 1.0, 0.5, 100, 0.6, 90)
    (tmp_path / FILE).write_text(part.line())
    assert Growing(tmp_path, SPEC).look().part == part


def test_a_run_that_begins_anew_is_followed_and_a_sealed_one_kept(lines, tmp_path):
    growing = Growing(tmp_path, SPEC)
    write_atomic(tmp_path / "records.jsonl", "".join(lines[:9]))
    assert growing.look().last["step"] > 0
    write_atomic(tmp_path / "records.jsonl", lines[0])
    assert (growing.look().last["step"], growing.look().whole["step"]) == (0, 0)
    (tmp_path / "records.jsonl").unlink()
    assert growing.look().last["step"] == 0


@pytest.mark.parametrize("junk", [b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"step": null}\n', b"{\n"])
def test_junk_between_records_is_passed_over(lines, tmp_path, junk):
    (tmp_path / "records.jsonl").write_bytes(lines[0].encode() + junk + lines[1].encode())
    assert Growing(tmp_path, SPEC).look().last == json.loads(lines[1])


def test_of_a_run_that_is_read_whole(finished):
    run = open_run(finished)
    now = latest_of(run)
    assert now.last["step"] == now.whole["step"] == run.final["step"]
