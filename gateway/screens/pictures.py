"""What a file is that somebody wants machines to show. Pure.

Flows in: bytes. Flows out: what they are, found in the bytes themselves and not in a name, or a
sentence that says why they cannot be shown. A picture that is cut off is refused here, not on a
thousand screens.
"""

import hashlib
import struct

from storage.office.assets import AssetContent

SIZE_MAX = 3 * 1_048_576
"""One call carries it; a screen of 1080 x 1920 needs less."""
PIXELS_MAX = 8_192
"""Wide, or high."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


class NotShowable(Exception):
    """The file is nothing that a screen shows; the sentence says why."""


def found_in(content: bytes) -> AssetContent:
    """Return what is in a file. Raises NotShowable."""
    if not 0 < len(content) <= SIZE_MAX:
        raise NotShowable(f"has {len(content)} bytes: 1 to {SIZE_MAX} can be shown")
    try:
        media_type, width, height = _kind(content)
    except (struct.error, IndexError):
        raise NotShowable("is cut off") from None
    if not (0 < width <= PIXELS_MAX and 0 < height <= PIXELS_MAX):
        raise NotShowable(f"is {width} x {height} pixels: at most {PIXELS_MAX} are shown")
    return AssetContent(
        sha256=hashlib.sha256(content).hexdigest(),
        media_type=media_type,
        size=len(content),
        width=width,
        height=height,
    )


def _kind(content: bytes) -> tuple[str, int, int]:
    if content.startswith(_PNG):
        if content[12:16] != b"IHDR" or content[-8:-4] != b"IEND":
            raise NotShowable("is a PNG that is cut off")
        width, height = struct.unpack(">II", content[16:24])
        return "image/png", width, height
    if content.startswith(b"\xff\xd8"):
        if b"\xff\xd9" not in content[-64:]:
            raise NotShowable("is a JPEG that is cut off")
        return ("image/jpeg", *_jpeg(content))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        if struct.unpack("<I", content[4:8])[0] + 8 > len(content):
            raise NotShowable("is a WebP that is cut off")
        return ("image/webp", *_webp(content))
    raise NotShowable("is no PNG, JPEG or WebP, which are the kinds that are shown")


def _jpeg(content: bytes) -> tuple[int, int]:
    at = 2
    while at < len(content):
        if content[at] != 0xFF:
            raise NotShowable("is no sound JPEG")
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack(">H", content[at + 2 : at + 4])
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + max(2, length)
    raise NotShowable("is a JPEG that does not say how large it is")


def _webp(content: bytes) -> tuple[int, int]:
    form = content[12:16]
    if form == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        return width, int.from_bytes(content[27:30], "little") + 1
    if form == b"VP8L":
        (bits,) = struct.unpack("<I", content[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", content[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise NotShowable("is a WebP of a kind that nobody knows")
