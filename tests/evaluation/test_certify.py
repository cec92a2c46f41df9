"""The sampler against networks perturbed one by one; certificates against known error rates; the command."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy.stats import norm

from boundlab.bounds.pac_bayes import gaussian_kl
from boundlab.cli.main import main
from boundlab.data.splits import Split, apply_task
from boundlab.errors import CheckpointError
from boundlab.evaluation.noisy_network import count_errors, noisy_outputs
from boundlab.evaluation.pac_bayes import certify_learnt, certify_weights, prior_spec
from boundlab.networks import build, layer_maps
from boundlab.networks.checkpoint import Checkpoint, load_checkpoint, save
from boundlab.runs.certificates import CERTIFICATES
from boundlab.runs.folder import open_run
from boundlab.runs.pack import read_pack
from boundlab.runs.packing import pack as build_pack
from boundlab.runs.places import PACK
from boundlab.specs.arch import ArchSpec
from boundlab.specs.run import RunSpec

CONV = ArchSpec(in_shape=(2, 7, 6), channels=3, conv_layers=2, kernel_size=3, stride=2, padding=1, classes=4)
SMALL = RunSpec.from_dict({"dataset": "digits", "epochs": 4, "arch": {"channels": 2, "conv_layers": 1}})
MLP = ArchSpec(kind="mlp", in_shape=(1, 3, 3), hidden=(5,), classes=3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_network(arch, dtype=torch.float64):
    return [torch.randn(s.weight_shape, generator=generator(i), dtype=dtype) for i, s in enumerate(arch.shapes())]


def network(arch, weights):
    """In float64."""
    net = build.build(dataclasses.replace(arch, weight_norm=False)).double()
    for layer, weight in zip(build.layers(net), weights, strict=True):
        layer.weight.data = weight
    return net


def one_by_one(arch, weights, noise, inputs, rng):
    """Outputs of a perturbed network per input. A dense layer's output noise e is that of the weight noise e x' / |x|."""
    sizes = [(*w.shape,) if s.kind == "conv" else (len(w),) for w, s in zip(weights, arch.shapes(), strict=True)]
    draws = [torch.randn((len(inputs), *size), generator=rng, dtype=torch.float64) for size in sizes]
    for i, x in enumerate(inputs):
        perturbed = list(weights)
        for layer, (drawn, scale) in enumerate(zip(draws, noise, strict=True)):
            change = drawn[i]
            if change.ndim == 1:
                net = network(arch, perturbed)
                entering = net[: list(net).index(build.layers(net)[layer])](x[None])[0]
                change = torch.outer(change, entering / entering.norm())
            perturbed[layer] = weights[layer] + scale * change
        yield network(arch, perturbed)(x[None])[0].detach()


@pytest.mark.parametrize("arch", [CONV, MLP])
def test_sampler_against_a_loop_over_perturbed_networks(arch):
    weights, noise = random_network(arch), [0.3, 0.2, 0.1][: len(arch.shapes())]
    inputs = torch.randn((6, *arch.in_shape), generator=generator(9), dtype=torch.float64)
    fast = noisy_outputs(inputs, weights, noise, arch.shapes(), generator(5))
    slow = torch.stack(list(one_by_one(arch, weights, noise, inputs, generator(5))))
    np.testing.assert_allclose(fast, slow, rtol=1e-11, atol=1e-12)
    assert not np.allclose(fast, network(arch, weights)(inputs).detach(), rtol=0.01)


def test_local_reparametrisation_has_the_moments_of_weight_noise():
    shapes, m = MLP.shapes()[1:], 40_000
    weight = random_network(MLP)[1:]
    x = torch.rand(5, generator=generator(3), dtype=torch.float64)
    out = noisy_outputs(x.expand(m, 5), weight, [0.4], shapes, generator(1)).numpy()
    drawn = weight[0] + 0.4 * torch.randn((m, *weight[0].shape), generator=generator(2), dtype=torch.float64)
    slow = (drawn @ x).numpy()
    deviation = 0.4 * float(x.norm())
    for values in (out, slow):
        np.testing.assert_allclose(values.mean(0), (weight[0] @ x).numpy(), atol=5 * deviation / m**0.5)
        np.testing.assert_allclose(np.cov(values.T), np.eye(3) * deviation**2, atol=5 * deviation**2 * (2 / m) ** 0.5)


def test_without_noise_errors_are_the_networks_own():
    arch = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=1)
    weights = random_network(arch, torch.float32)
    images = apply_task(SMALL.train)[0].images
    with torch.no_grad():
        answers = build.from_weights(arch, weights, [None, None])(images).argmax(1)
    for labels, wrong in ((answers, 0), ((answers + 1) % 10, 3000)):
        assert count_errors(Split(images, labels), weights, [1e-12] * 2, arch.shapes(), 3000, generator()) == wrong
    dead = [torch.zeros_like(w) for w in weights]
    assert (
        count_errors(Split(images, answers), dead, [0.0] * 2, arch.shapes(), 10, generator()) == 10
    )  # ties are errors


LINEAR = (dataclasses.replace(MLP.shapes()[-1], in_channels=3, out_channels=2),)  # no hidden layer


def gaussian_task(n, seed):
    """Fair labels y in {0, 1}; x = +-1.5 e_1 + N(0, I) in three dimensions."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    x = rng.standard_normal((n, 3))
    x[:, 0] += 1.5 * (2 * y - 1)
    return Split(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y))


def true_noisy_error(weight, scale, fresh):
    """Of a linear classifier under weight noise: its Gaussian tail, averaged over a large fresh sample."""
    x, y = fresh.images.double().numpy(), fresh.labels.numpy()
    difference = x @ (weight[1] - weight[0]).double().numpy() * (2 * y - 1)
    return float(norm.cdf(-difference / (scale * 2**0.5 * np.linalg.norm(x, axis=1))).mean())


def test_certificates_of_a_linear_classifier_hold_as_often_as_they_say():
    """Its true error under noise is known; at delta = 0.05 the limit must be above it for 95 samples of 100."""
    weight = torch.tensor([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = [certify_weights(gaussian_task(400, seed), [weight], LINEAR, 1000, seed) for seed in range(100)]
    fresh = gaussian_task(200_000, 10**6)
    true = {scale: true_noisy_error(weight, scale, fresh) for scale in {c.noise[0] for c in found}}
    values = np.array([c.value(0.05) for c in found])
    assert sum(c.value(0.05) >= true[c.noise[0]] for c in found) >= 95
    assert values.max() < 0.9 * 0.5  # a coin's error
    assert any(c.wrong / c.draws < true[c.noise[0]] for c in found)  # the count alone is no limit


def test_biases_and_dead_layers_are_refused():
    arch = ArchSpec(in_shape=(1, 8, 8), channels=3, conv_layers=1)
    data, _ = apply_task(RunSpec.from_dict({"dataset": "digits"}).train)
    weights = [torch.ones(s.weight_shape) for s in arch.shapes()]
    with pytest.raises(CheckpointError, match="without biases"):
        certify_learnt(Checkpoint(arch, weights, [torch.zeros(3), None], None), SMALL, data, 10, 0)
    with pytest.raises(CheckpointError, match="no weight but 0"):
        certify_weights(data, [weights[0] * 0, weights[1]], arch.shapes(), 10, 0)


def test_the_prior_has_not_seen_what_certifies_it():
    for n_train in (None, 801):
        spec = dataclasses.replace(SMALL, train=dataclasses.replace(SMALL.train, n_train=n_train))
        n = n_train or 1437
        learnt = prior_spec(spec, n)
        assert (learnt.train.n_train, learnt.train.epochs) == (n // 2, 4)
        whole, seen = apply_task(spec.train)[0].images, apply_task(learnt.train)[0].images
        ordered = apply_task(dataclasses.replace(spec.train, n_train=n))[0].images
        assert torch.equal(ordered[: n // 2], seen)
        assert sorted(ordered.sum((1, 2, 3)).tolist()) == sorted(whole.sum((1, 2, 3)).tolist())


def test_the_command_certifies_run_folders_and_packs(tmp_path, capsys):
    runs, out = tmp_path / "runs", tmp_path / "pack"
    (tmp_path / "spec.json").write_text(json.dumps(SMALL.to_dict()))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(runs), "--quiet"]) == 0
    common = ["--runs", str(runs), "--draws", "500"]
    assert main(["certify", SMALL.id, *common]) == 0
    assert "fixed prior, test error under noise at most" in capsys.readouterr().out
    first = open_run(runs / SMALL.id).certificates
    assert [(c.prior, c.n, c.n_prior, c.draws, c.seed) for c in first] == [("fixed", 1437, 0, 500, 0)]
    assert build_pack(out, runs, ["*"]) == 1
    assert main(["certify", SMALL.id, *common]) == 0
    assert open_run(runs / SMALL.id).certificates == first  # seeded
    assert main(["certify", "*", "--pack", "--out", str(out), "--prior", "learnt", *common]) == 0
    (run,) = read_pack(out)
    fixed, learnt = run.certificates
    assert fixed == first[0]
    assert (learnt.prior, learnt.n, learnt.n_prior, learnt.kl, learnt.grid) == ("learnt", 719, 718, 0.0, 1)
    assert learnt.prior_spec == prior_spec(SMALL, 1437)
    assert learnt.wrong / 500 <= learnt.value(0.05) <= 1
    assert build_pack(out, runs, ["*"], "priors") == 1  # the prior's run is a run too
    prior = next(r.id for r in read_pack(out) if r.id != SMALL.id)
    before = (out / CERTIFICATES).read_bytes()
    assert main(["certify", prior, "--pack", "--out", str(out), *common]) == 0
    assert {r.id: [c.prior for c in r.certificates] for r in read_pack(out)} == {
        SMALL.id: ["fixed", "learnt"],
        prior: ["fixed"],
    }
    assert (out / CERTIFICATES).read_bytes() == before  # it lies in the other part, beside its run


@pytest.mark.parametrize("padding", [0, 1])
def test_without_weight_sharing_the_whole_tensor_is_charged_and_read_back(tmp_path, capsys, padding):
    """The record's `frobenius` is that of one position; and weights on the padding, which do nothing, cost nothing."""
    arch = {"kind": "lc", "channels": 2, "conv_layers": 2, "kernel_size": 3, "stride": 2, "padding": padding}
    spec = RunSpec.from_dict({"dataset": "digits", "epochs": 2, "arch": arch})
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_dict()))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path / "runs"), "--quiet"]) == 0
    assert main(["certify", "*", "--runs", str(tmp_path / "runs"), "--draws", "200"]) == 0
    run = open_run(tmp_path / "runs" / spec.id)
    assert run.trouble is None
    (found,) = run.certificates
    network = load_checkpoint(tmp_path / "runs" / spec.id / "network.safetensors", "digits")
    expected = 0.0
    for weight, shape, noise, prior in zip(
        network.weights, spec.arch.shapes(), found.noise, found.prior_noise, strict=True
    ):
        real = torch.ones_like(weight) if shape.kind == "dense" else met_by_an_input(weight, shape)
        expected += float(gaussian_kl(float((weight * real).norm()), float(real.sum()), noise, prior))
    assert found.kl == pytest.approx(expected, rel=1e-5)
    assert build_pack(tmp_path / "pack", tmp_path / "runs", ["*"]) == 1
    assert main(["certify", "*", "--pack", "--out", str(tmp_path / "pack"), "--draws", "200"]) == 0
    assert [r.certificates for r in read_pack(tmp_path / "pack")] == [(found,)]
    capsys.readouterr()


def met_by_an_input(weight, shape):
    """1 where a weight of a locally connected layer sees a pixel, by what an image of ones makes of it; else 0."""
    real = torch.ones_like(weight, requires_grad=True)
    ones = torch.ones(1, shape.in_channels, *shape.in_size)
    (gradient,) = torch.autograd.grad(layer_maps.apply_layer(ones, real, None, shape).sum(), real)
    return (gradient != 0).float()


def test_a_certificate_of_another_network_is_not_written(tmp_path, capsys):
    """A network put in place of the run's own: reading would refuse its certificate, so it is refused before."""
    (tmp_path / "spec.json").write_text(json.dumps(SMALL.to_dict()))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path), "--quiet"]) == 0
    file = tmp_path / SMALL.id / "network.safetensors"
    network = load_checkpoint(file, "digits")
    save(file, dataclasses.replace(network, weights=[1.5 * w for w in network.weights]))
    capsys.readouterr()
    assert main(["certify", "*", "--runs", str(tmp_path), "--draws", "50"]) == 2
    assert "is not about it" in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / SMALL.id / CERTIFICATES).exists()


def test_bad_requests_are_one_sentence(tmp_path, capsys):
    noisy = dataclasses.replace(SMALL, train=dataclasses.replace(SMALL.train, label_noise=0.5, epochs=1))
    (tmp_path / "spec.json").write_text(json.dumps(noisy.to_dict()))
    assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path), "--quiet"]) == 0
    unkept = next(r.id for r in read_pack() if not (PACK / "checkpoints" / f"{r.id}.safetensors").exists())
    capsys.readouterr()
    for arguments, words in (
        (["nothing", "--runs", str(tmp_path)], "no run 'nothing'"),
        (["x", "--runs", str(tmp_path / "none")], "is not a folder"),
        ([noisy.id, "--runs", str(tmp_path)], "clean labels"),
        ([unkept, "--pack"], "finished ones with a stored network"),
        ([noisy.id, "--runs", str(tmp_path), "--seed", "-1"], "seed must be"),
    ):
        assert main(["certify", *arguments]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert len(err.strip().splitlines()) == 1, err
    with pytest.raises(SystemExit):
        main(["certify", "x", "--draws", "0"])
    assert not (tmp_path / noisy.id / CERTIFICATES).exists()
