"""The rules that fields of the machine's frames keep. Flows in: a field's name and value. Flows
out: the value, or ``FieldWrong``.

The sentences go to firmware engineers: they say what was expected and what came.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from actors.machine.ids import MACHINE_ID_PATTERN, MACHINE_ID_WORDS, MachineId
from actors.machine.policy import AMOUNT_MINOR_MAX

NUMBER_MAX = 2**63 - 1
"""uint64 on the wire, a signed 64-bit column in SQL."""
_ID = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_MACHINE_ID = re.compile(MACHINE_ID_PATTERN)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

E = TypeVar("E", bound=StrEnum)


class FieldWrong(Exception):
    """``field`` breaks its rule; ``expected`` says which."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field = field
        self.expected = expected


def machine_id(field: str, value: str) -> MachineId:
    """Return the id of a machine."""
    if _MACHINE_ID.fullmatch(value) is None:
        raise FieldWrong(field, f"expected {MACHINE_ID_WORDS}, got {_shown(value)}")
    return MachineId(value)


def identifier(field: str, value: str, *, bytes_max: int) -> str:
    """Return an id: 1 to ``bytes_max`` letters, digits, '.', '_' or '-'."""
    if len(value) > bytes_max or _ID.fullmatch(value) is None:
        raise FieldWrong(
            field,
            f"expected 1 to {bytes_max} letters, digits, '.', '_' or '-', got {_shown(value)}",
        )
    return value


def text(field: str, value: str, *, bytes_max: int, empty: bool = True) -> str:
    """Return a text for people: at most ``bytes_max`` bytes of UTF-8 and no control characters (SQL
    and logs take none).
    """
    if not value and not empty:
        raise FieldWrong(field, f"expected 1 to {bytes_max} bytes, got nothing")
    size = len(value.encode("utf-8", "replace"))
    if size > bytes_max:
        raise FieldWrong(field, f"expected at most {bytes_max} bytes, got {size}")
    if _CONTROL.search(value) is not None:
        raise FieldWrong(field, "expected no control characters")
    return value


def number(field: str, value: int, *, least: int = 0, most: int = NUMBER_MAX) -> int:
    """Return a whole number from ``least`` to ``most``."""
    if not least <= value <= most:
        raise FieldWrong(field, f"expected {least} to {most}, got {value}")
    return value


def amount(field: str, value: int) -> int:
    """Return an amount in minor units, above zero."""
    return number(field, value, least=1, most=AMOUNT_MINOR_MAX)


def names_of(choices: Iterable[tuple[str, int]], prefix: str) -> Mapping[int, str]:
    """Return the short name of each value of one of the wire's enums; UNSPECIFIED has the empty
    name.
    """
    return {value: name.removeprefix(f"{prefix}_") if value else "" for name, value in choices}


def name_or_number(value: int, names: Mapping[int, str]) -> str:
    """Return the short name of an enum's value, empty for UNSPECIFIED. A number without a name is
    one of a newer firmware: it is kept as it is and never a reason to refuse what it stands in.
    """
    return names.get(value, str(value))


def named(value: int, names: Mapping[int, str], core: type[E], *, otherwise: E) -> E:
    """Return the core's name for an enum's value; ``otherwise`` for UNSPECIFIED and for a number
    without a name.
    """
    name = names.get(value, "")
    return core(name) if name else otherwise


def _shown(value: str) -> str:
    """A value in a sentence, cut short and with nothing in it that a log or a terminal would
    obey.
    """
    if not value:
        return "nothing"
    return ascii(value if len(value) <= 40 else value[:40] + "...")
