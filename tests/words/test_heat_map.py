"""What the sentence under a heat map claims, over every heat map of what ships, checked against the runs themselves."""

import itertools
import math
import re

import pandas as pd
import pytest

from boundlab.analysis.cells import cells
from boundlab.analysis.tables import final_table
from boundlab.bounds import BY_KEY
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import readable, times
from boundlab.words.heat_map import heat_sentence

PAIRS = [("weight_decay", "channels"), ("weight_decay", "conv_layers"), ("channels", "conv_layers")]
SERIES = ("sparse", "doubled", "golowich", "long_sedghi", "holdout", "test_error", "gap")
SYMBOL = {"weight_decay": "λ", "channels": "H", "conv_layers": "L"}


@pytest.fixture(scope="module", params=list(itertools.product(("mnist", "digits"), CONVENTIONS)), ids=" ".join)
def rows(request, pack):
    dataset, convention = request.param
    table = final_table([run for run in pack if run.spec.train.dataset == dataset], Settings(convention))
    return table[table["recipe"] == "short"], convention


def check_move(words, part, along, across, series):
    """`words`: from one value of `along` to another; the change over all values of `across` that have both."""
    found = re.search(
        rf"from {SYMBOL[along]} = (\S+) to (\S+) it (.*?)(?: on average over (\d+) values|[;.] |\.$|;|$)", words
    )
    lines = {value: sorted(rows[along].unique()) for value, rows in part.groupby(across)}
    widest = max((line[-1] / line[0] for line in lines.values() if len(line) > 1), default=None)
    if widest is None:
        assert found is None
        return
    first, last = (
        min(part[along].unique(), key=lambda v, n=number: abs(v - float(n))) for number in found.groups()[:2]
    )
    assert last / first == pytest.approx(widest)
    means = part.groupby([across, along])["value"].mean().to_dict()
    pairs = [(means[v, first], means[v, last]) for v in lines if {(v, first), (v, last)} <= set(means)]
    assert found[4] == (str(len(pairs)) if len(pairs) > 1 else None)
    if series not in BY_KEY:
        start, end = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
        said = [float(number) / 100 for number in re.findall(r"(\S+) %", found[3])]
        assert said == pytest.approx([start, end], abs=1e-4)  # two decimals of a per cent
        return
    ratio = math.prod(b / a for a, b in pairs) ** (1 / len(pairs))
    if abs(ratio - 1) < 0.03:
        assert found[3].startswith("stays put")
    else:
        way = "grows" if ratio > 1 else "falls"
        assert found[3].startswith(f"{way} by a factor of {times(max(ratio, 1 / ratio))}")


@pytest.mark.parametrize(("x", "y"), PAIRS, ids=lambda name: SYMBOL[name])
def test_the_sentence_holds_for_its_cells(rows, x, y):
    table, convention = rows
    (third,) = set(SYMBOL) - {x, y}
    seen = 0
    for (value, series), part in table[table["series"].isin(SERIES)].groupby([third, "series"]):
        words = heat_sentence(
            cells(table[table[third] == value], x, y, series, sorted(table[x].unique()), sorted(table[y].unique())),
            *(x, y, series, convention),
        )
        part = part.dropna(subset=["value"])
        if part.empty:
            assert words.startswith("No network here has a value")
            continue
        seen += 1
        check_move(words, part, y, x, series)
        check_move(words, part, x, y, series)
        means = part.groupby([x, y])["value"].mean()
        for extreme in (means.min(), means.max()):
            assert readable(extreme, series) in words or readable(extreme * (1 - 1e-12), series) in words
        if series in BY_KEY:
            below = int((means < 1).sum())
            expected = "everywhere" if below == len(means) else f"in {below} of {len(means)}" if below else "nowhere"
            assert f"Below 1 {expected}" in words
    assert seen > 3


def test_a_bound_that_is_0_or_infinite_breaks_no_sentence():
    table = pd.DataFrame({"channels": [8.0, 16.0], "conv_layers": 3.0, "mean": [0.0, math.inf]})
    words = heat_sentence(table, "channels", "conv_layers", "sparse", "published")
    assert words.endswith("Below 1 in 1 of 2 networks; a value of 1 or more says nothing.")
