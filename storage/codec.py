"""State, events and orders ⇄ the text of a row. Pure.

A state's text is JSON with a ``format`` number beside it. Whoever changes the fields of
``MachineState`` in a way that an old text cannot be read any more raises ``STATE_FORMAT`` and adds
the step to ``UPGRADES``; a new field with a default needs neither. An event is ``{"kind": <class
name>, "body": {...}}``; the fact of a ``FrameReceived`` is nested in the same form. Where the kind
has a column of its own, as in the journal, only the body is kept (``encode_body``).

What was ordered is ``[[<class name>, <value>, ...], ...]``: the values of the fields of ``ORDERS``,
from the left, as far as there are any. A field is only ever added at the right end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast, get_args

import msgspec

from actors.machine.effects import Effect, UpdatePlanogram
from actors.machine.events import Event, FrameReceived, MachineFact
from actors.machine.ids import StreamId
from actors.machine.policy import PolicyOverrides
from actors.machine.state import MachineState

STATE_FORMAT = 1
UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From each older format, the step to the next one, on plain JSON values."""


class CodecError(Exception):
    """The text of a row cannot be read by this program. Do not overwrite it: run the version that
    wrote it, or a newer one.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedState:
    """A state as its row holds it."""

    format: int
    body: str


ORDERS: Mapping[str, tuple[str, ...]] = {
    "Welcome": (
        "session_id",
        "funds_minor",
        "vend_id",
        "planogram_version",
        "last_seq",
        "currency",
        "qr_payload",
        "mode",
        "in_service",
        "taken_over_by",
    ),
    "UpdatePlanogram": ("planogram_version", "columns"),
    "UpdateService": ("in_service", "qr_payload", "mode"),
    "BeginSession": ("session_id", "funds_minor", "expires_in_ms"),
    "UpdateFunds": ("session_id", "funds_minor", "expires_in_ms"),
    "ShowQr": ("request_id", "qr_payload", "amount_minor", "expires_in_ms"),
    "ApproveVend": ("vend_id", "request_id", "column", "amount_minor", "valid_for_ms"),
    "DenyVend": ("request_id", "reason", "funds_minor"),
    "EndSession": ("session_id", "reason", "refund_minor"),
    "RejectFrame": ("code", "seq", "expected_seq", "detail"),
    "CloseStream": ("stream_id", "reason"),
    "SendRefund": (
        "refund_id",
        "trade_id",
        "partner_trans_id",
        "amount_minor",
        "currency",
        "synchronous",
    ),
    "QueryRefund": ("refund_id", "partner_trans_id"),
    "CreateCode": ("store",),
    "ChangeCodeStatus": ("qr_payload", "status"),
    "ModifyCode": ("qr_payload", "store"),
    "DeleteCode": ("qr_payload",),
}
"""What the journal keeps of each order: all that is told to people, lists by their length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order as the journal keeps it. ``fields`` holds plain JSON values, in their order."""

    kind: str
    fields: Mapping[str, Any]


_EVENTS: dict[str, type] = {kind.__name__: kind for kind in get_args(Event)}
_FACTS: dict[str, type] = {kind.__name__: kind for kind in get_args(MachineFact)}


class _Tagged(msgspec.Struct):
    kind: str
    body: msgspec.Raw


class _Frame(msgspec.Struct):
    stream_id: str
    seq: int
    fact: _Tagged
    remarks: tuple[str, ...] = ()


class _BareFrame(msgspec.Struct):
    stream_id: str
    seq: int
    fact: msgspec.Raw
    remarks: tuple[str, ...] = ()


_encoder = msgspec.json.Encoder()
_state_decoder = msgspec.json.Decoder(MachineState)
_tagged_decoder = msgspec.json.Decoder(_Tagged)
_frame_decoder = msgspec.json.Decoder(_Frame)
_bare_frame_decoder = msgspec.json.Decoder(_BareFrame)
_orders_decoder = msgspec.json.Decoder(list[list[str | int | bool | None]])
_overrides_decoder = msgspec.json.Decoder(PolicyOverrides)
_PLANOGRAM = UpdatePlanogram.__name__


def _getter(names: tuple[str, ...]) -> Callable[[Effect], tuple[Any, ...]]:
    """Return what takes these values from an order."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda effect: tuple(getattr(effect, name) for name in names)


_values_of: dict[str, Callable[[Effect], tuple[Any, ...]]] = {
    kind: _getter(names) for kind, names in ORDERS.items()
}
_fields_decoder = msgspec.json.Decoder(dict[str, str])
_lines_decoder = msgspec.json.Decoder(tuple[str, ...])
_body_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(kind)
    for name, kind in (_EVENTS | _FACTS).items()
    if kind is not FrameReceived
}


def encode_state(state: MachineState) -> EncodedState:
    """Return the state as its row holds it."""
    return EncodedState(format=STATE_FORMAT, body=_encoder.encode(state).decode())


def decode_state(state_format: int, body: str) -> MachineState:
    """Return the state of a row of this or an older format; raises CodecError for a newer one or a
    broken text.
    """
    if state_format > STATE_FORMAT:
        raise CodecError(
            f"The state has format {state_format}, this program knows up to {STATE_FORMAT}: "
            "run a newer version."
        )
    try:
        if state_format == STATE_FORMAT:
            return _state_decoder.decode(body)
        plain: dict[str, Any] = msgspec.json.decode(body)
        for step in range(state_format, STATE_FORMAT):
            plain = UPGRADES[step](plain)
        return msgspec.convert(plain, MachineState)
    except KeyError as error:
        raise CodecError(f"No way is known from state format {error} to {STATE_FORMAT}.") from error
    except msgspec.DecodeError as error:
        raise CodecError(f"The state cannot be read: {error}") from error


def event_kind(event: Event) -> str:
    """Return the kind of an event: what happened, for a frame the name of its fact."""
    return type(event.fact if isinstance(event, FrameReceived) else event).__name__


def encode_event(event: Event) -> str:
    """Return the event as JSON text."""
    return _encoder.encode(_tagged(event)).decode()


def decode_event(text: str) -> Event:
    """Return the event of a text; raises CodecError if it is none."""
    try:
        tagged = _tagged_decoder.decode(text)
        if tagged.kind == FrameReceived.__name__:
            frame = _frame_decoder.decode(tagged.body)
            fact = cast("MachineFact", _untagged(frame.fact, _FACTS))
            return FrameReceived(
                stream_id=StreamId(frame.stream_id),
                seq=frame.seq,
                fact=fact,
                remarks=frame.remarks,
            )
        return cast("Event", _untagged(tagged, _EVENTS))
    except msgspec.DecodeError as error:
        raise CodecError(f"The event cannot be read: {error}") from error


def encode_body(event: Event) -> str:
    """Return the event as JSON text without its kind."""
    if isinstance(event, FrameReceived):
        frame = {"stream_id": event.stream_id, "seq": event.seq, "fact": event.fact}
        if event.remarks:
            frame["remarks"] = event.remarks
        return _encoder.encode(frame).decode()
    return _encoder.encode(event).decode()


def decode_body(kind: str, text: str) -> Event:
    """Return the event of a kind, as ``event_kind`` says it, and a text; raises CodecError if it is
    none.
    """
    try:
        if kind not in _FACTS:
            return cast("Event", _untagged(_Tagged(kind, msgspec.Raw(text.encode())), _EVENTS))
        frame = _bare_frame_decoder.decode(text)
        return FrameReceived(
            stream_id=StreamId(frame.stream_id),
            seq=frame.seq,
            fact=cast("MachineFact", _untagged(_Tagged(kind, frame.fact), _FACTS)),
            remarks=frame.remarks,
        )
    except msgspec.DecodeError as error:
        raise CodecError(f"The event cannot be read: {error}") from error


def encode_orders(effects: Sequence[Effect]) -> str:
    """Return what the journal keeps of these orders as JSON text."""
    return _encoder.encode([_kept(effect) for effect in effects]).decode() if effects else "[]"


def _kept(effect: Effect) -> list[Any]:
    if isinstance(effect, UpdatePlanogram):
        return [_PLANOGRAM, effect.planogram_version, len(effect.columns)]
    kind = type(effect).__name__
    return [kind, *_values_of[kind](effect)]


def decode_orders(text: str) -> tuple[Ordered, ...]:
    """Return the orders of a text; raises CodecError if it holds something else."""
    try:
        return tuple(
            Ordered(kind=str(kind), fields=dict(zip(ORDERS[str(kind)], values, strict=False)))
            for kind, *values in _orders_decoder.decode(text)
        )
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise CodecError(f"The orders cannot be read: {error}") from error


def encode_overrides(overrides: PolicyOverrides) -> str:
    """Return a machine's own limits as JSON text."""
    return _encoder.encode(overrides).decode()


def decode_overrides(text: str) -> PolicyOverrides:
    """Return a machine's own limits; raises CodecError for a broken text."""
    try:
        return _overrides_decoder.decode(text)
    except msgspec.DecodeError as error:
        raise CodecError(f"The limits cannot be read: {error}") from error


def encode_lines(lines: Sequence[str]) -> str:
    """Return lines of text as JSON text."""
    return _encoder.encode(lines).decode()


def decode_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text; raises CodecError if it holds something else."""
    try:
        return _lines_decoder.decode(text)
    except msgspec.DecodeError as error:
        raise CodecError(f"The lines cannot be read: {error}") from error


def encode_fields(fields: Mapping[str, str]) -> str:
    """Return the fields of a form as JSON text."""
    return _encoder.encode(fields).decode()


def decode_fields(text: str) -> dict[str, str]:
    """Return the fields of a form; raises CodecError if the text holds something else."""
    try:
        return _fields_decoder.decode(text)
    except msgspec.DecodeError as error:
        raise CodecError(f"The fields cannot be read: {error}") from error


def as_is(text: str) -> str:
    """Let JSON columns take and give text: what is in it is this module's business, not the
    engine's.
    """
    return text


def _tagged(value: Event | MachineFact) -> dict[str, Any]:
    if isinstance(value, FrameReceived):
        body = {"stream_id": value.stream_id, "seq": value.seq, "fact": _tagged(value.fact)}
        if value.remarks:
            body["remarks"] = value.remarks
        return {"kind": "FrameReceived", "body": body}
    return {"kind": type(value).__name__, "body": value}


def _untagged(tagged: _Tagged, known: Mapping[str, type]) -> object:
    if tagged.kind not in known:
        raise CodecError(f"No {tagged.kind} is known: run a newer version.")
    return _body_decoders[tagged.kind].decode(tagged.body)
