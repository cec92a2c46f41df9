"""A network whose layers do not follow each other: read as a graph, its path norm against a walk along every path."""

import copy
import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from boundlab.networks.branched import branched
from boundlab.networks.export import checkpoint_of
from boundlab.networks.graph import Affine, Depth, depth, path_norm, tensors, with_tensors
from boundlab.networks.measure import path_l1
from tests.networks.test_tracing import Example, InNetwork, Keras, trained

SHAPE = (1, 8, 8)


class Block(nn.Module):
    """Of a ResNet: two convolutions with batch norm, beside them the input, or a 1x1 convolution of it."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        same = stride == 1 and before == width
        self.beside = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(before, width, 1, stride), nn.BatchNorm2d(width))
        )

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.beside(x))


class ResNet(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.blocks = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2))
        self.classes = nn.Linear(2 * width, 10)

    def forward(self, x):
        return self.classes(F.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1).flatten(1))


class Inception(nn.Module):
    """Channels side by side, a pool that overlaps, batch norm before a ReLU, the ending of networks in networks."""

    def __init__(self):
        super().__init__()
        self.small, self.large = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 3, 3, padding=1)
        self.norm, self.classes = nn.BatchNorm2d(6), nn.Conv2d(6, 4, 1)

    def forward(self, x):
        x = torch.cat([F.relu(self.small(x)), F.relu(self.large(x)), F.max_pool2d(x, 3, 1, 1)], dim=1)
        x = F.relu(self.norm(F.max_pool2d(x, 3, 2, 1)))
        return self.classes(F.avg_pool2d(x, 2)).mean((2, 3)).log_softmax(1)


class Preactivated(nn.Module):
    """Batch norm before anything else, and a sum that nothing follows."""

    def __init__(self):
        super().__init__()
        self.norm, self.one, self.two = nn.BatchNorm2d(1), nn.Linear(64, 5), nn.Linear(64, 5)

    def forward(self, x):
        x = F.relu(self.norm(x)).flatten(1)
        return self.one(x) + self.two(x)


MODELS = (ResNet, Inception, Preactivated)


def made(model):
    torch.manual_seed(1)
    return branched(trained(model()), SHAPE)


def walked(graph, in_shape):
    """The sum over all paths from an input, or a bias, to an output, of the products of absolute weights: neuron by neuron."""
    sizes = []
    x = torch.zeros(1, *in_shape, dtype=torch.float64)
    found = []
    for step in graph:
        given = [x if i < 0 else found[i] for i in step.sources]
        joined = torch.cat(given, dim=1) if step.join == "cat" else sum(given[1:], given[0])
        sizes.append(joined.shape[1:])
        found.append(step.module(joined))

    @functools.cache
    def before(i, place):
        """Of one number that step i is given."""
        step, place = graph[i], list(place)
        if step.join == "cat":
            for source in step.sources:
                channels = in_shape[0] if source < 0 else found[source].shape[1]
                if place[0] < channels:
                    return after(source, tuple(place))
                place[0] -= channels
        return sum(after(source, tuple(place)) for source in step.sources)

    def window(i, place, module, one_each):
        """(input, kernel index) under a window's place."""
        size, stride, padding = (
            v if isinstance(v, tuple) else (v, v) for v in (module.kernel_size, module.stride, module.padding)
        )
        channels = [place[0]] if one_each else range(sizes[i][0])
        for c in channels:
            for a in range(size[0]):
                for b in range(size[1]):
                    y, x = place[1] * stride[0] + a - padding[0], place[2] * stride[1] + b - padding[1]
                    if 0 <= y < sizes[i][1] and 0 <= x < sizes[i][2]:
                        yield (c, y, x), (c, a, b)

    @functools.cache
    def after(i, place):
        """Of one number that step i gives; of the input (-1) it is 1."""
        if i < 0:
            return 1.0
        module = graph[i].module
        if isinstance(module, nn.Conv2d):
            weight = module.weight[place[0]].abs()
            bias = 0.0 if module.bias is None else float(module.bias[place[0]].abs())
            return bias + sum(float(weight[k]) * before(i, p) for p, k in window(i, place, module, False))
        if isinstance(module, nn.Linear):
            bias = 0.0 if module.bias is None else float(module.bias[place[0]].abs())
            return bias + sum(float(w.abs()) * before(i, (j,)) for j, w in enumerate(module.weight[place[0]]))
        if isinstance(module, Affine):
            return float(module.scale.flatten()[place[0]].abs()) * before(i, place) + float(
                module.shift.flatten()[place[0]].abs()
            )
        if isinstance(module, nn.MaxPool2d):
            return sum(before(i, p) for p, _ in window(i, place, module, True))
        if isinstance(module, nn.AvgPool2d):
            return sum(before(i, p) for p, _ in window(i, place, module, True)) / 4
        if isinstance(module, nn.AdaptiveAvgPool2d | nn.Sequential):
            _, height, width = sizes[i]
            return sum(before(i, (place[0], y, x)) for y in range(height) for x in range(width)) / (height * width)
        if isinstance(module, nn.Flatten):
            if len(sizes[i]) == 1 or sizes[i][1:] == (1, 1):
                return before(i, (*place, *[0] * (len(sizes[i]) - 1)))
            area = sizes[i][1] * sizes[i][2]
            return before(i, (place[0] // area, place[0] % area // sizes[i][2], place[0] % sizes[i][2]))
        assert isinstance(module, nn.ReLU | nn.Identity)
        return before(i, place)

    return sum(after(len(graph) - 1, (c,)) for c in range(found[-1].shape[1]))


@pytest.mark.parametrize("model", MODELS)
def test_the_path_norm_is_that_of_a_walk_along_every_path(model):
    found = made(model)
    assert path_norm(found.whole, SHAPE) == pytest.approx(walked(found.whole, SHAPE), rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_the_graph_computes_what_the_model_does(model):
    torch.manual_seed(1)
    original = trained(model())
    before = copy.deepcopy(original.state_dict())
    found = branched(original, SHAPE)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), original.state_dict().values(), strict=True))
    x = torch.rand(6, *SHAPE, dtype=torch.float64)
    got = found.module()(x)
    got = got.log_softmax(1) if model is Inception else got
    torch.testing.assert_close(got, original.double().eval()(x), rtol=1e-9, atol=1e-9)
    assert found.output is None if model is Preactivated else found.output.out_features == found.inputs.classes


def test_batch_norm_is_folded_where_it_follows_a_layer_and_else_kept():
    assert not any(isinstance(step.module, Affine) for step in made(ResNet).whole)
    assert sum(isinstance(step.module, Affine) for step in made(Inception).whole) == 1
    assert sum(isinstance(step.module, Affine) for step in made(Preactivated).whole) == 1


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (ResNet, Depth(1 + 3 + 3 + 1 + 1, ())),  # stem, two convolutions and a sum twice, average, dense layer
        (Inception, Depth(4, (9, 9))),  # two pools; scale and shift, two averages, dense layer
        (Preactivated, Depth(3, ())),
    ],
)
def test_the_depth_is_that_of_the_longest_path(model, expected):
    assert depth(made(model).whole) == expected


@pytest.mark.parametrize("model", [Example, Keras, InNetwork])
def test_a_chain_read_as_a_graph_has_the_chains_path_norm(model):
    torch.manual_seed(0)
    network = trained(model())
    chain, graph = checkpoint_of(network, (1, 28, 28)), branched(network, (1, 28, 28))
    expected = path_l1(chain.weights, chain.biases, chain.arch.shapes())
    assert path_norm(graph.whole, (1, 28, 28)) == pytest.approx(expected, rel=1e-6)
    assert graph.parameters == sum(w.numel() for w in [*chain.weights, *chain.biases])


def test_tensors_are_replaced_one_for_one():
    found = made(Inception)
    doubled = with_tensors(found.hidden, [2 * tensor for tensor in tensors(found.hidden)])
    for one, other in zip(tensors(found.hidden), tensors(doubled), strict=True):
        assert torch.equal(2 * one, other)
    assert path_norm(found.whole, SHAPE) == path_norm(made(Inception).whole, SHAPE)


class Odd(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.steps, self.dense = forward, nn.Linear(64, 10)

    def forward(self, x):
        return self.steps(self, x)


CALLS = []


def once_more(model, x):
    CALLS.append(x)
    return model.dense(x.flatten(1)) * len(CALLS)


REFUSED = {
    "random": (lambda s, x: s.dense(F.dropout(x, 0.5).flatten(1)), "dropout is active in eval mode"),
    "changing": (once_more, "changes from call to call"),
    "softmax inside": (lambda s, x: s.dense(x.flatten(1).softmax(1)), "may only stand at the end"),
    "one output": (lambda s, x: s.dense(x.flatten(1)).mean(1, keepdim=True), "height and width of maps"),
    "maps": (lambda s, x: x, "one output per class"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_such_network_is_refused_in_one_sentence(name):
    forward, words = REFUSED[name]
    with pytest.raises(ValueError, match=rf"^[^\n]*{words}[^\n]*$"):
        branched(Odd(forward), SHAPE)


def test_leaky_rectifiers_have_no_path_norm():
    found = branched(Odd(lambda s, x: s.dense(F.leaky_relu(x, 0.1).flatten(1))), SHAPE)
    with pytest.raises(ValueError, match="every activation is ReLU"):
        path_norm(found.whole, SHAPE)
