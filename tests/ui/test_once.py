"""What follows from a table is computed once per table, never for another one, and goes with it."""

import gc
import weakref

import pandas as pd

from boundlab.ui.once import column_of, once_per_table, values_of


def table(*values):
    return pd.DataFrame({"x": values})


def test_it_is_computed_once_per_table_and_choice():
    asked = []

    @once_per_table
    def above(rows, least, *, doubled=False):
        asked.append(least)
        return rows[rows["x"] > least] * (2 if doubled else 1)

    mine, other = table(1, 2, 3), table(1, 2, 3)
    assert above(mine, 1) is above(mine, 1)
    assert list(above(mine, 1, doubled=True)["x"]) == [4, 6]
    assert above(mine, 1) is not above(other, 1)
    assert list(above(above(mine, 1), 2)["x"]) == [3]
    assert asked == [1, 1, 1, 2]


def test_a_function_may_return_the_table_itself_and_nothing_keeps_it():
    @once_per_table
    def same(rows):
        return rows

    @once_per_table
    def some(rows):
        return rows[rows["x"] > 1]

    mine = table(1, 2)
    assert same(mine) is mine
    assert same(mine) is mine
    gone = [weakref.ref(mine), weakref.ref(some(mine))]
    del mine
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_a_new_table_in_the_place_of_one_that_is_gone_is_another():
    @once_per_table
    def total(rows):
        return int(rows["x"].sum())

    for number in range(500):  # some of them lie where the last one lay
        assert total(table(number)) == number


def test_no_table_keeps_more_than_so_many_values():
    @once_per_table
    def plus(rows, number):
        return int(rows["x"].iloc[0]) + number

    mine = table(1)
    assert [plus(mine, number) for number in range(1000)] == list(range(1, 1001))
    assert plus(mine, 0) == 1


def test_columns_and_their_values():
    mine = pd.DataFrame({"x": [3, 1, 3], "name": ["b", "a", "b"]})
    assert values_of(mine, "x") == (1, 3)
    assert values_of(mine, "name") == ("a", "b")
    assert column_of(mine, "x") == (3, 1, 3)
