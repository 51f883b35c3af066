"""Which machines can have a poster, and why others cannot."""

import io
import tracemalloc
from pathlib import Path

import pypdfium2
import pytest

from gateway.posters import looks
from gateway.posters.code import code_id
from gateway.posters.layout import Sheet, Size
from gateway.posters.press import Press, poster_of
from gateway.posters.refusals import PosterRefused
from storage.office.poster_lines import PosterLine
from tests.gateway.posters.pages import PAYLOAD, a_font, a_picture, line, read, settings

NOT_READY = {
    "Alipay has not given it a code yet: print when GetMachine shows it": line(
        payload="", status="PENDING", differs=("STATUS",)
    ),
    "not given it a code yet (sandbox is down)": line(
        payload="", status="UNKNOWN", error="sandbox is down"
    ),
    "the machine is disabled: EnableMachine, then print": line(
        status="STOPPED", enabled=False, differs=("STATUS",)
    ),
    "its code waits for Alipay, in NOTIFY_URL, STORE: print when ListMachines": line(
        differs=("NOTIFY_URL", "STORE")
    ),
    "its code is STOPPED, not ACTIVE": line(status="STOPPED"),
    "its code is UNKNOWN, not ACTIVE": line(status="UNKNOWN"),
    "its code is REFUSED, not ACTIVE (no such store)": line(
        status="REFUSED", error="no such store"
    ),
}


@pytest.mark.parametrize("said", NOT_READY)
def test_a_code_that_waits_for_alipay_is_not_printed(said: str) -> None:
    """With what to do."""
    with pytest.raises(PosterRefused) as refused:
        poster_of(NOT_READY[said])
    assert "CODE_NOT_READY" == refused.value.reason
    assert said in str(refused.value)


def test_a_disabled_machine_whose_code_is_active_has_a_poster() -> None:
    """It is hung before the machine sells."""
    assert code_id(PAYLOAD) == poster_of(line(enabled=False)).code_id


def test_a_retired_machine_has_none() -> None:
    """Whatever its code is."""
    with pytest.raises(PosterRefused) as refused:
        poster_of(line(retired=True))
    assert "MACHINE_RETIRED" == refused.value.reason


def test_a_code_that_hides_something_is_not_printed() -> None:
    """The text of a code comes from outside, too."""
    with pytest.raises(PosterRefused, match="the code's text"):
        poster_of(line(payload=PAYLOAD + "\u202e"))
    with pytest.raises(PosterRefused, match="more than 256 characters"):
        poster_of(line(payload="x" * 10_000))


def test_others_are_printed_beside_those_that_cannot_be() -> None:
    """Each of which says why; the page of one that is refused is not in the file."""
    lines = [
        line("VM-1"),
        line("VM-2", status="STOPPED"),
        line("VM-3", place="中環"),
        line("VM-4", place="a\u202eb"),
        line("VM-5"),
    ]
    file = io.BytesIO()
    made = Press(settings(), Sheet(size=Size.A5)).pdf(file, lines)
    assert [("VM-1", code_id(PAYLOAD), "Pier 7"), ("VM-5", code_id(PAYLOAD), "Pier 7")] == [
        (one.machine_id, one.code_id, one.place) for one in made.printed
    ]
    assert [
        ("VM-2", "CODE_NOT_READY"),
        ("VM-3", "GLYPH_MISSING"),
        ("VM-4", "TEXT_NOT_PRINTABLE"),
    ] == [(one.machine_id, one.reason) for one in made.refused]
    assert all(str(one).startswith(f"machine {one.machine_id}: ") for one in made.refused)
    with pypdfium2.PdfDocument(file.getvalue()) as document:
        assert 2 == len(document)


def test_nothing_is_written_if_nothing_can_be_printed() -> None:
    """No file of no pages."""
    file = io.BytesIO()
    made = Press(settings(), Sheet(size=Size.A4)).pdf(file, [line(status="STOPPED")])
    assert ([], b"") == (made.printed, file.getvalue())


def test_a_picture_is_of_one_machine() -> None:
    """And is refused as a page is."""
    press = Press(settings(), Sheet(size=Size.STICKER))
    content, printed = press.png(line())
    assert content.startswith(b"\x89PNG")
    assert ("VM-0017", code_id(PAYLOAD)) == (printed.machine_id, printed.code_id)
    with pytest.raises(PosterRefused, match="machine VM-0017: its code is STOPPED"):
        press.png(line(status="STOPPED"))


def test_the_operators_files_are_on_it(tmp_path: Path) -> None:
    """A Chinese name by the operator's font, a logo and a mark by their files; the code is read."""
    plain, _ = Press(settings(), Sheet(size=Size.A5)).png(line())
    section = settings(
        font_file=a_font(tmp_path / "own.ttf", "中環"),
        logo_file=a_picture(tmp_path / "logo.png", (200, 80), (200, 30, 30, 255)),
        mark_file=a_picture(tmp_path / "mark.png", (80, 80), (30, 30, 200, 255)),
    )
    dressed, _ = Press(section, Sheet(size=Size.A5)).png(line(place="中環"))
    from PIL import Image

    before, after = (Image.open(io.BytesIO(one)).convert("RGB") for one in (plain, dressed))
    for colour in ((200, 30, 30), (30, 30, 200)):
        counted = [
            sum(count for count, of in one.getcolors(1_000_000) or [] if of == colour)
            for one in (before, after)
        ]
        assert 0 == counted[0]
        assert 10_000 < counted[1]
    assert [PAYLOAD] == read(after)


def test_settings_that_cannot_be_used_are_refused_at_once(tmp_path: Path) -> None:
    """With the sentences of ``vendgate config check``."""
    with pytest.raises(PosterRefused) as refused:
        Press(settings(font_file=tmp_path / "none.ttf"), Sheet(size=Size.A4))
    assert "POSTER_SETTINGS" == refused.value.reason
    assert "posters.font_file: " in str(refused.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing fails on an import."""
    monkeypatch.setattr(looks, "PARTS", ("no_such_package",))
    with pytest.raises(PosterRefused) as refused:
        Press(settings(), Sheet(size=Size.A4))
    assert "POSTER_EXTRA_MISSING" == refused.value.reason
    assert "pip install 'vendgate[poster]'" in str(refused.value)


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_many_machines_are_one_file(count: int) -> None:
    """Each page more takes a few kilobytes on paper, because all pages share a font."""
    press = Press(settings(), Sheet(size=Size.A4))
    file = io.BytesIO()
    assert count == len(press.pdf(file, _many(count)).printed)
    assert 40_000 + 15_000 * count > len(file.getvalue())
    with pypdfium2.PdfDocument(file.getvalue()) as document:
        assert count == len(document)


def test_a_page_more_takes_little_memory() -> None:
    """What a page is drawn from is not kept: two thousand machines fit into any computer."""
    press = Press(settings(), Sheet(size=Size.A4))
    press.pdf(io.BytesIO(), _many(1))

    def peak(count: int) -> int:
        tracemalloc.start()
        press.pdf(io.BytesIO(), _many(count))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert 150_000 > (peak(6) - peak(2)) / 4


def _many(count: int) -> list[PosterLine]:
    return [
        line(f"VM-{number:04}", payload=f"{PAYLOAD[:-4]}{number:04}") for number in range(count)
    ]
