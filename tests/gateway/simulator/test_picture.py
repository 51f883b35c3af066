"""A code that a phone can read from a terminal."""

import pytest
import segno

from gateway.simulator import picture

PAYLOAD = "https://qr.alipay.com/bax56205d48f136b3a60bc3"


def test_the_picture_is_the_code() -> None:
    """Read back, two modules from each character, it is what the standard makes of the text."""
    read = [
        [int(mark in half) for mark in line]
        for line in picture.half_blocks(PAYLOAD)
        for half in ("▀█", "▄█")
    ]
    code = segno.make(PAYLOAD, error="m", micro=False)

    wanted = [list(row) for row in code.matrix_iter(border=picture.BORDER)]
    assert wanted == read[: len(wanted)]
    assert not any(any(row) for row in read[len(wanted) :])


def test_it_fits_the_smallest_terminal() -> None:
    """With a line of text below it, in 80 columns and 24 lines."""
    lines = picture.half_blocks(PAYLOAD)

    assert 24 > len(lines) + 1
    assert {len(lines[0])} == {len(line) for line in lines}
    assert 80 >= len(lines[0])


def test_its_colours_are_its_own() -> None:
    """Black on white in each line, also where the terminal is dark."""
    lines = picture.for_terminal(PAYLOAD).split("\n")

    assert list(picture.half_blocks(PAYLOAD)) == [
        line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m") for line in lines
    ]


def test_what_is_too_long_is_no_code() -> None:
    """A text of three thousand letters fits no QR code."""
    with pytest.raises(ValueError, match="too large"):
        picture.half_blocks("x" * 3_000)
