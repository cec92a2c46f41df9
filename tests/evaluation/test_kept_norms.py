"""Norms that are kept are those that would be measured, and only of the same network and the same code."""

import dataclasses

import pytest
import torch

from boundlab.evaluation import kept_norms
from boundlab.evaluation.kept_norms import norms_of
from boundlab.networks.build import build, weights
from boundlab.networks.checkpoint import Checkpoint
from boundlab.networks.sample_stats import statistics_folder
from boundlab.specs.arch import ArchSpec


@pytest.fixture
def measured(monkeypatch):
    """How often norms were measured."""
    counted, measure = [], kept_norms._measured
    monkeypatch.setattr(kept_norms, "_measured", lambda given: counted.append(1) or measure(given))
    return counted


def network(bias=False, seed=0):
    torch.manual_seed(seed)
    arch = ArchSpec(in_shape=(1, 28, 28), channels=12, conv_layers=3, bias=bias)
    start, net = (build(dataclasses.replace(arch, weight_norm=False)) for _ in range(2))
    biases = [torch.rand(shape.out_channels) if bias else None for shape in arch.shapes()]
    return Checkpoint(arch, weights(net), biases, weights(start))


@pytest.mark.parametrize("bias", [False, True])
def test_a_network_is_measured_once(bias, measured, tmp_path):
    given = network(bias)
    plain = norms_of(given)
    first, again = (norms_of(given, True, tmp_path) for _ in range(2))
    assert plain == first == again
    assert list(first) == list(again)
    assert len(measured) == 2


def test_another_network_or_another_way_to_measure_is_measured_anew(measured, tmp_path, monkeypatch):
    given = network()
    norms_of(given, True, tmp_path)
    touched = [w.clone() for w in given.weights]
    touched[1].view(-1)[3] += 1e-4
    others = [
        dataclasses.replace(given, weights=touched),
        dataclasses.replace(given, init=None),
        dataclasses.replace(given, arch=dataclasses.replace(given.arch, normalize=(0.5, 0.5))),
        network(bias=True),
    ]
    for number, other in enumerate(others, 2):
        assert norms_of(other, True, tmp_path) == kept_norms._measured(other)
        assert len(measured) == 2 * number - 1
    monkeypatch.setattr(kept_norms, "_code", lambda: "another version")
    norms_of(given, True, tmp_path)
    assert len(measured) == 2 * len(others) + 2


def test_what_is_measured_quickly_is_not_kept(tmp_path):
    arch = ArchSpec(in_shape=(1, 8, 8), channels=4, conv_layers=2)
    small = Checkpoint(arch, weights(build(arch)), [None] * 3, None)
    assert norms_of(small, True, tmp_path) == norms_of(small)
    assert not list(tmp_path.iterdir())


def test_beside_read_only_data_they_are_kept_in_the_users_cache(tmp_path, monkeypatch):
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    data.chmod(0o555)
    try:
        assert statistics_folder(data) == home / ".cache" / "boundlab" / "statistics"
    finally:
        data.chmod(0o755)
    assert statistics_folder(data) == data / "statistics"
