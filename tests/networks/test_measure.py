import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from boundlab.networks import build, layer_maps
from boundlab.networks.measure import layer_norms, path_l1, references
from boundlab.networks.outcome import margin_errors, outcome
from boundlab.networks.sample_stats import feed, sample_stats
from boundlab.networks.spectral import spectral_map
from boundlab.quantities.records import from_columns, norm_column
from boundlab.specs.arch import ArchSpec
from tests import oracles
from tests.conftest import reference_weights

GEOMETRIES = [(2, 1, 0, 3), (3, 1, 1, 2), (3, 2, 2, 2), (2, 2, 0, 4)]  # kernel, stride, padding, channels


def conv_case(kernel, stride, padding, channels):
    arch = ArchSpec(
        in_shape=(2, 6, 5),
        conv_layers=1,
        channels=channels,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        classes=3,
    )
    shape = arch.shapes()[0]
    weight = torch.from_numpy(np.random.default_rng(kernel + stride).standard_normal(shape.weight_shape))
    return shape, weight, oracles.conv_matrix(weight.numpy(), (6, 5), stride, padding)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_norms_of_the_map_against_the_unrolled_matrix(geometry):
    shape, weight, matrix = conv_case(*geometry)
    assert spectral_map(weight, shape) == pytest.approx(np.linalg.svd(matrix, compute_uv=False)[0], rel=1e-6)
    fields = layer_norms(weight, None, None, shape)
    norms = from_columns({norm_column(0, k): v for k, v in fields.items()} | {"path_l1": 0.0}, [shape]).layers[0]
    assert norms.map_frobenius == pytest.approx(np.linalg.norm(matrix), rel=1e-12)


def test_kernel_norms_by_their_definitions():
    shape, weight, _ = conv_case(3, 1, 1, 2)
    w = weight.numpy()
    fields = layer_norms(weight, None, None, shape)
    assert fields["frobenius"] == pytest.approx(np.sqrt((w**2).sum()))
    assert fields["spectral_kernel"] == pytest.approx(np.linalg.svd(w.reshape(2, -1), compute_uv=False)[0], rel=1e-10)
    by_tap = [np.linalg.norm(w[o, :, i, j]) for o in range(2) for i in range(3) for j in range(3)]
    assert fields["norm_21"] == pytest.approx(sum(by_tap))
    assert fields["norm_row"] == pytest.approx(sum(np.linalg.norm(w[o]) for o in range(2)))
    assert fields["max_row"] == pytest.approx(max(np.linalg.norm(w[o]) for o in range(2)))
    assert fields["tap_frobenius"] == pytest.approx([np.linalg.norm(w[:, :, i, j]) for i in range(3) for j in range(3)])


def test_output_layer_and_distance_from_initialisation():
    arch = ArchSpec(in_shape=(1, 4, 4), conv_layers=1, channels=2, classes=3)
    output = arch.shapes()[-1]
    rng = np.random.default_rng(0)
    w, w0 = rng.standard_normal((2, *output.weight_shape))
    fields = layer_norms(torch.from_numpy(w), None, references([torch.from_numpy(w0)], [output])[0], output)
    assert fields["centered_frobenius"] == pytest.approx(np.linalg.norm(w - w.mean(0)))
    assert fields["norm_21"] == pytest.approx(np.linalg.norm(w, axis=1).sum())
    assert fields["frobenius_from_init"] == pytest.approx(np.linalg.norm(w - w0))
    assert fields["spectral_map_from_init"] == pytest.approx(np.linalg.norm(w - w0, 2), rel=1e-9)
    assert fields["norm_21_from_init"] == pytest.approx(np.linalg.norm(w - w0, axis=1).sum())
    assert fields["spectral_map_of_init"] == pytest.approx(np.linalg.norm(w0, 2), rel=1e-9)


def test_zero_weights_have_zero_norms():
    shape, weight, _ = conv_case(2, 1, 0, 3)
    assert spectral_map(torch.zeros_like(weight), shape) == 0.0


def test_path_norm_against_absolute_matrices():
    arch = ArchSpec(in_shape=(1, 5, 5), conv_layers=2, channels=2, classes=3, bias=True)
    rng = np.random.default_rng(0)
    shapes = arch.shapes()
    weights = [rng.standard_normal(s.weight_shape) for s in shapes]
    biases = [rng.standard_normal(s.out_channels) for s in shapes]
    x = np.ones(25)
    for s, w, b in zip(shapes, weights, biases, strict=True):
        matrix = np.abs(oracles.conv_matrix(w, s.in_size, 1, 0) if s.kind == "conv" else w)
        x = matrix @ x + np.repeat(np.abs(b), s.positions)
    got = path_l1([torch.from_numpy(w) for w in weights], [torch.from_numpy(b) for b in biases], shapes)
    assert got == pytest.approx(x.sum(), rel=1e-12)


def small_net():
    arch = ArchSpec(in_shape=(1, 5, 5), conv_layers=2, channels=3, classes=4, kernel_size=3, padding=1)
    net = build.build(arch)
    build.initialise(net, arch, "he", 1)
    return arch, net


def test_outcome_against_one_image_at_a_time():
    _, net = small_net()
    images = torch.rand(701, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(701) % 4
    seen = outcome(net, images, labels, patches=True)
    with torch.no_grad():
        outputs = np.concatenate([net(image[None]).numpy() for image in images]).astype(np.float64)
        hidden = torch.relu(net[0](images)).numpy()
    expected = oracles.margins(outputs, labels.numpy())
    np.testing.assert_allclose(seen.margins, expected, atol=1e-5)
    assert seen.error == np.mean(expected <= 0)
    assert seen.loss == pytest.approx(np.mean((outputs - np.eye(4)[labels.numpy()]) ** 2), rel=1e-5)
    padded = np.pad(hidden, ((0, 0), (0, 0), (1, 1), (1, 1)))
    patches = [
        np.linalg.norm(padded[:, :, y : y + 3, x : x + 3].reshape(701, -1), axis=1).max()
        for y in range(5)
        for x in range(5)
    ]
    assert seen.patch_norms[1] == pytest.approx(max(patches), rel=1e-5)
    second = torch.relu(net[2](torch.from_numpy(hidden))).detach().flatten(1)
    assert seen.patch_norms[2] == pytest.approx(float(second.norm(dim=1).max()), rel=1e-5)


def test_several_threads_find_what_one_does():
    _, net = small_net()
    images = torch.rand(701, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    labels, calls = torch.arange(701) % 4, []
    one = outcome(net, images, labels, patches=True)
    many = outcome(net, images, labels, patches=True, workers=3, watch=lambda: calls.append(1))
    assert (one.error, one.loss, one.patch_norms) == (many.error, many.loss, many.patch_norms)
    np.testing.assert_array_equal(one.margins, many.margins)
    assert len(calls) == 15  # batches of 50


def test_who_watches_ends_several_threads_too():
    _, net = small_net()

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome(net, torch.rand(300, 1, 5, 5), torch.zeros(300, dtype=torch.long), workers=2, watch=stop)


def test_ties_and_nan_outputs_are_errors():
    _, net = small_net()
    images, labels = torch.rand(8, 1, 5, 5), torch.zeros(8, dtype=torch.long)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.0)
    assert (
        outcome(
            build.from_weights(
                small_net()[0], [torch.zeros(s.weight_shape) for s in small_net()[0].shapes()], [None] * 3
            ),
            images,
            labels,
        ).error
        == 1.0
    )
    assert outcome(net, images, labels).error == 1.0  # 0/0 in weight norm: NaN everywhere


def test_margin_errors_against_loops():
    values, grid = np.random.default_rng(0).normal(0.5, 1, 50), np.array([0.1, 1.0, 3.0])
    ramp, indicator = margin_errors(values, grid)
    assert ramp == pytest.approx([oracles.ramp(values, g) for g in grid])
    assert indicator == pytest.approx([np.mean(values <= g) for g in grid])


def test_sample_statistics_by_their_definitions():
    images = torch.rand(6001, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    arch = ArchSpec(in_shape=(2, 3, 4), channels=2, conv_layers=1, kernel_size=2, padding=1, normalize=(0.5, 0.25))
    stats = sample_stats(images, arch, "digits")
    fed = feed(images, (0.5, 0.25)).double().numpy()
    np.testing.assert_allclose(stats.fed.pixel_energy, (fed**2).sum((0, 1)), rtol=1e-10)
    assert stats.fed.frobenius == pytest.approx(np.linalg.norm(fed))
    assert stats.fed.max_norm == pytest.approx(np.linalg.norm(fed.reshape(6001, -1), axis=1).max())
    assert stats.fed.max_abs == pytest.approx(np.abs(fed).max())
    assert stats.raw.max_pixel == pytest.approx(np.sqrt((images.double().numpy() ** 2).sum((0, 1)).max()))
    padded = np.pad(fed, ((0, 0), (0, 0), (1, 1), (1, 1)))
    sums = np.array([[padded[:, :, y : y + 2, x : x + 2].sum((1, 2, 3)) for x in range(5)] for y in range(4)])
    np.testing.assert_allclose(stats.patch_energy, (sums**2).sum(axis=2) / 8, rtol=1e-10)
    assert (stats.raw.limit, stats.fed.limit) == (1, 2)


@pytest.mark.parametrize("fields", [{"stride": 2}, {"dilation": 2}, {"kind": "lc"}, {"groups": 2}, {"pool": "max2"}])
def test_patches_are_those_that_the_first_layer_sees(fields):
    """By the layer itself, with all weights alike."""
    arch = ArchSpec(**{"in_shape": (2, 6, 7), "channels": 2, "conv_layers": 1} | fields)
    images = torch.rand(9, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    shape = dataclasses.replace(arch.shapes()[0], pools=(), groups=1)
    sums = layer_maps.apply_layer(images.double(), torch.ones(shape.weight_shape, dtype=torch.float64), None, shape)[
        :, 0
    ]
    got = sample_stats(images, arch, "digits").patch_energy
    np.testing.assert_allclose(got, (sums**2).sum(dim=0) / 8, rtol=1e-10)
    dense = sample_stats(images, ArchSpec(kind="mlp", in_shape=(2, 6, 7), hidden=(3,)), "digits").patch_energy
    np.testing.assert_allclose(dense, [[(images.double().sum((1, 2, 3)) ** 2).sum() / 84]], rtol=1e-10)


def same(one, other):
    return one.to_dict() == other.to_dict() and [one.raw.limit, one.fed.limit] == [other.raw.limit, other.fed.limit]


def test_statistics_are_kept_and_exactly_those_computed(tmp_path, monkeypatch):
    monkeypatch.setattr("boundlab.networks.sample_stats.KEPT_FROM", 50)
    images = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    arches = [
        ArchSpec(in_shape=(1, 6, 6), channels=2, conv_layers=1, normalize=(0.1307, 0.3081)),
        ArchSpec(in_shape=(1, 6, 6), channels=2, conv_layers=1),
        ArchSpec(in_shape=(1, 6, 6), channels=2, conv_layers=1, kernel_size=3, padding=1),
        ArchSpec(kind="mlp", in_shape=(1, 6, 6), hidden=()),
    ]
    computed = [sample_stats(images, arch, "digits", tmp_path) for arch in arches]
    files = list((tmp_path / "statistics").iterdir())
    assert len(files) == len(arches)
    with monkeypatch.context() as patch:
        patch.setattr("boundlab.networks.sample_stats._computed", None)  # not called
        for arch, stats in zip(arches, computed, strict=True):
            assert same(sample_stats(images, arch, "digits", tmp_path), stats)
            other = sample_stats(images, dataclasses.replace(arch, classes=7), "mnist", tmp_path)
            assert (other.dataset, other.classes, other.n) == ("mnist", 7, 60)
    changed = images.clone()
    changed[0, 0, 0, 0] = 0.5
    assert not same(sample_stats(changed, arches[0], "digits", tmp_path), computed[0])
    for file in files:
        file.write_text(file.read_text().replace("1", "2"))
    for arch, stats in zip(arches, computed, strict=True):
        assert same(sample_stats(images, arch, "digits", tmp_path), stats)


def test_few_images_leave_no_file(tmp_path):
    sample_stats(torch.rand(60, 1, 6, 6), ArchSpec(in_shape=(1, 6, 6), channels=2, conv_layers=1), "digits", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weight_norm_has_one_scalar_per_filter_bank():
    arch, net = small_net()
    scalars = [p for name, p in net.named_parameters() if name.endswith("original0")]
    assert [s.numel() for s in scalars] == [1, 1]
    for layer, scalar in zip(build.layers(net), scalars, strict=False):
        assert float(scalar.detach()) == pytest.approx(float(layer.weight.detach().norm()), rel=1e-6)
    assert sum(p.numel() for p in net.parameters()) == sum(s.parameters for s in arch.shapes())


def test_data_scalars_of_mnist(mnist_root):
    from boundlab.data.splits import load_splits

    train, test = load_splits("mnist", mnist_root)
    stats = sample_stats(train.images, ArchSpec(normalize=(0.1307, 0.3081)), "mnist")
    assert (len(train.labels), len(test.labels)) == (60000, 10000)
    energy = stats.raw.pixel_energy
    assert np.unravel_index(energy.argmax(), energy.shape) == (14, 15)
    assert energy.max() == pytest.approx(29038.2855, rel=1e-6)
    assert stats.fed.pixel_energy.max() == pytest.approx(226281.06, rel=1e-6)
    assert stats.fed.frobenius == pytest.approx(6858.745057, rel=1e-6)
    assert stats.fed.max_norm == pytest.approx(48.905100, rel=1e-6)
    assert (stats.raw.frobenius**2, stats.raw.max_norm) == (
        pytest.approx(5268601.31, rel=1e-6),
        pytest.approx(17.17905, rel=1e-6),
    )


@pytest.mark.parametrize("exponent", [-660, -500, -130, -100, 0, 100, 130, 490])
@pytest.mark.parametrize("kind", ["conv", "mlp"])
def test_patch_norms_of_tiny_and_huge_activations(kind, exponent):
    """Layer 1 times 2^k and layer 2 divided by it: the same network, and layer 2's patches are exactly 2^k times as long."""
    fields = {"channels": 3, "conv_layers": 2} if kind == "conv" else {"hidden": (5, 4)}
    arch = ArchSpec(kind, (1, 8, 8), **fields)
    dtype = torch.float64 if abs(exponent) > 100 else torch.float32
    weights = [torch.as_tensor(w).to(dtype).abs() for w in reference_weights(arch, 0)]
    inputs = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    found = []
    for scale in (1.0, 2.0**exponent):
        net = build.from_weights(arch, weights, [None] * 3).to(dtype)
        for layer, weight, times in zip(build.layers(net), weights, (scale, 1 / scale, 1.0), strict=True):
            layer.weight.data.copy_(weight * times)
        found.append(outcome(net, inputs, torch.zeros(20, dtype=torch.long), patches=True).patch_norms)
    one, other = found
    assert other == [one[0], one[1] * 2.0**exponent, one[2]]
    assert all(norm > 0 for norm in other)


def test_patch_norms_of_nothing_and_of_what_is_not_finite():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    for pixel, expected in ((0.0, 0.0), (np.inf, np.inf)):
        inputs = torch.full((1, 1, 2, 2), pixel)
        (norm,) = outcome(net, inputs, torch.zeros(1, dtype=torch.long), patches=True).patch_norms
        assert norm == expected
