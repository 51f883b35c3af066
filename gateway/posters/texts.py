"""Which texts of people can be printed: one line, from left to right, of letters that stand beside
one another.

Nothing on a poster is markup, so that no text needs to be escaped. What would be drawn otherwise
than it is read is refused, because nobody looks at a poster before it hangs: letters that run from
right to left, and marks that are put onto the letter before them.
"""

import unicodedata

from gateway.posters.refusals import PosterRefused

LENGTH_MAX = 100
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_SHOWN_MAX = 40


def printable(what: str, text: str, *, most: int = LENGTH_MAX) -> str:
    """Return the text as it is printed, composed (NFC). Raises PosterRefused, TEXT_NOT_PRINTABLE;
    ``what`` says there what text it is.
    """
    composed = unicodedata.normalize("NFC", text[: 4 * most])
    if len(composed) > most:
        raise _refused(f"{what} has more than {most} characters; give it a shorter one")
    for letter in composed:
        if not letter.isprintable():
            raise _refused(
                f"{what} {quoted(text)} has {named(letter)}, which cannot be seen; take it out"
            )
        if unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT:
            raise _refused(
                f"{what} {quoted(text)} has {named(letter)}, which is written from right to left, "
                "and a poster would show it the wrong way round; say it in other letters"
            )
        if unicodedata.category(letter).startswith("M"):
            raise _refused(
                f"{what} {quoted(text)} has {named(letter)}, a mark that belongs onto another "
                "letter, which a poster cannot show; say it in other letters"
            )
    return composed


def named(letter: str) -> str:
    """Return a character as people and programs can find it."""
    return (
        f"{letter!a} (U+{ord(letter):04X})"
        if not letter.isprintable()
        else (f"{letter!r} (U+{ord(letter):04X})")
    )


def quoted(text: str) -> str:
    """Return the beginning of a text, in which nothing can hide."""
    return (
        ascii(text[:_SHOWN_MAX])
        if not text[:_SHOWN_MAX].isprintable()
        else (repr(text[:_SHOWN_MAX]))
    )


def _refused(sentence: str) -> PosterRefused:
    return PosterRefused("TEXT_NOT_PRINTABLE", sentence)
