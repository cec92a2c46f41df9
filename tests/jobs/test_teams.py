"""Which queued jobs start together."""

import dataclasses

import pytest

from boundlab.jobs.teams import next_team
from boundlab.runs import stacks
from boundlab.runs.job import Job
from boundlab.specs.run import RunSpec
from boundlab.specs.work import memory

PLENTY = 2**40


def job(tmp_path, owner="ann", device="auto", **changes):
    given = {"dataset": "digits", "epochs": 4, "arch": {"channels": changes.pop("channels", 8)}} | changes
    spec = RunSpec.from_dict(given)
    return Job(spec, tmp_path / spec.id, "queued", owner, 0.0, 1, device, 0, None, None, None, None, None, None)


def test_runs_of_one_person_and_kind_go_together(tmp_path):
    mine = [job(tmp_path, seed=seed) for seed in range(3)]
    others = [job(tmp_path, "bob", seed=7), job(tmp_path, channels=4), job(tmp_path, device="cpu", seed=8)]
    assert next_team([mine[0], *others, *mine[1:]], "cpu", 2, PLENTY) == mine
    assert next_team([others[0], *mine], "cpu", 2, PLENTY) == [others[0]]


@pytest.mark.parametrize(("places", "size"), [(1, 6), (2, 3), (4, 2), (0, 6)])
def test_when_nobody_else_waits_every_core_has_something_to_do(tmp_path, places, size):
    mine = [job(tmp_path, seed=seed) for seed in range(6)]
    assert next_team(mine, "cpu", places, PLENTY) == mine[:size]


def test_no_more_than_there_is_memory_for(tmp_path):
    mine = [job(tmp_path, seed=seed) for seed in range(6)]
    assert len(next_team(mine, "cpu", 1, memory(mine[0].spec, 4))) == 4
    assert len(next_team(mine, "cpu", 1, 0)) == 1  # and it waits


def test_what_was_begun_together_goes_on_together(tmp_path):
    mine = [job(tmp_path, seed=seed) for seed in range(5)]
    for one in mine:
        one.folder.mkdir()
    stacks.join(tmp_path, [one.id for one in mine[1:4]])
    assert next_team(mine[1:], "cpu", 4, PLENTY) == mine[1:4]
    assert next_team([mine[0], *mine[1:]], "cpu", 1, PLENTY) == [mine[0], mine[4]]
    given_away = [dataclasses.replace(one, owner="bob") for one in mine[2:4]]
    assert next_team([mine[1], *given_away], "cpu", 1, PLENTY) == [mine[1]]
