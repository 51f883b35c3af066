"""A form that brings a file, taken apart (RFC 7578, as browsers write it). Pure.

Flows in: the content type and the whole body, which is bounded before. Flows out: its fields, and
the one file. What is written otherwise than browsers do is refused, never guessed at.
"""

import re
from collections.abc import Mapping

HEAD_BYTES_MAX = 1_024
"""Of what stands before a field."""
VALUE_BYTES_MAX = 4_096
"""Of a field that is no file."""
_KIND = re.compile(r"multipart/form-data;\s*boundary=(\"?)([!#-~]{1,70})\1", re.IGNORECASE)
_DISPOSITION = re.compile(
    r"content-disposition:\s*form-data;\s*name=\"([^\"\r\n]{1,64})\"(;\s*filename=.*)?",
    re.IGNORECASE,
)


class NoForm(ValueError):
    """It is no form as browsers write it."""


def parts_of(kind: str, body: bytes, *, fields_max: int) -> tuple[Mapping[str, str], bytes]:
    """Return the fields, and the content of the file; empty if none was chosen. Raises NoForm."""
    found = _KIND.fullmatch(kind.strip())
    if found is None:
        raise NoForm("a form with a file is sent as multipart/form-data")
    mark = b"\r\n--" + found[2].encode("ascii")
    before, *parts = (b"\r\n" + body).split(mark, fields_max + 1)
    if before or not parts or parts.pop().rstrip(b"\r\n") != b"--":
        raise NoForm("the form did not come whole, or has too many fields")
    fields: dict[str, str] = {}
    files: list[bytes] = []
    for part in parts:
        name, is_file, content = _part(part)
        if name in fields or (is_file and files):
            raise NoForm("a field comes twice")
        if is_file:
            files.append(content)
        elif len(content) > VALUE_BYTES_MAX:
            raise NoForm(f"a field has more than {VALUE_BYTES_MAX} bytes")
        else:
            fields[name] = content.decode("utf-8")
    return fields, files[0] if files else b""


def _part(part: bytes) -> tuple[str, bool, bytes]:
    """Return a part's name, whether it is a file, and its content."""
    end = part.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX)
    if not part.startswith(b"\r\n") or end < 0:
        raise NoForm("a field cannot be read")
    for line in part[2:end].decode("utf-8").split("\r\n"):
        if (found := _DISPOSITION.fullmatch(line)) is not None:
            return found[1], found[2] is not None, part[end + 4 :]
    raise NoForm("a field has no name")
