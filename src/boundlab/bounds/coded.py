"""What is stored of one certificate of Theorems D and D2. Its value needs no data and no weights, so delta stays the reader's."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from boundlab.bounds.theorem_d import PAIRS, Pair, divergence, error_limit
from boundlab.quantities.weight_code import FEWEST_BITS, MOST_BITS, Rounding
from boundlab.validation import flag, number, one_of, shown, whole

BOTH = ("D", "D2")
_LARGE = 1e300


class CodedParts(NamedTuple):
    """A certificate's value and what it is made of; all but the first two and `chance` in nats per example."""

    value: float  # limit on the expected test error of the network with rounded hidden weights
    loss: float  # of the noise on paper, over the sample
    chance: float  # with which that noise shows an error at least
    divergence: float
    code: float
    confidence: float  # ln(G) + ln(2 sqrt(n) / delta)


@dataclass(frozen=True)
class CodedCertificate:
    """Certificate of a network whose hidden weights are rounded to a code; the two errors are that network's own."""

    n: int
    classes: int
    theta: float
    rows: int | None  # J of Theorem D2; None: Theorem D
    pairs: int  # G: how many (theta, J) were listed in advance
    mu: float
    size: float  # ||mu Pi W||_F
    spread: float  # tr Sigma - d - ln det Sigma; 0 in Theorem D
    bits: int  # length of the code
    loss: float
    roundings: tuple[Rounding, ...]  # of every coded tensor, input to output, weights before biases
    constant: float | None  # that an output bias is the weight of, part of the code
    pull: float | None  # variances of the noise are 1 / (1 + pull * share of a principal direction of the features)
    train_error: float
    test_error: float | None
    trained: bool = (
        False  # about a network of its own: hidden channels merged, the output layer trained for this certificate
    )

    def __post_init__(self) -> None:
        flag("trained", self.trained)
        whole("n", self.n, 1, 10**15)
        whole("classes", self.classes, 2, 10**6)
        whole("pairs", self.pairs, 1, 10**9)
        whole("bits", self.bits, 0, 10**12)
        if self.rows is not None:
            whole("rows", self.rows, 0, 10**6)
        for name, low, high in (("theta", 0, 10), ("mu", 0, _LARGE), ("size", 0, _LARGE), ("spread", 0, _LARGE)):
            number(name, getattr(self, name), low, high)
        for name in ("loss", "train_error", *(["test_error"] if self.test_error is not None else [])):
            number(name, getattr(self, name), 0, 1)
        for name in ("constant", "pull"):
            if getattr(self, name) is not None:
                number(name, getattr(self, name), 0, _LARGE)
        for rounding in self.roundings:
            whole("bits of a rounding", rounding.bits, FEWEST_BITS, MOST_BITS)
            number("scale of a rounding", rounding.scale, -_LARGE, _LARGE)
        if Pair(self.theta, self.rows) not in PAIRS or self.pairs != len(PAIRS):
            raise ValueError(
                f"theta and rows must be one of the {len(PAIRS)} pairs that are listed in advance, got {self.theta:g}, "
                f"{self.rows} of {self.pairs}; certify again"
            )
        if self.rows is None and self.spread:
            raise ValueError(f"without further rows of noise (rows null) spread must be 0, got {self.spread:g}")

    @property
    def theorem(self) -> str:
        """ "D", or "D2" where the noise has a shape of its own."""
        return BOTH[self.rows is not None]

    @property
    def divergence(self) -> float:
        """KL(posterior || prior) in nats."""
        return divergence(self.size, self.classes, self.rows, self.spread)

    def value(self, delta: float) -> float:
        """With probability 1 - delta over the sample the network errs at most this often (1 says nothing); raises ValueError."""
        if not 0 < delta < 1:
            raise ValueError(f"delta must lie strictly between 0 and 1, got {shown(delta)}")
        pair = Pair(self.theta, self.rows)
        return min(1.0, error_limit(self.loss, self.divergence, self.bits, self.n, delta, pair))

    def parts(self, delta: float) -> CodedParts:
        """`value` and what it is made of; raises ValueError."""
        confidence = math.log(self.pairs) + math.log(2 * math.sqrt(self.n) / delta)
        per_example = (self.divergence, self.bits * math.log(2), confidence)
        return CodedParts(
            self.value(delta), self.loss, Pair(self.theta, self.rows).chance, *(x / self.n for x in per_example)
        )

    @classmethod
    def from_dict(cls, given: Any) -> CodedCertificate:
        """Build from JSON; raises ValueError."""
        names = [f.name for f in dataclasses.fields(cls)]
        if not isinstance(given, dict) or {"trained", *given} != {"theorem", *names}:
            raise ValueError(
                f"a certificate must be a JSON object with the fields {['theorem', *names]}, got {shown(given)}"
            )
        one_of("theorem", given["theorem"], BOTH)
        listed = given["roundings"]
        if not isinstance(listed, list) or not all(isinstance(one, list) and len(one) == 2 for one in listed):
            raise ValueError(f"roundings must be a list of [bits, scale], got {shown(listed)}")
        fields = {name: given[name] for name in names if name in given} | {
            "roundings": tuple(Rounding(*one) for one in listed)
        }
        made = cls(**fields)
        if made.theorem != given["theorem"]:
            raise ValueError(f"theorem must be {made.theorem} where rows is {made.rows}, got {given['theorem']}")
        return made

    def to_dict(self) -> dict[str, Any]:
        """JSON form, every field written out, `trained` where it is so."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if not self.trained:
            del fields["trained"]
        return {"theorem": self.theorem} | fields | {"roundings": [list(one) for one in self.roundings]}


def coded_json(found: tuple[CodedCertificate, ...], delta: float) -> dict[str, Any] | None:
    """What is printed of the smaller one, with every ingredient; None where there is none. `j` is null in Theorem D."""
    smallest = best(found, delta)
    if smallest is None:
        return None
    stored = smallest.to_dict()
    named = {"value": smallest.value(delta), "j": stored.pop("rows"), "divergence": smallest.divergence}
    values: dict[str, float] = {}
    for one in found:
        values[one.theorem] = min(one.value(delta), values.get(one.theorem, 1.0))
    return named | stored | {"values": values}


def best(found: tuple[CodedCertificate, ...], delta: float) -> CodedCertificate | None:
    """The smallest; both hold together, since one list of pairs pays for both."""
    return min(found, key=lambda one: one.value(delta), default=None)
