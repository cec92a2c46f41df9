import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from boundlab.errors import RunError
from boundlab.runs.folder import open_run
from boundlab.runs.pack import open_pack, read_pack
from boundlab.runs.part import write_part
from boundlab.system.files import read_lines
from tests.checkpoints.test_header import while_replaced
from tests.conftest import ROOT


def test_pack_round_trip(pack, tmp_path):
    write_part(pack[:3], tmp_path)
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


def first(records, run, **values):
    """The records with other values in a run's first row."""
    row = records.index[records["run"] == run][0]
    for name, value in values.items():
        records.at[row, name.replace("__", ".")] = value
    return records


def test_records_that_are_replaced_while_they_are_read_are_one_or_the_other(finished, tmp_path):
    folder = tmp_path / finished.name
    shutil.copytree(finished, folder)
    rows, contents = pd.read_parquet(folder / "epochs.parquet"), []
    for compression in ("zstd", None):
        rows.to_parquet(folder / "epochs.parquet", compression=compression)
        contents.append((folder / "epochs.parquet").read_bytes())
    assert len(contents[0]) != len(contents[1])
    seen = set()
    while_replaced(folder / "epochs.parquet", contents, lambda: seen.add(len(open_run(folder).records)), 300)
    assert seen == {len(rows)}


PACKED = {  # what is changed of the middle one of three packed runs: its entry, its sample's, or its rows
    "an entry of text": lambda entry, sample, rows, run: ("nonsense", sample, rows),
    "no spec": lambda entry, sample, rows, run: (entry | {"spec": None}, sample, rows),
    "another name": lambda entry, sample, rows, run: (entry | {"id": "nonsense"}, sample, rows),
    "another run's spec": lambda entry, sample, rows, run: (entry | {"spec": entry["spec"] | {"seed": 9}}, sample, rows),
    "no such sample": lambda entry, sample, rows, run: (entry | {"sample": 99}, sample, rows),
    "a sample of text": lambda entry, sample, rows, run: (entry, "nonsense", rows),
    "a sample of another size": lambda entry, sample, rows, run: (entry, sample | {"n": 7}, rows),
    "a sample of one pixel": lambda entry, sample, rows, run: (
        entry, sample | {"raw": sample["raw"] | {"pixel_energy": [[1.0]]}}, rows,
    ),
    "no rows": lambda entry, sample, rows, run: (entry, sample, rows[rows["run"] != run]),
    "a negative norm": lambda entry, sample, rows, run: (entry, sample, first(rows, run, layers__0__frobenius=-1.0)),
    "an infinite norm": lambda entry, sample, rows, run: (entry, sample, first(rows, run, layers__1__max_row=np.inf)),
    "no norm": lambda entry, sample, rows, run: (entry, sample, first(rows, run, layers__1__spectral_map=np.nan)),
    "an error above 1": lambda entry, sample, rows, run: (entry, sample, first(rows, run, test_error=1.5)),
    "a short list": lambda entry, sample, rows, run: (entry, sample, first(rows, run, ramp=[0.1])),
    "a step too late": lambda entry, sample, rows, run: (entry, sample, first(rows, run, step=10**9)),
    "an epoch that is none": lambda entry, sample, rows, run: (entry, sample, first(rows, run, epoch=np.nan)),
}  # fmt: skip


@pytest.mark.parametrize("change", PACKED.values(), ids=PACKED)
def test_one_bad_entry_of_a_pack_is_left_out_with_a_word(pack, tmp_path, change):
    """Each of the three has a sample of its own, so that one bad sample is one run's."""
    write_part([run for run in pack if run.id.startswith("digits-conv-3-16-wd0.002")], tmp_path)
    index = json.loads((tmp_path / "pack.json").read_text())
    index |= {"samples": [index["samples"][0]] * 3, "runs": [e | {"sample": i} for i, e in enumerate(index["runs"])]}
    ids = [entry["id"] for entry in index["runs"]]
    assert len(ids) == 3
    rows = pd.read_parquet(tmp_path / "epochs.parquet")
    index["runs"][1], index["samples"][1], rows = change(index["runs"][1], index["samples"][1], rows, ids[1])
    (tmp_path / "pack.json").write_text(json.dumps(index))
    rows.to_parquet(tmp_path / "epochs.parquet")
    found = open_pack(tmp_path)
    assert [run.id for run in found.runs] == [ids[0], ids[2]]
    assert found.left_out
    assert not set(found.left_out) & {ids[0], ids[2]}
    for run in found.runs:
        assert run.records["step"].tolist() == next(r for r in pack if r.id == run.id).records["step"].tolist()


def test_what_is_shipped_is_small_and_complete(pack):
    assert (
        sum(p.stat().st_size for p in (ROOT / "data").rglob("*") if p.is_file()) < 80e6
    )  # the most that the grids may take
    mnist = {(r.spec.arch.conv_layers, r.spec.train.weight_decay) for r in pack if r.spec.train.dataset == "mnist"}
    assert mnist >= {(3, w) for w in (8e-4, 9e-4, 1e-3, 2e-3, 3e-3, 4e-3)} | {(depth, 4e-3) for depth in (4, 5, 6, 8)}
    digits = {(r.spec.arch.channels, r.spec.train.weight_decay) for r in pack if r.spec.train.dataset == "digits"}
    assert digits >= {(h, w) for h in (8, 16, 32) for w in (8e-4, 9e-4, 1e-3, 2e-3, 3e-3, 4e-3)}
    assert all(len(run.epochs) >= 6 for run in pack)


def test_a_run_is_at_plateau_from_the_number_4_on(first_part):
    numbers = [run.plateau_number for run in first_part]
    assert all(run.at_plateau for run in first_part)
    assert min(numbers) < 5  # some are near the rule's number: ten times of it would leave them out
    assert max(numbers) > 40
    run = min(first_part, key=lambda one: one.plateau_number)
    shorter = dataclasses.replace(run.spec.train, weight_decay=run.spec.train.weight_decay * 3.9 / run.plateau_number)
    assert not dataclasses.replace(run, spec=dataclasses.replace(run.spec, train=shorter)).at_plateau
