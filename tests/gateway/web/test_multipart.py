"""A form with a file is what browsers write, whatever stands in the file."""

import pytest

from gateway.web.multipart import HEAD_BYTES_MAX, VALUE_BYTES_MAX, NoForm, parts_of

KIND = "multipart/form-data; boundary=----b7"
FILE = b"\x89PNG\r\n\x1a\n\r\n\r\n--b7 ------b8\x00\xff"


def _part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'------b7\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = b"------b7--\r\n"
PICTURE = _part("content", FILE, '; filename="a \xe9.png"\r\nContent-Type: image/png')


def test_fields_and_a_file_are_told_apart() -> None:
    """The file is there to its last byte, with lines and marks in it that look like a form's."""
    body = _part("name", "Sommer 中".encode()) + PICTURE + _part("back", b"") + END
    for kind in (KIND, 'Multipart/Form-Data;boundary="----b7"'):
        assert ({"name": "Sommer 中", "back": ""}, FILE) == parts_of(kind, body, fields_max=3)


def test_a_file_that_was_not_chosen_is_empty() -> None:
    """As browsers send it, and also if it is not there at all."""
    none = _part("content", b"", '; filename=""\r\nContent-Type: application/octet-stream')
    assert ({}, b"") == parts_of(KIND, none + END, fields_max=1)
    assert ({"a": "b"}, b"") == parts_of(KIND, _part("a", b"b") + END, fields_max=1)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", PICTURE + END),
        ("multipart/form-data", PICTURE + END),
        ("multipart/form-data; boundary=" + "b" * 71, b""),
        (KIND, b""),
        (KIND, PICTURE),
        (KIND, PICTURE + b"------b7"),
        (KIND, b"before\r\n" + PICTURE + END),
        (KIND, PICTURE + END + b"behind"),
        (KIND, PICTURE + PICTURE + END),
        (KIND, _part("a", b"1") + _part("a", b"2") + END),
        (KIND, b"".join(_part(f"n{n}", b"") for n in range(5)) + END),
        (KIND, _part("a", b"x" * (VALUE_BYTES_MAX + 1)) + END),
        (KIND, _part("a", b"", "x" * HEAD_BYTES_MAX) + END),
        (KIND, b"------b7\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END),
        (KIND, b'------b7 \r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' + END),
        (KIND, _part("a\r\nb", b"x") + END),
    ],
)
def test_what_is_written_otherwise_is_refused(kind: str, body: bytes) -> None:
    """Not guessed at."""
    with pytest.raises(NoForm):
        parts_of(kind, body, fields_max=4)


def test_a_text_that_is_none_is_refused() -> None:
    """Also as the name of a file."""
    for part in (_part("a", b"\xff"), _part("a", b"x").replace(b'"a"', b'"\xff"')):
        with pytest.raises(ValueError, match="utf-8"):
            parts_of(KIND, part + END, fields_max=4)
