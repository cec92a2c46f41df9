"""What sentences claim of numbers, checked against the numbers they were made from, over every view of the shipped runs."""

import itertools
import re

import pandas as pd
import pytest

from boundlab.analysis.curves import by_axis, of_one_run
from boundlab.analysis.tables import AXES, final_table, growing_table, history_table
from boundlab.bounds import BY_KEY
from boundlab.charts.theme import STYLES, lead, styles
from boundlab.specs.settings import CONVENTIONS, Settings
from boundlab.text import readable
from boundlab.words import figures, live, notices

VARIABLES = {"epoch": (), "weight_decay": ("conv_layers", "channels"), "channels": ("conv_layers", "weight_decay")}
VARIABLES |= {"depth": ("channels", "weight_decay"), "epoch": ("conv_layers", "channels", "weight_decay")}
DATA = ("mnist", "digits")


@pytest.fixture(scope="module", params=list(itertools.product(DATA, CONVENTIONS)), ids=" ".join)
def rows(request, pack):
    """Final rows of all runs of one data set, and the settings."""
    dataset, convention = request.param
    settings = Settings(convention)
    return final_table([run for run in pack if run.spec.train.dataset == dataset], settings), settings


def views(table, axis):
    """The curves of every choice of the other sliders."""
    still = list(VARIABLES[axis.key])
    for _, part in table.groupby(still):
        if not (curves := by_axis(part, axis)).empty:
            yield curves


def bounds_at_the_end(curves, axis, first):
    """Series -> its value where the first one ends."""
    end = curves[curves["series"] == first][axis.column].max()
    there = curves[(curves[axis.column] == end) & curves["series"].isin(BY_KEY)]
    return there.set_index("series")["mean"].to_dict()


def named(convention):
    """A pattern of every bound's name, the longer of two first."""
    names = sorted((styles(convention)[key].name for key in BY_KEY), key=len, reverse=True)
    return "|".join(map(re.escape, names))


def check_standing(words, values, first, convention):
    """Which of the others are smaller is what the words say."""
    names = {styles(convention)[key].name: key for key in BY_KEY}
    others = {key: value for key, value in values.items() if key != first}
    smaller = {key for key, value in others.items() if value < values[first]}
    said = re.search(r"Smaller here: (.*?)(;|\.(?: |$))", words)
    listed = {names[name] for name in re.findall(named(convention), said[1])} if said else set()
    assert listed == smaller, (words, values)
    assert ("It is the smallest here" in words) == (bool(others) and not smaller), words
    if span := re.search(f"the others go from ({named(convention)}) .*? to ({named(convention)}) ", words):
        assert names[span[1]] == min(others, key=others.__getitem__)
        assert names[span[2]] == max(others, key=others.__getitem__)


def check_journey(words, line, first):
    """By which factor and which way, and what lies beyond the ends."""
    ends = line["mean"].iloc[[0, -1]].tolist()
    if len(line) == 1:
        return
    assert f"({readable(ends[0])} → {readable(ends[1])})" in words
    ratio = ends[1] / ends[0]
    way = re.search(r"(falls|grows) by a factor of|stays put", words)
    assert way[0] == ("stays put" if abs(ratio - 1) < 0.03 else f"{way[1]} by a factor of")
    assert way[1] is None or (way[1] == "grows") == (ratio > 1)
    beyond = max(line["mean"].max() / max(ends), min(ends) / line["mean"].min())
    assert bool(re.search(r"\((largest|smallest) at ", words)) == (beyond >= 1.03), (words, line["mean"].tolist())


@pytest.mark.parametrize("key", ["weight_decay", "channels", "depth"])
def test_the_words_of_a_figure_hold_for_its_curves(key, rows):
    table, settings = rows
    axis, seen = AXES[key], 0
    for curves in views(table, axis):
        words = notices.notice(curves, axis, settings, "epoch 5")
        first = lead(curves["series"])
        assert first == ("doubled" if settings.convention == "strict" else "sparse")
        line = curves[curves["series"] == first]
        check_journey(words, line, first)
        values = bounds_at_the_end(curves, axis, first)
        check_standing(words, values, first, settings.convention)
        assert ("vacuous" in words) == (values[first] >= 1), words
        assert ("Theorem S2" in words) == (settings.convention == "strict")
        assert not (settings.convention == "strict" and "parse bound" in words)
        seen += 1
    assert seen > 3


def test_what_moves_most_and_least_is_said_of_the_right_bounds(rows):
    table, settings = rows
    for axis in (AXES["weight_decay"], AXES["depth"], AXES["channels"]):
        for curves in views(table, axis):
            words = notices.notice(curves, axis, settings)
            first = lead(curves["series"])
            groups = curves[curves["series"].isin(BY_KEY) & (curves["series"] != first)].groupby("series")["mean"]
            ratios = {name: part.iloc[-1] / part.iloc[0] for name, part in groups if len(part) > 1}
            name = named(settings.convention)
            if found := re.search(f"The other bounds range from ({name}) .*? to ({name}) ", words):
                names = {style.name: name for name, style in styles(settings.convention).items()}
                assert ratios[names[found[1]]] == min(ratios.values())
                assert ratios[names[found[2]]] == max(ratios.values())
            if "The other bounds stay put" in words:
                assert max(abs(r - 1) for r in ratios.values()) < 0.03
                own = curves[curves["series"] == first]["mean"]
                assert ("stay put too" in words) == (abs(own.iloc[-1] / own.iloc[0] - 1) < 0.03)


def test_starts_sentence_holds_for_every_network(rows):
    table, settings = rows
    seen = set()
    for _, part in table.groupby(["architecture", "weight_decay"]):
        values = part.groupby("series")["value"].mean().dropna()
        words = figures.sentence(values, part["seed"].nunique(), settings.convention)
        bounds = {name: value for name, value in values.items() if name in BY_KEY}
        first = lead(bounds)
        check_standing(words, bounds, first, settings.convention)
        assert f"says **{readable(bounds[first])}**" in words
        assert ("a value of 1 or more says nothing" in words) == (bounds[first] >= 1)
        assert ("Theorem S2 says" in words) == (settings.convention == "strict")
        seen.add("smallest" in words)
    if table["dataset"].iloc[0] == "digits" and settings.convention == "published":
        assert seen == {True, False}  # both kinds are on screen: the sparse bound is not always the smallest


def test_during_training_too(pack):
    axis = AXES["epoch"]
    for dataset, convention in itertools.product(DATA, CONVENTIONS):
        runs = [run for run in pack if run.spec.train.dataset == dataset and run.spec.train.seed == 0]
        table = history_table(runs, Settings(convention), 12)
        for curves in views(table, axis):
            words = notices.notice(curves, axis, Settings(convention))
            first = lead(curves["series"])
            line = curves[curves["series"] == first]
            check_journey(words, line, first)
            check_standing(words, bounds_at_the_end(curves, axis, first), first, convention)


def test_levelled_off_is_said_where_the_last_fifth_moved_less_than_5_percent(pack):
    said = set()
    runs = [run for run in pack if run.spec.train.seed == 0][::3]
    for run, part, convention in itertools.product(runs, (0.3, 1), ("published", "strict")):
        so_far = run.records.iloc[: int(part * len(run.records))]
        curves = of_one_run(growing_table(run, so_far, Settings(convention)), AXES["epoch"])
        words = live.bounds_notice(curves, run, Settings(convention))
        line = curves[curves["series"] == lead(curves["series"])]
        recent = line[line["epoch"] >= 0.8 * line["epoch"].iloc[-1] - 1e-9]["mean"]
        if len(recent) >= 5:
            assert ("has **levelled off**" in words) == (recent.max() / recent.min() - 1 < 0.05)
            said.add("has **levelled off**" in words)
        assert ("Theorem S2" in words) == (convention == "strict")
    assert said == {True, False}


def test_one_name_per_bound_and_convention():
    for convention in CONVENTIONS:
        names = [styles(convention)[key].name for key, bound in BY_KEY.items() if convention in bound.formulas]
        assert len(set(names)) == len(names)
    assert {styles("strict")[key].name for key in ("sparse", "doubled")} == {"Theorem S", "Theorem S2"}
    assert styles("published") is STYLES


def test_a_lone_run_is_said_to_be_one(pack):
    runs = [run for run in pack if run.spec.train.dataset == "digits" and run.spec.arch.channels == 16][:1]
    table = final_table(runs, Settings()).assign(trained_here=True, recipe="short, 60 epochs")
    words = figures.lone(table, AXES["weight_decay"])
    assert words.startswith("**Points, not lines**")
    for part in (
        runs[0].spec.arch.title,
        f"λ = {runs[0].spec.train.weight_decay:g}",
        "trained here",
        "short, 60 epochs",
    ):
        assert part in words
    assert figures.lone(table, AXES["epoch"]) == ""
    two = final_table([run for run in pack if run.spec.train.dataset == "digits"], Settings()).assign(
        trained_here=False
    )
    assert figures.lone(two, AXES["weight_decay"]) == ""


def test_a_smaller_theorem_d_is_named_beside_the_bounds_of_an_upload():
    values = pd.Series({"doubled": 18.9, "sparse": 26.3, "theorem_d": 0.121, "test_error": 0.0185, "holdout": 0.024})
    words = figures.sentence(values, 1, "strict")
    assert "Theorem S2 says **18.9**" in words
    assert "Smaller here: Theorem D (0.121); the largest: Theorem S (26.3)." in words
    assert "smallest" not in words
    assert "It is the smallest here" in figures.sentence(values.drop("theorem_d"), 1, "strict")
