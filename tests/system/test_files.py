"""Files read once, and again when they changed."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from boundlab.errors import RunError
from boundlab.system.files import cached_reader, read_json, read_parquet, write_atomic, write_parquet


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


def test_shares_of_few_images_are_written_as_a_dictionary_and_read_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    shares = [sorted(rng.integers(0, 100, 64) / 99) for _ in range(50)]
    columns = {"shares": shares, "norms": [sorted(rng.random(64)) for _ in range(50)], "loss": rng.random(50)}
    columns["shares"][7] = columns["norms"][3] = None
    frame = pd.DataFrame(columns)
    write_parquet(frame, tmp_path / "x.parquet")
    group = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(0)
    encodings = {column.path_in_schema.split(".")[0]: column.encodings for column in map(group.column, range(3))}
    assert "RLE_DICTIONARY" in encodings["shares"]
    assert "BYTE_STREAM_SPLIT" in encodings["norms"]
    assert "BYTE_STREAM_SPLIT" in encodings["loss"]
    read = read_parquet(tmp_path / "x.parquet").to_pandas()
    for name in frame:
        for one, other in zip(read[name], frame[name], strict=True):
            np.testing.assert_array_equal(one, other)
