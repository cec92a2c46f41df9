"""Numbers for people: what is not 0 is never shown as 0."""

import dataclasses
import re

import pytest

from boundlab.analysis.guarantees import guarantees
from boundlab.text import decimals, percent


@pytest.mark.parametrize(
    ("value", "places", "words"),
    [
        (0.0, 4, "0.0000"),
        (0.25, 3, "0.250"),
        (0.00005, 4, "0.0001"),
        (0.00042, 3, "0.00042"),
        (3.14e-5, 4, "3.1×10⁻⁵"),
        (-4e-320, 3, "-4.0×10⁻³²⁰"),
        (float("inf"), 2, "inf"),
    ],
)
def test_fixed_decimals_become_significant_digits_where_they_would_say_0(value, places, words):
    assert decimals(value, places) == words


def test_one_wrong_image_of_60000_is_not_0_per_cent():
    assert percent(1 / 60_000) == "0.0017 %"
    assert percent(0.0) == "0.00 %"
    assert percent(0.1) == "10.00 %"


def test_a_tiny_divergence_is_not_0(whole_pack):
    run = next(run for run in whole_pack if run.certificates)
    tiny = tuple(dataclasses.replace(one, kl=1e-3, rescaled=None) for one in run.certificates)
    made = guarantees(dataclasses.replace(run, certificates=tiny), run.epochs.iloc[-1:], 0.05)
    parts = " ".join(promise.parts for promise in made if "divergence" in promise.parts)
    assert re.search(r"divergence \d\.\d×10⁻", parts)
