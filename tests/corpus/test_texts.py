"""Sentences and turns are found, and none is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_s2s.corpus.texts import sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It cost 3.50 in all. Yes.", ["It cost 3.50 in all.", "Yes."]),
        ("He said e.g. this. Then left.", ["He said e.g. this.", "Then left."]),
        ("#Person1#: Hi.\n#Person2#: Hello there", ["#Person1#: Hi.", "#Person2#: Hello there"]),
        ("A.\n\n B.", ["A.", "B."]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_sentences(text, parts):
    assert sentences(text) == parts


@given(st.text())
def test_no_letter_is_lost(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
