"""What a newer firmware says that this backend does not know: fields without a name here, and
numbers of enums without a name.

Flows in: a message that was parsed. Flows out: a remark for each such thing, for people. Nothing is
refused for it: what is known of the message counts, and what is not known is told.
"""

from collections.abc import Iterator
from itertools import islice

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from gateway.machines.shapes import Shape, shape_of

REMARKS_MAX = 8
"""Of one frame. What comes behind them is not told: a frame has room for thousands."""
PATH_MAX = 120
PAYLOADS_FROM = 10
"""Fields of ConnectRequest from here on are payloads."""


def remarks(message: Message) -> tuple[str, ...]:
    """Return what is not known of the message and of all that it holds, in short sentences."""
    if _is_known(message, shape_of(type(message))):
        return ()  # Nearly always, at a tenth of what looking for it by name costs.
    return tuple(islice(_within(message, ""), REMARKS_MAX))


def payload_number(message: Message) -> int | None:
    """Return the number of a payload that only a newer backend knows; None if there is none."""
    return next((number for number in _unknown(message) if number >= PAYLOADS_FROM), None)


def _is_known(message: Message, shape: Shape) -> bool:
    if len(UnknownFieldSet(message)):
        return False
    for name, numbers in shape.enums:
        if getattr(message, name) not in numbers:
            return False
    for name, held in shape.held:
        if not _is_known(getattr(message, name), held):
            return False
    for name, may_be in shape.chosen:
        chosen = message.WhichOneof(name)
        if chosen in may_be and not _is_known(getattr(message, chosen), may_be[chosen]):
            return False
    for name, _, entry in shape.lists:
        if not all(_is_known(each, entry) for each in getattr(message, name)):
            return False
    return True


def _unknown(message: Message) -> Iterator[int]:
    fields = UnknownFieldSet(message)
    return (fields[index].field_number for index in range(len(fields)))


def _within(message: Message, path: str) -> Iterator[str]:
    for number in _unknown(message):
        where = path.rstrip(".") or message.DESCRIPTOR.name
        yield f"{where[:PATH_MAX]}: field {number} is not known here"
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        if field.enum_type is not None:
            if value not in field.enum_type.values_by_number:
                yield f"{name[:PATH_MAX]}: number {value} is not known here"
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if isinstance(value, Message):
                yield from _within(value, f"{name}.")
            else:
                for index, each in enumerate(value):
                    yield from _within(each, f"{name}[{index}].")
