"""Every bound, in display order. To add one: copy a file, list its BOUND here; tests and pages walk this list."""

from boundlab.bounds import bartlett, golowich, gonon, graf, ledent, long_sedghi, neyshabur, sparse, sparse_doubled
from boundlab.bounds.base import Bound, Value, broken, effective_n, evaluate, only

ALL: tuple[Bound, ...] = (
    bartlett.BOUND,
    ledent.BOUND,
    neyshabur.BOUND,
    graf.BOUND,
    golowich.BOUND,
    gonon.BOUND,
    graf.PARAMS,
    long_sedghi.BOUND,
    sparse_doubled.BOUND,
    sparse.BOUND,
)
BY_KEY = {bound.key: bound for bound in ALL}
LITERATURE = tuple(bound for bound in ALL if set(bound.formulas) != {"strict"})  # without what only this project has

__all__ = ["ALL", "BY_KEY", "LITERATURE", "Bound", "Value", "broken", "effective_n", "evaluate", "only"]
