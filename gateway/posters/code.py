"""The text of a code as squares. Flows in: what Alipay gave. Flows out: the dark squares of a QR
code with the highest error correction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from gateway.posters.refusals import PosterRefused

QUIET = 4
"""The bright border around it, in modules (ISO/IEC 18004)."""
CODE_ID_LENGTH = 12
VERSION_MIN = 10
"""57 by 57 modules. Alipay's texts would have room in 41 by 41, of which a smaller share is data: a
fifth of that in one piece is too much at most places, and of this at none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DarkRun:
    """Dark modules side by side; counted from the code's upper left corner."""

    column: int
    row: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """A code of ``count`` by ``count`` modules, the quiet zone not counted."""

    count: int
    runs: Sequence[DarkRun]


def modules_of(payload: str) -> Modules:
    """Return the code of a text. Raises PosterRefused if the text is too long for one."""
    import segno  # with its ways to write files it takes a twentieth of the command line's start

    try:
        code = segno.make(payload, error="h", boost_error=False, micro=False)
        if int(code.version) < VERSION_MIN:
            code = segno.make(payload, error="h", boost_error=False, version=VERSION_MIN)
    except ValueError as error:
        raise PosterRefused("CODE_NOT_READY", f"its code cannot be drawn: {error}") from None
    matrix = code.matrix
    runs = []
    for number, row in enumerate(matrix):
        column = 0
        for dark, same in groupby(row):
            length = len(list(same))
            if dark:
                runs.append(DarkRun(column=column, row=number, length=length))
            column += length
    return Modules(count=len(matrix), runs=runs)


def code_id(payload: str) -> str:
    """Return what tells one code from another: on the poster, in the audit log, in answers. It is
    the beginning of the SHA-256 of the code's text, as ``sha256sum`` counts it.
    """
    return sha256(payload.encode()).hexdigest()[:CODE_ID_LENGTH]
