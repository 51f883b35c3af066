"""State, events and orders ⇄ the text of a row. Pure.

A state's text is JSON with a ``format`` number beside it: that of the oldest program that can hold
all of it. Whoever adds a field to it, which has a default, raises ``STATE_FORMAT`` and names the
field in ``state_formats.ADDED``, so that no program of before saves the state without it. In no
other way are its fields changed while programs of before are alive.

An event is ``[<class name>, <value>, ...]``: the values of its fields in the order of its class,
from the left, without those at the end that are as by default. A frame is ``["FrameReceived",
<stream>, <seq>, [<class name of the fact>, <value>, ...], [<remark>, ...]]``, the last only if
there are any. Where the kind has a column of its own, as in the journal, it does not stand in the
text (``encode_body``). A field of an event is only ever added at the right end, with a default that
never changes. Up to schema 0006 the fields were named, ``{"kind": <class name>, "body": {...}}``;
such texts are read for ever, because the journal is never written anew.

What was ordered is ``[[<class name>, <value>, ...], ...]``: the values of the fields of ``ORDERS``,
from the left, as far as there are any. A field is only ever added at the right end.

The fields of a notification are the values of ``FIELDS``, 0 where one is missing, and all others by
their names in an object at the end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, cast, get_args

import msgspec

from actors.machine.command import MachineReport
from actors.machine.effects import Effect, UpdatePlanogram
from actors.machine.events import Event, FrameReceived, MachineFact
from actors.machine.ids import StreamId
from actors.machine.policy import PolicyOverrides
from actors.machine.state import MachineState
from storage import state_formats

STATE_FORMAT = max(state_formats.ADDED, default=state_formats.FIRST)
"""The newest format that this program reads and writes: older ones are read as they are."""


class CodecError(Exception):
    """The text of a row cannot be read by this program. Do not overwrite it: run the version that
    wrote it, or a newer one.
    """


class EncodedState(msgspec.Struct, frozen=True, kw_only=True):
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
    "ApproveVend": (
        *("vend_id", "request_id", "column"),
        *("amount_minor", "valid_for_ms", "discount_minor"),
    ),
    "DenyVend": ("request_id", "reason", "funds_minor"),
    "EndSession": ("session_id", "reason", "refund_minor"),
    "RejectFrame": ("code", "seq", "expected_seq", "detail"),
    "SendCommand": ("command_id", "kind", "column", "show_for_ms", "valid_for_ms"),
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


FIELDS = (
    "notify_type",
    "notify_id",
    "notify_time",
    "trade_no",
    "out_trade_no",
    "trade_status",
    "gmt_create",
    "gmt_payment",
    "seller_id",
    "total_fee",
    "notify_action_type",
    "currency",
    "price",
    "quantity",
    "subject",
    "seller_email",
    "extra_common_param",
    "forex_total_fee",
    "exchange_rate",
    "paytools_pay_amount",
    "qrcode",
    "store_id",
)
"""What Alipay says of a payment (docs/alipay.md, 7.1), but for who paid: kept by its place, so that
no row repeats the names. A name is only ever added at the right end.
"""

_PLACES = frozenset(FIELDS)
_EVENTS: dict[str, type[msgspec.Struct]] = {kind.__name__: kind for kind in get_args(Event)}
_FACTS: dict[str, type[msgspec.Struct]] = {kind.__name__: kind for kind in get_args(MachineFact)}


class _Tagged(msgspec.Struct):
    kind: str
    body: msgspec.Raw


class _Frame(msgspec.Struct):
    stream_id: str
    seq: int
    fact: _Tagged
    remarks: tuple[str, ...] = ()


class _PlacedFrame(msgspec.Struct, array_like=True):
    stream_id: str
    seq: int
    fact: msgspec.Raw
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
_placed_frame_decoder = msgspec.json.Decoder(_PlacedFrame)
_raws_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_bare_frame_decoder = msgspec.json.Decoder(_BareFrame)
_orders_decoder = msgspec.json.Decoder(list[list[str | int | bool | None]])
_overrides_decoder = msgspec.json.Decoder(PolicyOverrides)
_report_decoder = msgspec.json.Decoder(MachineReport)
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
_placed_fields_decoder = msgspec.json.Decoder(list[str | dict[str, str] | Literal[0]])
_lines_decoder = msgspec.json.Decoder(tuple[str, ...])
_body_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(kind)
    for name, kind in (_EVENTS | _FACTS).items()
    if kind is not FrameReceived
}


def encode_state(state: MachineState) -> EncodedState:
    """Return the state as its row holds it."""
    needed = state_formats.needed(state, state_formats.ADDED)
    return EncodedState(format=needed, body=_encoder.encode(state).decode())


def decode_state(state_format: int, body: str, *, only_reads: bool = False) -> MachineState:
    """Return the state of a row of this or an older format; raises CodecError for a newer one or a
    broken text. Who ``only_reads``, and saves no state, gets a newer one without what is new in it.
    """
    if state_format > STATE_FORMAT and not only_reads:
        raise CodecError(
            f"The state has format {state_format}, this program knows up to {STATE_FORMAT}: "
            "run a newer version."
        )
    try:
        return _state_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise CodecError(f"The state cannot be read: {error}") from error


def event_kind(event: Event) -> str:
    """Return the kind of an event: what happened, for a frame the name of its fact."""
    return type(event.fact if isinstance(event, FrameReceived) else event).__name__


def encode_event(event: Event) -> str:
    """Return the event as JSON text."""
    return _encoder.encode((type(event).__name__, *_told(event, named=True))).decode()


def decode_event(text: str, *, whole: bool = False) -> Event:
    """Return the event of a text; raises CodecError if it is none, and with ``whole`` also if it
    says more than this program knows: who acts on it would act on a part.
    """
    try:
        if text.startswith("["):
            kind, values = _split(text)
            if whole and kind in _EVENTS and kind != FrameReceived.__name__:
                known, said = _by_place[_EVENTS[kind]].size, len(_raws_decoder.decode(values))
                if said > known:
                    raise CodecError(f"The {kind} says more than is known: run a newer version.")
            if kind == FrameReceived.__name__:
                return _placed_frame(values, None)
            return cast("Event", _placed(kind, values, _EVENTS))
        tagged = _tagged_decoder.decode(text)
        if tagged.kind == FrameReceived.__name__:
            frame = _frame_decoder.decode(tagged.body)
            return _frame_of(frame, _untagged(frame.fact, _FACTS))
        return cast("Event", _untagged(tagged, _EVENTS))
    except msgspec.DecodeError as error:
        raise CodecError(f"The event cannot be read: {error}") from error


def encode_body(event: Event) -> str:
    """Return the event as JSON text without its kind."""
    return _encoder.encode(_told(event, named=False)).decode()


def decode_body(kind: str, text: str) -> Event:
    """Return the event of a kind, as ``event_kind`` says it, and a text; raises CodecError if it is
    none.
    """
    by_place, is_frame = text.startswith("["), kind in _FACTS
    try:
        if by_place:
            raw = text.encode()
            return (
                _placed_frame(raw, kind) if is_frame else cast("Event", _placed(kind, raw, _EVENTS))
            )
        if not is_frame:
            return cast("Event", _untagged(_Tagged(kind, msgspec.Raw(text.encode())), _EVENTS))
        frame = _bare_frame_decoder.decode(text)
        return _frame_of(frame, _untagged(_Tagged(kind, frame.fact), _FACTS))
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


def encode_report(report: MachineReport | None) -> str:
    """Return what a machine said of itself as JSON text; empty if it said nothing."""
    return "" if report is None else _encoder.encode(report).decode()


def decode_report(text: str) -> MachineReport | None:
    """Return what a machine said of itself; raises CodecError for a broken text."""
    try:
        return _report_decoder.decode(text) if text else None
    except msgspec.DecodeError as error:
        raise CodecError(f"The report cannot be read: {error}") from error


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
    told: list[Any] = [fields.get(name, 0) for name in FIELDS]
    while told and told[-1] == 0:
        told.pop()
    if others := {name: value for name, value in fields.items() if name not in _PLACES}:
        told.append(others)
    return _encoder.encode(told).decode()


def decode_fields(text: str) -> dict[str, str]:
    """Return the fields of a form; raises CodecError if the text holds something else."""
    try:
        if not text.startswith("["):
            return _fields_decoder.decode(text)
        told = _placed_fields_decoder.decode(text)
    except msgspec.DecodeError as error:
        raise CodecError(f"The fields cannot be read: {error}") from error
    others = told.pop() if told and isinstance(told[-1], dict) else {}
    if len(told) > len(FIELDS) or any(isinstance(value, dict) for value in told):
        raise CodecError("The fields cannot be read: there are more than this program knows.")
    by_place = zip(FIELDS, told, strict=False)
    return {name: value for name, value in by_place if isinstance(value, str)} | cast(
        "dict[str, str]", others
    )


def as_is(text: str) -> str:
    """Let JSON columns take and give text: what is in it is this module's business, not the
    engine's.
    """
    return text


def _told(event: Event, *, named: bool) -> Sequence[Any]:
    """Return the values of an event; the fact of a frame among them, with its kind if ``named``."""
    if not isinstance(event, FrameReceived):
        return _by_place[type(event)].values(event)
    fact = _by_place[type(event.fact)].values(event.fact)
    told = (event.stream_id, event.seq, (type(event.fact).__name__, *fact) if named else fact)
    return (*told, event.remarks) if event.remarks else told


class _ByPlace:
    """One kind of event or fact, as the values of its fields in their order."""

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        fields = msgspec.structs.fields(kind)
        self._kind = kind
        self.size = len(fields)
        self._names = tuple(field.name for field in fields)
        self._defaults = tuple(field.default for field in fields)
        twin = msgspec.defstruct(
            kind.__name__,
            [
                (field.name, field.type)
                if field.required
                else (field.name, field.type, msgspec.field(default=field.default))
                for field in fields
            ],
            array_like=True,
        )
        self._decode = msgspec.json.Decoder(twin).decode

    def values(self, event: msgspec.Struct) -> Sequence[Any]:
        """Return the values, without those at the end that are as by default."""
        values = msgspec.structs.astuple(event)
        count = len(values)
        while count and values[count - 1] == self._defaults[count - 1]:
            count -= 1
        return values if count == len(values) else values[:count]

    def read(self, text: bytes) -> object:
        """Return the event of these values; raises msgspec.DecodeError."""
        told = self._decode(text)
        return self._kind(**{name: getattr(told, name) for name in self._names})


_by_place: dict[type, _ByPlace] = {
    kind: _ByPlace(kind) for kind in (_EVENTS | _FACTS).values() if kind is not FrameReceived
}


def _placed(
    kind: str, values: bytes | msgspec.Raw, known: Mapping[str, type[msgspec.Struct]]
) -> object:
    if kind not in known:
        raise CodecError(f"No {kind} is known: run a newer version.")
    return _by_place[known[kind]].read(values)


def _placed_frame(values: bytes, kind: str | None) -> FrameReceived:
    """Return a frame of its values; with a ``kind`` that of the fact does not stand in them."""
    frame = _placed_frame_decoder.decode(values)
    fact: bytes = bytes(frame.fact)
    if kind is None:
        kind, fact = _split(fact)
    return _frame_of(frame, _placed(kind, fact, _FACTS))


def _split(text: str | bytes) -> tuple[str, bytes]:
    """Return the first value of a list, which is a kind, and the list without it."""
    kind, *values = _raws_decoder.decode(text) or [msgspec.Raw(b"null")]
    return msgspec.json.decode(kind, type=str), b"[" + b",".join(values) + b"]"


def _frame_of(frame: _Frame | _BareFrame | _PlacedFrame, fact: object) -> FrameReceived:
    return FrameReceived(
        stream_id=StreamId(frame.stream_id),
        seq=frame.seq,
        fact=cast("MachineFact", fact),
        remarks=frame.remarks,
    )


def _untagged(tagged: _Tagged, known: Mapping[str, type[msgspec.Struct]]) -> object:
    if tagged.kind not in known:
        raise CodecError(f"No {tagged.kind} is known: run a newer version.")
    return _body_decoders[tagged.kind].decode(tagged.body)
