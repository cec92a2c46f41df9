"""What holds still while handles and sliders move: axis ranges, ticks, panels, margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from boundlab.analysis.tables import Axis
from boundlab.charts.theme import Style, styles

TOP, BOTTOM, END_LABELS = 26, 62, 132  # margins, pixels; the right one holds the names of lines
_GUTTER = 0.065  # of the x axis: the room for slanting leaders


@dataclass(frozen=True)
class Canvas:
    """What must not move when a handle does: ranges (y as drawn), ticks of x, scale, panel titles, background."""

    x: tuple[float, float]
    y: tuple[float, float]
    ticks: Sequence[float] = field(default_factory=tuple)
    dark: bool = False
    scale: str = "log2"  # one of `curves.SCALES`
    convention: str = "published"  # how bounds are called
    x_log: bool = False
    panels: dict[float, str] = field(default_factory=lambda: {0.0: ""})  # value of the column `panel` -> title

    @property
    def styles(self) -> Mapping[str, Style]:
        """Of every series, named as the convention has it."""
        return styles(self.convention)

    @property
    def gutter(self) -> float:
        """Where, right of the last points, leaders turn towards the names."""
        low, high = self.x
        return high ** (1 - _GUTTER) * low**_GUTTER if self.x_log else high - _GUTTER * (high - low)

    @property
    def logarithmic(self) -> bool:
        """Whether the y axis is; its values are then in log2."""
        return self.scale != "linear"


def canvas(
    curves: pd.DataFrame,
    finals: pd.DataFrame,
    axis: Axis,
    scale: str,
    shown: Sequence[str],
    panels: dict[float, str],
    paper: pd.DataFrame | None,
    dark: bool,
    convention: str,
) -> Canvas:
    """`curves`: what is drawn, all frames; `finals`: final values of every network as deep as those drawn."""
    x = sorted({*curves[axis.column], *([] if paper is None else paper["x"])})
    y = {"log2": _log, "linear": _linear, "relative": _relative}[scale](curves, finals, axis, shown, paper)
    ticks = () if axis.key == "epoch" else tuple(x)
    area = _padded(float(x[0]), float(x[-1]), axis.log)
    return Canvas(area, y, ticks, dark, scale, panels=panels, convention=convention, x_log=axis.log)


def _padded(low: float, high: float, log: bool) -> tuple[float, float]:
    """More room at the right, where leaders begin."""
    if low == high:
        return (low / 1.5, high * 1.5) if log else (low - 0.5, high + 0.5)
    if log:
        return low / (high / low) ** 0.04, high * (high / low) ** 0.07
    return low - 0.03 * (high - low), high + 0.07 * (high - low)


def _log(
    curves: pd.DataFrame, finals: pd.DataFrame, axis: Axis, shown: Sequence[str], paper: pd.DataFrame | None
) -> tuple[float, float]:
    """Over all of `finals`; during training also over all that is drawn, every λ included. On the other
    pages the first epochs come in from above the picture."""
    logs = [finals["log2_value"], *([] if paper is None else [paper["log2_value"]])]
    logs += [np.log2(curves["high"][curves["high"] > 0])] if axis.key == "epoch" else []
    every = pd.concat(logs).dropna()
    return float(np.floor(every.min())) - 0.5, float(np.ceil(every.max())) + 3


def _linear(
    curves: pd.DataFrame, finals: pd.DataFrame, axis: Axis, shown: Sequence[str], paper: pd.DataFrame | None
) -> tuple[float, float]:
    """Up to a little above the sparse bound (the largest line, if that is hidden) once training has settled."""
    drawn = curves[curves["series"].isin(shown)]
    column = axis.column if axis.key == "epoch" else "frame"
    settled = drawn[drawn[column] >= drawn[column].max() / 2]
    if settled.empty:
        return 0.0, 1.0
    lead = settled[settled["series"] == "sparse"] if "sparse" in shown else settled
    top = max(1.2, 1.3 * float((lead if len(lead) else settled)["high"].max()))
    return min(-0.03 * top, 1.3 * float(settled["low"].min())), top


def _relative(
    curves: pd.DataFrame, finals: pd.DataFrame, axis: Axis, shown: Sequence[str], paper: pd.DataFrame | None
) -> tuple[float, float]:
    every = np.log2(curves["mean"][curves["mean"] > 0])
    every = pd.concat([every, paper["log2_value"]]) if paper is not None else every
    low, high = (min(-1.0, every.min()), max(1.0, every.max())) if len(every) else (-1.0, 1.0)
    above = (
        0.16 if axis.study else 0.06
    )  # a page that begins with this scale keeps its names below the toolbar of a phone
    return float(low) - 0.06 * float(high - low), float(high) + above * float(high - low)
