"""Which format a state needs: who reads a state and does not know a field of it would save it again
without.

Flows in: a state. Flows out: the number of the oldest format that can hold it. A field that is new
is written down in ``ADDED`` with the next format. While it is as by default in a whole state, a
program of before loses nothing and goes on with that machine; as soon as it says something, the row
has the new format, and a program of before halts that machine rather than overwrite it
(docs/decisions/0026). Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind that matters: its ``fields`` that came later, each with its format and its default;
    ``told`` takes them all of a value, ``silent`` is what it takes where nothing new is said.
    ``ways``: the fields that may lead to such fields.
    """

    fields: Sequence[tuple[int, str, Any]]
    told: Callable[[Any], Any]
    silent: Any
    ways: Sequence[str]


Plan = Mapping[type, _Kind]


def needed(state: msgspec.Struct, added: Mapping[int, Fields]) -> int:
    """Return the newest format of which a field says something in this state. Every COMMIT asks for
    each of its states: only what may hold such a field is looked at.
    """
    if not added:
        return FIRST
    return _newest(state, _plan(type(state), tuple(added.items())))


def _newest(value: msgspec.Struct, plan: Plan) -> int:
    kind = plan[type(value)]
    newest = FIRST
    if kind.fields and kind.told(value) != kind.silent:
        newest = max(
            number for number, name, default in kind.fields if getattr(value, name) != default
        )
    for name in kind.ways:
        part = getattr(value, name)
        if part:  # most often there is none
            for each in part if type(part) is tuple else (part,):
                found = plan.get(type(each))
                # Of what there are many, most lead nowhere and say nothing new.
                if found is not None and (found.ways or found.told(each) != found.silent):
                    newest = max(newest, _newest(each, plan))
    return newest


@cache
def _plan(kind: type[msgspec.Struct], added: Sequence[tuple[int, Fields]]) -> Plan:
    kinds = frozenset(one for _, fields in added for one, _ in fields)
    plan: dict[type, _Kind] = {}
    rest = [kind]
    while rest:
        one = rest.pop()
        ways = _ways(one, kinds)
        if one in plan or not (ways or one in kinds or one is kind):
            continue
        fields = [
            (number, name, _default(one, name))
            for number, some in added
            for owner, name in some
            if owner is one
        ]
        silent = tuple(default for _, _, default in fields)
        plan[one] = _Kind(
            fields=fields,
            told=attrgetter(*(name for _, name, _ in fields)) if fields else lambda _: None,
            silent=(silent[0] if len(silent) == 1 else silent) if fields else None,
            ways=ways,
        )
        for name in ways:
            told = next(field for field in msgspec.structs.fields(one) if field.name == name)
            rest += _kinds_in(msgspec.inspect.type_info(told.type))
    return plan


def _kinds_in(told: msgspec.inspect.Type) -> list[type[msgspec.Struct]]:
    """Return the kinds of which values of a type may be, or may hold in a tuple."""
    match told:
        case msgspec.inspect.StructType(cls=cls):
            return [cls]
        case msgspec.inspect.UnionType(types=types) | msgspec.inspect.TupleType(item_types=types):
            return [kind for one in types for kind in _kinds_in(one)]
        case msgspec.inspect.VarTupleType(item_type=one):
            return _kinds_in(one)
    return []


@cache
def _default(kind: type[msgspec.Struct], name: str) -> Any:
    (field,) = (one for one in msgspec.structs.fields(kind) if one.name == name)
    assert not field.required, f"{kind.__name__}.{name} came later and has no default"
    return field.default


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
