"""Names that people take for one another: they differ only by upper and lower case, or by letters
that look like digits.

Flows in: names that are new. Flows out: which of those that are there each could be taken for. Pure
but for the query, which looks for each way to write a name along the index; where there are too
many ways it goes through all names of the table.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from sqlalchemy import Column, ColumnElement, Select, func, or_, select

from storage.tables import machine_import_lines, machine_imports

_LOOKS_LIKE = {"O": "0", "I": "1", "l": "1"}
_LOOKS = str.maketrans(_LOOKS_LIKE)
_SAME_LOOK = {letter: look for look in ("O0", "I1l") for letter in look}
WAYS_MAX = 10_000
"""So many ways to write names are looked for one by one."""


def _forms(name: str) -> tuple[str, str]:
    """Return what two names have in common that people take for one another: one of the two."""
    return name.lower(), name.translate(_LOOKS)


def among(names: Iterable[str]) -> Mapping[str, str]:
    """Return for each of the names another one of them that it could be taken for, if one is."""
    having: dict[tuple[int, str], list[str]] = {}
    for name in dict.fromkeys(names):
        for place, form in enumerate(_forms(name)):
            having.setdefault((place, form), []).append(name)
    return {
        name: same[0] if same[0] != name else same[1]
        for same in having.values()
        if len(same) > 1
        for name in same
    }


def named(key: Column[str], names: Sequence[str]) -> Select[str]:
    """Return the query for all that a name could be taken for, and for the names themselves."""
    choices = [each for name in names for each in _choices(name)]
    if sum(math.prod(map(len, one)) for one in choices) <= WAYS_MAX:
        ways = {"".join(way) for one in choices for way in product(*one)}
        return select(key).where(key.in_(sorted(ways)))
    looks: ColumnElement[str] = key
    for letter, digit in _LOOKS_LIKE.items():
        looks = func.replace(looks, letter, digit)
    forms = [_forms(name) for name in names]
    return select(key).where(
        or_(
            func.lower(key).in_([case for case, _ in forms]),
            looks.in_([look for _, look in forms]),
        )
    )


def coming(names: Sequence[str]) -> Select[str]:
    """Return the query for machines of the import that runs, of which a name could be taken for
    one: they are not registered yet. One runs at a time, and has ten thousand lines at most.
    """
    line, of = machine_import_lines.c, machine_imports.c
    return (
        named(line.machine_id, names)
        .join(machine_imports, of.import_id == line.import_id)
        .where(line.state == "WAITING", of.kind == "MACHINES", of.state == "RUNNING")
    )


def _choices(name: str) -> tuple[list[str], list[str]]:
    """Return what each place of the name may hold: by upper and lower case, and by its look."""
    by_case = ["".join({letter.lower(), letter.upper()}) for letter in name]
    return by_case, [_SAME_LOOK.get(letter, letter) for letter in name]
