"""What a file is stands in its bytes."""

import hashlib

import pytest

from gateway.screens.pictures import SIZE_MAX, NotShowable, found_in
from tests.gateway.screens.showable import picture

SOF = b"\xff\xc0\x00\x0b\x08\x00\x14\x00\x1e\x01\x01\x11\x00"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("JPEG", progressive=True), "image/jpeg"),
        (picture("WEBP"), "image/webp"),
        (picture("WEBP", lossless=True), "image/webp"),
        (picture("WEBP", exif=b"Exif\0\0MM"), "image/webp"),
        (picture("JPEG", exif=b"Exif\0\0MM") + b"\0" * 16, "image/jpeg"),
    ],
)
def test_a_picture_is_known(content: bytes, media_type: str) -> None:
    """Its kind, its size, its hash."""
    found = found_in(content)
    assert (media_type, 30, 20, len(content), hashlib.sha256(content).hexdigest()) == (
        found.media_type,
        found.width,
        found.height,
        found.size,
        found.sha256,
    )


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_what_is_cut_off_is_refused_and_nothing_breaks(form: str) -> None:
    """At whatever byte."""
    whole = picture(form)
    for length in range(len(whole) - 4):
        with pytest.raises(NotShowable):
            found_in(whole[:length])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "0 bytes"),
        (b"x" * (SIZE_MAX + 1), "can be shown"),
        (b"<svg onload='x'/>", "no PNG, JPEG or WebP"),
        (picture("GIF"), "no PNG, JPEG or WebP"),
        (picture("PNG", 8_193, 1), "at most 8192"),
        (picture("PNG", 4_097, 4_096), "16777216 in all"),
        (picture("JPEG") + b"x" * 65, "behind its end"),
        (picture("WEBP") + b"x" * 65, "behind its end"),
        (picture("PNG") + b"x" * 65, "behind its end"),
        (b"RIFF\x04\0\0\0WEBP", "nobody knows"),
        (
            picture("WEBP", exif=b"Exif\0\0MM").replace(b"\x1d\0\0\x13", b"\x05\0\0\x13"),
            "two sizes",
        ),
        (picture("WEBP").replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b"), "damaged"),
        (b"\xff\xd8" + SOF + b"\xff\xd9", "without a picture"),
        (b"\xff\xd8" + SOF + SOF + b"\xff\xd9", "says twice"),
        (b"\xff\xd8\x00\x00\xff\xd9", "no sound JPEG"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x04ab" + b"\xff\xff\xd9", "how large"),
    ],
)
def test_what_cannot_be_shown_is_refused(content: bytes, why: str) -> None:
    """With a sentence."""
    with pytest.raises(NotShowable, match=why):
        found_in(content)
