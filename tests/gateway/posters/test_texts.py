"""Texts of people: shown as they are, or refused with a sentence."""

import pytest

from gateway.posters.refusals import PosterRefused
from gateway.posters.texts import printable

PLAIN = ("Pier 7, hall", "中環碼頭", "<b>bold</b>", "%s {0} \\n", "é", "'\"`&;", "")
REFUSED = {
    "a\u202eb": "(U+202E), which cannot be seen",
    "a\nb": "(U+000A), which cannot be seen",
    "\x00": "(U+0000), which cannot be seen",
    "a\u200bb": "(U+200B), which cannot be seen",
    "\ud800": "(U+D800), which cannot be seen",
    "مرحبا": "from right to left",
    "שלום": "from right to left",
    "q\u0301": "a mark that belongs onto another letter",
    "हिन्दी": "a mark that belongs onto another letter",
    "x" * 10_000: "more than 100 characters",
    "\u202e" * 10_000: "more than 100 characters",
}


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_said_is_printed(text: str) -> None:
    """Markup is no markup here: nothing is taken out and nothing escaped."""
    assert text == printable("the name", text)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:8]))
def test_what_would_look_otherwise_is_refused(text: str) -> None:
    """The sentence names the text and the character, in letters that hide nothing, and is short."""
    with pytest.raises(PosterRefused) as refused:
        printable("the name of its place", text)
    assert "TEXT_NOT_PRINTABLE" == refused.value.reason
    said = str(refused.value)
    assert REFUSED[text] in said
    assert said.startswith("the name of its place")
    assert said.isprintable()
    assert 300 > len(said)


def test_a_letter_and_its_mark_become_one() -> None:
    """What some keyboards send in two parts is printed as the one letter that it is."""
    assert "é" == printable("the name", "e\u0301")
