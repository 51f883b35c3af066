"""The operator's own pictures: only their dots reach a poster, and only so many."""

import io
from pathlib import Path

import pytest
from PIL import Image

from gateway.posters import pictures
from gateway.posters.refusals import PosterRefused
from tests.gateway.posters.pages import PAYLOAD, a_picture, line, pressed, read


def _refused(path: Path) -> str:
    with pytest.raises(PosterRefused) as refused:
        pictures.read("logo_file", path)
    assert "POSTER_SETTINGS" == refused.value.reason
    assert str(refused.value).startswith(f"posters.logo_file: {path} ")
    return str(refused.value)


def test_a_picture_is_read_in_its_colours(tmp_path: Path) -> None:
    """A PNG with what can be seen through, and a JPEG."""
    seen = pictures.read("logo_file", a_picture(tmp_path / "a.png", (30, 10), (1, 2, 3, 0)))
    assert ("RGBA", (30, 10), (1, 2, 3, 0)) == (seen.mode, seen.size, seen.getpixel((0, 0)))
    Image.new("RGB", (30, 10), (200, 0, 0)).save(tmp_path / "a.jpg", "JPEG")
    assert (30, 10) == pictures.read("logo_file", tmp_path / "a.jpg").size


def test_a_large_picture_is_made_smaller(tmp_path: Path) -> None:
    """No poster has more dots of it than a printer prints."""
    made = pictures.read("logo_file", a_picture(tmp_path / "a.png", (4_000, 1_000)))
    assert (1_600, 400) == made.size


def test_the_first_page_of_a_pdf_is_a_picture(tmp_path: Path) -> None:
    """As sharp as any other."""
    (tmp_path / "brand.pdf").write_bytes(pressed(line()))
    made = pictures.read("mark_file", tmp_path / "brand.pdf")
    assert 1_600 == max(made.size)
    assert [PAYLOAD] == read(made.convert("RGB"))


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    """A sentence each: not there, a folder, text, half a PNG, half a PDF, a format that nobody
    asked for, one that is a line, one that is too large for a computer.
    """
    assert "cannot be read (No such file or directory)" in _refused(tmp_path / "none.png")
    assert "is not a regular file" in _refused(tmp_path)
    (tmp_path / "text.png").write_text("no picture")
    assert "is no picture that can be read" in _refused(tmp_path / "text.png")
    whole = a_picture(tmp_path / "whole.png", (600, 200)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    assert "is no picture that can be read" in _refused(tmp_path / "half.png")
    (tmp_path / "half.pdf").write_bytes(b"%PDF-1.4\nnothing")
    assert "is no PDF that can be read" in _refused(tmp_path / "half.pdf")
    Image.new("RGB", (20, 20)).save(tmp_path / "a.gif", "GIF")
    assert "is no picture that can be read" in _refused(tmp_path / "a.gif")
    assert "20 times as long" in _refused(a_picture(tmp_path / "line.png", (500, 1)))


def test_a_picture_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what its head says, before a dot of it is unpacked."""
    monkeypatch.setattr(pictures, "DOTS_MAX", 1_000)
    assert "has more than 1,000 dots" in _refused(a_picture(tmp_path / "bomb.png", (50, 50)))
    monkeypatch.setattr(pictures, "FILE_BYTES_MAX", 100)
    assert "has more than 0 MiB" in _refused(a_picture(tmp_path / "bomb.png", (50, 50)))


def test_a_png_says_how_large_it_is() -> None:
    """300 dots an inch, so that it is printed in its own size."""
    with Image.open(io.BytesIO(pictures.png(pressed(line())))) as opened:
        assert (300, 300) == tuple(map(round, opened.info["dpi"]))
        assert (2_481, 3_508) == tuple(opened.size)
