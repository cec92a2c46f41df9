"""What is guaranteed about one run's test error, by which argument, from which evidence. No torch, no charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from boundlab.analysis.subject import Subject
from boundlab.bounds import BY_KEY
from boundlab.bounds.base import evaluate, only
from boundlab.bounds.coded import CodedCertificate, best
from boundlab.bounds.concentration import clopper_pearson
from boundlab.bounds.pac_bayes import PacBayes
from boundlab.quantities.norms import NetworkNorms
from boundlab.quantities.sample import SampleStats
from boundlab.runs.run import Run
from boundlab.specs.own_data import DATASETS
from boundlab.specs.settings import Settings
from boundlab.text import decimals, percent

THEOREMS = {"S2": "doubled", "S": "sparse"}  # name -> key of its bound, the smaller first
_THEOREM_OF = {"theorem_s2": "S2", "theorem_s": "S"}
GUARANTEE_KINDS = (*_THEOREM_OF, "theorem_d", "pac_bayes_fixed", "pac_bayes_learnt", "holdout")


@dataclass(frozen=True)
class Guarantee:
    """With probability 1 - delta the error of `about` on new examples is at most `limit`; None: `reason` says why not.

    `used`: the evidence; `parts`: what the limit is made of, in words; `measured`: the test error of `about` where it is
    known to be another than the run's own.
    """

    kind: str
    title: str
    about: str
    used: str
    limit: float | None
    parts: str = ""
    reason: str = ""
    measured: float | None = None

    @property
    def vacuous(self) -> bool:
        """Whether it says nothing: an error is never above 1."""
        return self.limit is None or not self.limit < 1


def guarantees(run: Run, record: pd.DataFrame, delta: float) -> list[Guarantee]:
    """Every guarantee about `run` at `record` (one row of `run.epochs`), each with delta / (number of those that have one),
    so that all of them hold together with probability 1 - delta."""
    final = bool(record["step"].iloc[0] == run.final["step"])
    have = [kind for kind in GUARANTEE_KINDS if _available(kind, run, record, final) is None]
    share = delta / max(1, len(have))
    return [_guarantee(kind, run, record, final, share) for kind in GUARANTEE_KINDS]


def guarantees_about(subject: Subject, delta: float) -> list[Guarantee]:
    """Theorems S2, S and D and hold-out about a measured network, each with delta / (number of those that have one); raises
    ValueError where the network was not run over the data."""
    if subject.test_error is None:
        raise ValueError("the network was not run over the data: nothing can be promised about its errors")
    reasons = {kind: refusal(name, subject.norms, subject.sample) for kind, name in _THEOREM_OF.items()}
    share = delta / (1 + sum(reason is None for reason in reasons.values()) + bool(subject.coded))
    theorems = [_theorem(kind, subject.norms, subject.sample, share, reason) for kind, reason in reasons.items()]
    theorems.append(coded_guarantee(subject.coded, share, None if subject.coded else subject.not_coded))
    return [*theorems, _holdout(subject.dataset, subject.labels, subject.test_error, share)]


def refusal(theorem: str, norms: NetworkNorms, sample: SampleStats) -> str | None:
    """Why one of `THEOREMS` does not apply, or None."""
    return evaluate(BY_KEY[THEOREMS[theorem]], norms, sample, Settings("strict")).reason


def _stored(run: Run, kind: str) -> PacBayes | None:
    prior = kind.removeprefix("pac_bayes_")
    return next((c for c in run.certificates if c.prior == prior), None)


def _available(kind: str, run: Run, record: pd.DataFrame, final: bool) -> str | None:
    """Why a guarantee cannot be made, or None."""
    if kind in _THEOREM_OF:
        return refusal(_THEOREM_OF[kind], run.norms(record), run.sample)
    if kind == "holdout":
        return None
    if not final:
        return "computed for the final network only: the weights of earlier epochs are not kept"
    if kind == "theorem_d":
        return (
            None
            if run.coded
            else "not computed for this network (`boundlab certify --theorem d`, outside the dashboard)"
        )
    if _stored(run, kind) is None:
        return "not computed for this network (`boundlab certify`, outside the dashboard)"
    return None


def _guarantee(kind: str, run: Run, record: pd.DataFrame, final: bool, delta: float) -> Guarantee:
    reason, train = _available(kind, run, record, final), run.spec.train
    if kind == "holdout":
        return _holdout(train.dataset, train.labels, float(record["test_error"].iloc[0]), delta)
    if kind == "theorem_d":
        made = coded_guarantee(run.coded, delta, reason)
    elif kind in _THEOREM_OF:
        made = _theorem(kind, run.norms(record), run.sample, delta, reason)
    else:
        made = _pac_bayes(kind, run, delta, reason)
    noisy = f", on labels as noisy as in training ({train.label_noise:g})" if train.label_noise else ""
    head, *rest = made.about.split(":")
    return replace(made, about=":".join([head + noisy, *rest]))


def _theorem(kind: str, norms: NetworkNorms, sample: SampleStats, delta: float, reason: str | None) -> Guarantee:
    title, about = f"Theorem {_THEOREM_OF[kind]}", "the network itself"
    used = f"{sample.n:,} training images, the network's norms; no test image"
    if reason is not None:
        return Guarantee(kind, title, about, used, None, reason=reason)
    value = evaluate(BY_KEY[THEOREMS[_THEOREM_OF[kind]]], norms, sample, Settings("strict", delta))
    limit, ramp, complexity, confidence, margin = (
        only(part) for part in (value.value, value.empirical, value.complexity, value.confidence, value.margin)
    )
    parts = f"ramp error {decimals(ramp, 3)} + complexity {complexity:.3g} + confidence {decimals(confidence, 3)}, at margin {margin:.3g}"
    return Guarantee(kind, title, about, used, limit, parts)


def coded_guarantee(coded: tuple[CodedCertificate, ...], delta: float, reason: str | None) -> Guarantee:
    """The smaller one of Theorems D and D2, which hold together; `reason`: why there is none."""
    found = best(coded, delta)
    if reason is not None or found is None:
        return Guarantee(
            "theorem_d", "Theorem D", "the network with rounded hidden weights", "", None, reason=reason or ""
        )
    test = "" if found.test_error is None else f" and on {percent(found.test_error)} of the test images"
    who = f"the network with rounded hidden weights: {found.bits:,} bits say all of them"
    if found.trained:
        who = f"a network made of it for this number: channels merged, hidden weights rounded ({found.bits:,} bits), last layer trained"
    elif not found.roundings:
        who = "the network itself: it has no hidden weights"
    about = f"{who}; it errs on {percent(found.train_error)} of the training images{test}"
    made = found.parts(delta)
    parts = (
        f"loss under noise on paper {decimals(made.loss, 4)}; divergence {decimals(made.divergence, 4)} + code "
        f"{decimals(made.code, 4)} + confidence {decimals(made.confidence, 4)} nats per image; divided by {made.chance:.3g}"
    )
    used = f"{found.n:,} training images, the network itself; no test image"
    return Guarantee("theorem_d", f"Theorem {found.theorem}", about, used, made.value, parts, measured=found.test_error)


def _pac_bayes(kind: str, run: Run, delta: float, reason: str | None) -> Guarantee:
    fixed = kind == "pac_bayes_fixed"
    title = "PAC-Bayes, fixed prior" if fixed else "PAC-Bayes, learnt prior"
    stored = _stored(run, kind)
    if reason is not None or stored is None:
        return Guarantee(kind, title, "a noisy version of the network", "", None, reason=reason or "")
    about = "a noisy version of the network: fresh Gaussian noise on its weights for every image"
    used = f"{stored.n:,} training images, {stored.draws:,} random draws; no test image"
    if not fixed:
        about = f"a noisy version of a network trained alike on {stored.n_prior:,} of the images"
        used = f"the other {stored.n:,} training images, {stored.draws:,} random draws; no test image"
    made = stored.parts(delta)
    before = "" if stored.rescaled is None else f" (neurons rescaled; {decimals(stored.kl / stored.n, 4)} before)"
    parts = (
        f"error under noise {decimals(made.noisy_error, 4)}, at most {decimals(made.noisy_error_limit, 4)} for certain (δ/2); "
        f"divergence {decimals(made.complexity, 4)}{before} + grid {decimals(made.grid, 4)} + confidence {decimals(made.confidence, 4)} nats per image (δ/2)"
    )
    return Guarantee(kind, title, about, used, made.value, parts)


def _holdout(dataset: str, labels: Sequence[Sequence[int]] | None, wrong: float, delta: float) -> Guarantee:
    size = DATASETS[dataset].test_images(labels)
    limit = float(clopper_pearson(wrong, size, delta))
    used = f"{size:,} test images, kept out of training; no norms"
    return Guarantee(
        "holdout", "Hold-out (Clopper–Pearson)", "the network itself", used, limit, f"{wrong * size:.0f} of them wrong"
    )


def along_the_weights(runs: Sequence[Run], delta: float, theorem: str) -> pd.DataFrame:
    """Runs of one task by `certificate_weight` (column weight), means over their seeds at the final record: certificate
    (`theorem`, of `THEOREMS`, at `delta`), ramp, complexity, test_error."""
    rows = []
    for run in runs:
        record = run.epochs.iloc[-1:]
        value = evaluate(BY_KEY[THEOREMS[theorem]], run.norms(record), run.sample, Settings("strict", delta))
        parts = {"certificate": value.value, "ramp": value.empirical, "complexity": value.complexity}
        numbers = {name: only(part) for name, part in parts.items()}
        rows.append({"weight": run.spec.train.certificate_weight, "test_error": run.final["test_error"], **numbers})
    return pd.DataFrame(rows).groupby("weight", as_index=False).mean().sort_values("weight")


def family(kind: str) -> str:
    """Which argument a guarantee is by, whatever its version: theorem_s of theorem_s2, pac_bayes of pac_bayes_fixed."""
    return "pac_bayes" if kind.startswith("pac_bayes") else kind.rstrip("0123456789")


def strongest(made: Sequence[Guarantee]) -> list[Guarantee]:
    """Of each `family` the one that promises most (all hold together, so the choice is free), the smallest limit first."""
    best: dict[str, Guarantee] = {}
    for one in made:
        known = best.setdefault(family(one.kind), one)
        if _order(one) < _order(known):
            best[family(one.kind)] = one
    return sorted(best.values(), key=_order)


def _order(one: Guarantee) -> float:
    return math.inf if one.limit is None else one.limit
