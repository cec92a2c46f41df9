"""TorchScript is followed as the code that it was made of is: the same network, or why not."""

import pytest
import torch
from torch import nn

import boundlab
from boundlab.data.splits import load_splits
from boundlab.networks.branched import branched
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.networks.export import checkpoint_of
from tests.networks.test_graph import ResNet
from tests.networks.test_tracing import SHAPE, LeNet5, trained

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]


class Written(nn.Module):
    """As in PyTorch's first tutorial: batch norm, dropout, a view by the batch's size, LogSoftmax."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout()
        self.classes = nn.Linear(4 * 13 * 13, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        x = self.drop(x.view(x.size(0), -1))
        return nn.functional.log_softmax(self.classes(x), dim=1)


class Choosing(nn.Module):
    def __init__(self):
        super().__init__()
        self.classes = nn.Linear(784, 10)

    def forward(self, x):
        x = x.flatten(1)
        if bool(x.sum() > 0):
            x = -x
        return self.classes(x)


def scripted(model, way):
    return torch.jit.script(model) if way == "scripted" else torch.jit.trace(model.eval(), torch.rand(2, *SHAPE))


@pytest.mark.parametrize("way", ["scripted", "traced"])
@pytest.mark.parametrize("kind", [Written, LeNet5])
def test_a_chain_is_the_same_network_whether_it_is_torchscript_or_not(kind, way):
    torch.manual_seed(0)
    model = trained(kind())
    for wrapped in (lambda inner: inner, lambda inner: nn.Sequential(inner, nn.Identity())):
        plain, other = checkpoint_of(model, SHAPE), checkpoint_of(wrapped(scripted(model, way)), SHAPE)
        assert other.arch == plain.arch
        for one, two in zip(plain.weights, other.weights, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-12, atol=0)


def test_a_program_that_was_saved_is_exported_as_the_remedy_says(tmp_path):
    torch.manual_seed(0)
    model = trained(LeNet5())
    torch.jit.save(torch.jit.script(model), tmp_path / "net.pt")
    path = boundlab.export(torch.jit.load(tmp_path / "net.pt"), tmp_path / "net.safetensors", SHAPE)
    kept, plain = load_checkpoint(path, "mnist"), checkpoint_of(model, SHAPE)
    assert kept.arch == plain.arch
    assert all(torch.equal(one.double(), two.double()) for one, two in zip(kept.weights, plain.weights, strict=True))


@pytest.mark.parametrize("way", ["scripted", "traced"])
def test_a_graph_is_followed_and_what_was_given_is_not_changed(way):
    torch.manual_seed(0)
    program = scripted(trained(ResNet()), way)
    before = {name: value.clone() for name, value in program.state_dict().items()}
    found = branched(program, SHAPE)
    assert found.name == "ResNet"
    assert found.parameters == branched(trained(ResNet()), SHAPE).parameters
    assert all(torch.equal(value, program.state_dict()[name]) for name, value in before.items())
    assert next(program.parameters()).dtype == torch.float32


def test_what_is_not_the_same_for_every_input_is_refused_for_export_and_tested_all_the_same():
    program = torch.jit.script(Choosing())
    with pytest.raises(ValueError, match=r"Choosing could not be followed .*decides by a number that it computes"):
        checkpoint_of(program, SHAPE)
    test = load_splits("digits")[1]
    small = torch.nn.functional.interpolate(test.images, size=(28, 28))
    report = boundlab.evaluate(program, (small[:50], test.labels[:50], small[50:], test.labels[50:]))
    with torch.no_grad():
        expected = float((program(small[50:]).argmax(1) != test.labels[50:]).double().mean())
    assert (report["spec"]["model"], report["errors"]["test"]) == ("Choosing", pytest.approx(expected))


def test_frozen_weights_and_a_trace_in_train_mode_name_the_remedy():
    with pytest.raises(ValueError, match=r"frozen into its code; give the nn\.Module"):
        checkpoint_of(torch.jit.freeze(torch.jit.script(Written().eval())), SHAPE)
    training = torch.jit.trace(Written().train(), torch.rand(2, *SHAPE), check_trace=False)
    with pytest.raises(ValueError, match=r"traced in train mode.*after model\.eval\(\)"):
        checkpoint_of(training, SHAPE)
