"""The PAC-Bayes-kl formula against slow ways, and what is stored of a certificate."""

import dataclasses
import json
import math
import subprocess
import sys
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch.distributions import Normal, kl_divergence

from boundlab.bounds import pac_bayes
from boundlab.bounds.concentration import kl_inverse
from boundlab.bounds.pac_bayes import SCALE_GRID, PacBayes, best_prior_noise, gaussian_kl
from boundlab.runs.certificates import CERTIFICATES, store_certificate
from boundlab.runs.folder import open_run
from boundlab.runs.pack import open_pack, read_pack
from boundlab.runs.part import write_part
from boundlab.specs.run import RunSpec

FIXED = PacBayes("fixed", 1437, 0, 321.5, (0.1, 0.2), (0.15, 0.2), 64, 1000, 123, 7)
SPEC = RunSpec.from_dict({"dataset": "digits", "n_train": 700})
LEARNT = PacBayes("learnt", 737, 700, 0.0, (0.001,), (0.001,), 1, 1000, 50, 7, SPEC)


def exact_kl(q: float, p: Decimal) -> Decimal:
    q = Decimal(q)
    return sum((a * (a / b).ln() for a, b in ((q, p), (1 - q, 1 - p)) if a > 0), Decimal(0))


def exact_inverse(q: float, c: float) -> Decimal:
    """Bisection with 60 digits."""
    low, high = Decimal(q), Decimal(1)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if exact_kl(q, middle) <= Decimal(c) else (low, middle)
    return low


@pytest.mark.parametrize("q", [0.0, 1e-9, 0.003, 0.2, 0.5, 0.97, 1 - 1e-9])
def test_kl_inverse_against_60_digits(q):
    budgets = [1e-5, 3e-4, 0.01, 0.3, 2.0, 20.0]
    got = kl_inverse(q, np.array(budgets))
    with localcontext() as context:
        context.prec = 60
        for p, c in zip(got, budgets, strict=True):
            error = Decimal(float(p)) - exact_inverse(q, c)
            assert -Decimal("1e-25") <= error <= Decimal("1e-12"), (q, c, error)


def test_kl_inverse_at_its_ends():
    assert kl_inverse(1.0, 0.1) == 1.0
    assert kl_inverse(0.3, np.inf) == 1.0
    assert kl_inverse(0.0, 0.5) == pytest.approx(1 - math.exp(-0.5), abs=1e-12)
    assert 0.3 <= kl_inverse(0.3, 0.0) < 0.3 + 1e-6
    np.testing.assert_array_equal(kl_inverse([0.1, 0.2], 0.1), [kl_inverse(0.1, 0.1), kl_inverse(0.2, 0.1)])
    for q, c in ((-0.1, 1), (1.1, 1), (np.nan, 1), (0.1, -1), (0.1, np.nan)):
        with pytest.raises(ValueError, match="must"):
            kl_inverse(q, c)


def test_gaussian_kl_against_torch():
    rng = np.random.default_rng(0)
    mean, prior = (torch.from_numpy(rng.standard_normal(37)) for _ in range(2))
    for noise, prior_noise in ((0.3, 0.3), (0.1, 0.7), (2.0, 0.5)):
        expected = kl_divergence(Normal(mean, noise), Normal(prior, prior_noise)).sum()
        got = gaussian_kl(float((mean - prior).norm()), 37, noise, prior_noise)
        assert got == pytest.approx(float(expected), rel=1e-12)
    assert gaussian_kl(0.0, 37, 0.3, 0.3) == 0.0


def test_the_priors_noise_is_the_best_of_the_grid():
    distance, weights, noise = [1.3, 0.2], [40, 5000], [0.05, 0.011]
    scales, kl = best_prior_noise(distance, weights, noise)
    least = [
        min((gaussian_kl(d, w, s, g), g) for g in SCALE_GRID) for d, w, s in zip(distance, weights, noise, strict=True)
    ]
    assert [g for _, g in least] == scales.tolist()
    assert kl == pytest.approx(sum(k for k, _ in least), rel=1e-14)


def test_value_is_the_formula_written_out():
    delta = 0.02
    limit = binomtest(123, 1000, alternative="less").proportion_ci(1 - delta / 2, "exact").high
    budget = (321.5 + 2 * math.log(64) + math.log(2 * math.sqrt(1437) / (delta / 2))) / 1437
    parts = FIXED.parts(delta)
    assert parts.value == FIXED.value(delta) == pytest.approx(float(exact_inverse(limit, budget)), rel=1e-9)
    assert parts.noisy_error == 0.123
    assert parts.noisy_error_limit == pytest.approx(limit, rel=1e-9)
    assert parts.complexity + parts.grid + parts.confidence == pytest.approx(budget, rel=1e-12)


def test_more_doubt_more_error_and_more_kl_raise_the_value():
    base = FIXED.value(0.05)
    assert FIXED.value(0.001) > base
    for change in ({"wrong": 200}, {"kl": 400.0}, {"grid": 1000}, {"n": 1000}, {"draws": 200, "wrong": 30}):
        assert dataclasses.replace(FIXED, **change).value(0.05) > base, change
    assert dataclasses.replace(FIXED, wrong=1000).value(0.05) == 1.0
    assert dataclasses.replace(FIXED, kl=1e300).value(0.05) == 1.0
    for delta in (0, 1, -1, float("nan")):
        with pytest.raises(ValueError, match="delta must lie strictly"):
            FIXED.value(delta)


@pytest.mark.parametrize("certificate", [FIXED, LEARNT])
def test_round_trip(certificate):
    assert PacBayes.from_dict(json.loads(json.dumps(certificate.to_dict()))) == certificate


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"wrong": 1001}, "wrong must be"), ({"n": 7}, "n must be"), ({"kl": -1.0}, "kl must be"),
        ({"kl": float("nan")}, "kl must be"), ({"noise": [0.1]}, "prior_noise must be"), ({"noise": []}, "noise must be"),
        ({"noise": [0.1, 0.0]}, "noise must be"), ({"prior": "none"}, "prior must be"), ({"extra": 1}, "with the fields"),
        ({"prior": "learnt"}, "learnt prior"), ({"prior_spec": 3}, "run spec"), ({"n_prior": 3}, "learnt prior"),
        ({"draws": True}, "draws must be"),
    ],
)  # fmt: skip
def test_damaged_certificates_are_sentences(change, words):
    with pytest.raises(ValueError, match=words):
        PacBayes.from_dict(FIXED.to_dict() | change)


def test_a_list_has_one_certificate_per_prior():
    assert pac_bayes.from_list([FIXED.to_dict(), LEARNT.to_dict()]) == (FIXED, LEARNT)
    for bad in ({}, [FIXED.to_dict()] * 2, [3]):
        with pytest.raises(ValueError, match="certificate"):
            pac_bayes.from_list(bad)
    newer = dataclasses.replace(FIXED, wrong=5)
    assert pac_bayes.replaced((FIXED, LEARNT), newer) == (newer, LEARNT)


def certificate_of(run) -> PacBayes:
    """A fixed-prior certificate that is about this run: its n, its KL; draws made up."""
    layers = run.norms(run.records.iloc[-1:]).layers
    noise = [0.1] * len(layers)
    scales, kl = best_prior_noise(
        [layer.frobenius[0] for layer in layers], [s.weights for s in run.spec.arch.shapes()], noise
    )
    return PacBayes("fixed", run.sample.n, 0, kl, tuple(noise), tuple(scales.tolist()), 64, 1000, 123, 7)


def test_certificates_travel_with_a_pack(pack, tmp_path):
    fixed = certificate_of(pack[0])
    runs = [dataclasses.replace(pack[0], certificates=(fixed, LEARNT)), dataclasses.replace(pack[1], certificates=())]
    write_part(runs, tmp_path)
    assert [run.certificates for run in read_pack(tmp_path)] == [(fixed, LEARNT), ()]
    newer = dataclasses.replace(LEARNT, wrong=5)
    store_certificate(tmp_path, pack[1].id, newer, packed=True)
    assert [run.certificates for run in read_pack(tmp_path)] == [(fixed, LEARNT), (newer,)]
    for damaged in ("[]", "{"):
        (tmp_path / CERTIFICATES).write_text(damaged)
        found = open_pack(tmp_path)
        assert list(found.left_out) == [CERTIFICATES]
        assert [(run.id, run.certificates) for run in found.runs] == [(run.id, ()) for run in runs]
    write_part([dataclasses.replace(run, certificates=()) for run in runs], tmp_path)
    assert not (tmp_path / CERTIFICATES).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kl": 0.0},
        {"grid": 1},
        {"n": 10**9},
        {"noise": [0.1], "prior_noise": [0.1]},
        {"n": 0},
        {"noise": None},
        {"kl": "1"},
    ],
)
def test_a_certificate_that_is_not_about_its_run_is_left_out_alone(pack, tmp_path, change):
    write_part(pack[:2], tmp_path)
    good = [dataclasses.replace(certificate_of(run), wrong=5) for run in pack[:2]]
    for run, certificate in zip(pack, good, strict=False):
        store_certificate(tmp_path, run.id, certificate, packed=True)
    assert open_pack(tmp_path).left_out == {}
    stored = json.loads((tmp_path / CERTIFICATES).read_text())
    edited = {pack[0].id: [good[0].to_dict() | change, LEARNT.to_dict()], "somebody-else": []}
    (tmp_path / CERTIFICATES).write_text(json.dumps(stored | edited))
    found = open_pack(tmp_path)
    assert [run.certificates for run in found.runs] == [(LEARNT,), (good[1],)]
    assert set(found.left_out) == {f"certificate of {pack[0].id}", "certificate of somebody-else"}
    assert pack[0].id in found.left_out[f"certificate of {pack[0].id}"]
    store_certificate(tmp_path, pack[1].id, LEARNT, packed=True)  # what is damaged stays as it is
    assert json.loads((tmp_path / CERTIFICATES).read_text())[pack[0].id] == edited[pack[0].id]
    store_certificate(tmp_path, pack[0].id, good[0], packed=True)  # certified again: the bad one is replaced
    assert [run.certificates for run in open_pack(tmp_path).runs] == [(good[0], LEARNT), (good[1], LEARNT)]


def test_processes_that_certify_at_once_lose_nothing(pack, tmp_path):
    code = (
        "import sys; from pathlib import Path; from boundlab.bounds.pac_bayes import PacBayes\n"
        "from boundlab.runs.certificates import store_certificate as store\n"
        "for i in range(20): store(Path(sys.argv[1]), f'{sys.argv[2]}-{i}', "
        "PacBayes('fixed', 1437, 0, 1.0, (0.1,), (0.1,), 64, 1000, 123, 7), True)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(who)]) for who in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(json.loads((tmp_path / CERTIFICATES).read_text())) == 60


def test_certificates_lie_beside_the_seal(finished):
    before = {p: p.stat().st_mtime_ns for p in finished.iterdir()}
    fixed = certificate_of(open_run(finished))
    try:
        store_certificate(finished, finished.name, fixed)
        assert open_run(finished).certificates == (fixed,)
        assert {p: p.stat().st_mtime_ns for p in before} == before
        for damaged in ('{"n": 1}', '[{"n": 1}]', "[", "3"):
            (finished / CERTIFICATES).write_text(damaged)
            opened = open_run(finished)
            assert opened.certificates == ()
            assert CERTIFICATES in opened.trouble
    finally:
        (finished / CERTIFICATES).unlink(missing_ok=True)
    assert open_run(finished).certificates == ()


def test_shipped_certificates_are_those_of_the_shipped_networks(pack):
    """The KL again, from the norms recorded in training; the scales are the grid's; the limits say something."""
    certified = [(run, c) for run in pack for c in run.certificates]
    assert {run.spec.train.dataset for run, _ in certified} == {"mnist", "digits"}
    for run, certificate in certified:
        assert set(certificate.prior_noise) <= set(SCALE_GRID)
        assert certificate.n + certificate.n_prior == run.sample.n
        if certificate.prior == "fixed":
            frobenius = [float(layer.frobenius[-1]) for layer in run.norms(run.epochs).layers]
            weights = [shape.weights for shape in run.spec.arch.shapes()]
            kl = gaussian_kl(frobenius, weights, certificate.noise, certificate.prior_noise).sum()
            assert certificate.kl == pytest.approx(kl, rel=1e-4)
        else:
            assert certificate.prior_spec.train.n_train == certificate.n_prior
            assert certificate.prior_spec.arch == run.spec.arch
    mnist = [c for run, c in certified if run.spec.train.dataset == "mnist"]
    assert min(c.value(0.001) for c in mnist if c.prior == "fixed") < 0.3
    assert min(c.value(0.001) for c in mnist if c.prior == "learnt") < 0.05
