"""The messages of a link as one block of bytes: all of a batch that crosses Ray.

Flows in: a batch for a host, or a delivery for a gateway. Flows out: msgpack; a value that may be
of several kinds stands behind the name of its kind. A block costs a seventh of the same values in
pickle (docs/performance.md). Whoever changes what it holds raises ``VERSION``.

While a new program replaces an old one its hosts come first (docs/decisions/0026): they read the
blocks of the gateways before, from version ``OLDEST`` on, and say nothing to those that they cannot
read. So what blocks hold only grows: a field at the right end, with a default; a kind of message,
which ``SINCE`` holds back from older gateways. An older host is never spoken to.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import GenericAlias
from typing import Any, Union, cast, get_args

import msgspec

from actors.link import (
    CommandDone,
    Commanded,
    Delivery,
    Figure,
    FromHost,
    FromMachine,
    LinkBroken,
    Notified,
    PartitionsMoved,
    Reload,
    StreamClosed,
    ToHost,
    ToMachine,
)
from actors.machine.effects import MachineCommand
from actors.machine.events import Event, FrameReceived, MachineFact
from actors.machine.ids import MachineId, StreamId
from actors.machine.values import replace
from actors.ports import InboxItem

VERSION = 13
"""Of the blocks' content: told with ``attach``."""
OLDEST = 10
"""The oldest version of a gateway that a host speaks with: that of the release before."""
SINCE: Mapping[type, int] = {}
"""Kinds of commands and answers that gateways know only since a version above ``OLDEST``."""

Kinds = Mapping[type, type[msgspec.Struct]]


def _behind_its_name(name: str, *fields: tuple[str, Any]) -> type[msgspec.Struct]:
    return msgspec.defstruct(name, fields, tag=name, array_like=True, frozen=True)


def _boxes(kinds: Iterable[type]) -> Kinds:
    """Return, for each kind, the struct that holds one value of it behind the kind's name."""
    return {kind: _behind_its_name(kind.__name__, ("value", kind)) for kind in kinds}


def _any_of(structs: Iterable[type[msgspec.Struct]]) -> Any:
    return Union[tuple(structs)]  # noqa: UP007 - which ones is known at run time only


_COMMANDS = _boxes(get_args(MachineCommand))
_AnyCommand = _any_of(_COMMANDS.values())
_FACTS = _boxes(get_args(MachineFact))
_Frame: Any = _behind_its_name(
    FrameReceived.__name__,
    ("stream_id", str),
    ("seq", int),
    ("fact", _any_of(_FACTS.values())),
    ("remarks", tuple[str, ...]),
)
_EVENTS = {**_boxes((*get_args(Event), Reload)), FrameReceived: _Frame}
_AnyEvent = _any_of(_EVENTS.values())

# What crosses, by the same names as the messages themselves.
_FromMachine: Any = _behind_its_name("FromMachine", ("machine_id", str), ("event", _AnyEvent))
_Notified: Any = _behind_its_name(
    "Notified",
    ("inbox_id", int),
    ("machine_id", str),
    ("event", _AnyEvent),
    ("received_at_ms", int | None),
)
_Commanded: Any = _behind_its_name(
    "Commanded", ("machine_id", str), ("command_id", str), ("event", _AnyEvent)
)
_ToMachine: Any = _behind_its_name(
    "ToMachine",
    ("machine_id", str),
    ("stream_id", str),
    ("ack", int | None),
    ("commands", GenericAlias(list, (_AnyCommand,))),
)
_ANSWERS = _boxes((StreamClosed, CommandDone, PartitionsMoved))

_AnyMessage = _any_of((_FromMachine, _Notified, _Commanded))
_AnyAnswer = _any_of((_ToMachine, *_ANSWERS.values()))

BATCH = GenericAlias(list, (_AnyMessage,))
"""What a batch is on the way."""
DELIVERY = GenericAlias(tuple, (int, GenericAlias(list, (_AnyAnswer,))))
"""What a delivery is: its number and its messages."""
FIGURES = GenericAlias(list, (Figure,))
"""What a host's figures are."""

_encode = msgspec.msgpack.Encoder().encode
_batch_decoder = msgspec.msgpack.Decoder(BATCH)
_delivery_decoder = msgspec.msgpack.Decoder(DELIVERY)
_figures_decoder = msgspec.msgpack.Decoder(list[Figure])


def pack_batch(messages: Sequence[ToHost]) -> bytes:
    """Return a batch for a host."""
    return _encode([_to_host(message) for message in messages])


def unpack_batch(block: bytes) -> list[ToHost]:
    """Return the batch of a block. Raises LinkBroken if it is none."""
    try:
        return [_batched(each) for each in _batch_decoder.decode(block)]
    except msgspec.DecodeError as error:
        raise LinkBroken(f"a batch cannot be read: {error}") from error


def pack_delivery(delivery: Delivery, *, version: int = VERSION) -> bytes:
    """Return a delivery for a gateway of a version, without what that cannot read: a command stays
    owed to its machine, which hears of it when it connects to a newer gateway.
    """
    messages = delivery.messages
    if version < VERSION:
        messages = tuple(
            _known(message, version)
            for message in messages
            if SINCE.get(type(message), OLDEST) <= version
        )
    return _encode((delivery.number, [_to_gateway(message) for message in messages]))


def _known(message: FromHost, version: int) -> FromHost:
    if not isinstance(message, ToMachine):
        return message
    commands = [one for one in message.commands if SINCE.get(type(one), OLDEST) <= version]
    return replace(message, commands=tuple(commands))


def unpack_delivery(block: bytes) -> Delivery:
    """Return the delivery of a block. Raises LinkBroken if it is none."""
    try:
        number, messages = _delivery_decoder.decode(block)
    except msgspec.DecodeError as error:
        raise LinkBroken(f"a delivery cannot be read: {error}") from error
    return Delivery(number=number, messages=tuple(map(_delivered, messages)))


def pack_figures(figures: Sequence[Figure]) -> bytes:
    """Return a host's figures."""
    return _encode(figures)


def unpack_figures(block: bytes) -> list[Figure]:
    """Return the figures of a block. Raises LinkBroken if they are none."""
    try:
        return _figures_decoder.decode(block)
    except msgspec.DecodeError as error:
        raise LinkBroken(f"figures cannot be read: {error}") from error


# --- to a host ---


def _to_host(message: ToHost) -> Any:
    match message:
        case FromMachine():
            return _FromMachine(message.machine_id, _boxed(message.event))
        case Notified(item=item):
            return _Notified(
                item.inbox_id, item.machine_id, _boxed(item.event), item.received_at_ms
            )
        case Commanded():
            return _Commanded(message.machine_id, message.command_id, _boxed(message.event))


def _batched(each: Any) -> ToHost:
    machine_id, event = MachineId(each.machine_id), _unboxed(each.event)
    if isinstance(each, _FromMachine):
        return FromMachine(machine_id=machine_id, event=event)
    if isinstance(each, _Notified):
        item = InboxItem(
            inbox_id=each.inbox_id,
            machine_id=machine_id,
            event=event,
            received_at_ms=each.received_at_ms,
        )
        return Notified(item=item)
    return Commanded(machine_id=machine_id, command_id=each.command_id, event=event)


def _boxed(event: Event | Reload) -> Any:
    if isinstance(event, FrameReceived):
        fact = _FACTS[type(event.fact)](event.fact)
        return _Frame(event.stream_id, event.seq, fact, event.remarks)
    return _EVENTS[type(event)](event)


def _unboxed(box: Any) -> Any:
    if isinstance(box, _Frame):
        return FrameReceived(
            stream_id=StreamId(box.stream_id),
            seq=box.seq,
            fact=box.fact.value,
            remarks=box.remarks,
        )
    return box.value


# --- to a gateway ---


def _to_gateway(message: FromHost) -> Any:
    if isinstance(message, ToMachine):
        commands = [_COMMANDS[type(command)](command) for command in message.commands]
        return _ToMachine(message.machine_id, message.stream_id, message.ack, commands)
    return _ANSWERS[type(message)](message)


def _delivered(each: Any) -> FromHost:
    if isinstance(each, _ToMachine):
        return ToMachine(
            machine_id=MachineId(each.machine_id),
            stream_id=StreamId(each.stream_id),
            ack=each.ack,
            commands=tuple(command.value for command in each.commands),
        )
    return cast("FromHost", each.value)
