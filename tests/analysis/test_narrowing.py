"""Conditions: read, written, held against a table by hand; nothing is evaluated."""

import math

import numpy as np
import pandas as pd
import pytest

from boundlab.analysis.narrowing import Condition, read_condition, rows_where

KINDS = {"channels": "whole", "lr": "number", "kind": "word", "test_error": "share"}
TABLE = pd.DataFrame(
    {
        "channels": [4.0, 8.0, 16.0, np.nan],
        "lr": [0.1, 0.2, 0.1, 0.3],
        "kind": pd.Series(["conv", "mlp", "lc", "mlp"], dtype="category"),
        "test_error": [0.1, 0.2, 1 / 3, 0.4],
    }
)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("channels=8..16", [1, 2]),
        ("channels=8", [1]),
        ("channels=..8", [0, 1]),
        ("channels=8..", [1, 2]),
        ("lr=0.1", [0, 2]),
        ("kind=mlp", [1, 3]),
        ("kind=conv|lc", [0, 2]),
        ("kind=", []),
        ("channels=..", [0, 1, 2]),
        ("test_error=0.333333333333", [2]),
    ],
)
def test_a_condition_leaves_its_rows_and_is_written_as_it_is_read(text, kept):
    condition = read_condition(text, KINDS)
    assert list(rows_where(TABLE, [condition]).index) == kept
    assert read_condition(str(condition), KINDS) == condition
    assert str(condition) == text


def test_all_conditions_must_hold():
    both = [read_condition(text, KINDS) for text in ("lr=..0.2", "kind=mlp|lc")]
    assert list(rows_where(TABLE, both).index) == [1, 2]
    assert rows_where(TABLE, []) is TABLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "channels",
        "channels=",
        "channels=a",
        "channels=nan",
        "channels=2..1",
        "channels=1..x",
        "lr=inf",
        "nothing=1",
        "__import__('os')=1",
    ],
)
def test_what_cannot_be_read_is_named(text):
    with pytest.raises(ValueError, match="got"):
        read_condition(text, KINDS)


def test_open_ends():
    assert read_condition("lr=..2", KINDS) == Condition("lr", -math.inf, 2.0)
    assert read_condition("lr=-inf..2", KINDS) == Condition("lr", -math.inf, 2.0)
