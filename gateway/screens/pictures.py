"""What a file is that somebody wants machines to show. Pure.

Flows in: bytes. Flows out: what they are, found in the bytes themselves and not in a name, or a
sentence that says why they cannot be shown. A picture that is cut off or damaged is refused here,
not on a thousand screens: of a PNG every pixel is unpacked, of the others every part is found.
"""

import hashlib
import struct

from gateway.screens import png
from storage.office.assets import AssetContent

SIZE_MAX = 3 * 1_048_576
"""One call carries it; a screen of 1080 x 1920 needs less."""
SIDE_MAX = 8_192
"""Pixels in a row, or rows."""
PIXELS_MAX = 16_777_216
"""A machine's browser holds four bytes of each."""
TRAILING_MAX = 64
"""So many bytes behind the end of a picture are let be: some programs write a few."""
_PNG = png.PngLimits(side_max=SIDE_MAX, pixels_max=PIXELS_MAX, trailing_max=TRAILING_MAX)
_SOF = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SOS, _EOI, _DQT = 0xDA, 0xD9, 0xDB
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Marks without a body."""


class NotShowable(Exception):
    """The file is nothing that a screen shows; the sentence says why."""


def found_in(content: bytes) -> AssetContent:
    """Return what is in a file. Raises NotShowable. A large picture takes a second: ask beside the
    loop.
    """
    if not 0 < len(content) <= SIZE_MAX:
        raise NotShowable(f"has {len(content)} bytes: 1 to {SIZE_MAX} can be shown")
    try:
        media_type, width, height = _kind(content)
    except (struct.error, IndexError):
        raise NotShowable("is cut off") from None
    except png.PngBroken as error:
        raise NotShowable(str(error)) from None
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX and width * height <= PIXELS_MAX):
        raise NotShowable(
            f"is {width} x {height} pixels: at most {SIDE_MAX} wide and high, and {PIXELS_MAX} in "
            "all, are shown"
        )
    return AssetContent(
        sha256=hashlib.sha256(content).hexdigest(),
        media_type=media_type,
        size=len(content),
        width=width,
        height=height,
    )


def _kind(content: bytes) -> tuple[str, int, int]:
    if content.startswith(png.SIGNATURE):
        return ("image/png", *png.size_of(content, _PNG))
    if content.startswith(b"\xff\xd8"):
        return ("image/jpeg", *_jpeg(content))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ("image/webp", *_webp(content))
    raise NotShowable("is no PNG, JPEG or WebP, which are the kinds that are shown")


def _jpeg(content: bytes) -> tuple[int, int]:
    """Go along all parts to the end of the picture."""
    at, size, seen = 2, (0, 0), set[int]()
    while at < len(content):
        if content[at] != 0xFF:
            raise NotShowable("is no sound JPEG")
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        at += 2
        if marker == _EOI:
            return _whole_jpeg(size, seen, len(content) - at)
        if marker in _ALONE:
            continue
        (length,) = struct.unpack(">H", content[at : at + 2])
        if length < 2 or at + length > len(content):
            raise NotShowable("is a JPEG that is cut off")
        if marker in _SOF:
            if size[0]:
                raise NotShowable("is a JPEG that says twice how large it is")
            height, width = struct.unpack(">HH", content[at + 3 : at + 7])
            size = width, height
        seen.add(marker)
        at += length
        if marker == _SOS:
            at = _behind_scan(content, at)
    raise NotShowable("is a JPEG that is cut off")


def _behind_scan(content: bytes, at: int) -> int:
    """Return where the next part begins: a zero behind 255 is data, and so is a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise NotShowable("is a JPEG that is cut off")
        if content[at + 1] != 0 and content[at + 1] not in _ALONE:
            return at
        at += 2


def _whole_jpeg(size: tuple[int, int], seen: set[int], trailing: int) -> tuple[int, int]:
    if not size[0]:
        raise NotShowable("is a JPEG that does not say how large it is")
    if not {_SOS, _DQT} <= seen:
        raise NotShowable("is a JPEG without a picture")
    if trailing > TRAILING_MAX:
        raise NotShowable(f"is a JPEG with {trailing} bytes behind its end")
    return size


def _webp(content: bytes) -> tuple[int, int]:
    whole = struct.unpack("<I", content[4:8])[0] + 8
    if whole > len(content):
        raise NotShowable("is a WebP that is cut off")
    if whole < len(content) - TRAILING_MAX:
        raise NotShowable("is a WebP with something behind its end")
    at, size, has_picture = 12, (0, 0), False
    while at + 8 <= whole:
        kind, (length,) = content[at : at + 4], struct.unpack("<I", content[at + 4 : at + 8])
        if at + 8 + length > whole:
            raise NotShowable("is a WebP that is cut off")
        body = content[at + 8 : at + 8 + length]
        has_picture |= kind in {b"VP8 ", b"VP8L", b"ANMF"}
        told = _webp_size(kind, body)
        if size[0] and told[0] and told != size:
            raise NotShowable("is a WebP that says two sizes")
        size = size if size[0] else told
        at += 8 + length + length % 2
    if not size[0] or not has_picture:
        raise NotShowable("is a WebP of a kind that nobody knows")
    return size


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Return how large a part says that the picture is; zeroes if it does not say."""
    if kind == b"VP8X":
        width = int.from_bytes(body[4:7], "little") + 1
        return width, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        mark, bits = struct.unpack("<BI", body[:5])
        if mark != 0x2F:
            raise NotShowable("is a WebP that is damaged")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        if body[3:6] != b"\x9d\x01\x2a":
            raise NotShowable("is a WebP that is damaged")
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0
