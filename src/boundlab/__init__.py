"""Boundlab: norm-based generalization bounds of small convolutional networks, seen and tested."""

__version__ = "0.1.0"
