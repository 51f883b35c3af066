"""Fonts: a character that is missing is an error, never a box on paper."""

from pathlib import Path

import pytest

from gateway.posters.refusals import PosterRefused
from gateway.posters.typefaces import OURS, Typeface, Typefaces
from tests.gateway.posters.pages import a_font


def _refused(path: Path) -> str:
    with pytest.raises(PosterRefused) as refused:
        Typeface(path)
    assert "POSTER_SETTINGS" == refused.value.reason
    assert str(refused.value).startswith(f"posters.font_file: {path} ")
    return str(refused.value)


def test_a_missing_character_is_named() -> None:
    """With its text, its code point and what to do."""
    with pytest.raises(PosterRefused) as refused:
        Typefaces(None).of("中環", "the name of its place")
    assert "GLYPH_MISSING" == refused.value.reason
    said = str(refused.value)
    assert "'中' (U+4E2D) in the name of its place '中環'" in said
    assert "set posters.font_file" in said


def test_the_operators_font_has_what_ours_has_not(tmp_path: Path) -> None:
    """A text is drawn with the operator's font if that has all of it, else with ours, and never
    with both.
    """
    faces = Typefaces(a_font(tmp_path / "own.ttf", "中環 A"))
    assert tmp_path / "own.ttf" == faces.of("中環 A").path
    assert OURS == faces.of("VM-0017").path
    with pytest.raises(PosterRefused, match=r"U\+0042"):
        faces.of("中環 B")


def test_an_empty_shape_is_a_missing_one(tmp_path: Path) -> None:
    """Some fonts list characters of which they have nothing; a space has nothing by right."""
    face = Typeface(a_font(tmp_path / "own.ttf", "A ", hollow="環"))
    assert "環" == face.missing("A 環")
    assert "" == face.missing("A A")


def test_a_character_beyond_the_first_plane_is_drawn(tmp_path: Path) -> None:
    """Names of Hong Kong have such ones; emoji that the font has are characters like others."""
    assert "" == Typeface(a_font(tmp_path / "own.ttf", "𨋢😀")).missing("𨋢😀")
    assert "😀" == Typeface(OURS).missing("😀")


def test_a_text_is_as_wide_as_its_characters(tmp_path: Path) -> None:
    """A space at which no line ends is as wide as one at which one may."""
    faces = Typefaces(a_font(tmp_path / "own.ttf", "A "))
    assert 30.0 == faces.width("A A", 10)
    assert 30.0 == faces.width("A\u00a0A", 10)


def test_what_is_no_font_is_refused(tmp_path: Path) -> None:
    """A sentence each: not there, a folder, text, half a font, one whose licence forbids it, one
    without TrueType outlines.
    """
    assert "cannot be read (No such file or directory)" in _refused(tmp_path / "none.ttf")
    assert "cannot be read (it is not a regular file)" in _refused(tmp_path)
    (tmp_path / "text.ttf").write_text("no font at all" * 100)
    assert "is no font that can be read" in _refused(tmp_path / "text.ttf")
    (tmp_path / "half.ttf").write_bytes(OURS.read_bytes()[:9_000])
    assert "is no font that can be read" in _refused(tmp_path / "half.ttf")
    (tmp_path / "empty.ttf").write_bytes(b"")
    assert "is no font that can be read" in _refused(tmp_path / "empty.ttf")
    locked = a_font(tmp_path / "locked.ttf", "A", rights=2)
    assert "its licence lets nobody embed it" in _refused(locked)


def test_another_file_under_the_name_is_another_font(tmp_path: Path) -> None:
    """An operator who mends a font file sees it on the next poster."""
    path = a_font(tmp_path / "own.ttf", "A")
    first = Typeface(path).drawn
    assert first is Typeface(path).drawn
    assert first is not Typeface(a_font(path, "AB")).drawn
