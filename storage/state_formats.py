"""Which format a state needs: who reads a state and does not know a field of it would save it again
without.

Flows in: a state. Flows out: the number of the oldest format that can hold it. A field that is new
is written down in ``ADDED`` with the next format. While it is as by default in a whole state, a
program of before loses nothing and goes on with that machine; as soon as it says something, the row
has the new format, and a program of before halts that machine rather than overwrite it
(docs/decisions/0026). Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from actors.machine.state import Session, Vend

Fields = Sequence[tuple[type[msgspec.Struct], str]]
Kinds = frozenset[type[msgspec.Struct]]

FIRST = 1
ADDED: Mapping[int, Fields] = {
    2: ((Session, "offers"), (Vend, "discount_minor"), (Vend, "offer")),
}
"""The fields that came with each format after the first, as kind and name."""


def needed(state: msgspec.Struct, added: Mapping[int, Fields]) -> int:
    """Return the newest format of which a field says something in this state. Every COMMIT asks for
    each of its states: only what may hold such a field is looked at.
    """
    kinds = frozenset(kind for fields in added.values() for kind, _ in fields)
    if not kinds:
        return FIRST
    parts = list(_parts(state, kinds))
    told = [
        number
        for number, fields in added.items()
        for kind, name in fields
        if _is_told(parts, kind, name)
    ]
    return max(told, default=FIRST)


def _is_told(parts: Sequence[msgspec.Struct], kind: type[msgspec.Struct], name: str) -> bool:
    default = _default(kind, name)
    return any(type(part) is kind and getattr(part, name) != default for part in parts)


@cache
def _default(kind: type[msgspec.Struct], name: str) -> Any:
    (field,) = (one for one in msgspec.structs.fields(kind) if one.name == name)
    assert not field.required, f"{kind.__name__}.{name} came later and has no default"
    return field.default


def _parts(value: Any, kinds: Kinds) -> Iterator[msgspec.Struct]:
    if isinstance(value, msgspec.Struct):
        if type(value) in kinds:
            yield value
        for name in _ways(type(value), kinds):
            yield from _parts(getattr(value, name), kinds)
    elif isinstance(value, tuple):
        for each in value:
            yield from _parts(each, kinds)


@cache
def _ways(kind: type[msgspec.Struct], kinds: Kinds) -> tuple[str, ...]:
    """Return the fields that may hold one of these kinds, at any depth."""
    told = msgspec.inspect.type_info(kind)
    assert isinstance(told, msgspec.inspect.StructType)
    return tuple(field.name for field in told.fields if _leads(field.type, kinds))


def _leads(told: msgspec.inspect.Type, kinds: Kinds) -> bool:
    match told:
        case msgspec.inspect.StructType(cls=cls):
            return cls in kinds or bool(_ways(cls, kinds))
        case msgspec.inspect.UnionType(types=types) | msgspec.inspect.TupleType(item_types=types):
            return any(_leads(one, kinds) for one in types)
        case msgspec.inspect.VarTupleType(item_type=one):
            return _leads(one, kinds)
    return False
