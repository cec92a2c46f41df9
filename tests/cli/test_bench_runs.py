"""What `boundlab bench runs` opens is made of the shipped runs, and a pack like any other; no time is asserted."""

from boundlab.analysis.run_codes import run_code
from boundlab.analysis.run_columns import column_values, fields_table
from boundlab.cli.bench_runs import write_many
from boundlab.runs.pack import open_pack


def test_many_runs_are_the_shipped_ones_under_other_seeds(whole_pack, tmp_path):
    shipped = whole_pack[::40]
    count = 3 * len(shipped) + 2
    write_many(shipped, count, tmp_path)
    found = open_pack(tmp_path)
    assert not found.left_out
    assert len({run_code(run.id) for run in found.runs}) == len(found.runs) == count
    assert {run.spec.arch for run in found.runs} == {run.spec.arch for run in shipped}
    table, errors = fields_table(found.runs), {run.final["test_error"] for run in shipped}
    assert set(table["test_error"]) == errors
    assert len(table) == count
    known = set(column_values(shipped, "sparse:published"))
    assert {value for value in column_values(found.runs, "sparse:published") if value == value} <= known


def test_runs_of_one_architecture_share_it(whole_pack, tmp_path):
    write_many(whole_pack[:1], 3, tmp_path)
    assert len({id(run.spec.arch) for run in open_pack(tmp_path).runs}) == 1
