"""Any module whose layers follow each other becomes the checkpoint that it is; what does not is refused in one sentence."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from boundlab.networks.export import checkpoint_of, outputs
from boundlab.networks.tracing import followed
from boundlab.specs.arch import ArchSpec

SHAPE = (1, 28, 28)


class Example(nn.Module):
    """PyTorch's example network for MNIST, narrow, with batch norm and weight norm besides."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3, padding="same")
        self.norm, self.dropout = nn.BatchNorm2d(16), nn.Dropout(0.25)
        self.fc1, self.fc2 = nn.Linear(16 * 13 * 13, 32), parametrizations.weight_norm(nn.Linear(32, 10))

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.norm(self.conv2(x)), inplace=True), 2)
        x = torch.flatten(self.dropout(x), 1)
        x = F.dropout(self.fc1(x.view(x.size(0), -1)).relu(), training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.ModuleList([nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)])
        self.dense = nn.ModuleList([nn.Linear(400, 120), nn.Linear(120, 84)])
        self.last = nn.Linear(84, 10)

    def forward(self, x):
        for layer in self.maps:
            x = F.avg_pool2d(torch.relu(layer(x)), (2, 2))
        x = x.view(-1, 16 * 5 * 5)
        for layer in self.dense:
            x = layer(x).clamp(min=0)
        return self.last(x)


class Keras(nn.Module):
    """The convolutional network of the Keras examples: two 3x3 convolutions with pools, one dense layer, softmax."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU())
        self.head = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(1, 3), nn.Dropout(0.5), nn.Linear(200, 10))

    def forward(self, x):
        return self.head(self.body(x)).softmax(-1)


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        parts, before = [], 1
        for width in (4, 8):
            for _ in range(2):
                parts += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
                before = width
            parts.append(nn.MaxPool2d(2, 2))
        self.features, self.pool = nn.Sequential(*parts), nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(8, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


class InNetwork(nn.Module):
    """Ends as networks in networks do: a 1x1 convolution, averaged."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.classes = nn.Conv2d(8, 10, 1)

    def forward(self, x):
        return self.classes(F.max_pool2d(self.body(x), 2)).mean((2, 3))


class Scaled(nn.Module):
    """Numbers beside the layers: the inputs scaled, a layer's outputs scaled and shifted, weights of its own."""

    def __init__(self):
        super().__init__()
        self.conv, self.gain = nn.Conv2d(1, 4, 5, 2, bias=False), nn.Parameter(torch.rand(4, 1, 1))
        self.weight, self.bias = nn.Parameter(torch.randn(576, 10) / 24), nn.Parameter(torch.randn(10))

    def forward(self, x):
        x = (1 - x) / 0.5
        x = F.relu(self.conv(-x) * self.gain + 0.1)
        return x.flatten(1) @ self.weight + self.bias


class Deciding(nn.Module):
    """One output, and a sigmoid."""

    def __init__(self):
        super().__init__()
        self.hidden, self.last = nn.Linear(784, 8), nn.Linear(8, 1)

    def forward(self, x):
        return torch.sigmoid(self.last(F.relu(self.hidden(x)))).squeeze(1)


def trained(made: nn.Module) -> nn.Module:
    """Statistics of batch norm as after training."""
    rng = torch.Generator().manual_seed(3)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=rng)
            module.running_var.uniform_(0.2, 3.0, generator=rng)
            module.weight.data.normal_(generator=rng)
    return made


KNOWN = {
    Example: "CONV-2-8,16 k3 pad 0,1 -,max2 dense 32 bias",
    LeNet5: "CONV-2-6,16 k5 pad 2,0 avg2 dense 120,84 bias",
    Keras: "CONV-2-8 k3 max2 bias",
    Vgg: "CONV-4-4,4,8,8 k3 pad 1 -,max2,-,max2 GAP bias",
    InNetwork: "CONV-2-8 k3,1 pad 1,0 -,max2 GAP bias",
    Scaled: "CONV-1-4 k5 stride 2 bias",
}


def fed(arch: ArchSpec, x: torch.Tensor) -> torch.Tensor:
    return x if arch.normalize is None else (x - arch.normalize[0]) / arch.normalize[1]


def images() -> torch.Tensor:
    return torch.rand(5, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(9))


def alike(model: nn.Module, **more) -> ArchSpec:
    """The checkpoint's outputs, of pixels, are the model's, but for the softmax that it ends with; the model stays as it was."""
    before = copy.deepcopy(model.state_dict())
    found = checkpoint_of(model, SHAPE, **more)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    expected = copy.deepcopy(model).double().eval()(images())
    got = outputs(found, fed(found.arch, images()))
    if isinstance(model, Example):
        got = got.log_softmax(dim=1)
    elif isinstance(model, Keras):
        got = got.softmax(dim=1)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    return found.arch


@pytest.mark.parametrize("model", KNOWN)
def test_a_module_is_the_checkpoint_that_computes_the_same(model):
    torch.manual_seed(0)
    arch = alike(trained(model()))
    assert arch.title == KNOWN[model]
    if model is Scaled:
        assert arch.normalize == pytest.approx((1.0, 0.5))


@pytest.mark.filterwarnings("ignore:.*script.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "wrap",
    [torch.compile, nn.DataParallel, torch.optim.swa_utils.AveragedModel, lambda m: nn.Sequential(m, nn.Softmax(1))],
)
def test_what_is_wrapped_is_what_it_wraps(wrap):
    torch.manual_seed(0)
    model = LeNet5()
    plain, wrapped = checkpoint_of(model, SHAPE), checkpoint_of(wrap(model), SHAPE)
    assert plain.arch == wrapped.arch
    assert all(map(torch.equal, plain.weights, wrapped.weights))


def test_one_output_decides_as_two_do():
    torch.manual_seed(0)
    model = Deciding()
    found = checkpoint_of(model, SHAPE, normalize=((0.5,), (0.25,)))
    assert (found.arch.classes, found.arch.normalize) == (2, (0.5, 0.25))
    got = outputs(found, images())
    expected = model.double()(images().flatten(1))
    torch.testing.assert_close((got[:, 1] - got[:, 0]).sigmoid(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got.sum(dim=1), torch.zeros_like(expected), rtol=0, atol=1e-6)


class Cell(nn.Module):
    def __init__(self, forward, *layers):
        super().__init__()
        self.layers, self.steps = nn.ModuleList([nn.Linear(784, 10), *layers]), forward

    def forward(self, x):
        return self.steps(self, x)


REFUSED = {
    "branch": (lambda s, x: s.layers[0]((x + F.relu(s.layers[1](x))).flatten(1)), "do not follow each other"),
    "tanh": (lambda s, x: s.layers[0](torch.tanh(x.flatten(1))), "tanh is not among the operations"),
    "values": (
        lambda s, x: s.layers[0](x.flatten(1) if x.sum() > 0 else -x.flatten(1)),
        "may not decide by the values",
    ),
    "two results": (lambda s, x: (s.layers[0](x.flatten(1)), x), "must return one tensor"),
    "dictionary": (lambda s, x: {"logits": s.layers[0](x.flatten(1)), "x": x}, "must return one tensor"),
    "no result": (lambda s, x: s.layers[0].bias, "must return one tensor that depends on its input"),
    "transposed": (lambda s, x: s.layers[0](x.mT.reshape(-1, 784)), "mT is not among the operations"),
    "product": (lambda s, x: s.layers[0]((x * x).flatten(1)), "product or difference of two results"),
    "batch's own norm": (lambda s, x: s.layers[0](s.layers[2](s.layers[1](x)).flatten(1)), "running statistics"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_chain_of_known_layers_is_refused_in_one_sentence(name):
    forward, words = REFUSED[name]
    model = Cell(forward, nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1, track_running_stats=False))
    with pytest.raises(ValueError, match=rf"^[^\n]*({words})[^\n]*$"):
        checkpoint_of(model, SHAPE)


def test_normalisation_by_channel_names_its_remedy():
    with pytest.raises(ValueError, match="one mean and one deviation for all channels"):
        checkpoint_of(LeNet5(), SHAPE, normalize=((0.1, 0.2, 0.3), (1, 1, 1)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.reads, self.classes = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 4)

    def forward(self, x):
        return self.classes(self.reads(x.squeeze(1))[0][:, -1])


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.classes = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 4)

    def forward(self, x):
        return self.classes(self.rows(x.squeeze(1)).mean(1))


@pytest.mark.parametrize(
    ("model", "named"), [(Recurrent, "reads is a LSTM"), (Attending, "rows is a TransformerEncoderLayer")]
)
def test_attention_and_recurrence_are_named_before_anything_else(model, named):
    with pytest.raises(
        ValueError, match=rf"{named}: attention and recurrent networks multiply .* feed-forward ReLU networks"
    ):
        followed(model().double(), (1, 8, 8))


class Faulty(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act, self.classes = (
            nn.Conv2d(1, 4, 3),
            nn.GroupNorm(2, 4),
            nn.GELU(),
            nn.Linear(144, 4),
        )

    def forward(self, x):
        return self.classes(self.act(self.norm(self.conv(x))).flatten(1))


def test_everything_that_is_in_the_way_is_named_at_once():
    with pytest.raises(ValueError, match=r"^norm: group_norm is not among .*In the way as well: act \(GELU\)$"):
        followed(Faulty().double(), (1, 8, 8))
