"""Whether a PNG can be drawn: every chunk with its checksum, and every row of its pixels. Pure.

Flows in: bytes. Flows out: width and height, or a sentence that says what is wrong. The pixels are
unpacked piece by piece and thrown away: as many as the header promises, never more.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PALETTE = 3
_COLOURS_MAX = 256
_KNOWN = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
"""Of the parts without which a picture is not drawn; their names begin with a capital letter."""
_FILTER_MAX = 4
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)),
    (0, 1, 1, 2),
)
"""Of an interlaced picture: first column, first row, and how far the next ones are."""
_PIECE = 262_144


class PngBroken(Exception):
    """It cannot be drawn; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PngLimits:
    """Of a picture that is larger than this nothing is unpacked: each row costs time, and so does
    each pixel. ``trailing_max``: so many bytes behind its end are let be.
    """

    side_max: int
    pixels_max: int
    trailing_max: int


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    bits: int
    kind: int
    interlaced: bool


def size_of(content: bytes, limits: PngLimits) -> tuple[int, int]:
    """Return width and height of a PNG that is sound from its first byte to its last, or is larger
    than the limits: whoever asked refuses that one. Raises PngBroken.
    """
    chunks = list(_chunks(content, limits.trailing_max))
    if not chunks or chunks[0][0] != b"IHDR":
        raise PngBroken("is a PNG without a header")
    if chunks[-1][0] != b"IEND":
        raise PngBroken("is a PNG that is cut off")
    header = _header(chunks[0][1])
    _drawable(chunks, header)
    if (
        max(header.width, header.height) > limits.side_max
        or header.width * header.height > limits.pixels_max
    ):
        return header.width, header.height
    pixels = b"".join(body for kind, body in chunks if kind == b"IDAT")
    _unpacked(pixels, header)
    return header.width, header.height


def _drawable(chunks: Sequence[tuple[bytes, bytes]], header: _Header) -> None:
    """Refuse what every browser refuses. Raises PngBroken."""
    palettes = [body for kind, body in chunks if kind == b"PLTE"]
    if header.kind == _PALETTE and not palettes:
        raise PngBroken("is a PNG without the palette that it needs")
    if any(not body or len(body) % 3 or len(body) > 3 * _COLOURS_MAX for body in palettes):
        raise PngBroken("is a PNG whose palette is damaged")
    kinds = [kind for kind, _ in chunks]
    if kinds.count(b"IHDR") > 1:
        raise PngBroken("is a PNG with two headers")
    for kind in kinds:
        if kind[:1].isupper() and kind not in _KNOWN:
            raise PngBroken(f"is a PNG with a part {kind!r}, which nobody knows")


def _chunks(content: bytes, trailing_max: int) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(content):
        head = content[at : at + 8]
        if len(head) < 8:
            raise PngBroken("is a PNG that is cut off")
        (length,) = struct.unpack(">I", head[:4])
        kind, body = head[4:], content[at + 8 : at + 8 + length]
        told = content[at + 8 + length : at + 12 + length]
        if len(body) < length or len(told) < 4:
            raise PngBroken("is a PNG that is cut off")
        if zlib.crc32(kind + body) != int.from_bytes(told, "big"):
            raise PngBroken(f"is a PNG whose part {kind!r} is damaged")
        yield kind, body
        at += 12 + length
        if kind == b"IEND":
            if (trailing := len(content) - at) > trailing_max:
                raise PngBroken(f"is a PNG with {trailing} bytes behind its end")
            return


def _header(body: bytes) -> _Header:
    if len(body) != 13:
        raise PngBroken("is a PNG without a header")
    width, height, depth, kind, packing, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if depth not in _DEPTHS.get(kind, ()) or packing or filtering or interlace > 1:
        raise PngBroken("is a PNG of a kind that nobody knows")
    return _Header(width, height, depth * _CHANNELS[kind], kind, bool(interlace))


def _unpacked(pixels: bytes, header: _Header) -> None:
    """Unpack the pixels and look at the filter of each row. Raises PngBroken."""
    unpack = zlib.decompressobj()
    rows = _rows(header)
    wanted = next(rows, 0)
    left, rest = wanted, pixels
    try:
        while wanted:
            piece = unpack.decompress(rest, _PIECE)
            rest = unpack.unconsumed_tail
            if not piece:
                raise PngBroken("is a PNG whose pixels end too soon")
            at = 0
            while at < len(piece) and wanted:
                if left == wanted and piece[at] > _FILTER_MAX:
                    raise PngBroken("is a PNG whose pixels are damaged")
                taken = min(left, len(piece) - at)
                at, left = at + taken, left - taken
                if not left:
                    wanted = left = next(rows, 0)
    except zlib.error:
        raise PngBroken("is a PNG whose pixels are damaged") from None


def _rows(header: _Header) -> Iterator[int]:
    """Yield how many bytes each row has, with its filter."""
    passes = _PASSES if header.interlaced else ((0, 0, 1, 1),)
    for first_column, first_row, columns, rows in passes:
        wide = -(-(header.width - first_column) // columns) if header.width > first_column else 0
        high = -(-(header.height - first_row) // rows) if header.height > first_row else 0
        if wide:
            for _ in range(high):
                yield 1 + -(-wide * header.bits // 8)
