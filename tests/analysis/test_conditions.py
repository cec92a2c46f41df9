"""What promises take for granted: each sentence where it applies, and only there; on the page, in JSON and in the terminal."""

import json

import numpy as np
import pytest

from boundlab.analysis.conditions import conditions_of
from boundlab.cli.main import main
from boundlab.data import own
from boundlab.runs.folder import open_run
from boundlab.specs.run import RunSpec
from boundlab.training.worker import train_run
from boundlab.ui.page import PAGES
from boundlab.ui.shelf import run_name
from tests.cases import CERTIFIED, checkpoint
from tests.ui.test_pages import open_link

SENTENCES = {
    "noise": "of the training labels was drawn anew",
    "sub-task": "How many images have the labels of this sub-task is itself random",
    "stratified": "The test part was drawn class by class",
    "scaling": "The scaling of the pixels (less",
    "copies": "equal a training image pixel for pixel",
}
LINEAR = {"kind": "mlp", "hidden": []}


def found(words: list[str]) -> set[str]:
    return {name for name, part in SENTENCES.items() if any(part in sentence for sentence in words)}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"dataset": "mnist", "preset": "certified"}, set()),
        ({"dataset": "mnist"}, {"scaling"}),
        ({"dataset": "mnist", "label_noise": 0.25, "arch": {"normalize": None}}, {"noise"}),
        ({"dataset": "mnist", "labels": [[0], [1]], "arch": {"normalize": None}}, {"sub-task"}),
        ({"dataset": "mnist", "arch": LINEAR | {"in_shape": [1, 16, 16], "normalize": [0.33, 1.0]}}, {"scaling"}),
        ({"dataset": "digits"}, {"stratified"}),
        ({"dataset": "digits", "labels": [[0], [1]], "label_noise": 0.5, "arch": {"normalize": [0.3, 1]}}, {"noise", "sub-task", "stratified", "scaling"}),
    ],
)  # fmt: skip
def test_each_sentence_where_it_applies(spec, expected):
    assert found(conditions_of(RunSpec.from_dict(spec))) == expected


def test_own_data_with_and_without_a_test_part(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path))
    x, y = np.random.default_rng(0).integers(0, 256, (20, 8, 8)).astype(np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "whole.npz", x_train=x, y_train=y)
    np.savez(tmp_path / "parts.npz", x_train=x, y_train=y, x_test=255 - x[:4], y_test=y[:4])
    np.savez(tmp_path / "copies.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])
    for name, expected in (("whole", {"stratified"}), ("parts", set()), ("copies", {"copies"})):
        data = own.add(tmp_path / f"{name}.npz")
        assert found(conditions_of(RunSpec.from_dict({"dataset": data.name}))) == expected


def test_the_terminal_says_them_where_a_promise_stands(tmp_path, capsys):
    line = ["evaluate", str(checkpoint(tmp_path)), "--dataset", "digits", "--no-errors"]
    assert main([*line, "--json"]) == 0
    assert found(json.loads(capsys.readouterr().out)["conditions"]) == {"stratified"}
    for convention, shown in (("strict", True), ("published", False)):
        assert main([*line, "--convention", convention]) == 0
        assert ("note: The test part was drawn class by class" in capsys.readouterr().out) == shown


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"networks": "certified", "task": "MNIST 0 or 1, LINEAR"}, {"sub-task", "scaling"}),
        ({"networks": "certified", "task": "MNIST 0 or 1, CONV-1-16 k4 stride 4"}, {"sub-task"}),
        ({"networks": "certified", "task": "MNIST, middle 16×16, ten classes, LINEAR"}, {"scaling"}),
        ({"networks": "figures", "dataset": "digits"}, {"stratified"}),
        ({"networks": "figures", "dataset": "mnist"}, {"scaling"}),
    ],
)
def test_the_page_says_them(link, expected):
    app = open_link(next(page for page in PAGES if page.key == "certificates"), full="true", **link)
    assert not app.exception
    assert not any("the link asks for" in warning.value for warning in app.warning)
    assert found([part.value for part in app.markdown]) == expected


def test_noisy_labels_and_ones_own_scaling_are_said_where_the_promises_of_a_run_stand(tmp_path, monkeypatch):
    spec = CERTIFIED | {"label_noise": 0.25, "labels": [[0], [1]]}
    spec |= {"arch": CERTIFIED["arch"] | {"normalize": [0.33, 1.0]}}
    own = train_run(RunSpec.from_dict(spec), tmp_path)
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path))
    app = open_link(
        next(page for page in PAGES if page.key == "certificates"),
        networks="trained here",
        run=run_name(open_run(own)),
        full="true",
    )
    assert not app.exception
    assert not app.warning
    words = [part.value for part in app.markdown]
    assert found(words) == {"noise", "sub-task", "stratified", "scaling"}
    (noise,) = [part for part in words if "of the training labels was drawn anew" in part]
    assert "0.25" in noise
    assert "equally noisy labels" in noise
    (scaling,) = [part for part in words if "The scaling of the pixels" in part]
    assert "less 0.33, over 1" in scaling
