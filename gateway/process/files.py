"""The files that an operator writes: keys, certificates, secrets, the configuration.

Flows in: paths. Flows out: their text, or a sentence for each that cannot be used. Editors leave a
byte order mark, PowerShell writes UTF-16, and a comment may be in any tongue: none of that is a
reason to refuse a key. That everybody may read it is one.
"""

import codecs
import errno
import stat
from collections.abc import Sequence
from pathlib import Path

BYTES_MAX = 65_536
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TOO_OPEN = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH | stat.S_IWGRP


class Problems:
    """Collects sentences, so that an operator hears of all of them at once."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """One more thing to mend."""
        self.sentences.append(sentence)

    def secret(self, name: str, path: Path | None) -> str:
        """Return a secret: one value in ASCII, which nobody else may read. Empty, with a problem,
        if it cannot be had.
        """
        text = self.pem(name, path, private=True)
        if text.isascii():
            return text
        self.add(f"{name}: {path} holds more than plain letters, digits and signs; write it again.")
        return ""

    def pem(self, name: str, path: Path | None, *, private: bool = False) -> str:
        """Return the file's text without white space around it, whatever stands beside the PEM
        blocks; empty, with a problem, if it cannot be had. ``private``: nobody else may read it.
        """
        if path is None:
            return ""
        try:
            content = content_of(path, most=BYTES_MAX)
            mode = path.stat().st_mode
        except OSError as error:
            self.add(
                f"{name}: {path} cannot be read ({error.strerror}); give the gateway a "
                "readable file."
            )
            return ""
        if private and mode & _TOO_OPEN:
            self.add(
                f"{name}: {path} may be read or changed by others (mode {stat.S_IMODE(mode):04o}); "
                "chmod 600 it (of a Kubernetes secret: defaultMode 0440)."
            )
        text = decoded(content, otherwise="latin-1").strip()
        if not text or "\0" in text or len(content) > BYTES_MAX:
            self.add(
                f"{name}: {path} is empty, too large or not text; put the key into it as PEM "
                "or plain text."
            )
            return ""
        return text


def marks_of(files: Sequence[Path]) -> list[tuple[int, int, int]]:
    """Return what changes when a file does: which one it is, its size, and when it was last written
    or given other permissions, which may be all that was wrong with it.
    """
    marks = []
    for path in files:
        try:
            found = path.stat()
        except OSError:
            marks.append((0, 0, 0))
        else:
            marks.append((found.st_ino, found.st_size, found.st_ctime_ns))
    return marks


def content_of(path: Path, *, most: int) -> bytes:
    """Return at most one byte more than ``most`` of a file. Raises OSError, also for what is no
    file: a pipe may never say anything, and a device never end.
    """
    if not path.is_file() and path.exists():
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(most + 1)


def decoded(content: bytes, *, otherwise: str) -> str:
    """Return the text of a file: by its byte order mark, else UTF-8; what is neither is read as
    ``otherwise``, a codec or an error handler of UTF-8's. Never raises for latin-1.
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return content.decode(codec, "replace").removeprefix("\ufeff")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        if otherwise == "surrogateescape":
            return content.decode("utf-8", otherwise)
        return content.decode(otherwise)
