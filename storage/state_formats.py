"""Which format a state needs: who reads a state and does not know a field of it would save it again
without.

Flows in: a state. Flows out: the number of the oldest format that can hold it. A field that is new
is written down in ``ADDED`` with the next format. While it is as by default in a whole state, a
program of before loses nothing and goes on with that machine; as soon as it says something, the row
has the new format, and a program of before halts that machine rather than overwrite it
(docs/decisions/0026). Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

Fields = Sequence[tuple[type[msgspec.Struct], str]]

FIRST = 1
ADDED: Mapping[int, Fields] = {}
"""The fields that came with each format after the first, as kind and name."""


def needed(state: msgspec.Struct, added: Mapping[int, Fields]) -> int:
    """Return the newest format of which a field says something in this state."""
    kinds = {kind for fields in added.values() for kind, _ in fields}
    if not kinds:
        return FIRST
    parts = [part for part in _parts(state) if type(part) in kinds]
    told = [
        number
        for number, fields in added.items()
        for kind, name in fields
        if any(type(part) is kind and getattr(part, name) != _default(kind, name) for part in parts)
    ]
    return max(told, default=FIRST)


def _default(kind: type[msgspec.Struct], name: str) -> Any:
    (field,) = (one for one in msgspec.structs.fields(kind) if one.name == name)
    assert not field.required, f"{kind.__name__}.{name} came later and has no default"
    return field.default


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, msgspec.Struct):
        yield value
        for each in msgspec.structs.astuple(value):
            yield from _parts(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _parts(each)
