"""The sentence above the table of all runs follows the table."""

import pandas as pd

from boundlab.words.runs import runs_headline

ROWS = pd.DataFrame({"test_error": [0.012, 0.5, 0.03], "trained": ["yes", "no", "yes"]})


def test_what_is_shown_of_what_there_is():
    assert runs_headline(ROWS, 3, 0) == "Test errors of 3 runs reach from 1.20 % to 50.00 %; 1 did not train."
    said = runs_headline(ROWS[ROWS["trained"] == "yes"], 12_000, 2)
    assert said.startswith("Test errors of 2 of 12,000 runs reach from 1.20 % to 3.00 %. **2 selected**")


def test_nothing_left():
    assert runs_headline(ROWS[:0], 3, 1) == "None of 3 runs is left: loosen the filter under *More*."
