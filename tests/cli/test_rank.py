"""`boundlab rank`: the numbers of the analysis, for the runs asked for; anything else is one sentence."""

import json

import pytest

from boundlab.analysis.measures import measures_table
from boundlab.analysis.ranking import ranked
from boundlab.cli.main import main


def asked(capsys, *arguments):
    assert main(["rank", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_its_numbers_are_those_of_the_analysis(capsys, whole_pack):
    found = asked(
        capsys, "--dataset", "digits", "--where", "channels=16", "--where", "kind=conv", "--target", "test_error"
    )
    runs = [r for r in whole_pack if r.spec.train.dataset == "digits" and r.spec.arch.channels == 16 and r.trained]
    expected = ranked(measures_table(runs), "test_error")
    assert (found["runs"], found["target"]) == (len(runs), "test_error")
    assert [row["measure"] for row in found["measures"]] == list(expected["measure"])
    for row, tau, low in zip(found["measures"], expected["tau"], expected["low"], strict=True):
        assert (row["tau"], row["low"]) == pytest.approx((tau, low), abs=1e-9)
        assert row["low"] <= row["high"]


def test_conditions_are_those_of_the_pages_links(capsys, whole_pack):
    found = asked(capsys, "--dataset", "mnist", "--where", "channels=8..16", "--where", "test_error=..0.05")
    runs = [r for r in whole_pack if r.spec.train.dataset == "mnist" and r.trained and r.final["test_error"] <= 0.05]
    runs = [r for r in runs if isinstance(r.spec.arch.channels, int) and 8 <= r.spec.arch.channels <= 16]
    assert found["runs"] == len(runs) > 8


def test_it_prints_a_line_per_measure(capsys):
    assert main(["rank", "--where", "channels=8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "runs that trained: Kendall's tau-b with the gap" in lines[0]
    assert any(line.startswith("Sparse (Galanti et al. 2023), strict") for line in lines)
    assert any(line.startswith("random numbers") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--where", "chanels=3"], "must begin with the name of a column"),
        (["--where", "channels=x"], "channels must be a number or a span like 0.1..0.5, got 'x'"),
        (["--where", "channels=999"], "there are no two such runs on digits that trained and differ"),
        (["--dataset", "cifar"], "dataset must be one of"),
        (["--delta", "2"], "delta must lie strictly between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(capsys, arguments, sentence):
    assert main(["rank", *arguments]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert not said.out
    assert said.err.count("\n") == 1
