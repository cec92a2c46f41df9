"""A citation names the runs it is of, whoever asks, and no name breaks its BibTeX."""

import hashlib

from boundlab.version import __version__
from boundlab.words.citation import citation, frame, runs_cited

MANY = [f"digits-conv-3-{number}" for number in range(9)]


def test_a_few_runs_are_named_in_one_order():
    assert runs_cited(["b", "a", "b"]) == "runs a, b"
    assert runs_cited(["a"]) == "run a"


def test_many_runs_are_told_by_their_number_and_hash():
    expected = hashlib.sha256("\n".join(sorted(MANY)).encode()).hexdigest()[:16]
    assert runs_cited(MANY) == runs_cited(MANY[::-1])
    assert f"{len(MANY)} runs" in runs_cited(MANY)
    assert expected in runs_cited(MANY)
    assert expected not in runs_cited(MANY[1:])


def test_it_has_the_view_the_version_the_pack_and_the_paper():
    text = citation("Width", "**digits** · n = 1,437", MANY, "0123456789abcdef" * 4)
    for part in (
        "{Width}",
        "digits · n = 1,437",
        f"Boundlab {__version__}",
        "sha256 0123456789abcdef}",
        "galanti2023norm",
    ):
        assert part in text


def test_no_name_breaks_its_bibtex():
    text = citation("Width", "a}b{c\\d_e%f&g#h$i\n@misc{", ["x_{y"], "0" * 64)
    view = text.split("\n\n")[0]
    assert view.count("{") == view.count("}")
    assert "a\\textbraceright b\\textbraceleft c\\textbackslash d\\_e\\%f\\&g\\#h\\$i @misc\\textbraceleft" in view


def test_a_frame_has_the_link_without_lesson_and_nothing_of_it_is_markup():
    params = {"dataset": ["mnist"], "own": ["a b", '"><script>'], "lesson": ["x"], "present": ["1"], "v": ["7"]}
    written = frame("https://example.org:8501/lambda?old=1#top", params, 'W"idth')
    assert written.startswith(
        '<iframe src="https://example.org:8501/lambda?dataset=mnist&amp;own=a+b&amp;own=%22%3E%3Cscript%3E&amp;v=1&amp;embed=true" '
        'title="Boundlab: W&quot;idth"'
    )
    assert written.count("<") == 2
