"""Every bound on every architecture: its number equals a slow oracle's, or it says why it has none. Both from one table."""

import math

import numpy as np
import pytest
import torch

from boundlab.analysis.anatomy import anatomy, published_to_strict
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import NO_BIAS, evaluate
from boundlab.networks.measure import norm_columns, references
from boundlab.quantities.norms import MARGIN_GRID
from boundlab.quantities.records import from_columns, norm_column
from boundlab.specs.arch import ARCHITECTURES, HEADS, PER_LAYER, ArchSpec
from boundlab.specs.run import RunSpec
from boundlab.specs.settings import Settings
from tests.bound_oracles import DELTA, MARGIN, ORACLES
from tests.cases import FORMULAS, NAMES
from tests.conftest import make_sample
from tests.specs.test_architectures import ungrouped, untied
from tests.written_out import Case, path_norm

CASES = {
    "plain": {},
    "padded": {"kernel_size": 3, "padding": 1},
    "lists": {"kernel_size": [3, 2], "channels": [2, 3], "stride": [2, 1], "padding": [2, 0]},
    "tree": {"stride": 2},
    "dilated": {"dilation": 2},
    "grouped": {"groups": 2, "padding": 1},
    "depthwise": {"channels": [2, 4], "groups": [2, 2]},
    "dense": {"hidden": [5, 3]},
    "mlp": {"kind": "mlp", "hidden": [5, 4]},
    "lc": {"kind": "lc"},
    "lc tree": {"kind": "lc", "stride": 2},
    "lc padded": {"kind": "lc", "padding": 1, "kernel_size": 3, "stride": 2, "hidden": [4]},
    "avg": {"pool": ["avg2", ""]},
    "gap": {"head": "gap"},
    "lc avg": {"kind": "lc", "pool": ["avg2", ""], "head": "gap"},
    "max": {"pool": ["max2", ""]},
    "max gap": {"pool": ["", "max2"], "head": "gap", "hidden": [4]},
    "lc max": {"kind": "lc", "pool": ["max2", ""]},
    "first local": {"local": [True, False], "padding": 1},
    "second local": {"local": [False, True], "pool": ["max2", ""], "hidden": [4]},
    "local under max": {"local": [False, True], "pool": ["", "max2"]},
    "leaky": {"negative_slope": 0.1, "hidden": [4]},
    "leaky max": {"negative_slope": 1.0, "pool": ["max2", ""]},
}
COVERS = ["graf-published", "graf-theorem", "graf_params-theorem", "ledent-published", "ledent-theorem"]
CODE = {f"{key}-published": "the released code has none" for key in ("sparse", "golowich", "long_sedghi")}
UNSHARED = dict.fromkeys(COVERS, "no layer is locally connected")
POOLED = (
    CODE
    | {"sparse-theorem": "applies a ReLU to a weighted sum"}
    | {name: "released code has none" if "published" in name else "used here has none" for name in COVERS}
)
LEAKY = {"sparse-theorem": "applies a ReLU to a weighted sum"} | {
    f"{key}-theorem": "every activation is ReLU" for key in ("neyshabur", "gonon", "ledent")
}
UNDER_MAX = dict.fromkeys(("sparse-strict", "doubled-strict"), "needs a norm per pool window")
REFUSED = {  # of every case: which bounds refuse it, in which words; all others have a number
    **{name: {} for name in ("plain", "padded", "lists", "tree", "dilated", "grouped", "depthwise", "dense", "mlp")},
    **dict.fromkeys(("lc", "lc tree", "lc padded"), UNSHARED),
    **dict.fromkeys(("avg", "gap", "max", "max gap"), POOLED),
    "lc avg": POOLED | UNSHARED,
    "lc max": POOLED | UNSHARED | UNDER_MAX,
    "first local": UNSHARED,
    "second local": POOLED | UNSHARED,
    "local under max": POOLED | UNSHARED | UNDER_MAX,
    "leaky": LEAKY,
    "leaky max": LEAKY | POOLED,
}
SEARCHED = {"bartlett", "ledent", "graf", "graf_params", "long_sedghi"}  # bounds with spectral norms of maps


def arch_of(name: str, **changes) -> ArchSpec:
    usual = {"in_shape": [2, 6, 7], "channels": 4, "conv_layers": 2, "kernel_size": 2, "classes": 3}
    fields = {k: v for k, v in usual.items() if CASES[name].get("kind") != "mlp" or k in ("in_shape", "classes")}
    return ArchSpec.from_dict(fields | CASES[name] | changes)


def draw(arch: ArchSpec, seed: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [
        torch.randn(s.weight_shape, generator=rng, dtype=torch.float64) / math.sqrt(s.fan_in) for s in arch.shapes()
    ]


def measured(arch: ArchSpec, weights, init, biases=None):
    """Norms as the product measures them; patch norms that only count, the same whatever the layers are made of."""
    shapes = arch.shapes()
    columns = norm_columns(weights, biases or [None] * len(shapes), references(init, shapes), shapes)
    columns |= {norm_column(i, "patch_norm"): 2.0 + i for i in range(len(shapes))}
    ramp = np.linspace(0, 1, len(MARGIN_GRID)).tolist()
    return from_columns(columns | {"ramp": ramp, "indicator": ramp}, shapes)


def value(bound, convention, arch, net):
    return evaluate(bound, net, make_sample(arch, 700), Settings(convention, DELTA, margin=MARGIN))


@pytest.fixture(scope="module")
def networks():
    """name -> (arch, weights, measured norms), measured once."""
    found = {}
    for i, name in enumerate(CASES):
        arch = arch_of(name)
        weights, init = draw(arch, i), draw(arch, 100 + i)
        found[name] = arch, weights, init, measured(arch, weights, init)
    return found


def test_the_table_is_complete():
    assert set(REFUSED) == set(CASES)
    assert {f"{key}-{convention}" for key, convention in ORACLES} == set(NAMES)
    assert {name for refused in REFUSED.values() for name in refused} <= set(NAMES)
    archs = [arch_of(name) for name in CASES]
    assert {arch.kind for arch in archs} == set(ARCHITECTURES)
    assert {arch.head for arch in archs} == set(HEADS)
    assert {pool.kind for arch in archs for s in arch.shapes() for pool in s.pools} == {"max", "avg"}
    usual = ArchSpec(channels=4)
    for name in PER_LAYER:
        assert any(getattr(arch, name) not in (None, getattr(usual, name)) for arch in archs), name


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("bound", "convention"), FORMULAS, ids=NAMES)
def test_a_number_as_the_oracle_has_it_or_a_reason(bound, convention, name, networks):
    arch, weights, init, net = networks[name]
    got = value(bound, convention, arch, net)
    if words := REFUSED[name].get(f"{bound.key}-{convention}"):
        assert got.value is None
        assert got.reason.startswith("it assumes that ")
        assert words in got.reason
        return
    raw, start = ([w.numpy() for w in some] for some in (weights, init))
    case = Case(arch.shapes(), raw, start, [2.0 + i for i in range(len(raw))], make_sample(arch, 700))
    close = 1e-6 if bound.key in SEARCHED or convention == "strict" else 1e-12  # strict: D on two grids
    if (bound.key, convention) == ("long_sedghi", "theorem"):
        shared = got.complexity + got.confidence  # the confidence is under the same root
        wanted = math.sqrt(ORACLES[bound.key, convention](case) ** 2 + math.log(1000) / 700)
        assert shared == pytest.approx(wanted, rel=close)
    else:
        rounding = math.exp(got.log_factors["scale_grid"]) if bound.key == "doubled" else 1.0
        assert got.complexity / rounding == pytest.approx(ORACLES[bound.key, convention](case), rel=close)
    assert np.isfinite(got.value)
    assert len(anatomy(got)) > 3


COUNTS = {"long_sedghi-published", "long_sedghi-theorem", "graf-published"}  # trainable numbers
SEES = {"sparse-published", "sparse-theorem", "sparse-strict", "doubled-strict"}  # what a neuron sees, zeros included


def assert_equal_bounds(one, other, which):
    """(arch, norms) twice: the same value of every bound in `which`, term by term."""
    assert which
    for bound, convention in [f for f, name in zip(FORMULAS, NAMES, strict=True) if name in which]:
        a, b = (value(bound, convention, arch, net) for arch, net in (one, other))
        close = 1e-6 if bound.key in SEARCHED else 1e-12
        for part in ("complexity", "confidence", "empirical"):
            assert getattr(a, part) == pytest.approx(getattr(b, part), rel=close), (bound.key, convention, part)


@pytest.mark.parametrize("name", ["lc", "lc tree", "lc padded", "lc avg", "lc max"])
def test_locally_connected_with_tied_weights_has_the_numbers_of_the_convolution(name):
    shared, free = arch_of(name, kind="conv"), arch_of(name)
    weights, init = draw(shared, 1), draw(shared, 2)
    nets = [measured(shared, weights, init), measured(free, untied(weights, free), untied(init, free))]
    which = set(NAMES) - set(REFUSED[name]) - COUNTS
    assert_equal_bounds((shared, nets[0]), (free, nets[1]), which)


@pytest.mark.parametrize("name", ["grouped", "depthwise"])
def test_grouped_has_the_numbers_of_the_convolution_with_zeros(name):
    arch, full = arch_of(name), arch_of(name, groups=1)

    def zeros(weights):
        return [ungrouped(w, s) if s.groups > 1 else w for w, s in zip(weights, arch.shapes(), strict=True)]

    weights, init = draw(arch, 1), draw(arch, 2)
    nets = [measured(arch, weights, init), measured(full, zeros(weights), zeros(init))]
    assert_equal_bounds((arch, nets[0]), (full, nets[1]), set(NAMES) - COUNTS)


def test_dilated_has_the_numbers_of_the_larger_kernel_with_zeros():
    arch, full = arch_of("dilated"), arch_of("dilated", dilation=1, kernel_size=3)

    def spread(weights):
        wide = [torch.zeros(s.weight_shape, dtype=torch.float64) for s in full.shapes()]
        for target, w, s in zip(wide, weights, arch.shapes(), strict=True):
            (target[:, :, ::2, ::2] if s.spatial else target)[:] = w
        return wide

    weights, init = draw(arch, 1), draw(arch, 2)
    nets = [measured(arch, weights, init), measured(full, spread(weights), spread(init))]
    assert_equal_bounds((arch, nets[0]), (full, nets[1]), set(NAMES) - COUNTS - SEES)


MERGES = {"golowich-theorem", "neyshabur-theorem", "bartlett-theorem", "gonon-theorem"}


def test_average_pooling_is_part_of_the_next_layer():
    """conv 2x2 after avg2 = conv 4x4 with stride 2 (the map's last row and column are left out by both)."""
    arch, full = arch_of("avg"), arch_of("avg", pool="", kernel_size=[2, 4], stride=[1, 2])
    weights, init = draw(arch, 1), draw(arch, 2)

    def merged(some):
        first, second, output = some
        return [first, second.repeat_interleave(2, 2).repeat_interleave(2, 3) / 4, output]

    nets = [measured(arch, weights, init), measured(full, merged(weights), merged(init))]
    assert_equal_bounds((arch, nets[0]), (full, nets[1]), MERGES)


def test_a_global_average_is_part_of_the_output_layer():
    arch, full = arch_of("gap"), arch_of("gap", head="flatten")
    weights, init, area = draw(arch, 1), draw(arch, 2), full.shapes()[-2].positions

    def merged(some):
        return [*some[:-1], some[-1].repeat_interleave(area, 1) / area]

    nets = [measured(arch, weights, init), measured(full, merged(weights), merged(init))]
    assert_equal_bounds((arch, nets[0]), (full, nets[1]), MERGES)


@pytest.mark.parametrize("name", ["lc", "lc max", "grouped", "avg", "max gap", "dense"])
def test_gonon_counts_the_paths_from_biases_and_the_others_take_biases_or_say_why_not(name):
    arch = arch_of(name, bias=True)
    rng, shapes = np.random.default_rng(0), arch.shapes()
    biases = [torch.from_numpy(rng.standard_normal(s.bias_shape)) for s in shapes]
    weights = draw(arch, 1)
    net = measured(arch, weights, draw(arch, 2), biases)
    case = Case(shapes, [w.numpy() for w in weights], [], [], make_sample(arch))
    units = [
        b.T.flatten().numpy() if s.kind == "local" else np.repeat(b.numpy(), s.positions)
        for b, s in zip(biases, shapes, strict=True)
    ]
    assert net.path_l1 == pytest.approx(path_norm(case.merged, units), rel=1e-12)
    for bound in ALL:
        formula = bound.formulas.get("theorem")
        result = value(bound, "theorem", arch, net)
        if formula is not None and (NO_BIAS in formula.assumptions or bound.key == "ledent"):
            assert "no biases" in result.reason
        elif name == "grouped" and bound.key in ("graf", "graf_params", "long_sedghi"):
            assert (
                "a channel of ones" in result.reason
            )  # every tap of a 2x2 kernel with padding leaves the image somewhere
        elif formula is not None and (refused := REFUSED[name].get(f"{bound.key}-theorem")):
            assert refused in result.reason
        else:
            assert (result.value is not None) == (formula is not None), bound.key
    assert NO_BIAS not in BY_KEY["gonon"].formulas["theorem"].assumptions


@pytest.mark.parametrize("name", ["lc", "lc padded", "tree", "dense"])
def test_the_bridge_to_theorem_s_reaches_it(name, networks):
    arch, _, _, net = networks[name]
    sample = make_sample(arch, 700)
    rows = published_to_strict(net, sample, Settings("strict", margin=MARGIN)).set_index("row")
    proved = evaluate(BY_KEY["sparse"], net, sample, Settings("strict", margin=MARGIN))
    assert 2 ** rows.loc["complexity", "end"] == pytest.approx(float(proved.complexity), rel=1e-12)


@pytest.mark.parametrize("name", ["avg", "max", "lc max"])
def test_the_bridge_says_what_it_does_not_cover(name, networks):
    arch, _, _, net = networks[name]
    with pytest.raises(ValueError, match="the sparse bound does not apply: it assumes that the network has no pooling"):
        published_to_strict(net, make_sample(arch, 700), Settings("strict"))


def test_an_anatomy_lists_the_layers_in_their_order(networks):
    arch, _, _, net = networks["lc padded"]
    rows = anatomy(value(BY_KEY["golowich"], "theorem", arch, net))["row"].tolist()
    assert rows[:4] == [*(f"map_frobenius.{layer}" for layer in ("local1", "local2", "dense1")), "max_row.output"]


def test_what_theorem_s_does_not_cover_is_not_trained_for_it():
    arch = {"kind": "lc", "channels": 2, "conv_layers": 1, "pool": "max2"}
    given = {"dataset": "digits", "loss": "certificate", "weight_decay": 0.0, "arch": arch}
    with pytest.raises(ValueError, match="shared filters before max-pooling"):
        RunSpec.from_dict(given)
    assert RunSpec.from_dict(given | {"arch": arch | {"pool": "avg2"}}).arch.kind == "lc"
