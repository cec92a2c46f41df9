"""Boundlab: norm-based generalization bounds of small convolutional networks, seen and tested."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`boundlab.evaluate(...)` and `boundlab.export(...)`, loaded (with torch) when asked for."""
    if name == "evaluate":
        from boundlab.library import evaluate

        return evaluate
    if name == "export":
        from boundlab.exports import export

        return export
    raise AttributeError(f"module 'boundlab' has no attribute {name!r}")
