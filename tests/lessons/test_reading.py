"""A lesson written wrongly gets a sentence with its line."""

import pytest

from boundlab.errors import LessonError
from boundlab.lessons.reading import read_lesson

GOOD = """# Why weight decay?
What a larger λ does.

## Which way?
page: lambda
link: dataset=mnist&layers=3&show=sparse
ask: What does the bound do?
- [ ] It grows
- [x] It falls
let: low = sparse at dataset=mnist layers=3 wd=0.0008
let: high = sparse at dataset=mnist layers=3 wd=0.0115
check: high < 0.9 * low
lock: dataset, layers
hide: convention
try: Drag it.

It falls {low/high:fold}.

Twice as much as **nothing**.

## How many?
page: width
ask: How many?
number: 0 to 100, answer {e:of100}
let: e = test_error at dataset=mnist

So many.
"""


def test_a_lesson_is_read_whole():
    lesson = read_lesson("mine", GOOD)
    assert (lesson.name, lesson.title, lesson.summary) == ("mine", "Why weight decay?", "What a larger λ does.")
    first, second = lesson.steps
    assert (first.page, first.link) == ("lambda", {"dataset": "mnist", "layers": "3", "show": "sparse"})
    assert (first.choices, first.right) == (("It grows", "It falls"), 1)
    assert (first.locked, first.hidden, first.go_on) == (("dataset", "layers"), ("convention",), "Drag it.")
    assert first.text == "It falls {low/high:fold}.\n\nTwice as much as **nothing**."
    assert first.quantities["high"].where == {"dataset": "mnist", "layers": "3", "wd": "0.0115"}
    assert (first.checks[0].sign, first.checks[0].line) == ("<", 12)
    assert (second.number.low, second.number.high, second.number.form) == (0, 100, "of100")
    assert second.choices == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("try: Drag it.", "tyr: Drag it.", 15, "there is no `tyr:`; there are page, link, ask"),
        ("It falls {low", "![](http://x/y.png) {low", 17, "pictures and other files are not shown"),
        ("ask: What does", "ask: ![](http://x/y) What does", 7, "pictures and other files are not shown"),
        ("- [ ] It grows", "- [ ] ![](//x/y)", 8, "pictures and other files are not shown"),
        ("It falls {low", "<img src=//x> {low", 17, "pictures and other files are not shown"),
        ("dataset=mnist&layers=3&show", "dataset=imagenet&layers=3&show", 6, "`dataset` is one of mnist, digits"),
        (
            "dataset=mnist&layers=3&show",
            "dataset=mnist&layers=banana&show",
            6,
            "`layers` is a number here, got `banana`",
        ),
        ("# Why weight decay?", "Why?", 1, "the title, `# ...`, was expected"),
        ("What a larger λ does.", "", 1, "a sentence under the title"),
        ("page: lambda", "page: lamda", 5, "there is no page `lamda`; there are start, playground"),
        ("page: lambda", "page:", 5, "something was expected after `page:`"),
        ("page: lambda\n", "", 4, "the step `## Which way?` has no `page:`"),
        ("layers=3&show", "layer=3&show", 6, "page `lambda` has no `layer`; it has dataset,"),
        ("dataset=mnist&layers=3&show=sparse", "dataset", 6, "a link's values were expected"),
        ("ask: What does the bound do?\n", "", 4, "has no `ask:`"),
        ("- [ ] It grows\n", "", 4, "got 1 choices, 1 of them right"),
        ("- [ ] It grows", "- [x] It grows", 4, "got 2 choices, 2 of them right"),
        ("low = sparse at", "low = spars at", 10, "there is no series `spars`; there are bartlett"),
        ("let: low = sparse at", "let: low sparse at", 10, "`name = series at key=value key=value` was expected"),
        ("let: low = sparse", "let: high = sparse", 11, "`high` has a value already, in line 10"),
        ("wd=0.0008", "lambda=0.0008", 10, "`lambda` is none of dataset"),
        ("wd=0.0008", "wd=small", 10, "`wd` must be a number, got `small`"),
        ("wd=0.0008", "wd", 10, "`key=value` was expected, got `wd`"),
        ("check: high < 0.9 * low", "check: high", 12, "two sides with <, >, <= or >= between them"),
        ("check: high < 0.9 * low", "check: high < __import__('os')", 12, "a name or a number, with * or /"),
        ("check: high < 0.9 * low", "check: high < lower", 12, "`lower` has no value in this step"),
        ("lock: dataset", "lock: data", 13, "page `lambda` has no `data`"),
        ("hide: convention", "hide: body", 14, "page `lambda` has no `body`"),
        ("{low/high:fold}", "{low/high:folds}", 17, "after the colon one of percent, fold"),
        ("{low/high:fold}", "{slow}", 4, "`slow` has no value in this step"),
        ("try: Drag it.", "try: Drag it.\ntry: Again.", 16, "stands in this step twice, first in line 15"),
        ("So many.", "", 21, "says nothing when it is revealed"),
        ("0 to 100, answer", "0 - 100, answer", 24, "`0 to 100, answer {name:form}` was expected"),
        ("0 to 100, answer", "100 to 0, answer", 24, "was expected"),
        ("ask: How many?\n", "ask: How many?\n- [x] One\n- [ ] Two\n", 26, "a number or offers choices, not both"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old, new, line, said):
    assert old in GOOD
    with pytest.raises(LessonError) as wrong:
        read_lesson("mine", GOOD.replace(old, new, 1))
    assert str(wrong.value).startswith(f"mine.md, line {line}: "), wrong.value
    assert said in str(wrong.value)


def test_too_long_too_many_and_without_a_step():
    for text, said in (
        ("# A\nB\n" + "x" * 100_001, "at most 100,000 letters"),
        ("# A\nB\n" + "## S\n" * 21, "at most 20 steps"),
        ("# A\nB\n", "a lesson needs a step"),
        ("", "the title"),
    ):
        with pytest.raises(LessonError, match=said):
            read_lesson("mine", text)
