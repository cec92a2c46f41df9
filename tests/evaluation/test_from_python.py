"""What src/boundlab/evaluation/README.md shows works as it stands there: every block is run, callbacks by trainers that call them as theirs do."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import boundlab
from boundlab.runs.folder import open_run
from tests.conftest import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "src/boundlab/evaluation/README.md").read_text(), re.DOTALL)


@pytest.fixture
def given(tmp_path, monkeypatch):
    """What the reader of the notes has: a network, data, an optimiser."""
    monkeypatch.setenv("BOUNDLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BOUNDLAB_RUNS", str(tmp_path / "runs"))
    torch.manual_seed(0)
    x, y = torch.rand(60, 1, 8, 8), torch.arange(60) % 10
    model = nn.Sequential(nn.Conv2d(1, 3, 2, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(147, 10, bias=False))
    names = {"boundlab": boundlab, "torch": torch, "model": model, "epochs": 2, "loss_of": nn.CrossEntropyLoss()}
    names |= {
        "x_train": x,
        "y_train": y,
        "x_test": x[:30],
        "y_test": y[:30],
        "Callback": object,
        "TrainerCallback": object,
    }
    names["optimizer"] = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-3)
    names["sets"] = TensorDataset(x, y), TensorDataset(x[:30], y[:30])
    return names


def block(word: str) -> str:
    (found,) = (text for text in BLOCKS if word in text)
    return found


def test_there_is_no_block_that_is_not_run():
    words = ("to_frame", "for rows in", "class BoundlabCallback", "class BoundlabTrainerCallback", "import ALL")
    assert [block(word) for word in words] == BLOCKS


def test_the_report_as_a_frame_and_by_attributes(given):
    exec(block("to_frame"), given)
    report = given["report"]
    frame = report.to_frame()
    assert set(report["bounds"]) | {"theorem_s2", "theorem_d", "hold_out"} == set(frame.index)
    sparse = report.bounds["sparse"]
    assert sparse.factors == report["bounds"]["sparse"]["factors"] != {}
    assert frame.loc["sparse", "value"] == sparse.value == report["bounds"]["sparse"]["value"]
    silent = next(key for key, bound in report["bounds"].items() if bound["value"] is None)
    assert report.bounds[silent].value is report.bounds[silent].factors is None
    assert frame.loc[silent, "reason"] == report.bounds[silent].reason
    with pytest.raises(AttributeError, match="a bound has value"):
        _ = sparse.factor


def test_the_loop(given):
    exec(block("for rows in"), given)
    run = open_run(given["monitor"].folder)
    assert (run.state, len(run.epochs), run.spec.train.weight_decay) == ("done", 3, 1e-3)


def test_a_callback_of_lightning(given):
    """Hooks and arguments as `lightning.pytorch.Callback` has them."""
    exec(block("class BoundlabCallback"), given)
    callback = given["BoundlabCallback"](*given["sets"])
    trainer, module = SimpleNamespace(optimizers=[given["optimizer"]]), SimpleNamespace(model=given["model"])
    callback.on_train_start(trainer, module)
    for _ in range(2):
        callback.on_train_epoch_end(trainer, module)
    callback.on_train_end(trainer, module)
    assert open_run(callback.monitor.folder).spec.train.epochs == 2


def test_a_callback_of_hugging_face(given):
    """Hooks and arguments as `transformers.TrainerCallback` has them: everything but three by name."""
    exec(block("class BoundlabTrainerCallback"), given)
    callback = given["BoundlabTrainerCallback"](*given["sets"], epochs=1)
    named = {"model": SimpleNamespace(network=given["model"]), "optimizer": given["optimizer"], "lr_scheduler": None}
    three = [SimpleNamespace(num_train_epochs=1), SimpleNamespace(epoch=0.0), SimpleNamespace()]
    callback.on_train_begin(*three, **named)
    callback.on_epoch_end(*three, **named)
    callback.on_train_end(*three, **named)
    assert open_run(callback.monitor.folder).state == "done"


def test_bounds_of_norms_alone(given, capsys):
    exec(block("import ALL"), given)
    lines = capsys.readouterr().out.splitlines()
    assert any("[" in line for line in lines)
    assert len(lines) >= len(given["ALL"])
