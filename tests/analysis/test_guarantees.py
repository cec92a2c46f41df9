"""Theorem D among the guarantees of a run: what it says, that it shares delta, and where it is missing."""

import dataclasses

import pytest

from boundlab.analysis.guarantees import guarantees
from boundlab.bounds.coded import CodedCertificate, best, coded_json
from boundlab.bounds.theorem_d import PAIRS
from boundlab.quantities.weight_code import Rounding

PLAIN = CodedCertificate(
    n=60_000, classes=10, theta=1.0, rows=None, pairs=len(PAIRS), mu=90.0, size=110.0, spread=0.0, bits=4000, loss=0.13,
    roundings=(Rounding(3, 0.1),), constant=None, pull=None, train_error=0.043, test_error=0.041,
)  # fmt: skip
SHAPED = dataclasses.replace(PLAIN, theta=1.5, rows=4, size=64.0, spread=200.0, loss=0.078, pull=4096.0)


def of(run, delta, coded, row=-1):
    records = run.epochs.iloc[[row]]
    return {one.kind: one for one in guarantees(dataclasses.replace(run, coded=coded), records, delta)}


def test_the_smaller_of_both_is_promised_with_its_share_of_delta(pack):
    run = next(r for r in pack if r.spec.train.dataset == "mnist" and r.certificates)
    without, with_it = of(run, 0.01, ()), of(run, 0.01, (PLAIN, SHAPED))
    share = 0.01 / sum(one.limit is not None for one in with_it.values())
    made = with_it["theorem_d"]
    assert made.title == "Theorem D2"
    assert made.limit == SHAPED.value(share) < PLAIN.value(share)
    assert best((PLAIN, SHAPED), share) is SHAPED
    assert made.about.startswith("the network with rounded hidden weights:")
    for number in ("4,000 bits", "4.30 %", "4.10 %"):
        assert number in made.about
    assert "60,000 training images" in made.used
    assert f"{SHAPED.parts(share).divergence:.4f}" in made.parts
    # everything else has a smaller share of delta now
    assert with_it["holdout"].limit > without["holdout"].limit
    assert of(run, 0.01, (PLAIN,))["theorem_d"].title == "Theorem D"


def test_where_it_is_missing_it_says_why(pack):
    run = next(r for r in pack if len(r.epochs) > 1)
    missing = of(run, 0.01, ())["theorem_d"]
    assert missing.limit is None
    assert "boundlab certify --theorem d" in missing.reason
    assert "final network only" in of(run, 0.01, (PLAIN,), row=0)["theorem_d"].reason


def test_parts_add_up_to_the_price():
    for one in (PLAIN, SHAPED):
        parts = one.parts(0.001)
        assert parts.divergence == pytest.approx(one.divergence / 60_000)
        assert parts.value == one.value(0.001) < one.value(1e-6)
        assert dataclasses.replace(one, loss=0.9).value(0.001) == 1.0
    with pytest.raises(ValueError, match="pairs"):
        dataclasses.replace(PLAIN, theta=0.7)
    with pytest.raises(ValueError, match="spread"):
        dataclasses.replace(PLAIN, spread=1.0)
    with pytest.raises(ValueError, match="delta"):
        PLAIN.value(1.0)


def test_a_network_made_for_it_is_said_to_be_another_one(pack):
    run = next(r for r in pack if r.spec.train.dataset == "mnist" and r.certificates)
    made = dataclasses.replace(SHAPED, bits=1500, loss=0.05, trained=True)
    found = of(run, 0.01, (PLAIN, SHAPED, made))["theorem_d"]
    assert found.about.startswith("a network made of it for this number: ")
    for words in ("1,500 bits", "last layer trained", "4.10 %"):
        assert words in found.about
    assert CodedCertificate.from_dict(made.to_dict()) == made
    assert "trained" not in SHAPED.to_dict()
    for wrong in ("yes", 1, None):
        with pytest.raises(ValueError, match="trained must be true or false"):
            CodedCertificate.from_dict(made.to_dict() | {"trained": wrong})
    printed = coded_json((PLAIN, SHAPED, made), 0.01)
    assert printed["values"] == {"D": PLAIN.value(0.01), "D2": made.value(0.01)}
