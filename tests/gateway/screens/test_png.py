"""A PNG is looked at from its first byte to its last."""

import io
import struct
import zlib

import pytest
from PIL import Image

from gateway.screens.png import SIGNATURE, PngBroken, PngLimits, size_of
from tests.gateway.screens.showable import HEADER, ROWS, a_png, chunk, picture

MOST = PngLimits(side_max=8_192, pixels_max=1_000_000, trailing_max=64)
PALETTED = HEADER[:8] + b"\x08\3\0\0\0"


def saved(mode: str, **more: object) -> bytes:
    """A picture as Pillow saves it."""
    file = io.BytesIO()
    Image.effect_noise((37, 23), 90).convert(mode).save(file, "PNG", **more)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    """With so many bits each."""
    assert (37, 23) == size_of(saved(mode), MOST)


def test_an_interlaced_picture_is_read() -> None:
    """Of any size, also one that has nothing in some of its seven passes."""
    sizes = [(1, 1), (2, 1), (1, 3), (5, 5), (9, 17)]
    for width, height in sizes:
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
        starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4))
        rows = [
            b"\0" + b"x" * len(range(x, width, dx))
            for x, y, dx, dy in (*starts, (1, 0, 2, 2), (0, 1, 1, 2))
            for _ in range(y, height, dy)
            if x < width
        ]
        whole = b"".join(rows)
        assert (width, height) == size_of(a_png(header, whole), MOST)
        with pytest.raises(PngBroken, match="too soon"):
            size_of(a_png(header, whole[:-1]), MOST)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (SIGNATURE, "without a header"),
        (SIGNATURE + chunk(b"IHDR", HEADER) + chunk(b"IEND"), "end too soon"),
        (SIGNATURE + chunk(b"IEND"), "without a header"),
        (SIGNATURE + chunk(b"IHDR", HEADER[:12]) + chunk(b"IEND"), "without a header"),
        (a_png()[:-12], "cut off"),
        (a_png(rows=b"\0ab"), "end too soon"),
        (a_png(rows=b"\0ab\5cd"), "damaged"),
        (a_png(HEADER[:8] + b"\x07\0\0\0\0"), "nobody knows"),
        (a_png(HEADER[:8] + b"\x08\0\0\0\2"), "nobody knows"),
        (a_png(HEADER[:8] + b"\x08\3\0\0\0"), "palette"),
        (a_png().replace(zlib.compress(ROWS), b"x" * len(zlib.compress(ROWS))), "damaged"),
        (
            SIGNATURE + chunk(b"IHDR", HEADER) + chunk(b"IDAT", b"no zlib") + chunk(b"IEND"),
            "pixels are damaged",
        ),
        (a_png(HEADER, ROWS, chunk(b"IHDR", HEADER)), "two headers"),
        (a_png(HEADER, ROWS, chunk(b"ABCD")), "b'ABCD', which nobody knows"),
        (a_png(PALETTED, ROWS, chunk(b"PLTE")), "palette is damaged"),
        (a_png(PALETTED, ROWS, chunk(b"PLTE", b"rgbr")), "palette is damaged"),
        (a_png(PALETTED, ROWS, chunk(b"PLTE", b"rgb" * 257)), "palette is damaged"),
        (a_png() + b"x" * 65, "65 bytes behind its end"),
    ],
)
def test_what_cannot_be_drawn_is_refused(content: bytes, why: str) -> None:
    """With a sentence."""
    with pytest.raises(PngBroken, match=why):
        size_of(content, MOST)


def test_one_wrong_bit_anywhere_is_found() -> None:
    """In any part: each has its checksum."""
    whole = picture("PNG")
    for at in range(len(SIGNATURE), len(whole)):
        broken = bytearray(whole)
        broken[at] ^= 0x10
        with pytest.raises(PngBroken):
            size_of(bytes(broken), MOST)


def test_a_palette_and_parts_that_nobody_knows_are_let_be() -> None:
    """They have their checksums."""
    more = (chunk(b"PLTE", b"rgb" * 256), chunk(b"tEXt", b"Title\0x"))
    assert (2, 2) == size_of(a_png(PALETTED, ROWS, *more) + b"x" * 64, MOST)


def test_no_more_is_unpacked_than_the_header_promises() -> None:
    """A gigabyte of zeroes behind four pixels is never made; of too large a picture nothing is."""
    bomb = a_png(rows=ROWS + b"\0" * 50_000_000)
    assert (2, 2) == size_of(bomb, MOST)
    large = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    assert (60_000, 60_000) == size_of(a_png(large), MOST)


@pytest.mark.parametrize("interlace", [b"\0", b"\1"])
def test_of_a_picture_that_is_all_rows_nothing_is_unpacked(interlace: bytes) -> None:
    """A few thousand bytes would be sixteen million rows, each of which costs time."""
    tall = struct.pack(">IIBBBB", 1, 16_000_000, 1, 0, 0, 0) + interlace
    within = PngLimits(side_max=8_192, pixels_max=16_777_216, trailing_max=0)
    assert (1, 16_000_000) == size_of(a_png(tall, b"no row of it"), within)
