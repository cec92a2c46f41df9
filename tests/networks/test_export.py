"""A Sequential as a checkpoint: the same function, or one sentence that says why not."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import boundlab
from boundlab.checkpoints.snippet import EXPORT_SNIPPET
from boundlab.cli.main import main
from boundlab.networks import build
from boundlab.networks.checkpoint import load_checkpoint
from boundlab.networks.export import checkpoint_of, outputs
from boundlab.specs.arch import ArchSpec
from tests.checkpoints import test_snippet
from tests.checkpoints.test_snippet import MODELS
from tests.specs.test_architectures import CASES, arch_of

SHAPE = (1, 8, 8)


def conv(*args, **more) -> nn.Conv2d:
    return nn.Conv2d(*args, **more)


def with_norms(*parts: nn.Module) -> nn.Sequential:
    """Batch norm as after training: statistics, scales (some negative) and shifts that are not the identity."""
    model, rng = nn.Sequential(*parts), torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(generator=rng)
            module.running_var.uniform_(0.2, 3.0, generator=rng)
            if module.affine:
                module.weight.data.normal_(generator=rng)
                module.bias.data.normal_(generator=rng)
    return model


def local(arch: ArchSpec) -> nn.LazyConv2d:
    layer = build.LocallyConnected2d(arch.shapes()[0])
    nn.init.normal_(layer.weight)
    return layer


def same(model: nn.Sequential, in_shape=SHAPE, atol: float = 1e-12) -> ArchSpec:
    """The checkpoint's network, built by `nets`, against the model; float64 and eval mode."""
    found = checkpoint_of(model, in_shape)
    assert (found.arch.bias, len(found.weights)) == (found.biases[0] is not None, len(found.arch.shapes()))
    net = build.from_weights(found.arch, found.weights, found.biases).double()
    for layer, weight, bias in zip(build.layers(net), found.weights, found.biases, strict=True):
        layer.weight.data.copy_(weight)
        if bias is not None:
            layer.bias.data.copy_(bias)
    x = torch.randn(5, *in_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(net(x), copy.deepcopy(model).double().eval()(x), rtol=1e-9, atol=atol)
    return found.arch


@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_model_and_what_the_snippet_writes(tmp_path, name):
    model = test_snippet.build(MODELS[name])
    arch = same(model)
    path = boundlab.export(model, tmp_path / "net.safetensors", SHAPE)
    names: dict = {}
    exec(EXPORT_SNIPPET, names)
    names["export"](model, tmp_path / "other.safetensors", SHAPE)
    one, other = load_checkpoint(path, "digits"), load_checkpoint(tmp_path / "other.safetensors", "digits")
    assert one.arch == other.arch == arch
    for a, b in zip(one.weights + one.biases, other.weights + other.biases, strict=True):
        assert (a is b is None) or torch.equal(a, b)


OTHERS = {
    "leaky": {"negative_slope": 0.1, "pool": ["max2", ""], "hidden": [5]},
    "first local": {"local": [True, False], "padding": 1, "kernel_size": 3},
    "second local": {"local": [False, True], "groups": [2, 1]},
}


@pytest.mark.parametrize("name", OTHERS)
def test_layers_of_both_kinds_and_leaky_ones_come_back(name):
    arch = arch_of(**OTHERS[name], bias=True, weight_norm=False)
    net = build.build(arch)
    build.initialise(net, arch, "torch", 0)
    assert same(net, arch.in_shape) == arch
    assert ArchSpec.from_dict(arch.to_dict()) == arch


def test_local_everywhere_is_the_kind_without_sharing():
    assert arch_of(local=[True, True]) == arch_of("lc")
    assert arch_of(local=[False, False]) == arch_of()
    assert arch_of(negative_slope=0).to_dict() == arch_of().to_dict()


@pytest.mark.parametrize("weight_norm", [True, False])
@pytest.mark.parametrize("kind", ["conv", "lc"])
@pytest.mark.parametrize("name", CASES)
def test_what_boundlab_builds_comes_back(kind, name, weight_norm):
    arch = arch_of(kind, **CASES[name], weight_norm=weight_norm, bias=True)
    net = build.build(arch)
    build.initialise(net, arch, "torch", 0)
    if arch.head == "gap":  # built as a pool of the map's size
        found = checkpoint_of(net, arch.in_shape).arch.shapes()
        assert [(s.pools, s.weight_shape) for s in found] == [(s.pools, s.weight_shape) for s in arch.shapes()]
    else:
        assert same(net, arch.in_shape, 1e-6 if weight_norm else 1e-12) == arch


def test_grouped_and_depthwise():
    model = nn.Sequential(conv(1, 4, 2), nn.ReLU(), conv(4, 8, 2, groups=4), nn.ReLU(), nn.Flatten(), nn.Linear(288, 3))
    assert same(model).per_layer("groups") == (1, 4)


FOLDED = {
    "conv": lambda: [conv(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)],
    "conv without bias": lambda: [
        *[conv(1, 4, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)],
        *[conv(4, 4, 2, groups=2, bias=False), nn.BatchNorm2d(4, affine=False), nn.ReLU()],
        *[nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10, bias=False)],
    ],
    "dense": lambda: [nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.ReLU(), nn.Linear(6, 10)],
    "the last layer": lambda: [nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10), nn.BatchNorm1d(10)],
    "twice": lambda: [nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)],
    "locally connected": lambda: [
        *[local(arch_of("lc", in_shape=SHAPE, conv_layers=1, kernel_size=3)), nn.BatchNorm2d(4), nn.ReLU()],
        *[nn.Flatten(), nn.Linear(144, 10)],
    ],
}


@pytest.mark.parametrize("name", FOLDED)
def test_batch_norm_is_folded_in(name):
    model = with_norms(*FOLDED[name]())
    model.train()
    before = copy.deepcopy(model.state_dict())
    arch = same(model)
    assert arch.bias
    assert model.training
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in before.items())
    assert checkpoint_of(model, SHAPE).weights[0].dtype == (
        torch.float32 if name == "the last layer" else torch.float64
    )


def test_parametrizations_become_effective_weights():
    parts = parametrizations.spectral_norm(conv(1, 4, 2)), parametrizations.weight_norm(nn.Linear(196, 5))
    for _ in range(3):
        parts[0](torch.randn(2, 1, 8, 8))  # power iterations
    model = nn.Sequential(parts[0], nn.ReLU(), nn.Flatten(), parts[1], nn.ReLU(), nn.Linear(5, 10))
    arch = same(model, atol=1e-6)
    assert not arch.weight_norm
    assert checkpoint_of(model, SHAPE).weights[0].dtype == torch.float32


def test_harmless_orders_are_the_same_network():
    model = nn.Sequential(
        *[nn.Identity(), conv(1, 4, 2, padding="valid"), nn.MaxPool2d((2, 2)), nn.ReLU(), nn.Dropout2d()],
        *[conv(4, 4, 3, padding="same"), nn.MaxPool2d(1), nn.Flatten(), nn.ReLU(), nn.Linear(36, 10), nn.Identity()],
    )
    arch = same(model)
    assert arch.per_layer("pool") == ("max2", "")
    assert arch.per_layer("padding") == (0, 1)


def test_an_mlp_may_do_without_flatten_and_the_architecture_decides_whether_there_are_biases():
    model = nn.Sequential(nn.Linear(64, 5), nn.ReLU(), nn.Linear(5, 10))
    found = checkpoint_of(model, SHAPE)
    assert (found.arch.kind, found.arch.hidden, found.arch.bias) == ("mlp", (5,), True)
    for parameter in (model[0].bias, model[2].bias):
        nn.init.zeros_(parameter)
    zero = checkpoint_of(model, SHAPE)
    assert zero.arch == found.arch
    assert [b.tolist() for b in zero.biases] == [[0.0] * 5, [0.0] * 10]
    without = nn.Sequential(nn.Linear(64, 5, bias=False), nn.ReLU(), nn.Linear(5, 10, bias=False))
    assert not checkpoint_of(without, SHAPE).arch.bias
    assert checkpoint_of(without, SHAPE).biases == [None, None]


def test_initial_weights_are_stored(tmp_path):
    start = nn.Sequential(conv(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(98, 10))
    trained = copy.deepcopy(start)
    trained[0].weight.data.add_(1.0)
    path = boundlab.export(trained, tmp_path / "net.safetensors", SHAPE, (0.1, 0.5), init=start)
    read = load_checkpoint(path, "digits")
    assert read.arch.normalize == (0.1, 0.5)
    assert torch.equal(read.init[0], start[0].weight)
    assert torch.equal(read.weights[0], trained[0].weight)
    with pytest.raises(ValueError, match="init must be the same network before training"):
        checkpoint_of(trained, SHAPE, init=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))


class Odd(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).sin()


def pruned() -> nn.Module:
    return prune.l1_unstructured(nn.Linear(64, 10), "weight", amount=0.5)


def unfinished() -> nn.Module:
    layer = nn.Linear(64, 10)
    nn.init.constant_(layer.weight, torch.nan)
    return layer


END = (nn.Flatten(), nn.Linear(196, 10))
REFUSED = {
    "elu": ([conv(1, 4, 2), nn.ELU(), *END], "module 1 (ELU(alpha=1.0)) has no place in a chain of layers: supp"),
    "nested": ([nn.Sequential(conv(1, 4, 2), nn.GELU()), *END], "module 0.1 (GELU("),
    "reflect": ([conv(1, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU(), *END], "padding with zeros"),
    "even same": ([conv(1, 4, 2, padding="same"), nn.ReLU(), *END], "on both sides alike"),
    "not square": ([conv(1, 4, (2, 3)), nn.ReLU(), *END], "the same in both directions"),
    "overlap": ([conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), *END], "use nn.MaxPool2d(3)"),
    "ceil": (
        [conv(1, 4, 2), nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True), *END],
        "without padding, dilation or ceil_mode",
    ),
    "two pools": ([conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2), *END], "only one pool each"),
    "average before": ([conv(1, 4, 2), nn.AvgPool2d(2), nn.ReLU(), *END], "must come after the ReLU"),
    "global before": ([conv(1, 4, 2), nn.AdaptiveAvgPool2d(1), *END], "after the ReLU of the last convolution"),
    "global 2": ([conv(1, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), *END], "only AdaptiveAvgPool2d(1)"),
    "no relu": ([conv(1, 4, 2), *END], "a ReLU between it and module 0; put nn.ReLU() there"),
    "late norm": ([conv(1, 4, 2), nn.ReLU(), nn.BatchNorm2d(4), *END], "right before it; here 0 is further away"),
    "first norm": ([nn.BatchNorm2d(1), conv(1, 4, 2), nn.ReLU(), *END], "must come after a layer with weights"),
    "no statistics": (
        [conv(1, 4, 2), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), *END],
        "no running statistics",
    ),
    "no flatten": ([conv(1, 4, 2), nn.ReLU(), nn.Linear(7, 10)], "put nn.Flatten() there"),
    "half flat": ([conv(1, 4, 2), nn.ReLU(), nn.Flatten(2), nn.Linear(49, 10)], "use nn.Flatten()"),
    "conv last": ([conv(1, 4, 2), nn.ReLU(), conv(4, 10, 7)], "must be a Linear with one output per class"),
    "conv after": ([*END[:1], nn.Linear(64, 64), nn.ReLU(), conv(1, 1, 1)], "cannot follow Flatten"),
    "slopes that differ": (
        [conv(1, 4, 2), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(196, 8), nn.LeakyReLU(0.2), nn.Linear(8, 10)],
        "one activation, the same for all",
    ),
    "ReLU and LeakyReLU": (
        [conv(1, 4, 2), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(196, 8), nn.ReLU(), nn.Linear(8, 10)],
        "one activation, the same for all",
    ),
    "two activations": ([conv(1, 4, 2), nn.LeakyReLU(0.1), nn.LeakyReLU(0.1), *END], "one activation"),
    "steep": ([conv(1, 4, 2), nn.LeakyReLU(1.5), *END], "must lie between 0 and 1"),
    "softmax first": ([conv(1, 4, 2), nn.ReLU(), nn.Softmax(1), *END], "nothing may follow a Softmax"),
    "softmax over examples": (
        [conv(1, 4, 2), nn.ReLU(), *END, nn.Softmax(0)],
        "only a Softmax or LogSoftmax over the classes",
    ),
    "sigmoids": ([conv(1, 4, 2), nn.ReLU(), *END, nn.Sigmoid()], "or the Sigmoid of a single output"),
    "relu last": ([nn.Flatten(), nn.Linear(64, 10), nn.ReLU()], "no ReLU after the last layer, module 1"),
    "empty": ([nn.Flatten()], "no layer with weights"),
    "other size": ([nn.Flatten(), nn.Linear(65, 10)], "does not take inputs of in_shape 1x8x8"),
    "own forward": ([Odd(1, 4, 2), nn.ReLU(), *END], "sin is not among the operations"),
    "pruned": ([nn.Flatten(), pruned()], "prune.remove"),
    "nan": ([nn.Flatten(), unfinished()], "every weight must be finite"),
}


def sparse() -> nn.Linear:
    layer = nn.Linear(64, 10)
    layer.weight = nn.Parameter(layer.weight.detach().to_sparse())
    return layer


def spoilt(value: float) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(10)
    norm.running_var[3] = value
    return norm


REFUSED |= {
    "meta": ([nn.Flatten(), nn.Linear(64, 10, device="meta")], "1.weight is on the meta device and has no values"),
    "sparse": ([nn.Flatten(), sparse()], "1.weight is a sparse tensor; make it dense"),
    "complex": ([nn.Flatten(), nn.Linear(64, 10, dtype=torch.complex64)], "1.weight is torch.complex64"),
    "NaN in a norm": ([nn.Flatten(), nn.Linear(64, 10), spoilt(torch.nan)], "2.running_var has NaN or infinite values"),
    "infinite norm": ([nn.Flatten(), nn.Linear(64, 10), spoilt(torch.inf)], "2.running_var has NaN or infinite values"),
    "negative variance": ([nn.Flatten(), nn.Linear(64, 10), spoilt(-1.0)], "running statistics are NaN, infinite or"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_place_in_a_spec_is_refused_in_one_sentence(tmp_path, name):
    parts, words = REFUSED[name]
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        boundlab.export(nn.Sequential(*parts), tmp_path / "net.safetensors", SHAPE)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


def spectral() -> nn.Module:
    return parametrizations.spectral_norm(conv(1, 4, 2))


GAP = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
SNIPPET_REFUSES = {  # of most of these it wrote another network
    "circular": lambda: [conv(1, 4, 3, padding=1, padding_mode="circular"), *GAP],
    "replicate": lambda: [conv(1, 4, 3, padding=1, padding_mode="replicate"), *GAP],
    "oblong stride": lambda: [conv(1, 4, 2, stride=(1, 2)), *GAP],
    "oblong padding": lambda: [conv(1, 4, 3, padding=(1, 0)), *GAP],
    "oblong dilation": lambda: [conv(1, 4, 2, dilation=(1, 2)), *GAP],
    "oblong same": lambda: [conv(1, 4, (3, 2), padding="same"), *GAP],
    "dilated pool": lambda: [conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d(2, dilation=2), *GAP[1:]],
    "padded pool": lambda: [conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d(2, padding=1), *GAP[1:]],
    "oblong pool": lambda: [conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d((2, 3)), *GAP[1:]],
    "indices": lambda: [conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d(2, return_indices=True), *GAP[1:]],
    "divisor": lambda: [conv(1, 4, 2), nn.ReLU(), nn.AvgPool2d(2, divisor_override=1), *GAP[1:]],
    "average of rows": lambda: [conv(1, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d((1, None)), nn.Flatten(), nn.Linear(28, 10)],
    "flat to a matrix": lambda: [nn.Flatten(0), nn.Linear(64, 10)],
    "spectral": lambda: [spectral(), *GAP],
    "weight norm": lambda: [nn.Flatten(), parametrizations.weight_norm(nn.Linear(64, 5))],
    "a forward of its own": lambda: [Twice(conv(1, 4, 2)), *GAP],
}  # fmt: skip


class Twice(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


ALIKE = {
    "a pair as pool": lambda: [conv(1, 4, 2), nn.ReLU(), nn.MaxPool2d((2, 2)), nn.Flatten(), nn.Linear(36, 10)],
    "a pair as stride": lambda: [conv(1, 4, (2, 2), stride=(2, 2)), nn.ReLU(), nn.AvgPool2d(2, (2, 2)), *GAP[1:]],
    "same": lambda: [conv(1, 4, 3, padding="same", dilation=2), *GAP],
    "valid": lambda: [conv(1, 4, 3, padding="valid"), nn.ReLU(), nn.MaxPool2d(1), nn.Identity(), *GAP[1:]],
    "one layer twice": lambda: [nn.Flatten(), *[nn.Linear(64, 64), nn.ReLU()] * 2, nn.Linear(64, 10)],
    "double": lambda: [nn.Flatten(), nn.Linear(64, 10).double()],
    "half": lambda: [nn.Flatten(), nn.Linear(64, 10).half()],
    "channels last": lambda: [conv(1, 4, 3).to(memory_format=torch.channels_last), *GAP],
    "dropout and no bias": lambda: [conv(1, 4, 3, bias=False), nn.ReLU(), nn.Dropout(0.5), *GAP[1:]],
}
EVERY = (
    {f"refused, {name}": lambda parts=parts: parts for name, (parts, _) in REFUSED.items()}
    | {f"folded, {name}": make for name, make in FOLDED.items()}
    | {f"a model, {name}": lambda text=text: test_snippet.build(text) for name, text in MODELS.items()}
    | {f"not a model, {name}": lambda text=text: test_snippet.build(text) for name, text in test_snippet.REFUSED.items()}
    | {f"built, {name}": lambda case=case: build.build(arch_of(**case, bias=True, weight_norm=False)) for name, case in CASES.items()}
    | SNIPPET_REFUSES
    | ALIKE
)  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_the_snippet_writes_the_model_or_nothing(name, tmp_path):
    made = EVERY[name]()
    model = made if isinstance(made, nn.Sequential) else (with_norms if "folded" in name else nn.Sequential)(*made)
    in_shape = (2, 8, 7) if name.startswith("built") else SHAPE
    path, names, refused = tmp_path / "net.safetensors", {}, ""
    exec(EXPORT_SNIPPET, names)
    try:
        names["export"](model, path, in_shape)
    except (ValueError, RuntimeError) as error:
        refused = str(error)
    assert path.exists() != bool(refused)
    if name in ALIKE or name.startswith("a model"):
        assert not refused
    if name in SNIPPET_REFUSES:
        assert refused
    if not refused:
        x = torch.randn(9, *in_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
        expected = copy.deepcopy(model).double().eval()(x).detach()
        got = outputs(load_checkpoint(path, None), x)
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("name", SNIPPET_REFUSES)
def test_export_writes_what_the_snippet_refuses_or_nothing(name):
    try:
        same(nn.Sequential(*SNIPPET_REFUSES[name]()), atol=1e-6)
    except ValueError as error:
        if "\n" in str(error):
            raise


@pytest.mark.filterwarnings("ignore:.*torch.nn.utils.weight_norm.* is deprecated")
@pytest.mark.parametrize("run_before", [True, False])
def test_old_style_weight_norm_is_refused(run_before):
    model = nn.Sequential(nn.Flatten(), torch.nn.utils.weight_norm(nn.Linear(64, 10)))
    if run_before:
        with torch.no_grad():
            model(torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="remove_weight_norm"):
        checkpoint_of(model, SHAPE)


def test_only_a_module_that_takes_the_inputs_and_a_safetensors_file(tmp_path):
    with pytest.raises(ValueError, match=r"must be a torch\.nn\.Module, got function"):
        boundlab.export(conv, tmp_path / "net.safetensors", SHAPE)
    with pytest.raises(
        ValueError, match=r"Linear could not be followed on inputs of in_shape 1x8x8 \(.*8\] X \[2, 3\]"
    ):
        boundlab.export(nn.Linear(2, 3), tmp_path / "net.safetensors", SHAPE)
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        boundlab.export(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), tmp_path / "net.pt", SHAPE)


OWN = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
def make():
    return net
def fails():
    raise KeyError("weights.pt")
wrong = 3
"""


def test_the_command_exports_what_the_users_module_makes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ownnet.py").write_text(OWN)
    for name in ("net", "make"):
        line = ["export", f"ownnet:{name}", f"{name}.safetensors", "--in-shape", "1,8,8", "--normalize", "0.1,0.5"]
        assert main(line) == 0, capsys.readouterr().err
    assert (tmp_path / "net.safetensors").read_bytes() == (tmp_path / "make.safetensors").read_bytes()
    assert load_checkpoint(tmp_path / "net.safetensors", "digits").arch.normalize == (0.1, 0.5)
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["ownnet2:fails", "x.safetensors"], "KeyError: 'weights.pt'"),
        (["ownnet2:nothing", "x.safetensors"], "has no nothing"),
        (
            ["ownnet2:wrong", "x.safetensors"],
            "must be a torch.nn.Module or a function that returns one; ownnet2:wrong is a int",
        ),
        (["nowhere_to_be_found:net", "x.safetensors"], "ModuleNotFoundError"),
        (["ownnet2", "x.safetensors"], "must be named MODULE:NAME"),
        (["ownnet2:net", "x.safetensors"], "does not take inputs of in_shape 1x28x28"),
        (["ownnet2:net", "x.safetensors", "--in-shape", "8"], "in_shape must be [channels, height, width]"),
        (["ownnet2:net", "x.safetensors", "--in-shape", "a,8,8"], "must be a whole number"),
        (["ownnet2:net", "x.safetensors", "--in-shape", "1,8,8", "--normalize", "0.1"], "[mean, deviation]"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys, line, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ownnet2.py").write_text(OWN)
    try:
        code = main(["export", *line])
    except SystemExit as ended:  # argparse
        code = ended.code
    assert code == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("*.safetensors"))


def test_importing_boundlab_brings_no_torch_and_the_call_works_whatever_came_first():
    code = (
        "import sys, boundlab; assert 'torch' not in sys.modules; import boundlab.cli.main, boundlab.networks.export, boundlab.evaluation.report; "
        "print(boundlab.export.__module__, boundlab.evaluate.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["boundlab.networks.export", "boundlab.evaluation.notebook"]
