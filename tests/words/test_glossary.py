"""Each word once, used somewhere, and explained in these words only."""

import re

import pytest

from boundlab.lessons.expressions import words_in
from boundlab.lessons.library import lesson_files, library
from boundlab.specs.settings import CONVENTIONS
from boundlab.words.glossary import explained, glossary, options_explained
from tests.conftest import ROOT

FILE = ROOT / "src" / "boundlab" / "words" / "glossary.md"


def test_every_entry_is_read_and_no_word_comes_twice():
    headings = re.findall(r"^## (.+)$", FILE.read_text(), re.M)
    assert sorted(word.lower() for word in headings) == list(glossary())
    for entry in glossary().values():
        assert entry.meaning.endswith("."), entry.word
        assert len(entry.meaning.split()) <= 40
        assert entry.source


def test_what_is_used_is_explained_and_a_mistake_is_an_error():
    used = {
        word.lower() for lesson in library().lessons.values() for step in lesson.steps for word in words_in(step.text)
    }
    assert len(used) >= 4
    assert used <= set(glossary())
    with pytest.raises(KeyError):
        explained("nothing")
    with pytest.raises(ValueError, match=r"`\[\[margni\]\]`: the glossary has bound, capacity"):
        words_in("a [[margni]]")


def test_no_explanation_is_written_twice():
    """Of what code says, nothing repeats the beginning of an explanation."""
    others = [file for file in (ROOT / "src").rglob("*.py")] + lesson_files()
    texts = {file: " ".join(file.read_text().split()) for file in others}
    for entry in glossary().values():
        beginning = " ".join(entry.meaning.split()[:7])
        if len(entry.meaning.split()) < 7:
            continue  # so few words that anybody may say them
        found = [file.name for file, text in texts.items() if beginning in text]
        assert not found, (entry.word, found)


def test_help_of_a_choice_names_each():
    assert options_explained(*CONVENTIONS).startswith(
        "published: what the paper's figures plot · theorem: the cited theorem"
    )
