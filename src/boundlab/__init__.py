"""Boundlab: norm-based generalization bounds of small convolutional networks, seen and tested."""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    """`boundlab.evaluate(...)` and `boundlab.export(...)`: modules that can be called, loaded (with torch) when asked for."""
    if name in ("evaluate", "export"):
        return import_module(f"boundlab.{name}")
    raise AttributeError(f"module 'boundlab' has no attribute {name!r}")
