import json

import pytest

from boundlab.errors import RunError
from boundlab.files import read_lines
from boundlab.runs import PACK, read_pack, write_pack


def test_pack_round_trip(pack, tmp_path):
    write_pack(pack[:3], tmp_path)
    again = read_pack(tmp_path)
    assert [run.id for run in again] == [run.id for run in pack[:3]]
    for one, other in zip(pack, again, strict=False):
        assert one.spec == other.spec
        assert one.records["layers.0.frobenius"].tolist() == other.records["layers.0.frobenius"].tolist()
        assert one.final["ramp"].tolist() == other.final["ramp"].tolist()
        assert (one.sample.fed.pixel_energy == other.sample.fed.pixel_energy).all()


def test_a_half_written_line_is_left_out(tmp_path):
    (tmp_path / "records.jsonl").write_text('{"step": 0}\n{"step": 25}\n{"st')
    assert [r["step"] for r in read_lines(tmp_path / "records.jsonl")] == [0, 25]
    assert read_lines(tmp_path / "missing.jsonl") == []


def test_unreadable_packs_are_named(tmp_path):
    with pytest.raises(RunError, match=r"pack\.json cannot be read"):
        read_pack(tmp_path)
    (tmp_path / "pack.json").write_text(json.dumps({"runs": [], "samples": []}))
    (tmp_path / "epochs.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match=r"epochs\.parquet cannot be read"):
        read_pack(tmp_path)


def test_what_is_shipped_is_small_and_complete(pack):
    assert sum(p.stat().st_size for p in PACK.rglob("*") if p.is_file()) < 50e6
    mnist = {(r.spec.arch.conv_layers, r.spec.train.weight_decay) for r in pack if r.spec.train.dataset == "mnist"}
    assert mnist >= {(3, w) for w in (8e-4, 9e-4, 1e-3, 2e-3, 3e-3, 4e-3)} | {(depth, 4e-3) for depth in (4, 5, 6, 8)}
    digits = {(r.spec.arch.channels, r.spec.train.weight_decay) for r in pack if r.spec.train.dataset == "digits"}
    assert digits >= {(h, w) for h in (8, 16, 32) for w in (8e-4, 9e-4, 1e-3, 2e-3, 3e-3, 4e-3)}
    assert all(len(run.epochs) >= 6 for run in pack)
