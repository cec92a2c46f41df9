"""`boundlab lesson`: what a teacher sees."""

from boundlab.cli.main import main
from boundlab.lessons.library import lesson_files
from tests.lessons.test_reading import GOOD

CLAIM = "let: low = sparse at dataset=mnist recipe=short layers=3 channels=16 wd=0.0008\n"
MINE = GOOD.split("## How many?")[0].replace(
    "sparse at dataset=mnist layers=3", "sparse at dataset=mnist recipe=short layers=3 channels=16"
)


def test_shipped_lessons_are_right(capsys):
    files = [str(file) for file in lesson_files()]
    assert main(["lesson", "check", *files]) == 0
    assert capsys.readouterr().out.count("its numbers are those of the shipped runs") == len(files)


def test_a_wrong_line_a_wrong_number_and_a_missing_file(capsys, tmp_path):
    good, wrong, untrue = (tmp_path / name for name in ("good.md", "wrong.md", "untrue.md"))
    good.write_text(MINE)
    wrong.write_text(MINE.replace("page: lambda", "page: lamda"))
    untrue.write_text(MINE.replace("high < 0.9 * low", "high > low"))
    assert main(["lesson", "check", str(good)]) == 0
    capsys.readouterr()
    assert main(["lesson", "check", str(wrong), str(untrue), str(good)]) == 2
    out, err = capsys.readouterr()
    assert "good.md: Why weight decay?, 1 step;" in out
    assert "wrong.md, line 5: there is no page `lamda`" in err
    assert "untrue.md, line 12: `high > low` is not so: 0.66" in err
    endless = tmp_path / "endless.md"
    endless.write_text(MINE.replace("{low/high:fold}", "{low/0:fold}"))
    assert main(["lesson", "check", str(endless)]) == 2
    assert "endless.md, line 4: a number of this step is no number: it divides by 0" in capsys.readouterr().err
    assert main(["lesson", "check", str(tmp_path / "gone.md")]) == 2
    assert "gone.md" in capsys.readouterr().err


def test_the_list_has_a_teachers_own(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_LESSONS", str(tmp_path))
    (tmp_path / "mine.md").write_text(MINE)
    assert main(["lesson", "list"]) == 0
    assert "mine " in capsys.readouterr().out
    (tmp_path / "bad.md").write_text("")
    assert main(["lesson", "list"]) == 1
    assert "bad.md, line 1" in capsys.readouterr().err
