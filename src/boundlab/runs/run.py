"""A run in memory: spec, records, sample, certificates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from boundlab.bounds import pac_bayes
from boundlab.bounds.coded import CodedCertificate
from boundlab.quantities.norms import Array, NetworkNorms
from boundlab.quantities.records import from_columns
from boundlab.quantities.sample import SampleStats
from boundlab.specs.run import PLATEAU, RunSpec

FITTED = 0.02  # a training error that counts as near 0
# What reading contents that nobody wrote may raise.
DAMAGES = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, pa.ArrowException),
)


@dataclass(frozen=True, eq=False)  # equal when the same object: what is computed of it is kept
class Run:
    """One run: spec, records (one row each, columns of `norms` and `measure`), the sample it was trained on."""

    spec: RunSpec
    records: pd.DataFrame
    sample: SampleStats
    state: str  # as in status.json, "paused", "stopped"
    certificates: tuple[pac_bayes.PacBayes, ...] = ()  # at most one per prior
    coded: tuple[CodedCertificate, ...] = ()  # of Theorems D and D2, at most one of each, and of a network made for it
    trouble: str | None = None  # why a stored certificate was left out

    @property
    def id(self) -> str:
        return self.spec.id

    @cached_property
    def ends(self) -> Array:
        """Places in `records` of those that carry errors and margins: at the ends of epochs."""
        known = "train_error" in self.records
        return np.flatnonzero(self.records["train_error"].notna()) if known else np.empty(0, int)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """The records that carry errors and margins."""
        return self.records.iloc[self.ends]

    @property
    def final(self) -> pd.Series:
        """The last record with errors."""
        return self.epochs.iloc[-1]

    def norms(self, records: pd.DataFrame) -> NetworkNorms:
        """Norms of some of this run's records, vectorised over rows."""
        return from_columns(records, self.spec.arch.shapes())

    @property
    def plateau_number(self) -> float:
        """`RunSpec.plateau_number` of this run's sample size, to compare with `PLATEAU`; NaN of what another program trained."""
        return math.nan if self.spec.watched else self.spec.plateau_number(self.sample.n)

    @property
    def at_plateau(self) -> bool:
        """Whether rho had time to come down (empirical rule), where the recipe needs that (`RunSpec.needs_plateau`)."""
        return not self.spec.needs_plateau or self.plateau_number >= PLATEAU

    @property
    def trained(self) -> bool:
        """False when the final train error is near chance: rho -> 0 gives such a network a small bound for nothing."""
        return len(self.ends) > 0 and self.beats_chance(float(self.records["train_error"].iloc[self.ends[-1]]))

    @property
    def fitted(self) -> bool:
        """Whether at most `FITTED` of the training labels, those drawn at random as they are, are wrong at the end."""
        return len(self.ends) > 0 and float(self.records["train_error"].iloc[self.ends[-1]]) <= FITTED

    def beats_chance(self, train_error: float) -> bool:
        """Whether a train error is less than half of what guessing gives."""
        chance = 1 - 1 / self.spec.arch.classes
        return train_error < chance * (1 + self.spec.train.label_noise) / 2


class Found(NamedTuple):
    """What a store holds: the runs that can be used, and of everything else its name and why it was left out."""

    runs: list[Run]
    left_out: dict[str, str]


def troubles(runs: Iterable[Run]) -> dict[str, str]:
    """What is wrong with the certificates of some runs, by words for each."""
    return {f"certificate of {run.id}": run.trouble for run in runs if run.trouble}
