"""Several parts read as one store."""

import dataclasses
import hashlib
import json

import pytest

from boundlab.errors import RunError
from boundlab.runs.certificates import CERTIFICATES
from boundlab.runs.pack import network_file, open_pack, open_parts, pack_hash, part_folders, read_pack
from boundlab.runs.part import write_part
from boundlab.runs.places import PACK

# sha256 of what is never written again
FIRST_PART = {
    "epochs.parquet": "ceee013b3dd6466deb8f71b6cde9a499819b812047f6b3e1d4f3e9b784812b1b",
    "pack.json": "0e8f4f9bd51d880d5ff34665f249946ea761b488b2aaf755857744a5ffa6af04",
}


@pytest.fixture
def parted(pack, tmp_path):
    """Six runs on one sample in three parts: two in the folder itself, two in `b`, two in `a`."""
    runs = [run for run in pack if run.spec.train.dataset == "digits"][:6]
    for place, part in zip((tmp_path, tmp_path / "b", tmp_path / "a"), (runs[4:], runs[:2], runs[2:4]), strict=True):
        write_part(part, place)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "pack.json").write_text("nonsense")
    return tmp_path, runs


def ids(runs):
    return [run.id for run in runs]


def test_parts_are_one_store(parted):
    folder, runs = parted
    assert part_folders(folder) == [folder, folder / "a", folder / "b"]
    found = open_pack(folder)
    assert ids(found.runs) == sorted(ids(runs))
    assert found.left_out == {}
    # one object, so that tables evaluate them together
    assert len({id(run.sample) for run in found.runs}) == 1
    by_id = {run.id: run for run in found.runs}
    for run in runs:
        assert by_id[run.id].records["step"].tolist() == run.records["step"].tolist()
        assert by_id[run.id].final["ramp"].tolist() == run.final["ramp"].tolist()
    (folder / "pack.json").unlink()
    (folder / "epochs.parquet").unlink()
    assert ids(read_pack(folder)) == sorted(ids(runs[:4]))  # no part of its own


@pytest.mark.parametrize("file", ["pack.json", "epochs.parquet"])
@pytest.mark.parametrize("part", ["", "a"], ids=["the first part", "a later part"])
@pytest.mark.parametrize("how", ["gone", "nonsense"])
def test_a_damaged_part_costs_that_part_alone(parted, file, part, how):
    folder, runs = parted
    path = folder / part / file
    path.unlink() if how == "gone" else path.write_text("nonsense")
    found = open_pack(folder)
    gone = runs[2:4] if part else runs[4:]
    assert ids(found.runs) == sorted(set(ids(runs)) - set(ids(gone)))
    assert list(found.left_out) == [f"part {part or folder.name}"]
    assert str(folder / part) in found.left_out[f"part {part or folder.name}"]


def test_a_pack_without_a_readable_part_is_an_error(parted):
    folder, _ = parted
    for part in part_folders(folder):
        (part / "pack.json").write_text("nonsense")
    with pytest.raises(RunError, match=r"pack\.json cannot be read"):
        open_pack(folder)


def test_a_run_in_several_parts_counts_in_the_first(parted):
    folder, runs = parted
    other = dataclasses.replace(runs[0], records=runs[0].records.iloc[[0, -1]])
    write_part([other, runs[4], runs[5]], folder / "c")
    found = open_pack(folder)
    assert ids(found.runs) == sorted(ids(runs))
    assert {len(run.records) for run in found.runs} == {len(runs[0].records)}
    assert found.left_out == {
        f"{runs[0].id} of part c": f"{folder / 'b'} has it too, which counts",
        f"{runs[4].id} of part c": f"{folder} has it too, which counts",
        f"{runs[5].id} of part c": f"{folder} has it too, which counts",
    }
    assert open_parts(folder)[folder / "c"].runs == []
    # where the first is damaged, the other counts
    index = json.loads((folder / "b" / "pack.json").read_text())
    (folder / "b" / "pack.json").write_text(json.dumps(index | {"runs": index["runs"][1:]}))
    assert {run.id: len(run.records) for run in open_pack(folder).runs}[runs[0].id] == 2


def test_certificates_lie_in_the_part_of_their_run(parted):
    folder, runs = parted
    for part, run in ((folder, runs[0]), (folder / "a", runs[0])):  # it is in `b`
        (part / CERTIFICATES).write_text(json.dumps({run.id: []}))
    found = open_pack(folder)
    assert ids(found.runs) == sorted(ids(runs))
    assert found.left_out == {
        f"certificate of {runs[0].id}": f"{folder / CERTIFICATES} has it, but the run is not there",
        f"certificate of {runs[0].id} of part a": f"{folder / 'a' / CERTIFICATES} has it, but the run is not there",
    }


def test_every_shipped_network_is_of_a_run_of_its_part():
    parts = open_parts()
    assert PACK in parts
    for part, found in parts.items():
        kept = {path for path in part.glob("checkpoints/*") if path.suffix == ".safetensors"}
        assert kept <= {network_file(part, run.id) for run in found.runs}


def test_the_first_part_is_as_it_was_written():
    assert {name: hashlib.sha256((PACK / name).read_bytes()).hexdigest() for name in FIRST_PART} == FIRST_PART


def test_the_hash_is_of_all_runs_and_records_wherever_the_pack_lies(parted, tmp_path):
    files = sorted(path for part in part_folders(tmp_path) for path in part.glob("*.*") if path.name in FIRST_PART)
    written = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(tmp_path)}\n"
        for path in sorted(files, key=lambda path: str(path.relative_to(tmp_path)))
    )
    before = pack_hash(tmp_path)
    assert before == hashlib.sha256(written.encode()).hexdigest()
    (tmp_path / "b" / "epochs.parquet").write_bytes(b"another")
    assert pack_hash(tmp_path) != before
