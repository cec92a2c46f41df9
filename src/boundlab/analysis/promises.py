"""What theory promises about the networks of one architecture, trained alike with more and more weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from boundlab.analysis.guarantees import Guarantee, guarantees
from boundlab.analysis.tables import final_table
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import Settings

# Bounds of others, as their theorems state them. They take the norms as fixed before the data, which flatters them; Long and
# Sedghi's is not among them: its constant is not known.
OLDER = ("golowich", "ledent", "gonon", "graf", "graf_params", "neyshabur", "bartlett")
_FIRST_OLDER = 2  # of these, shown first
_FIRST_KINDS = (
    "holdout",
    "pac_bayes",
    "theorem_d",
    "theorem_s",
)  # what guarantees are called, without what tells them apart


@dataclass(frozen=True)
class Promised:
    """One network at its last record: what is `made` about it, all together with probability 1 - delta, and the values of
    `OLDER` bounds, each with probability 1 - delta, where they say nothing."""

    run: Run
    test_error: float
    made: tuple[Guarantee, ...]
    older: dict[str, float]

    @property
    def weight_decay(self) -> float:
        """λ of its training."""
        return self.run.spec.train.weight_decay

    @property
    def test_images(self) -> int:
        """How many images the test error was counted on."""
        train = self.run.spec.train
        return DATASETS[train.dataset].test_images(train.labels)

    def promising(self) -> list[Guarantee]:
        """The promises below 1 made from training images alone."""
        return [g for g in self.made if not g.vacuous and not needs_test_images(g)]

    def best(self) -> Guarantee | None:
        """Of those, the one about the network itself; else about its relatives, the nearest first; of several the smallest."""
        return min(self.promising(), key=lambda g: (_distance(g), g.limit or 0.0), default=None)


@dataclass(frozen=True)
class Line:
    """One argument for all networks: the error it allows at each, None where it was not computed. `guarantee`: the last one
    made; None of an older bound, and its `key` is the bound's."""

    key: str
    values: tuple[float | None, ...]
    guarantee: Guarantee | None


def about_itself(guarantee: Guarantee) -> bool:
    """Whether it is about the very network, not about one with noise or another one."""
    return guarantee.about.startswith("the network itself")


def about_a_noisy_copy(guarantee: Guarantee) -> bool:
    """Whether it is about the very network with noise on its weights."""
    return guarantee.about.startswith("a noisy version of the network")


def about_a_rounded_copy(guarantee: Guarantee) -> bool:
    """Whether it is about the network with fewer digits of its weights."""
    return guarantee.about.startswith("the network with rounded")


def _distance(guarantee: Guarantee) -> int:
    near = (about_itself, about_a_rounded_copy, about_a_noisy_copy)
    return next((far for far, is_so in enumerate(near) if is_so(guarantee)), len(near))


def needs_test_images(guarantee: Guarantee) -> bool:
    """Whether images were kept out of training for it."""
    return guarantee.kind == "holdout"


def promised(runs: Sequence[Run], delta: float) -> list[Promised]:
    """For every run, by weight decay."""
    ordered = sorted(runs, key=lambda run: run.spec.train.weight_decay)
    table = final_table(ordered, Settings("theorem", delta))
    table = table[table["series"].isin(OLDER) & (table["value"] >= 1)]
    found = []
    for run in ordered:
        rows = table[table["run"] == run.id]
        older = dict(zip(rows["series"].astype(str), rows["value"].astype(float), strict=True))
        # the picture is about one network along λ: what was made of one of them for its certificate is another one
        alike = replace(run, coded=tuple(one for one in run.coded if not one.trained))
        made = guarantees(alike, alike.epochs.iloc[-1:], delta)
        found.append(Promised(run, float(run.final["test_error"]), tuple(made), older))
    return found


def drawn_lines(networks: Sequence[Promised], every: bool) -> list[Line]:
    """What is drawn, from the smallest promise to the largest; of guarantees that are variants of one argument the best one
    and of older bounds the first two, unless `every` is asked for."""
    made = [
        Line(latest.kind, tuple(n.made[i].limit for n in networks), latest)
        for i, latest in enumerate(_latest(networks))
    ]
    made = [line for line in made if any(value is not None for value in line.values)]
    older = [Line(key, tuple(n.older.get(key) for n in networks), None) for key in OLDER]
    older = [line for line in older if None not in line.values]
    if not every:
        made, older = _best_of_each(made), older[:_FIRST_OLDER]
    return [*sorted(made, key=_size), *sorted(older, key=_size)]


def _latest(networks: Sequence[Promised]) -> list[Guarantee]:
    """Of every kind the last one that has a number, else the last."""
    kinds = range(len(networks[0].made))
    return [
        next((n.made[i] for n in reversed(networks) if n.made[i].limit is not None), networks[-1].made[i])
        for i in kinds
    ]


def _best_of_each(made: Sequence[Line]) -> list[Line]:
    """Of lines whose kinds begin alike the one that most networks have, then the smallest."""
    best: dict[str, Line] = {}
    for line in made:
        family = next((name for name in _FIRST_KINDS if line.key.startswith(name)), line.key)
        if family not in best or _rank(line) < _rank(best[family]):
            best[family] = line
    return list(best.values())


def _rank(line: Line) -> tuple[int, float]:
    return sum(value is None for value in line.values), _size(line)


def _size(line: Line) -> float:
    known = [value for value in line.values if value is not None]
    return sum(known) / len(known)
