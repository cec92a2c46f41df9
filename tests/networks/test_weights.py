"""Weights in a file into a network: tensors alone are read, by a process of its own."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from boundlab.cli.main import main
from boundlab.errors import CheckpointError
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.networks.export import checkpoint_of, outputs
from boundlab.networks.weights import filled, read_weights
from tests.hostile import Runs

CODE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10))
"""


def network(seed: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10))
    made(torch.randn(8, 1, 8, 8))
    return made


def prefixed(state, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


SAVED = {
    "a state dict": lambda state: state,
    "of DataParallel": lambda state: prefixed(state, "module."),
    "of a compiled DataParallel": lambda state: prefixed(state, "_orig_mod.module."),
    "of Lightning": lambda state: {"epoch": 3, "state_dict": prefixed(state, "model.")},
    "of a training loop": lambda state: {"model": state, "optimizer": {"lr": 0.1}},
    "of an average": lambda state: prefixed(state, "module.") | {"n_averaged": torch.tensor(3)},
}


@pytest.mark.parametrize("kind", SAVED)
def test_weights_come_into_the_network_that_they_were_saved_from(tmp_path, kind):
    trained, x = network(), torch.randn(5, 1, 8, 8)
    torch.save(SAVED[kind](trained.state_dict()), tmp_path / "net.pt")
    found = filled(network(2), tmp_path / "net.pt").eval()
    assert torch.equal(found(x), trained.eval()(x))


def test_a_wrapped_network_takes_them_too(tmp_path):
    trained = network()
    save_file(trained.state_dict(), tmp_path / "net.safetensors")
    found = filled(nn.DataParallel(network(2)), tmp_path / "net.safetensors")
    assert torch.equal(found[4].weight, trained[4].weight)
    with torch.device("meta"):
        empty = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10))
    assert torch.equal(filled(empty, tmp_path / "net.safetensors")[0].weight, trained[0].weight)


def test_the_command(tmp_path, capsys, monkeypatch):
    (tmp_path / "madenet.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    trained, x = network(), torch.randn(5, 1, 8, 8, dtype=torch.float64)
    torch.save(trained.state_dict(), "net.pt")
    line = ["export", "madenet:make", "out.safetensors", "--in-shape", "1,8,8", "--weights"]
    assert main([*line, "net.pt"]) == 0
    assert capsys.readouterr().out.strip() == "out.safetensors"
    torch.testing.assert_close(outputs(load_checkpoint("out.safetensors", None), x), trained.double().eval()(x))
    torch.save({"0.weight": torch.zeros(3, 1, 5, 5), "fc.weight": torch.zeros(1)}, "other.pt")
    assert main([*line, "other.pt"]) == 2
    said = capsys.readouterr().err
    assert (
        "but it lacks 0.bias, 1.bias, 1.running_mean (of 7), has fc.weight (of 1) beside, has 0.weight of shape [3, 1, 5, 5], not [3, 1, 3, 3]"
        in said
    )
    assert main([*line, "nowhere.pt"]) == 2
    assert "nowhere.pt is not a file" in capsys.readouterr().err


ODD = {
    "code": (lambda: {"a": Runs()}, "it holds more than tensors"),
    "a whole network": (lambda: network(), "it holds more than tensors"),
    "a list": (lambda: [torch.zeros(1)], "should hold a state_dict, names and tensors, got list"),
    "numbers": (lambda: {"a": 1}, "should hold tensors alone, got int under 'a'"),
    "nothing": (lambda: {}, "should hold a state_dict"),
    "meta": (lambda: {"fc.weight": torch.empty(3, device="meta")}, "fc.weight is on device meta, without values"),
    "sparse": (lambda: {"fc.weight": torch.eye(3).to_sparse()}, "fc.weight is of layout sparse_coo; make it dense"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_state_dict_is_said_and_never_run(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made, words = ODD[kind]
    torch.save(made(), tmp_path / "net.pt")
    before = set(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match=words) as caught:
        read_weights(tmp_path / "net.pt")
    assert "\n" not in str(caught.value)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + b"x" * 50, b"\x80\x02", b"\x80\x02}q\x00.", b"no file at all", b""]
)
def test_damaged_files(tmp_path, content):
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"net\.pt"):
        read_weights(tmp_path / "net.pt")


def test_statistics_that_are_not_finite_are_named():
    net = network()
    net[1].running_var[1] = torch.nan
    with pytest.raises(ValueError, match=r"1\.running_var has NaN or infinite values, as batch norm's statistics"):
        checkpoint_of(net, (1, 8, 8))
