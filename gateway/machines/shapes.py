"""Which fields of each message of the machines' protocol are looked at one by one: texts, which
have a bound, enums, of which a newer firmware may know more, and the messages that it holds.

Flows in: a message's class. Flows out: its ``Shape``, made once for each class. Asked of a message
itself, frame by frame, protobuf makes a new object for each of its fields and of their
descriptors, which cost more than all else in the reading of a frame (docs/performance.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Of one kind of message. Fields stand by their names, and with ``Message.field`` where that is
    what their bounds go by.
    """

    texts: tuple[tuple[str, str], ...]
    enums: tuple[tuple[str, frozenset[int]], ...]
    """With the numbers that are known here."""
    held: tuple[tuple[str, "Shape"], ...]
    """One message each; of those that are not there protobuf shows an empty one."""
    chosen: tuple[tuple[str, Mapping[str, "Shape"]], ...]
    """At most one of several messages: the name of the choice, and what may be chosen."""
    lists: tuple[tuple[str, str, "Shape"], ...]
    """Messages of one kind."""


_SHAPES: dict[type[Message], Shape] = {}
"""Of the classes that were asked for; there are as many as the protocol has messages."""


def shape_of(kind: type[Message]) -> Shape:
    """Return the shape of a message's class. Raises TypeError if it holds a list of anything else
    than messages, of which nobody has thought here.
    """
    shape = _SHAPES.get(kind)
    if shape is None:
        shape = _SHAPES[kind] = _made(kind)
    return shape


def _made(kind: type[Message]) -> Shape:
    texts: list[tuple[str, str]] = []
    enums: list[tuple[str, frozenset[int]]] = []
    held: list[tuple[str, Shape]] = []
    lists: list[tuple[str, str, Shape]] = []
    for field in kind.DESCRIPTOR.fields:
        path = f"{kind.DESCRIPTOR.name}.{field.name}"
        if field.message_type is not None:
            shape = _of_field(field)
            if field.is_repeated:
                lists.append((field.name, path, shape))
            elif not _is_one_of_several(field):
                held.append((field.name, shape))
        elif field.is_repeated:
            raise TypeError(f"{path} is a list of no messages")
        elif field.enum_type is not None:
            enums.append((field.name, frozenset(field.enum_type.values_by_number)))
        elif field.type == FieldDescriptor.TYPE_STRING:
            texts.append((field.name, path))
    return Shape(
        texts=tuple(texts),
        enums=tuple(enums),
        held=tuple(held),
        chosen=_choices(kind),
        lists=tuple(lists),
    )


# To the type checker a field is of one of two classes, of which not all of protobuf's stubs know.


def _of_field(field: Any) -> Shape:
    return shape_of(GetMessageClass(cast("Descriptor", field.message_type)))


def _is_one_of_several(field: Any) -> bool:
    return bool(field.containing_oneof) and len(field.containing_oneof.fields) > 1


def _choices(kind: type[Message]) -> tuple[tuple[str, Mapping[str, Shape]], ...]:
    return tuple(
        (
            choice.name,
            {
                field.name: _of_field(field)
                for field in choice.fields
                if field.message_type is not None
            },
        )
        for choice in kind.DESCRIPTOR.oneofs
        if len(choice.fields) > 1
    )
