"""Alipay's calendar."""

import pytest

from alipay_client.simulator import gmt8


def test_text_and_back() -> None:
    """Times are written in GMT+8, whatever the machine's own zone."""
    at_ms = gmt8.parse("2026-01-15 00:30:00")
    assert "2026-01-15 00:30:00" == gmt8.text(at_ms)
    assert "20260115003000" == gmt8.digits(at_ms)
    assert 1_768_408_200_000 == at_ms


@pytest.mark.parametrize(
    "text", ["2026-1-15 00:30:00", "2026-01-15T00:30:00", "", "2026-01-15 25:00:00"]
)
def test_other_forms_are_refused(text: str) -> None:
    """Only yyyy-MM-dd HH:mm:ss is a time."""
    with pytest.raises(ValueError, match=r"."):
        gmt8.parse(text)


def test_t_day_ends_at_midnight() -> None:
    """A second before and after midnight GMT+8 are two days."""
    assert gmt8.day(gmt8.parse("2026-01-15 23:59:59")) + 1 == gmt8.day(
        gmt8.parse("2026-01-16 00:00:00")
    )


@pytest.mark.parametrize(
    ("text", "inside", "opens"),
    [
        ("2026-01-15 22:59:59", False, "2026-01-15 23:00:00"),
        ("2026-01-15 23:00:00", True, "2026-01-16 23:00:00"),
        ("2026-01-16 04:59:59", True, "2026-01-16 23:00:00"),
        ("2026-01-16 05:00:00", False, "2026-01-16 23:00:00"),
    ],
)
def test_batch(text: str, inside: bool, opens: str) -> None:
    """Refunds of earlier days run from 23:00 to 05:00."""
    assert inside == gmt8.in_batch(gmt8.parse(text))
    assert opens == gmt8.text(gmt8.next_batch(gmt8.parse(text)))


def test_maintenance() -> None:
    """The sandbox rests from Sunday noon to Monday noon."""
    expected = {
        "2026-01-18 11:59:59": False,
        "2026-01-18 12:00:00": True,
        "2026-01-19 11:59:59": True,
        "2026-01-19 12:00:00": False,
    }
    assert expected == {text: gmt8.in_maintenance(gmt8.parse(text)) for text in expected}
