"""What cannot be used of ``[posters]``, a sentence each."""

from pathlib import Path

import pytest

from gateway.posters import looks
from gateway.process.sections import Posters
from tests.gateway.posters.pages import a_font, a_picture, settings


def test_what_is_set_by_itself_can_be_used() -> None:
    """The defaults, and what the product ships."""
    assert [] == looks.problems(Posters())


def test_right_files_are_no_problem(tmp_path: Path) -> None:
    """A font, a logo and a mark."""
    section = settings(
        font_file=a_font(tmp_path / "own.ttf", "A"),
        logo_file=a_picture(tmp_path / "logo.png"),
        mark_file=a_picture(tmp_path / "mark.png"),
    )
    assert [] == looks.problems(section)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """One sentence for each setting, which names it and ends with what to do."""
    section = settings(
        languages=["en", "en"],
        ink="#cccccc",
        accent="#00ff00",
        font_file=tmp_path / "none.ttf",
        logo_file=tmp_path / "none.png",
        mark_file=tmp_path,
    )
    found = looks.problems(section)
    names = ["languages", "ink", "accent", "logo_file", "mark_file", "font_file"]
    assert [f"posters.{name}" for name in names] == [one.partition(":")[0] for one in found]
    assert all(one.endswith(".") for one in found)


def test_without_the_extra_files_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A computer that serves and draws nothing can check its settings all the same."""
    monkeypatch.setattr(looks, "PARTS", ("no_such_package",))
    assert not looks.installed()
    assert [] == looks.problems(settings(font_file=a_font(tmp_path / "own.ttf", "A")))
    (said,) = looks.problems(settings(logo_file=tmp_path / "none.png"))
    assert f"posters.logo_file: {tmp_path / 'none.png'} is no file; name one that is there." == said


def test_contrast_is_counted_as_everybody_does() -> None:
    """Black and white are as far apart as can be; WCAG's own example of what is just enough."""
    assert pytest.approx(21) == looks.contrast("#000000", "#ffffff")
    assert pytest.approx(1) == looks.contrast("#123456", "#123456")
    assert pytest.approx(4.54, abs=0.005) == looks.contrast("#767676", "#ffffff")
