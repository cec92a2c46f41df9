"""The two small files through which processes speak about a run."""

import json

import pytest

from boundlab.errors import RunError
from boundlab.runs.status import Request, Status, read_request, read_state, read_status, write_request, write_status

STATUS = Status("running", 7, 9, 1e9, 123, 2, "cpu", "a note", "an error", (1e9, 3))
REQUEST = Request("anna", "10.0.0.1", True, 1e9, 2, "cuda", "pause")


def test_what_is_written_is_read(tmp_path):
    assert (read_state(tmp_path), read_status(tmp_path), read_request(tmp_path)) == ("new", Status(), Request())
    write_status(tmp_path, STATUS)
    write_request(tmp_path, REQUEST)
    assert (read_state(tmp_path), read_status(tmp_path), read_request(tmp_path)) == ("running", STATUS, REQUEST)
    assert json.loads((tmp_path / "job.json").read_text())["request"] == "pause"


@pytest.mark.parametrize(
    "wrong", [{"step": -1}, {"steps": "9"}, {"heartbeat": "now"}, {"pid": 1.5}, {"device": 5}, {"began": [1]}]
)
def test_a_damaged_status_is_named_and_its_state_is_still_read(tmp_path, wrong):
    (tmp_path / "status.json").write_text(json.dumps({"state": "done"} | wrong))
    assert read_state(tmp_path) == "done"
    with pytest.raises(RunError, match=rf"status.json is damaged \({next(iter(wrong))} must be .*; delete it"):
        read_status(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"request": "fly"}', '{"attempt": "x"}', '{"owner": ["x"]}'])
def test_a_damaged_request_asks_for_nothing(tmp_path, content):
    (tmp_path / "job.json").write_text(content)
    assert read_request(tmp_path) == Request()
