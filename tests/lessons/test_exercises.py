"""Ten exercises: every stated answer is what the lines of Python beside it compute from the question's own numbers."""

import json
import math
import re

import nbformat
import numpy as np
import pytest
from scipy.stats import binom

from boundlab.cli.main import main
from boundlab.errors import LessonError
from boundlab.lessons.exercises import exercises, notebook, sheet
from tests.kernel import run_cells, shown

SEEDS = (0, 1, 7)


@pytest.fixture(scope="module")
def made(whole_pack):
    return {seed: exercises(whole_pack, seed) for seed in SEEDS}


def run_lines(code):
    """The value of the last line."""
    *before, last = code.split("\n")
    space = {}
    exec("\n".join(before), space)
    return eval(last, space)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_is_that_of_its_lines(made, seed):
    assert len(made[seed]) == 10
    for one in made[seed]:
        # norms are told with four digits, sums with eight
        assert run_lines(one.code) == pytest.approx(
            one.answer, rel=2e-3 if one.title == "The product of norms" else 1e-6
        ), one.title


def by_title(made, seed, title):
    return next(one for one in made[seed] if one.title == title)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_test_promises_what_the_binomial_says(made, seed):
    code = by_title(made, seed, "A plain test").code
    delta, wrong, images = (float(part) for part in re.search(r"1 - ([\d.]+), (\d+) \+ 1, (\d+) -", code).groups())
    limit = by_title(made, seed, "A plain test").answer
    assert binom.cdf(wrong, images, limit) == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_fields_and_matrices_counted_one_by_one(made, seed):
    for title in ("What a neuron sees", "A convolution as a matrix"):
        one = by_title(made, seed, title)
        if title == "What a neuron sees":
            layers, kernel = (
                int(part) for part in one.code.replace("1 + ", "").replace("* (", "").replace(" - 1)", "").split()
            )
            rows = {0}
            for _ in range(layers):
                rows = {row + tap for row in rows for tap in range(kernel)}
            assert one.answer == len(rows)
        else:
            sides = json.loads(one.code.split("prod(")[1].rstrip(")"))
            assert one.answer == pytest.approx(math.sqrt(np.prod([side**2 for side in sides])), rel=1e-12)


def test_the_same_seed_has_the_same_sheet_and_another_another(made, whole_pack):
    assert exercises(whole_pack, 1) == made[1]
    assert [one.question for one in made[0]] != [one.question for one in made[1]]
    assert len({one.title for one in made[0]}) == 10


def test_solutions_are_there_when_they_are_asked_for(made):
    plain, solved = (sheet(made[0], 0, solutions) for solutions in (False, True))
    assert plain.count("## ") == solved.count("## ") == 10
    assert "Solution" not in plain
    assert solved.count("**Solution.**") == 10


def test_the_notebook_is_one_and_computes_what_it_says(made):
    for solutions in (False, True):
        book = nbformat.reads(notebook(made[0], 0, solutions), 4)
        nbformat.validate(book)
        code = [cell.source for cell in book.cells if cell.cell_type == "code"]
        assert len(code) == 10
        assert [run_lines(source) for source in code if solutions] == [
            run_lines(one.code) for one in made[0] if solutions
        ]
        assert any("Solution" in cell.source for cell in book.cells) == solutions


def test_the_command_writes_both_and_refuses_what_is_no_seed(tmp_path, capsys):
    assert main(["exercises", "--seed", "3"]) == 0
    assert "# Ten exercises (seed 3)" in capsys.readouterr().out
    out = tmp_path / "sheet.ipynb"
    assert main(["exercises", "--seed", "3", "--solutions", "--notebook", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["nbformat"] == 4
    with pytest.raises(SystemExit) as ended:
        main(["exercises", "--seed", "-1"])
    assert ended.value.code == 2
    assert main(["exercises", "--out", str(tmp_path / "gone" / "x.md")]) == 2


def test_without_runs_it_says_what_to_do():
    with pytest.raises(LessonError, match="restore `data/runs`"):
        exercises([], 0)


def test_the_notebook_runs_and_shows_every_answer(made, tmp_path):
    (tmp_path / "kernel").mkdir()
    cells = run_cells(nbformat.reads(notebook(made[1], 1, solutions=True), 4), tmp_path / "kernel")
    said = [float(text.strip()) for text in shown(cells) if text.strip()]
    # norms are told with four digits
    assert said == pytest.approx([one.answer for one in made[1]], rel=2e-3)
