"""Boundlab: norm-based generalization bounds of small convolutional networks, seen and tested."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`boundlab.evaluate(...)`, `boundlab.export(...)` and `boundlab.Monitor(...)`, loaded (with torch) when asked for."""
    if name == "Monitor":
        from boundlab.evaluation.monitor import Monitor

        return Monitor
    if name == "evaluate":
        from boundlab.evaluation.notebook import evaluate

        return evaluate
    if name == "export":
        from boundlab.networks.export import export

        return export
    raise AttributeError(f"module 'boundlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    """For whoever asks what there is, a notebook's completion among them; nothing is loaded."""
    return sorted({*globals(), "Monitor", "evaluate", "export"})
