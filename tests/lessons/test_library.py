"""Lessons of a teacher's folder, beside those that ship; a file that is none is named and leaves the others alone."""

import pytest

from boundlab.errors import LessonError
from boundlab.lessons.library import lesson_files, library, read_lesson_file
from tests.lessons.test_reading import GOOD


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDLAB_LESSONS", str(tmp_path))
    return tmp_path


def test_own_lessons_follow_and_one_of_the_same_name_takes_the_place(folder):
    shipped = list(library().lessons)
    (folder / "mine.md").write_text(GOOD)
    (folder / f"{shipped[1]}.md").write_text(GOOD.replace("Why weight decay?", "In other words"))
    (folder / "README.md").write_text("notes")
    found = library()
    assert list(found.lessons) == [*shipped, "mine"]
    assert found.lessons[shipped[1]].title == "In other words"
    assert not found.wrong


def test_what_is_no_lesson_is_named(folder):
    (folder / "latin.md").write_bytes("# Größe".encode("latin-1"))
    (folder / "long.md").write_text("x" * 400_001)
    (folder / "two words.md").write_text(GOOD)
    (folder / "wrong.md").write_text(GOOD.replace("page: lambda", "page: nowhere"))
    (folder / "folder.md").mkdir()
    found = library()
    assert len(found.lessons) == 7
    for name, said in {
        "latin.md": "is not text in UTF-8",
        "long.md": "has 400,001 bytes",
        "two words.md": "called by letters",
        "wrong.md": "wrong.md, line 5: there is no page `nowhere`",
        "folder.md": "cannot be read",
    }.items():
        assert said in found.wrong[name]


def test_a_folder_that_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("BOUNDLAB_LESSONS", str(tmp_path / "gone"))
    assert library().wrong == {"BOUNDLAB_LESSONS": "BOUNDLAB_LESSONS names a folder that is not there"}
    monkeypatch.delenv("BOUNDLAB_LESSONS")
    assert len(lesson_files()) == 7


def test_another_ending_is_refused(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text(GOOD)
    with pytest.raises(LessonError, match=r"ends with \.md"):
        read_lesson_file(file)
