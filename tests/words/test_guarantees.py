"""What a card and the headline of page Certificates say, against the guarantees they are about."""

import dataclasses
import math

import pytest

from boundlab.analysis.guarantees import Guarantee, family, guarantees, strongest
from boundlab.words.guarantees import about_whom, at_most, beside_bar, best_promise, card


def promise(kind, limit, about="the network itself", **more):
    return Guarantee(kind, kind.upper(), about, "10,000 test images; none", limit, **more)


@pytest.mark.parametrize("limit", [0.0944, 0.094, 0.0941, 1 / 3, 0.5, 0.00001, 0.9999, 0.29])
def test_a_promise_on_a_card_is_rounded_up_and_by_less_than_a_tenth_of_a_hundredth(limit):
    shown = float(at_most(limit)) / 100
    assert limit <= shown + 1e-12
    assert shown < limit + 0.001


def test_of_every_argument_the_strongest_is_on_a_card_the_smallest_first():
    made = [
        promise("theorem_s2", 0.3),
        promise("theorem_s", 0.2),
        promise("theorem_d", None, reason="no"),
        promise("theorem_d2", 0.25),
        promise("pac_bayes_fixed", 0.1),
        promise("pac_bayes_learnt", None, reason="no"),
        promise("holdout", 0.05),
    ]
    assert [one.kind for one in strongest(made)] == ["holdout", "pac_bayes_fixed", "theorem_s", "theorem_d2"]
    assert {family(one.kind) for one in made} == {"theorem_s", "theorem_d", "pac_bayes", "holdout"}
    alone = strongest([promise("theorem_s", None, reason="biases"), promise("holdout", 0.5)])
    assert [one.limit for one in alone] == [0.5, None]


def test_the_headline_never_says_of_this_network_what_is_promised_of_another():
    noisy = promise("pac_bayes_fixed", 0.2, "a noisy version of the network: fresh noise")
    other = promise("pac_bayes_learnt", 0.1, "a noisy version of a network trained alike on 30,000 of the images")
    assert (
        best_promise([noisy], 0.04) == "Wrong of 100: **at most 20.0** (noisy copy of this network), measured: **4.0**."
    )
    made = dataclasses.replace(promise("theorem_d", 0.191), measured=0.0201)
    assert best_promise([made], 0.041).endswith("measured: **2.0**.")
    assert "(noisy copy of another network)" in best_promise([other], 0.04)
    assert "at most 30.0**, measured" in best_promise([noisy, promise("theorem_s2", 0.3)], 0.0009)
    assert best_promise([promise("theorem_s2", 0.3)], 0.0009).endswith("measured: **0.1**.")
    nothing = best_promise([promise("holdout", 0.01), promise("theorem_s2", 1.2)], 0.5)
    assert nothing == "Wrong of 100: no theory promises anything, measured: **50.0**."


def test_beside_a_number_stands_which_network_and_which_prior():
    noisy = dataclasses.replace(
        promise("pac_bayes_fixed", 0.2, "a noisy version of the network: fresh noise"), title="PAC-Bayes, fixed prior"
    )
    other = dataclasses.replace(
        promise("pac_bayes_learnt", 0.1, "a noisy version of a network trained alike on 30,000 of the images"),
        title="PAC-Bayes, learnt prior",
    )
    rounded = promise("theorem_d", 0.3, "the network with rounded hidden weights: 900 bits say all of them")
    made = promise("theorem_d", 0.2, "a network made of it for this number: channels merged")
    itself = promise("theorem_s2", 0.2, "the network itself")
    assert [about_whom(one) for one in (noisy, other, rounded, made, itself)] == [
        "noisy copy of this, fixed prior",
        "noisy copy of another, learnt prior",
        "rounded copy of this",
        "network made of this one",
        "this network",
    ]
    assert beside_bar(dataclasses.replace(made, measured=0.0201)) == "network made of this one, measured 2.0"
    assert beside_bar(itself) == "this network"
    assert [card(one, 0.9)[2][1].split(": ")[1] for one in (noisy, other)] == [
        "images, fixed prior",
        "images, learnt prior",
    ]


def test_a_card_says_who_how_much_and_from_what_of_every_shipped_guarantee(whole_pack):
    seen = set()
    for run in whole_pack:
        if run.certificates:
            for one in guarantees(run, run.epochs.iloc[-1:], 0.001):
                title, number, lines, whole = card(one, 0.9)
                assert title
                assert len(" ".join(lines).split()) <= 11
                if one.limit is None:
                    assert (number, one.reason in whole) == ("no number", True)
                elif one.limit >= 1:
                    assert number == "nothing"
                else:
                    assert number == f"≤ {math.ceil(1000 * one.limit - 1e-9) / 10:.1f} %"
                    assert one.used in whole
                seen.add((one.kind, number[0]))
    assert {("theorem_s2", "≤"), ("theorem_s2", "n"), ("pac_bayes_learnt", "≤"), ("holdout", "≤")} <= seen


def test_a_card_of_an_argument_that_is_not_known_here_says_what_the_guarantee_says():
    title, number, lines, _ = card(promise("theorem_q", 0.25, "the network, rounded: how"), 0.9)
    assert (title, number) == ("THEOREM_Q", "≤ 25.0 %")
    assert "the network, rounded" in lines[0]
    assert "10,000 test images" in lines[1]
