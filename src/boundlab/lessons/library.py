"""Where lessons lie: those that ship, and a teacher's own in the folder BOUNDLAB_LESSONS."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from boundlab.errors import LessonError
from boundlab.lessons.lesson import Lesson
from boundlab.lessons.reading import read_lesson

_SHIPPED = Path(__file__).parent / "shipped"
_FOLDER = "BOUNDLAB_LESSONS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_FILES, _MOST_BYTES = 200, 400_000


@dataclass(frozen=True)
class Library:
    """`lessons`: by name, in the order in which they are offered; `wrong`: of every file that is none, by its name, why."""

    lessons: dict[str, Lesson]
    wrong: dict[str, str]


def read_lesson_file(file: Path) -> Lesson:
    """One lesson. Raises LessonError, OSError."""
    if not _NAME.fullmatch(file.stem) or file.suffix != ".md":
        raise LessonError(f"{file.name}: a lesson is called by letters, digits, - and _, and ends with .md")
    if (size := file.stat().st_size) > _MOST_BYTES:
        raise LessonError(f"{file.name} has {size:,} bytes, a lesson at most {_MOST_BYTES:,}")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LessonError(f"{file.name} is not text in UTF-8: save it as UTF-8") from error
    return read_lesson(file.stem, text)


def teachers_folder() -> Path | None:
    """The teacher's, where there is one."""
    found = os.environ.get(_FOLDER)
    return Path(found) if found else None


def lesson_files() -> list[Path]:
    """Of all lessons: a file of the teacher's takes the place of a shipped one of its name. Numbers before names order them."""
    folders = [_SHIPPED, *([own] if (own := teachers_folder()) and own.is_dir() else [])]
    found = {file.name: file for folder in folders for file in sorted(folder.glob("*.md"))[:_MOST_FILES]}
    return [file for name, file in found.items() if name != "README.md"]


def library() -> Library:
    """All lessons."""
    lessons, wrong = dict[str, Lesson](), dict[str, str]()
    for file in lesson_files():
        try:
            lesson = read_lesson_file(file)
            lessons[lesson.name] = lesson
        except LessonError as error:
            wrong[file.name] = str(error)
        except OSError as error:
            wrong[file.name] = f"{file.name} cannot be read: {error.strerror or error}"
    if (own := teachers_folder()) and not own.is_dir():
        wrong[_FOLDER] = f"{_FOLDER} names a folder that is not there"
    return Library(lessons, wrong)
