"""What-if answers against networks that really are that way, and refusals of what only training could say."""

import dataclasses

import numpy as np
import pytest
import torch

from boundlab.analysis.what_if import RETRAIN, Change, World, apply_change
from boundlab.bounds import ALL, BY_KEY
from boundlab.bounds.base import evaluate
from boundlab.networks.measure import norm_columns
from boundlab.quantities.paths import path_energy
from boundlab.quantities.records import from_columns
from boundlab.specs.arch import ArchSpec
from boundlab.specs.settings import CONVENTIONS, Settings
from tests.cases import FORMULAS, NAMES
from tests.conftest import make_norms, make_sample

ARCH = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=2, classes=4)


def world(arch=ARCH, seed=0):
    return World(arch, make_norms(arch, seed), make_sample(arch))


def changed(change, convention="strict", bound="sparse", arch=ARCH, **settings):
    new, asked = apply_change(change, world(arch), Settings(convention, **settings))
    return new.value(BY_KEY[bound], asked)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("bound", ALL, ids=lambda b: b.key)
def test_no_change_changes_nothing(bound, convention):
    now = world()
    same, settings = apply_change(Change(), now, Settings(convention))
    assert settings == Settings(convention)
    first, second = (evaluate(bound, w.norms, w.sample, settings) for w in (now, same))
    assert first.reason == second.reason
    assert first.value is None or first.value == second.value


def test_geometry_is_answered_as_for_a_network_of_that_geometry_with_those_norms():
    """Same convolutions on a grid of stride 2, an output layer scaled to the same centred norm: the same Theorem S."""
    rng = np.random.default_rng(0)
    strided = dataclasses.replace(ARCH, stride=2)

    def measured(arch):
        weights = [torch.from_numpy(rng.standard_normal(s.weight_shape)) for s in arch.shapes()]
        centred = weights[-1] - weights[-1].mean(0)
        weights = [w / w.norm() for w in weights[:-1]] + [weights[-1] / centred.norm()]
        return from_columns(norm_columns(weights, [None] * 3, None, arch.shapes()), arch.shapes())

    sample, asked = make_sample(ARCH), Settings("strict", margin=1.0)
    really = evaluate(BY_KEY["sparse"], measured(strided), sample, asked)
    supposed, _ = apply_change(Change(stride=2), World(ARCH, measured(ARCH), sample), asked)
    assert supposed.value(BY_KEY["sparse"], asked).complexity == pytest.approx(float(really.complexity), rel=1e-12)


def test_more_examples_shrink_the_sparse_complexity_by_their_root():
    base, more = changed(Change(), margin=1.0), changed(Change(n_times=4), margin=1.0)
    assert more.complexity == pytest.approx(base.complexity / 2, rel=1e-12)
    assert more.empirical == base.empirical
    published = [changed(Change(n_times=t), "published").complexity for t in (1, 4)]
    assert published[1] == pytest.approx(published[0] / 2, rel=1e-12)


def test_a_pooled_head_averages_the_roots_of_the_path_energies():
    new, asked = apply_change(Change(pooled=True), world(), Settings("strict", margin=1.0))
    assert new.norms.shapes[-2].passed_size == (1, 1)
    hidden = new.norms.shapes
    energy = new.sample.fed.pixel_energy
    for _ in range(2):  # two 2 x 2 convolutions, written out
        energy = energy[:-1, :-1] + energy[1:, :-1] + energy[:-1, 1:] + energy[1:, 1:]
    assert path_energy(new.sample.fed.pixel_energy, hidden) == pytest.approx((np.sqrt(energy).mean()) ** 2, rel=1e-12)
    assert new.value(BY_KEY["sparse"], asked).complexity < changed(Change(), margin=1.0).complexity


@pytest.mark.parametrize(("bound", "convention"), FORMULAS, ids=NAMES)
def test_a_pooled_head_is_answered_or_refused_as_for_a_pooled_network(bound, convention):
    """Retraining is asked for only where norms are not known: what a bound does not cover, it says itself."""
    pooled = dataclasses.replace(ARCH, head="gap")
    really = evaluate(bound, make_norms(pooled, 0), make_sample(pooled), Settings(convention))
    supposed = changed(Change(pooled=True), convention, bound.key)
    if really.value is None:
        assert "no pooling" in really.reason
        assert supposed.reason == really.reason
    else:
        known = (bound.key, convention) in {
            ("sparse", "strict"),
            ("doubled", "strict"),
            ("golowich", "theorem"),
            ("neyshabur", "theorem"),
        }
        assert supposed.reason == (None if known else RETRAIN)


@pytest.mark.parametrize("key", ["golowich", "neyshabur"])
def test_a_global_average_divides_by_the_root_of_its_area(key):
    flat, pooled = changed(Change(), "theorem", key), changed(Change(pooled=True), "theorem", key)
    assert pooled.complexity == pytest.approx(flat.complexity / 6, rel=1e-12)  # 6 x 6 positions


LOCAL = dataclasses.replace(ARCH, kind="lc", padding=1)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("change", [Change(stride=2), Change(kernel_size=3), Change(conv_layers=3)])
def test_without_sharing_other_positions_have_weights_that_are_not_known(change, padding):
    arch = dataclasses.replace(LOCAL, padding=padding)
    assert changed(change, "theorem", "golowich", arch).reason == RETRAIN
    assert changed(change, "theorem", "graf", arch).reason.endswith("no layer is locally connected")
    assert np.isfinite(changed(change, "strict", "sparse", arch).complexity)


def test_without_sharing_what_keeps_its_place_keeps_its_norms():
    flat, pooled = (changed(c, "theorem", "golowich", LOCAL) for c in (Change(), Change(pooled=True)))
    assert pooled.complexity == pytest.approx(flat.complexity / 10, rel=1e-12)  # 10 x 10 positions


def test_a_further_convolution_takes_the_norms_of_the_last_one_and_dense_layers_keep_theirs():
    arch = dataclasses.replace(ARCH, hidden=(6, 5))
    new, _ = apply_change(Change(conv_layers=3), world(arch), Settings())
    old = world(arch).norms.layers
    names = ["conv1", "conv2", "conv3", "dense1", "dense2", "output"]
    assert [layer.shape.name for layer in new.norms.layers] == names
    kept = [float(old[i].frobenius) for i in (0, 1, 1, 2, 3, 4)]
    assert [float(layer.frobenius) for layer in new.norms.layers] == kept


@pytest.mark.parametrize("change", [Change(stride=2), Change(kernel_size=3), Change(padding=1), Change(conv_layers=3)])
@pytest.mark.parametrize(("bound", "convention"), FORMULAS, ids=NAMES)
def test_a_number_or_a_reason_and_never_a_norm_that_is_not_known(change, bound, convention):
    result = changed(change, convention, bound.key)
    if result.value is None:
        assert result.reason == RETRAIN
    else:
        assert np.isfinite(result.complexity)


def test_what_needs_the_weights_of_the_changed_network_is_refused():
    assert changed(Change(stride=2), "theorem", "graf").reason == RETRAIN
    assert changed(Change(kernel_size=3, padding=1), "theorem", "golowich").reason == RETRAIN
    wide, narrow = (changed(Change(kernel_size=k), "theorem", "golowich") for k in (2, 3))
    factors = [sum(v.log_factors[f"map_frobenius.conv{i}"] for i in (1, 2)) / np.log(2) for v in (wide, narrow)]
    assert factors[1] - factors[0] == pytest.approx(np.log2(6 * 4 / (7 * 6)), rel=1e-9)  # sqrt(O) per layer
    assert changed(Change(stride=2), "theorem", "golowich").value is not None  # taps stay, their counts are known


def test_what_is_not_possible_is_said():
    with pytest.raises(ValueError, match="does not fit"):
        apply_change(Change(kernel_size=8), world(), Settings())
    with pytest.raises(ValueError, match="padding"):
        apply_change(Change(padding=3), world(), Settings())
    with pytest.raises(ValueError, match="n_times"):
        Change(n_times=0)
    listed = dataclasses.replace(ARCH, channels=(2, 3), padding=(0, 1))
    with pytest.raises(ValueError, match="CONV-2-2,3 pad 0,1 has channels and padding layer by layer"):
        apply_change(Change(conv_layers=3), world(listed), Settings())
    assert apply_change(Change(stride=2, conv_layers=2), world(listed), Settings())[0].arch.channels == (2, 3)
    mlp = ArchSpec(kind="mlp", in_shape=(1, 8, 8), hidden=(5,), classes=4)
    with pytest.raises(ValueError, match="need convolutions"):
        apply_change(Change(stride=2), world(mlp), Settings())
