"""Files without spec: what is inferred of a plain chain, what is asked, and the checkpoint that the answers make of it."""

import itertools
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from boundlab.checkpoints.completed import completed
from boundlab.checkpoints.header import Unspecified, read_header
from boundlab.checkpoints.inferred import chain_of, mismatch, proposed
from boundlab.cli.main import main
from boundlab.errors import CheckpointError
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.networks.export import outputs
from boundlab.specs.arch import ArchSpec

LENET = {
    "conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,), "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,),
    "fc1.weight": (120, 400), "fc1.bias": (120,), "fc2.weight": (84, 120), "fc2.bias": (84,), "fc3.weight": (10, 84), "fc3.bias": (10,),
}  # fmt: skip
EXAMPLE = {
    "conv1.weight": (32, 1, 3, 3), "conv2.weight": (64, 32, 3, 3), "fc1.weight": (128, 9216), "fc2.weight": (10, 128), "fc2.bias": (10,)
}  # fmt: skip


class Example(nn.Module):
    """PyTorch's example network for MNIST, without dropout."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = torch.max_pool2d(self.conv2(self.conv1(x).relu()).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())


def test_networks_that_people_have_are_read_as_they_are():
    lenet = ArchSpec.from_dict(proposed(chain_of(LENET), (1, 28, 28), (0.1307, 0.3081)))
    assert mismatch(chain_of(LENET), lenet.to_dict()) == ""
    assert (lenet.channels, lenet.kernel_size, lenet.hidden) == ((6, 16), 5, (120, 84))
    assert (lenet.in_shape, lenet.padding, lenet.pool) == ((1, 28, 28), (2, 0), "max2")
    assert (lenet.bias, lenet.normalize, lenet.classes) == (True, (0.1307, 0.3081), 10)
    example = ArchSpec.from_dict(proposed(chain_of(EXAMPLE), (1, 28, 28), None))
    assert (example.pool, example.padding, example.stride, example.head, example.hidden) == (
        ("", "max2"),
        0,
        1,
        "flatten",
        (128,),
    )
    dense = ArchSpec.from_dict(proposed(chain_of({"a.weight": (5, 784), "b.weight": (1, 5)}), (1, 28, 28), None))
    assert (dense.kind, dense.in_shape, dense.hidden, dense.classes, dense.bias) == ("mlp", (1, 28, 28), (5,), 2, False)


@pytest.mark.parametrize(("stride", "padding", "pool"), list(itertools.product((1, 2), (0, 1), ("", "max2"))))
def test_what_is_proposed_fits_the_file_whatever_it_was_made_with(stride, padding, pool):
    arch = ArchSpec(
        in_shape=(3, 96, 96),
        channels=(8, 12, 5),
        kernel_size=3,
        stride=stride,
        padding=padding,
        pool=pool,
        hidden=(7,),
        classes=4,
        bias=True,
    )
    names = ["features.0", "features.3", "features.10", "classifier.1", "classifier.4"]
    tensors = {f"{n}.weight": s.weight_shape for n, s in zip(names, arch.shapes(), strict=True)}
    tensors |= {f"{n}.bias": s.bias_shape for n, s in zip(names, arch.shapes(), strict=True)}
    chain = chain_of(tensors)
    assert chain.names == tuple(names)
    assert mismatch(chain, arch.to_dict()) == ""
    assert mismatch(chain, proposed(chain, (3, 96, 96), None)) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bn.running_mean": (6,)}, "bn.running_mean is a statistic of batch norm"),
        ({"bn.weight": (6,)}, "bn.weight has shape [6], that of no dense layer"),
        ({"x": (3,)}, "x is neither the weight nor the bias"),
        ({"fc9.bias": (3,)}, "fc9.bias is neither the weight nor the bias"),
        ({"conv1.bias": (5,)}, "conv1.bias has shape [5], not one value per output"),
        ({"conv3.weight": (8, 5, 3, 3)}, "conv3 has weights [8, 5, 3, 3] after 16 channels"),
        ({"conv1.weight": (6, 1, 5, 3)}, "conv1 has weights [6, 1, 5, 3]"),
        ({"fc4.weight": (2, 11)}, "fc4 takes 11 values, and fc3 gives 10"),
        ({"a" * 100: (3,)}, "a" * 40 + " is neither"),
    ],
)
def test_what_is_no_plain_chain_is_said(change, words):
    with pytest.raises(CheckpointError) as caught:
        chain_of(LENET | change)
    assert words in str(caught.value)
    assert "`boundlab export MODULE:NAME OUT.safetensors --weights FILE`" in str(caught.value)


def test_the_answers_make_a_checkpoint_of_it(tmp_path):
    torch.manual_seed(0)
    net, x = Example(), torch.rand(4, 1, 28, 28)
    file, out = tmp_path / "net.safetensors", tmp_path / "out.safetensors"
    save_file({f"module.{name}": tensor for name, tensor in net.state_dict().items()}, file)
    with pytest.raises(Unspecified) as caught:
        read_header(file, "mnist")
    spec = caught.value.spec
    assert spec["normalize"] == [0.1307, 0.3081]
    out.write_bytes(completed(file, spec))
    torch.testing.assert_close(outputs(load_checkpoint(out, "mnist"), x.double()), net.double()(x.double()))
    with pytest.raises(
        CheckpointError, match="with these answers fc1 would take 36,864 values, but in the file it takes 9,216"
    ):
        completed(file, spec | {"pool": ""})
    with pytest.raises(CheckpointError, match="padding must be a whole number"):
        completed(file, spec | {"padding": -1})


def test_a_single_output_decides_as_before(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 5, bias=False), nn.ReLU(), nn.Linear(5, 1))
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    spec = proposed(chain_of({n: tuple(t.shape) for n, t in net.state_dict().items()}), (1, 8, 8), None)
    (tmp_path / "out").write_bytes(completed(tmp_path / "net.safetensors", spec))
    x = torch.rand(9, 1, 8, 8)
    two = outputs(load_checkpoint(tmp_path / "out", None), x.double())
    torch.testing.assert_close((two[:, 1] - two[:, 0]).float(), net(x)[:, 0])


def test_the_command_line_asks_and_takes_the_answer(tmp_path, capsys):
    torch.manual_seed(0)
    file = tmp_path / "net.safetensors"
    save_file({"fc.weight": torch.randn(10, 64), "fc.bias": torch.zeros(10)}, file)
    line = ["evaluate", str(file), "--dataset", "digits", "--json"]
    assert main(line) == 2
    said = capsys.readouterr().err
    spec = json.loads(said[said.index("{") :])
    assert spec["in_shape"] == [1, 8, 8]
    assert main([*line, "--spec", json.dumps(spec)]) == 0
    from_text = json.loads(capsys.readouterr().out)
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert main([*line, "--spec", str(tmp_path / "spec.json")]) == 0
    assert json.loads(capsys.readouterr().out) == from_text
    for wrong, words in (
        ("{", "--spec must be a JSON object"),
        (str(tmp_path / "no.json"), "no.json"),
        (json.dumps(spec | {"classes": 3}), "the answers should fit the file"),
    ):
        assert main([*line, "--spec", wrong]) == 2
        assert words in capsys.readouterr().err
