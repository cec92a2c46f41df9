"""Codes of runs: short, of the id alone, and back."""

import pytest

from boundlab.analysis.run_codes import join_codes, run_code, split_codes


def test_the_code_is_the_first_30_bits_of_the_hash():
    assert run_code("x-" + "0" * 12) == "AAAAA"
    assert run_code("x-" + "f" * 12) == "_____"
    assert run_code("x-" + "000000040000") == "AAAAB"  # bit 18 of 48
    assert run_code("x-" + "00000003ffff") == "AAAAA"


def test_every_shipped_run_has_a_code_of_its_own_and_a_link_names_them_all(whole_pack):
    names = [run.id for run in whole_pack]
    codes = [run_code(name) for name in names]
    assert len(set(codes)) == len(names)
    text = join_codes(names)
    assert text == join_codes(reversed(names))
    assert split_codes(text) == sorted(codes)
    assert len(text) == 5 * len(names)
    assert split_codes("") == []


@pytest.mark.parametrize("text", ["AAAA", "AAAAAA", "AAAA!", "AAAAé", "ÄAAAA"])
def test_what_is_no_code_is_refused(text):
    with pytest.raises(ValueError, match="5 letters"):
        split_codes(text)


def test_what_is_no_id_is_refused():
    with pytest.raises(ValueError, match="12 hexadecimal digits"):
        run_code("my network")
