"""Pictures for the demo's screens, made without a library and without anybody's artwork."""

import struct
import zlib

WIDTH, HEIGHT = 270, 480

Colour = tuple[int, int, int]


def gradient(top: Colour, bottom: Colour) -> bytes:
    """Return a PNG that goes from one colour to another."""
    rows = bytearray()
    for y in range(HEIGHT):
        colour = bytes(
            one + (other - one) * y // (HEIGHT - 1) for one, other in zip(top, bottom, strict=True)
        )
        rows += b"\0" + colour * WIDTH
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, content)
        for kind, content in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(bytes(rows), 9)),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
