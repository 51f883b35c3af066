"""Where a page of a list begins: ``<milliseconds>:<key>`` of the last row of the page before.
Nobody but the read side reads it.
"""


class InvalidPosition(ValueError):
    """The position of a page was not given out by this program. Start again without one."""


def position(at_ms: int, key: str) -> str:
    """Return the position behind a row."""
    return f"{at_ms}:{key}"


def parse(text: str) -> tuple[int, str]:
    """Return the time and the key that a position names; raises InvalidPosition."""
    at_ms, separator, key = text.partition(":")
    # No time of ours has more digits than 64 bits hold; a longer one would be an error of the
    # database's.
    if not (separator and at_ms.isascii() and at_ms.isdecimal() and len(at_ms) <= 18):
        raise InvalidPosition("The page token is none of ours: start again without one.")
    return int(at_ms), key


def number(text: str) -> int:
    """Return the number that a position of a counted list is; raises InvalidPosition."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidPosition("The page token is none of ours: start again without one.")
    return int(text)
