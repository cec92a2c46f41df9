"""What the Playground says about a sweep."""

import pandas as pd
import pytest

from boundlab.specs.played import Played
from boundlab.words.played import compared_with_last, difference, sweep_verdict


def curves(**values):
    return pd.DataFrame([{"series": name, "weight_decay": 0.004, "mean": value} for name, value in values.items()])


def test_the_verdict_says_when_a_bound_says_nothing():
    words = sweep_verdict(curves(test_error=0.04, sparse=16.0, golowich=1600.0, doubled=3.7), 0.004)
    assert "errs on **4 of 100** new images" in words
    assert "**16**, above 1: it says nothing, 100 times smaller than Golowich 2018" in words
    assert words.endswith("A guarantee (Theorem S2): 3.7, so none.")


def test_a_bound_below_one_says_something():
    words = sweep_verdict(curves(test_error=0.04, sparse=0.5, golowich=0.4, doubled=0.7), 0.004)
    assert "says nothing" not in words
    assert "smaller than" not in words
    assert words.endswith("0.7.")


def test_a_network_that_learnt_nothing_and_noisy_labels_are_not_passed_over():
    now = curves(test_error=0.89, sparse=0.1, golowich=0.4, doubled=0.7)
    assert "learnt nothing" in sweep_verdict(now, 0.004, trained=False)
    assert "bound: **" not in sweep_verdict(now, 0.004, trained=False)
    assert "A guarantee (Theorem S2) about labels as noisy as in training: 0.7." in sweep_verdict(now, 0.004, noise=0.5)


def test_a_number_measured_earlier_says_of_which_epoch_it_is():
    now = curves(test_error=0.9, sparse=16.0, golowich=1600.0, doubled=262.0)
    now["as_of"] = [4.0, float("nan"), float("nan"), 8.0]
    words = sweep_verdict(now, 0.004)
    assert "errs on **90 of 100** new images (measured at epoch 4)." in words
    assert words.endswith("A guarantee (Theorem S2): 262, so none (measured at epoch 8).")


@pytest.mark.parametrize(("value", "words"), [(0.8281, "at most **82.9 of 100**."), (1.0, "1.00, so none.")])
def test_theorem_d2_is_about_the_network_with_rounded_weights(value, words):
    now = curves(test_error=0.04, sparse=16.0, golowich=1600.0, doubled=3.7, theorem_d2=value)
    assert sweep_verdict(now, 0.004).endswith(f"3.7, so none. With its hidden weights rounded (Theorem D2): {words}")
    assert "computed" not in sweep_verdict(now, 0.004)
    assert sweep_verdict(now, 0.004, coming=True).endswith(f"{words} Those of the other networks are being computed.")


def test_until_theorem_d2_is_there_the_verdict_says_that_it_is_computed():
    now = curves(test_error=0.04, sparse=16.0, golowich=1600.0, doubled=3.7)
    assert sweep_verdict(now, 0.004, coming=True).endswith("3.7, so none. Theorem D2 is being computed.")
    assert "D2" not in sweep_verdict(now, 0.004)


def test_nothing_is_said_of_what_is_not_measured():
    assert sweep_verdict(curves(sparse=0.5), 0.004) == ""


@pytest.mark.parametrize(
    ("after", "words"), [(10.0, "hardly moved"), (40.0, "is 4.0 times as large"), (1.0, "is 10 times smaller")]
)
def test_how_far_the_bounds_moved(after, words):
    now, before = curves(sparse=after), curves(sparse=10.0)
    text = compared_with_last(now, before, Played(channels=16), Played(), 0.004)
    assert text == f"Dashed: the last one you played, channels 8. From there, the sparse bound {words}."


def test_theorem_d2_is_compared_where_both_have_it():
    now, before = curves(sparse=10.0, theorem_d2=0.9), curves(sparse=10.0, theorem_d2=0.3)
    here, there = Played(channels=16), Played()
    assert compared_with_last(now, before, here, there, 0.004).endswith(
        "hardly moved, Theorem D2 is 3.0 times as large."
    )
    assert "D2" not in compared_with_last(now, curves(sparse=10.0), here, there, 0.004)


def test_every_handle_is_named_where_it_differs():
    other = Played("mnist", "MLP", 2, 4, 3, 2, 0.5, 6000, 1)
    words = difference(other, Played())
    assert words == "layers 2, channels 4, kernel 3, stride 2, MLP, 50% wrong labels, 6000 images, data mnist, seed 1"
    assert difference(other, other) == "the same"
