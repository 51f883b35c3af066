"""Pictures that machines may show."""

import io
import struct
import zlib

from PIL import Image

from gateway.screens.png import SIGNATURE


def picture(
    form: str, width: int = 30, height: int = 20, colour: str = "red", **more: object
) -> bytes:
    """A picture of a format."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, form, **more)
    return file.getvalue()


HEADER = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)
ROWS = b"\0ab\0cd"


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """One part with its checksum."""
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def a_png(header: bytes = HEADER, rows: bytes = ROWS, *more: bytes) -> bytes:
    """Two rows of two grey pixels, unless changed."""
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return SIGNATURE + chunk(b"IHDR", header) + b"".join(more) + pixels + chunk(b"IEND")
