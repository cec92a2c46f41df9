"""The downloaded network is the one that is certified, tensor by tensor, and says the same errors."""

import dataclasses

import numpy as np
import pytest
import torch

from boundlab.checkpoints.rounding import rounded_file
from boundlab.errors import CheckpointError
from boundlab.evaluation.codable import hidden_tensors
from boundlab.evaluation.coded_network import rounded_network
from boundlab.networks import build
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint, save
from boundlab.quantities.weight_code import best_rounding
from boundlab.specs.arch import ArchSpec


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_file_has_the_certified_network(tmp_path, bias, dtype):
    arch = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=2, bias=bias, weight_norm=False, normalize=(0.5, 0.25))
    net = build.build(arch)
    build.initialise(net, arch, "torch", 0)
    weights = [w.to(dtype) + 1e-9 for w in build.weights(net)]
    checkpoint = Checkpoint(
        arch, weights, [None if b is None else b.to(dtype) for b in build.biases(net)], [w.clone() for w in weights]
    )
    save(tmp_path / "net.safetensors", checkpoint)
    roundings = [best_rounding(t, 4) for t in hidden_tensors(checkpoint)]
    (tmp_path / "rounded.safetensors").write_bytes(rounded_file(tmp_path / "net.safetensors", roundings))
    got, expected = load_checkpoint(tmp_path / "rounded.safetensors", None), rounded_network(checkpoint, roundings)
    assert got.arch == dataclasses.replace(arch)
    assert got.init is None
    for one, other in zip([*got.weights, *got.biases], [*expected.weights, *expected.biases], strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
    assert np.unique(got.weights[1].numpy()).size <= 16
    with pytest.raises(CheckpointError, match="hidden tensors"):
        rounded_file(tmp_path / "net.safetensors", roundings[:1])
