"""What may be trained together, and in which groups."""

import pytest

from boundlab.specs.run import RunSpec
from boundlab.specs.stacking import kind, most_together, together

DIGITS = {"dataset": "digits", "epochs": 4, "arch": {"channels": 8}}


def make(**changes):
    arch = DIGITS["arch"] | changes.pop("arch", {})
    return RunSpec.from_dict(DIGITS | changes | {"arch": arch})


@pytest.mark.parametrize("change", [{"weight_decay": 0.5}, {"seed": 3}, {"lr": 0.02}, {"label_noise": 0.3}])
def test_what_members_may_differ_in(change):
    assert kind(make(**change)) == kind(make())


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 5},
        {"batch_size": 16},
        {"momentum": 0.5},
        {"n_train": 100},
        {"preset": "paper"},
        {"arch": {"channels": 9}},
    ],
)
def test_what_they_may_not_differ_in(change):
    assert kind(make(**change)) != kind(make())


def test_sub_tasks_go_together_where_they_have_equally_many_images():
    even, low = [[0, 2, 4], [1, 3, 5]], [[0, 1, 2], [3, 4, 5]]
    assert kind(make(labels=even, n_train=100)) == kind(make(labels=low, n_train=100))
    assert kind(make(labels=even)) != kind(make(labels=low))


def test_large_networks_train_alone_and_small_ones_together():
    assert most_together(make(), "cpu") == 12
    assert most_together(make(dataset="mnist", arch={"channels": 64}), "cpu") == 1
    assert most_together(make(arch={"kind": "lc", "channels": [4, 4, 3]}), "cpu") == 1
    assert most_together(make(dataset="mnist", arch={"channels": 16}), "cuda") == 96
    assert 1 < most_together(make(dataset="mnist", arch={"channels": 200}), "cuda") < 12


@pytest.mark.parametrize(
    ("runs", "places", "sizes"), [(12, 2, [6, 6]), (12, 1, [12]), (30, 2, [10, 10, 10]), (1, 2, [1])]
)
def test_groups_are_even_and_leave_no_core_idle(runs, places, sizes):
    specs = [make(seed=seed) for seed in range(runs)]
    groups = together(specs, lambda spec: spec, "cpu", places)
    assert [len(group) for group in groups] == sizes
    assert [spec for group in groups for spec in group] == specs


def test_kinds_are_kept_apart():
    specs = [make(seed=seed, arch={"channels": channels}) for seed in range(2) for channels in (8, 4)]
    groups = together(specs, lambda spec: spec, "cpu", 2)
    assert all(len({kind(spec) for spec in group}) == 1 for group in groups)
    assert sum(map(len, groups)) == 4
