"""Whatever the core can say comes back from the database as it was."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.machine import describe
from actors.machine import state as state_module
from actors.machine.code import Code
from actors.machine.command import Command, MachineReport
from actors.machine.effects import CloseStream, Effect, MachineCommand, ProviderCall
from actors.machine.events import (
    Connected,
    Event,
    FrameReceived,
    MachineFact,
    VendRequested,
)
from actors.machine.goods import GoodsAct
from actors.machine.ids import BootId, Currency, MachineId, RequestId, StreamId
from actors.machine.offer import Offered
from actors.machine.policy import PolicyOverrides
from actors.machine.state import (
    Boot,
    Column,
    Failing,
    MachineState,
    Reservation,
    Trade,
    Vend,
)
from actors.machine.values import replace
from storage import codec

EVENTS = [kind for kind in get_args(Event) if kind is not FrameReceived]
ORDERS = [*get_args(MachineCommand), CloseStream, *get_args(ProviderCall)]
FACTS = list(get_args(MachineFact))
INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
st.register_type_strategy(int, INTEGERS)


def frames() -> st.SearchStrategy[Event]:
    """Frames with each kind of fact."""
    facts = st.one_of([st.from_type(kind) for kind in FACTS])
    return st.builds(FrameReceived, stream_id=st.text().map(StreamId), seq=INTEGERS, fact=facts)


@settings(max_examples=60, deadline=None)
@given(st.from_type(MachineState))
def test_a_state_comes_back(state: MachineState) -> None:
    """Every field of every part of a state survives."""
    encoded = codec.encode_state(state)
    assert state == codec.decode_state(encoded.format, encoded.body)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_comes_back(kind: type) -> None:
    """Every field of every kind of event survives."""

    @settings(max_examples=15, deadline=None)
    @given(st.from_type(kind))
    def holds(event: Event) -> None:
        assert event == codec.decode_event(codec.encode_event(event))
        assert event == codec.decode_body(codec.event_kind(event), codec.encode_body(event))
        assert kind.__name__ == codec.event_kind(event)

    holds()


@settings(max_examples=60, deadline=None)
@given(frames())
def test_a_frame_comes_back(frame: FrameReceived) -> None:
    """Every kind of fact survives in its frame; the kind of a frame is that of its fact."""
    assert frame == codec.decode_event(codec.encode_event(frame))
    assert frame == codec.decode_body(codec.event_kind(frame), codec.encode_body(frame))
    assert type(frame.fact).__name__ == codec.event_kind(frame)


def test_no_fact_is_called_like_an_event() -> None:
    """The kind alone tells whether a body is a frame's."""
    assert set() == {kind.__name__ for kind in FACTS} & {kind.__name__ for kind in EVENTS}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"stream_id":"g-1","seq":"x"}'])
@pytest.mark.parametrize("kind", ["VendRequested", "TopUpPaid", "Unheard"])
def test_a_body_that_is_none_is_refused(kind: str, text: str) -> None:
    """By the one error that everybody catches."""
    with pytest.raises(codec.CodecError):
        codec.decode_body(kind, text)


def test_every_order_is_kept_whole() -> None:
    """All that may be told of each kind, in a place of its own: a new field goes to the right end,
    where it shifts nothing.
    """
    expected = {
        kind.__name__: tuple(name for name in kind.__struct_fields__ if name not in describe.HIDDEN)
        for kind in ORDERS
    }
    assert expected == codec.ORDERS


@pytest.mark.parametrize("kind", ORDERS, ids=lambda kind: kind.__name__)
def test_an_order_is_told_in_the_same_words(kind: type) -> None:
    """From what the journal kept as from the order itself, with whatever texts are in it."""

    @settings(max_examples=15, deadline=None)
    @given(st.from_type(kind))
    def holds(effect: Effect) -> None:
        (kept,) = codec.decode_orders(codec.encode_orders([effect]))
        assert kind.__name__ == kept.kind
        assert describe.effect(effect) == describe.order(kept.kind, kept.fields.items())

    holds()


@pytest.mark.parametrize("text", ["", "{", '[["Unheard"]]', "[[]]", "[[1]]", '[["Welcome",{}]]'])
def test_orders_that_are_none_are_refused(text: str) -> None:
    """By the one error that everybody catches; no order at all is none."""
    with pytest.raises(codec.CodecError):
        codec.decode_orders(text)
    assert ((), "[]") == (codec.decode_orders("[]"), codec.encode_orders([]))


@settings(max_examples=30, deadline=None)
@given(st.from_type(PolicyOverrides))
def test_overrides_come_back(overrides: PolicyOverrides) -> None:
    """So do a machine's own limits."""
    assert overrides == codec.decode_overrides(codec.encode_overrides(overrides))


def test_lines_come_back() -> None:
    """So do lines of text."""
    assert ("one", 'two "2"') == codec.decode_lines(codec.encode_lines(["one", 'two "2"']))


def test_an_event_says_its_kind() -> None:
    """The text can be read by people and by other programs."""
    fact = VendRequested(
        request_id=RequestId("r1"), column="A1", price_minor=500, planogram_version=2
    )
    text = codec.encode_event(FrameReceived(stream_id=StreamId("g-1"), seq=3, fact=fact))
    assert '["FrameReceived","g-1",3,["VendRequested","r1","A1",500,2]]' == text


def _named(value: Any) -> dict[str, Any]:
    """Return an event as schema 0006 kept it."""
    body = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, FrameReceived):
        body["fact"] = _named(value.fact)
    return {"kind": type(value).__name__, "body": body}


@settings(max_examples=200, deadline=None)
@given(st.one_of(frames(), *(st.from_type(kind) for kind in EVENTS)))
def test_what_schema_0006_kept_is_read(event: Event) -> None:
    """The journal is never written anew: its old lines name each field, and say the same."""
    named = _named(event)
    assert event == codec.decode_event(msgspec.json.encode(named).decode())
    body = named["body"]
    if isinstance(event, FrameReceived):
        body = {**body, "fact": body["fact"]["body"]}
    assert event == codec.decode_body(codec.event_kind(event), msgspec.json.encode(body).decode())


def test_what_is_as_by_default_is_left_out() -> None:
    """At the end only; in front of what is not, it stands."""
    plain = Connected(stream_id=StreamId("g-1"), opened_at_ms=1, boot_id=BootId("b"))
    assert '["g-1",1,"b"]' == codec.encode_body(plain)
    assert '["g-1",1,"b","",4]' == codec.encode_body(replace(plain, planogram_version=4))


PLACES = """\
CashSold: column price_minor
CodeCreated: qr_payload image_url=''
CodeDeleted:
CodeFailed: final detail
CodeModified: says
CodeStatusChanged: status
CodeStopOrdered:
CodeWished: says wait_ms=0 revision=None
CommandAnswered: command_id outcome detail='' evidence='' report=None
CommandCancelled: command_id actor=''
CommandOrdered: command_id kind version ordered_at_ms expires_at_ms column='' show_for_ms=0 actor=''
ConfigurationChanged: configuration columns=None goods_may_be_removed=False
Connected: stream_id opened_at_ms boot_id firmware='' planogram_version=0 journal=()
    journal_lost=False remarks=() token='' returned_token='' keeps_token=False
    knows_commands=False
Disconnected: stream_id reason=''
FaultReported: code detail='' column='' cleared=False
FaultsCounted: first_seq count code column=''
FrameNotRead: code detail
FrameReceived: stream_id seq fact remarks=()
GoodsCounted: cause version column product counted believed visit='' actor='' reason=''
GoodsMoved: kind cause version column product quantity into place lot='' visit='' actor='' reason=''
    reverses=None happened_at_ms=None
IncidentClosed: incident_id reason actor=''
OfferRefused: offer why
PlanogramAcknowledged: stream_id planogram_version
ReaderDisabled: reason=''
ReaderEnabled:
RefundAccepted: refund_id
RefundNotFound: refund_id
RefundQueryAsked: refund_id actor reason=''
RefundRefused: refund_id detail source='answer'
RefundRetryAsked: refund_id actor reason=''
RefundShortOfFunds: refund_id detail
RefundSucceeded: refund_id source='answer'
RefundUnknown: refund_id detail ask_first=False
RefundWrittenOff: refund_id actor reason person=''
Resumed: reason
SessionCompleted: session_id
StockCounted: column stock actor='' cause=''
TimePassed:
TopUpPaid: trade_id partner_trans_id amount_minor currency paid_at_ms payer_id=''
    clock_ahead_ms=None offers=()
TradeFinished: trade_id status
VendCancelled: request_id
VendFailed: vend_id cause evidence=''
VendRefundAsked: vend_id version parts actor reason
VendRequested: request_id column price_minor planogram_version
VendSettled: vend_id delivered actor reason
VendSucceeded: vend_id evidence=''
VendTurnedAway: request_id reason"""
"""The fields of each event and fact, in their order, with the defaults of those that have one."""


def test_an_event_s_fields_keep_their_places() -> None:
    """A field is only ever added at the end of its line, with a default that never changes: the
    journal knows the others by their places, and leaves out what is as by default.
    """
    kinds = sorted({*EVENTS, *FACTS, FrameReceived}, key=lambda kind: kind.__name__)
    assert PLACES.split() == " ".join(_places(kind) for kind in kinds).split()


def _places(kind: type[msgspec.Struct]) -> str:
    told = (
        field.name if field.required else f"{field.name}={field.default!r}"
        for field in msgspec.structs.fields(kind)
    )
    return " ".join((f"{kind.__name__}:", *told))


@given(st.none() | st.from_type(MachineReport))
def test_a_report_comes_back(report: MachineReport | None) -> None:
    """What a machine does not know is not said, and is not 0."""
    assert report == codec.decode_report(codec.encode_report(report))


@given(st.dictionaries(st.one_of(st.sampled_from(codec.FIELDS), st.text()), st.text()))
def test_fields_of_a_form_come_back(fields: dict[str, str]) -> None:
    """Those that nearly all notifications have and others; as schema 0006 kept them, too."""
    assert fields == codec.decode_fields(codec.encode_fields(fields))
    assert fields == codec.decode_fields(msgspec.json.encode(fields).decode())


def test_the_fields_of_a_form_keep_their_places() -> None:
    """A name is only ever added at the end."""
    known = (
        "notify_type notify_id notify_time trade_no out_trade_no trade_status gmt_create "
        "gmt_payment seller_id total_fee notify_action_type currency price quantity subject "
        "seller_email extra_common_param forex_total_fee exchange_rate paytools_pay_amount qrcode "
        "store_id"
    )
    assert tuple(known.split()) == codec.FIELDS[:22]
    text = codec.encode_fields({"trade_no": "t", "notify_type": "a", "other": "b"})
    assert '["a",0,0,"t",{"other":"b"}]' == text


@pytest.mark.parametrize(
    "read",
    [
        lambda: codec.decode_state(codec.STATE_FORMAT, '{"machine_id":7}'),
        lambda: codec.decode_event("[]"),
        lambda: codec.decode_event('{"kind":"Surprise","body":{}}'),
        lambda: codec.decode_event('{"kind":"TradeFinished","body":{"trade_id":1}}'),
        lambda: codec.decode_event(
            '{"kind":"FrameReceived","body":{"stream_id":"g","seq":1,"fact":{"kind":"Hm","body":{}}}}'
        ),
        lambda: codec.decode_event('["Surprise"]'),
        lambda: codec.decode_event('["TradeFinished"]'),
        lambda: codec.decode_event('["TradeFinished",1,"x"]'),
        lambda: codec.decode_event('["FrameReceived","g",1,["Hm"]]'),
        lambda: codec.decode_event('["FrameReceived","g",1,[]]'),
        lambda: codec.decode_event("[7]"),
        lambda: codec.decode_fields("7"),
        lambda: codec.decode_fields('[{"a":"b"},"c"]'),
        lambda: codec.decode_fields("[1]"),
        lambda: codec.decode_fields(f"[{','.join(['0'] * 23)}]"),
        lambda: codec.decode_event('["TradeFinished","t",1,2,3,4,5,6,7]', whole=True),
        lambda: codec.decode_overrides("7"),
        lambda: codec.decode_overrides('{"limit_of_tomorrow_ms":1}'),
        lambda: codec.decode_lines("7"),
        lambda: codec.decode_report("7"),
    ],
)
def test_a_broken_text_is_refused(read: Callable[[], object]) -> None:
    """It is an error with a name, never half a value."""
    with pytest.raises(codec.CodecError):
        read()


KEPT_BY_PLACE: dict[type[msgspec.Struct], str] = {
    Column: "column product price_minor capacity stock",
    Command: "command_id kind column show_for_ms status ordered_by ordered_at_ms expires_at_ms "
    "deadline_at_ms version product sent_at_ms sent_in told superseded ended_at_ms detail evidence "
    "dropped report counted",
    Failing: "column in_row blocked",
    Boot: "boot_id last_seq",
    GoodsAct: "cause version",
    Reservation: "trade_id amount_minor",
    Vend: "vend_id session_id request_id column product price_minor status requested_at_ms "
    "deadline_at_ms reserved reason evidence heard_from_ms put_off_ms ended_at_ms taken_over "
    "begun discount_minor offer",
    Offered: "offer ends_at_ms left discount_minor basis_points products",
    Trade: "trade_id partner_trans_id paid_minor funds_minor received_at_ms payer_id "
    "reserved_minor sold_minor refunded_minor written_off_minor refunds_made session_id "
    "closed_at_ms",
}


@pytest.mark.parametrize("kind", KEPT_BY_PLACE)
def test_what_is_kept_by_place_keeps_its_place(kind: type[msgspec.Struct]) -> None:
    """A field of these is only ever added at the end, with a default: saved states have the others
    by their places.
    """
    known = tuple(KEPT_BY_PLACE[kind].split())
    fields = msgspec.structs.fields(kind)
    assert known == tuple(field.name for field in fields)[: len(known)]
    assert all(not field.required for field in fields[len(known) :])
    assert kind.__struct_config__.array_like


def test_all_that_is_kept_by_place_is_known() -> None:
    """Whoever lets another kind be kept so writes its fields down here."""
    kinds = [kind for kind in vars(state_module).values() if isinstance(kind, type)]
    by_place = {
        kind
        for kind in kinds
        if issubclass(kind, msgspec.Struct) and kind.__struct_config__.array_like
    }
    assert set(KEPT_BY_PLACE) == by_place


def test_a_code_is_kept_whole() -> None:
    """Its status stands first, also if it is as by default: lists look for it in the text
    (``storage.fleet.lists.code_status_is``).
    """
    state = MachineState(machine_id=MachineId("VM-1"), currency=Currency("HKD"))
    for one in (state, replace(state, code=Code(attempts=1))):
        assert '"code":{"status":"PENDING"' in codec.encode_state(one).body
