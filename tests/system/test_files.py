"""Files read once, and again when they changed."""

import pytest

from boundlab.errors import RunError
from boundlab.system.files import cached_reader, read_json, write_atomic


def test_a_file_is_read_again_only_when_it_changed(tmp_path):
    path, reads = tmp_path / "one.json", []

    def read(path):
        reads.append(path)
        return read_json(path)

    latest = cached_reader(read)
    for content in ("[1]", "[22]"):
        write_atomic(path, content)
        assert [latest(path) for _ in range(3)] == [read_json(path)] * 3
    assert reads == [path] * 2
    write_atomic(path, "{")
    for _ in range(2):
        with pytest.raises(RunError, match="cannot be read as JSON"):
            latest(path)
    path.unlink()
    with pytest.raises(RunError, match="cannot be read as JSON"):
        latest(path)
    assert len(reads) == 5
