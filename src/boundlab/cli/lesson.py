"""`boundlab lesson`: check a lesson's file, or list the lessons that there are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from boundlab.cli.arguments import Commands, Parser, command


def add_to(commands: Commands) -> None:
    """The command and its two parts."""
    sub: Parser = command(commands, "lesson", "check a lesson that you wrote, or list the lessons there are", _list)
    parts = sub.add_subparsers(required=True, metavar="PART")
    check = command(parts, "check", "read Markdown files, and hold their numbers against the shipped runs", _check)
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    command(parts, "list", "names and titles; those of BOUNDLAB_LESSONS too", _list)


def _check(a: argparse.Namespace) -> int:
    """Exit code 2 where a file is no lesson, or the runs contradict it."""
    from boundlab.errors import LessonError
    from boundlab.lessons.facts import shown_text
    from boundlab.lessons.library import read_lesson_file
    from boundlab.runs.pack import read_pack

    wrong, runs = [], read_pack()
    for file in a.files:
        try:
            lesson = read_lesson_file(file)
        except LessonError as error:
            wrong.append(str(error))
            continue
        found = []
        for step in lesson.steps:
            try:
                shown_text(step, runs)
            except LessonError as error:
                found.append(f"{file.name}, {error}")
        if not found:
            count = f"{len(lesson.steps)} step{'s' * (len(lesson.steps) != 1)}"
            print(f"{file.name}: {lesson.title}, {count}; its numbers are those of the shipped runs")
        wrong += found
    for text in wrong:
        print(f"boundlab: {text}", file=sys.stderr)
    return 2 if wrong else 0


def _list(a: argparse.Namespace) -> int:
    from boundlab.lessons.library import library

    found = library()
    for lesson in found.lessons.values():
        print(f"{lesson.name:28} {lesson.title}: {lesson.summary}")
    for text in found.wrong.values():
        print(f"boundlab: {text}", file=sys.stderr)
    return 1 if found.wrong else 0
