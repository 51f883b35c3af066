"""What posters say, in every language that the settings know."""

import pytest
from pydantic import ValidationError

from actors.machine.state import Mode
from gateway.posters.typefaces import ours
from gateway.posters.words import WORDS, characters
from gateway.process.sections import Posters


def test_each_language_says_all_of_it() -> None:
    """The settings know the languages of the table and no others, and each language tells every
    mode what to do.
    """
    assert all(set(Mode) == set(words.how) for words in WORDS.values())
    for language in WORDS:
        assert (language,) == Posters(languages=(language,)).languages  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="zh-Hant"):
        Posters(languages=("de",))  # type: ignore[arg-type]  # that is the question


def test_the_default_is_every_language() -> None:
    """In the order in which they stand on a poster."""
    assert tuple(WORDS) == Posters().languages


def test_help_names_the_phone_and_the_machine() -> None:
    """Whoever calls is asked for nothing that they do not see."""
    for words in WORDS.values():
        said = words.help.format(phone="PHONE", machine="MACHINE")
        assert "PHONE" in said
        assert "MACHINE" in said


def test_the_font_that_ships_has_every_character() -> None:
    """A sentence that was changed needs the font's subset made again, as its NOTICE.md tells."""
    assert "" == ours().missing(characters())
