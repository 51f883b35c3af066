"""Whatever a gateway and a host say to each other arrives as it was."""

import hashlib
import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import blocks
from actors.link import (
    AdminEvent,
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
from actors.machine.events import Connected, Disconnected, Event, FrameReceived, MachineFact
from actors.machine.ids import MachineId, StreamId
from actors.ports import InboxItem

INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
st.register_type_strategy(int, INTEGERS)
IDS = st.text(max_size=8)

FRAMES = st.builds(
    FrameReceived,
    stream_id=IDS.map(StreamId),
    seq=INTEGERS,
    fact=st.one_of([st.from_type(kind) for kind in get_args(MachineFact)]),
    remarks=st.lists(IDS, max_size=2).map(tuple),
)
EVENTS = [kind for kind in get_args(Event) if kind is not FrameReceived]

RECORDED = (11, "93859f8ccaf25031")
"""The version, and a digest of what its blocks hold. A message, or a value in one, that has changed
makes another version: raise ``blocks.VERSION``, and write down both anew.
"""


def from_machine(event: st.SearchStrategy[Any]) -> st.SearchStrategy[ToHost]:
    """What happened on a stream."""
    return st.builds(FromMachine, machine_id=IDS.map(MachineId), event=event)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(from_machine(st.one_of(FRAMES, st.from_type(Connected), st.from_type(Disconnected))))
)
def test_what_machines_say_comes_back(messages: list[ToHost]) -> None:
    """In its order, with every field of every kind of fact."""
    assert messages == blocks.unpack_batch(blocks.pack_batch(messages))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_whatever_is_notified_comes_back(kind: type) -> None:
    """Every kind of event may stand in the inbox."""

    @settings(max_examples=10, deadline=None)
    @given(st.from_type(kind), INTEGERS, st.none() | INTEGERS)
    def holds(event: Event, inbox_id: int, received_at_ms: int | None) -> None:
        item = InboxItem(
            inbox_id=inbox_id,
            machine_id=MachineId("VM-1"),
            event=event,
            received_at_ms=received_at_ms,
        )
        messages = [Notified(item=item)]
        assert messages == blocks.unpack_batch(blocks.pack_batch(messages))

    holds()


@pytest.mark.parametrize("kind", [*get_args(AdminEvent), Reload], ids=lambda kind: kind.__name__)
def test_an_act_comes_back(kind: type) -> None:
    """Every kind of act that an administrator may command."""

    @settings(max_examples=10, deadline=None)
    @given(st.builds(Commanded, machine_id=IDS, command_id=IDS, event=st.from_type(kind)))
    def holds(message: Commanded) -> None:
        assert [message] == blocks.unpack_batch(blocks.pack_batch([message]))

    holds()


@settings(max_examples=60, deadline=None)
@given(
    INTEGERS,
    st.lists(
        st.one_of(
            st.builds(
                ToMachine,
                machine_id=IDS.map(MachineId),
                stream_id=IDS.map(StreamId),
                ack=st.none() | INTEGERS,
                commands=st.lists(
                    st.one_of([st.from_type(kind) for kind in get_args(MachineCommand)]),
                    max_size=3,
                ).map(tuple),
            ),
            st.from_type(StreamClosed),
            st.from_type(CommandDone),
            st.from_type(PartitionsMoved),
        )
    ),
)
def test_a_delivery_comes_back(number: int, messages: list[FromHost]) -> None:
    """With its number, and every kind of command."""
    delivery = Delivery(number=number, messages=tuple(messages))
    assert delivery == blocks.unpack_delivery(blocks.pack_delivery(delivery))


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.builds(
            Figure,
            name=IDS,
            text=IDS,
            kind=IDS,
            samples=st.lists(
                st.tuples(IDS, st.dictionaries(IDS, IDS, max_size=2), st.floats(allow_nan=False)),
                max_size=3,
            ).map(tuple),
        ),
        max_size=3,
    )
)
def test_a_host_s_figures_come_back(figures: list[Figure]) -> None:
    """With all their series."""
    assert figures == blocks.unpack_figures(blocks.pack_figures(figures))


@pytest.mark.parametrize(
    "block", [b"", b"\x93", msgspec.msgpack.encode([["Unheard", 1]]), msgspec.msgpack.encode({})]
)
def test_what_is_no_block_breaks_the_link(block: bytes) -> None:
    """Nothing of it is taken: the gateway attaches again and repeats what counts."""
    with pytest.raises(LinkBroken):
        blocks.unpack_batch(block)
    with pytest.raises(LinkBroken):
        blocks.unpack_delivery(block)
    with pytest.raises(LinkBroken):
        blocks.unpack_figures(block)


def test_another_content_is_another_version() -> None:
    """Two versions of the program are told apart by the number alone, so it must change with what
    they say.
    """
    crossing = (blocks.BATCH, blocks.DELIVERY, blocks.FIGURES)
    told = [shape(msgspec.inspect.type_info(kind)) for kind in crossing]
    found = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    assert (blocks.VERSION, found) == RECORDED


def shape(info: msgspec.inspect.Type) -> Any:
    """Return what of a type is written, and in which order."""
    match info:
        case msgspec.inspect.StructType():
            fields = [[field.encode_name, shape(field.type)] for field in info.fields]
            return [info.tag, info.array_like, fields]
        case msgspec.inspect.UnionType(types=types) | msgspec.inspect.TupleType(item_types=types):
            return sorted((shape(each) for each in types), key=json.dumps)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            return ["many", shape(info.item_type)]
        case msgspec.inspect.EnumType():
            return [each.value for each in info.cls]
        case _:
            return type(info).__name__
