"""A machine's code as a picture of characters, so that a phone can read it from a terminal.

Flows in: the text of a QR code. Flows out: lines of half blocks, two rows of the code in each.
"""

from collections.abc import Sequence

import segno

BORDER = 2
"""The quiet zone, in modules. Four are in the standard; phones read two, which leave a code of this
product lower than 24 lines.
"""
_BLACK_ON_WHITE, _PLAIN = "\x1b[30;107m", "\x1b[0m"
_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def half_blocks(payload: str) -> Sequence[str]:
    """Return the code as lines that are to be shown black on white. Raises ValueError if it is too
    long for a code.
    """
    code = segno.make(payload, error="m", micro=False)
    rows = [list(row) for row in code.matrix_iter(border=BORDER)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    return [
        "".join(_HALVES[upper, lower] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]


def for_terminal(payload: str) -> str:
    """Return the code with the colours that a phone needs, whatever those of the terminal are."""
    return "\n".join(f"{_BLACK_ON_WHITE}{line}{_PLAIN}" for line in half_blocks(payload))
