"""Subject: one network and its sample as the pages show them, from a run or a checkpoint. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from boundlab.bounds.base import only
from boundlab.bounds.coded import CodedCertificate
from boundlab.quantities.doubts import check_doubts
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.records import from_columns
from boundlab.quantities.sample import SampleStats
from boundlab.runs.coded import check_about
from boundlab.runs.contents import check_record, check_sample
from boundlab.runs.run import Run
from boundlab.specs.arch import ArchSpec
from boundlab.specs.own_data import DATASETS
from boundlab.specs.recipes import described
from boundlab.specs.run import TrainSpec
from boundlab.validation import known_fields, shown

_FIELDS = ("title", "arch", "labels", "sample", "record", "coded", "not_coded")
NOT_CODED = "not computed when this network was measured; upload it again"


@dataclass(frozen=True)
class Subject:
    """`record`: columns of `measure.norm_columns`, and of `outcome_columns` where the network was run over the data.
    `labels`: the sub-task, one tuple of the data set's labels per class. `run`: where it is from, if from a run. `coded`: the
    certificates of Theorems D and D2 of what is not from a run; without any, `not_coded` says why."""

    title: str
    arch: ArchSpec
    labels: tuple[tuple[int, ...], ...] | None
    sample: SampleStats
    record: Mapping[str, Any]
    run: Run | None = None
    coded: tuple[CodedCertificate, ...] = ()
    not_coded: str = NOT_CODED

    @property
    def dataset(self) -> str:
        """Name of the data it was measured on."""
        return self.sample.dataset

    @cached_property
    def norms(self) -> NetworkNorms:
        """Norms of one network (arrays without a leading shape)."""
        return from_columns(self.record, self.arch.shapes())

    @property
    def train_error(self) -> float | None:
        """Fraction, None where it was not measured."""
        return self.record.get("train_error")

    @property
    def test_error(self) -> float | None:
        """Fraction, None where it was not measured."""
        return self.record.get("test_error")

    @classmethod
    def of_run(cls, run: Run) -> Subject:
        """The network at the end of training; raises IndexError for a run without errors."""
        record = {str(name): value for name, value in run.final.items()}
        return cls(" · ".join(described(run.spec)), run.spec.arch, run.spec.train.labels, run.sample, record, run)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, for one that is not from a run."""
        labels = None if self.labels is None else [list(group) for group in self.labels]
        parts = {"title": self.title, "arch": self.arch.to_dict(), "labels": labels, "sample": self.sample.to_dict()}
        coded = {"coded": [one.to_dict() for one in self.coded]} if self.coded else {"not_coded": self.not_coded}
        return json.loads(json.dumps(parts | {"record": dict(self.record)} | coded))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Subject:
        """Raises ValueError, KeyError or TypeError when it is not what `to_dict` gives."""
        part = known_fields(given, "subject", _FIELDS)
        labels = None if part["labels"] is None else tuple(tuple(group) for group in part["labels"])
        arch = ArchSpec.from_dict(part["arch"])
        sample = SampleStats.from_dict(part["sample"], arch.normalize)
        coded = tuple(CodedCertificate.from_dict(one) for one in part.get("coded", ()))
        not_coded = part.get("not_coded", NOT_CODED)
        return cls(part["title"], arch, labels, sample, part["record"], coded=coded, not_coded=not_coded)

    def check(self) -> None:
        """Raises ValueError, TypeError or KeyError unless everything that the pages show of a checkpoint is there and sound."""
        if not isinstance(self.title, str):
            raise ValueError(f"title should be text, got {shown(self.title)}")
        train = TrainSpec(self.dataset, labels=self.labels)
        facts = DATASETS[self.dataset]
        classes = facts.classes if self.labels is None else len(self.labels)
        if not facts.fits(self.arch.in_shape) or self.arch.classes != classes:
            given = f"{self.arch.in_shape} and {self.arch.classes} classes"
            raise ValueError(
                f"a network of {facts.title} takes {facts.in_shape} and has {classes} classes, got {given}"
            )
        check_sample(self.sample, train, self.arch)
        check_record(self.record, self.arch.shapes())
        check_doubts(self.record)
        self._check_coded()

    def _check_coded(self) -> None:
        if not isinstance(self.not_coded, str):
            raise ValueError(f"not_coded should be text, got {shown(self.not_coded)}")
        norm = only(self.norms.layers[-1].centered_frobenius)
        for found in self.coded:
            check_about(found, self.arch.shapes(), self.sample.n, norm, "this network")
