import dataclasses
import math

import pytest

from boundlab.specs.arch import ArchSpec
from boundlab.specs.presets import PRESETS
from boundlab.specs.recipes import described, figured, recipe, studied, why_not_figured
from boundlab.specs.run import PLATEAU, RunSpec, TrainSpec
from boundlab.specs.settings import Settings


def test_left_out_fields_take_the_data_sets_and_the_presets_values():
    spec = RunSpec.from_dict({"dataset": "mnist", "weight_decay": 4e-3})
    assert (spec.arch.in_shape, spec.arch.normalize, spec.arch.bias) == ((1, 28, 28), (0.1307, 0.3081), False)
    assert (spec.train.epochs, spec.train.lr, spec.train.preset) == (5, 0.1, "short")
    paper = RunSpec.from_dict({"dataset": "mnist", "preset": "paper"})
    assert (paper.arch.bias, paper.train.epochs, paper.train.lr) == (True, 500, 0.01)
    assert RunSpec.from_dict({"dataset": "digits"}).arch.normalize is None


def test_json_round_trip_keeps_the_id():
    for given in (
        {"dataset": "mnist", "labels": [[0], [1]], "arch": {"kind": "mlp", "hidden": [8, 4]}},
        {"dataset": "digits"},
        {"dataset": "mnist", "preset": "certified", "certificate_weight": 0.3, "arch": {"kind": "mlp", "hidden": []}},
    ):
        spec = RunSpec.from_dict(given)
        again = RunSpec.from_dict(spec.to_dict())
        assert again == spec
        assert again.id == spec.id


def test_id_is_stable_and_changes_with_every_field():
    spec = {"dataset": "mnist", "weight_decay": 4e-3}
    assert RunSpec.from_dict(spec).id == "mnist-conv-3-16-wd0.004-s0-be65a98e265c"  # the shipped run's
    others = [{"seed": 1}, {"weight_decay": 3e-3}, {"arch": {"stride": 2}}, {"label_noise": 0.1}, {"n_train": 100}]
    ids = {RunSpec.from_dict(spec | other).id for other in [{}, *others]}
    assert len(ids) == len(others) + 1


def test_the_weight_of_the_certificate_is_part_of_its_own_runs_only():
    certified = {"dataset": "mnist", "preset": "certified"}
    plain = RunSpec.from_dict({"dataset": "mnist"})
    assert "certificate_weight" not in plain.to_dict()
    whole, tenth = (RunSpec.from_dict(certified | extra) for extra in ({}, {"certificate_weight": 0.1}))
    assert (whole.train.loss, whole.train.weight_decay, whole.to_dict()["certificate_weight"]) == ("certificate", 0, 1)
    assert RunSpec.from_dict(certified | {"certificate_weight": 1}).id == whole.id != tenth.id
    assert "-cert0.1-s0-" in tenth.id
    assert whole.arch.normalize is None
    with pytest.raises(ValueError, match='leave it out for loss "mse"'):
        TrainSpec("mnist", certificate_weight=0.5)


def test_one_run_has_one_id():
    ids = {
        RunSpec.from_dict({"dataset": "digits", "weight_decay": w, "label_noise": z}).id
        for w in (1, 1.0)
        for z in (0, 0.0, -0.0)
    }
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"dataset must be one of \['digits', .*'svhn'.*\], got None"),
        ({"dataset": "mnist", "colour": 1}, r"unknown fields \['colour'\]"),
        ({"dataset": "mnist", "arch": {"kind": "rnn"}}, "kind must be one of"),
        ({"dataset": "mnist", "arch": {"channels": "16"}}, "channels must be a whole number from 1"),
        ({"dataset": "mnist", "arch": {"padding": 2}}, "padding must be a whole number from 0 to 1"),
        ({"dataset": "mnist", "arch": {"classes": 3}}, "10 classes, got .* and 3"),
        ({"dataset": "mnist", "weight_decay": -1}, "weight_decay must be a number from 0"),
        ({"dataset": "mnist", "weight_decay": float("nan")}, "weight_decay must be a number"),
        ({"dataset": "mnist", "labels": [[0], [0]]}, "disjoint"),
        ({"dataset": "mnist", "seed": True}, "seed must be a whole number"),
        ({"dataset": "mnist", "loss": "hinge"}, r"loss must be one of \['certificate', 'certificate_d', 'mse'\]"),
        ({"dataset": "mnist", "certificate_weight": 1.0}, 'leave it out for loss "mse"'),
        ({"dataset": "mnist", "preset": "certified", "certificate_weight": -1}, "certificate_weight must be a number"),
        ({"dataset": "mnist", "loss": "certificate", "weight_decay": 1e-3}, "weight_decay must be 0"),
        ({"dataset": "mnist", "preset": "certified", "arch": {"bias": True}}, "needs a network without biases"),
        (
            {"dataset": "mnist", "preset": "coded", "arch": {"bias": True}},
            'loss "certificate_d" needs a network without',
        ),
        (
            {"dataset": "mnist", "preset": "coded", "weight_decay": 1e-3},
            'weight_decay must be 0 for loss "certificate_d"',
        ),
        ({"dataset": "mnist", "preset": "coded", "certificate_weight": 1}, 'leave it out for loss "certificate_d"'),
        ({"dataset": "mnist", "arch": {"kind": "mlp"}}, "hidden must be a list of 0 to 64"),
        ({"dataset": "mnist", "labels": True}, "labels must be null or a list"),
        ({"dataset": "mnist", "labels": [[[1]], [2]]}, "labels must be a whole number"),
        ({"dataset": "mnist", "labels": [[1]]}, "two or more disjoint"),
        ({"dataset": "mnist", "n_train": 1}, "n_train must be a whole number from 2"),
        ({"dataset": "mnist", "arch": None}, "an object under"),
        ([], "must be a JSON object"),
    ],
)
def test_bad_specs_say_what_was_expected(given, message):
    with pytest.raises(ValueError, match=message):
        RunSpec.from_dict(given)


def test_plateau_number_is_trainings_rule():
    spec = RunSpec.from_dict({"dataset": "mnist", "weight_decay": 8e-4})
    assert spec.plateau_number(60_000) == pytest.approx(5 * 1875 * 0.6 * 0.1 / 0.1 * 8e-4)  # 4.5: at plateau
    assert RunSpec.from_dict({"dataset": "mnist", "weight_decay": 5e-4}).plateau_number(60_000) < PLATEAU


@pytest.mark.parametrize("bad", [{"delta": 0}, {"delta": 1.0}, {"margin": -1.0}, {"n": 1}, {"convention": "x"}])
def test_settings_refuse_nonsense(bad):
    with pytest.raises(ValueError, match="must"):
        Settings(**bad)


def test_titles_name_what_differs():
    assert ArchSpec(channels=8, conv_layers=2, kernel_size=4, stride=4).title == "CONV-2-8 k4 stride 4"
    assert ArchSpec(kind="mlp", hidden=(32, 16)).title == "MLP-32-16"
    assert ArchSpec(kind="mlp", hidden=()).title == "LINEAR"


def test_every_field_is_limited_beside_its_name_or_where_it_depends_on_others():
    free = {
        spec: [f.name for f in dataclasses.fields(spec) if "check" not in f.metadata] for spec in (TrainSpec, ArchSpec)
    }
    assert free == {TrainSpec: ["n_train", "labels", "unknown"], ArchSpec: ["padding", "pool", "hidden"]}
    for spec in free:
        for field in dataclasses.fields(spec):
            if "check" in field.metadata:
                with pytest.raises(ValueError, match=rf"^{field.name} must be "):
                    field.metadata["check"](field.name, b"neither a number nor a name")


@pytest.mark.parametrize(("n", "batch_size"), [(1437, 32), (100, 32), (33, 32), (100, 16)])
def test_a_recipe_counted_in_steps_trains_as_many_for_every_number_of_images(n, batch_size):
    train = RunSpec.from_dict({"dataset": "digits", "preset": "long", "n_train": n, "batch_size": batch_size}).train
    per_epoch = math.ceil(n / batch_size)
    assert PRESETS["long"].steps <= train.epochs * per_epoch < PRESETS["long"].steps + per_epoch
    assert train.usual_epochs == train.epochs
    assert dataclasses.replace(train, epochs=3).usual_epochs == train.epochs


def test_how_many_images_there_are():
    sevens = {"dataset": "digits", "labels": [[1], [7]]}
    assert RunSpec.from_dict({"dataset": "digits"}).train.images == 1437
    assert RunSpec.from_dict({"dataset": "digits", "n_train": 50}).train.images == 50
    assert RunSpec.from_dict(sevens).train.images == 146 + 143


def test_what_a_recipe_is_compared_over_is_no_part_of_its_name():
    plain = {"dataset": "digits", "preset": "long"}
    names = [
        recipe(RunSpec.from_dict(plain | more))
        for more in ({}, {"label_noise": 0.4}, {"n_train": 100}, {"lr": 0.3}, {"n_train": 100, "epochs": 7})
    ]
    assert names == ["long", "long", "long", "long, lr 0.3", "long, 7 epochs"]
    noisy = RunSpec.from_dict({"dataset": "digits", "label_noise": 0.4, "n_train": 100})
    assert recipe(noisy) == "short, n = 100, label noise 0.4"
    # what it is called one by one says it all the same
    assert "label noise 0.4" in " ".join(described(RunSpec.from_dict(plain | {"label_noise": 0.4})))


@pytest.mark.parametrize(
    ("given", "needs"),
    [({}, True), ({"preset": "long"}, False), ({"preset": "certified"}, False), ({"preset": "paper"}, True)],
)
def test_the_plateau_is_asked_of_the_figures_recipes(given, needs):
    assert RunSpec.from_dict({"dataset": "digits", **given}).needs_plateau is needs


def test_a_page_of_its_own_keeps_a_recipe_off_the_figures():
    long = RunSpec.from_dict({"dataset": "digits", "preset": "long"})
    assert studied(long, "long")
    assert not studied(long, "population")
    assert not figured(long)
    assert "a page of their own" in why_not_figured(long)
    assert not studied(RunSpec.from_dict({"dataset": "digits"}), "long")
    mlp = {"dataset": "digits", "preset": "long", "arch": {"kind": "mlp", "hidden": [8]}}
    assert not studied(RunSpec.from_dict(mlp), "long")
