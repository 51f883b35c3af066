"""Whatever a gateway and a host say to each other arrives as it was."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
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
from actors.machine.values import replace
from actors.ports import InboxItem
from tests.support.shapes import shape

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

RECORDED = (13, "c1323918a981631d")
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


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(get_args(MachineCommand)).flatmap(st.from_type), INTEGERS)
def test_what_an_older_gateway_cannot_read_is_held_back(command: Any, number: int) -> None:
    """The rest of its delivery comes, and a newer gateway hears all."""
    to_machine = ToMachine(
        machine_id=MachineId("VM-1"), stream_id=StreamId("s"), ack=7, commands=(command,)
    )
    moved = PartitionsMoved(gained=(1,))
    delivery = Delivery(number=number, messages=(to_machine, moved))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "VERSION", blocks.VERSION + 1)
        patched.setattr(
            blocks, "SINCE", {type(command): blocks.VERSION, PartitionsMoved: blocks.VERSION}
        )
        old = blocks.unpack_delivery(blocks.pack_delivery(delivery, version=blocks.OLDEST))
        new = blocks.unpack_delivery(blocks.pack_delivery(delivery, version=blocks.VERSION))
    assert (number, (replace(to_machine, commands=()),)) == (old.number, old.messages)
    assert delivery == new


def test_blocks_only_grow() -> None:
    """A host reads what the gateways of the release before say, and they read what it says, but
    for kinds that it holds back. Who raises ``OLDEST`` keeps the shape of that version here.
    """
    kept = json.loads(Path(__file__).with_name("blocks_of_before.json").read_text())
    assert kept["version"] == blocks.OLDEST
    for name, kind in (("batch", blocks.BATCH), ("delivery", blocks.DELIVERY)):
        now = json.loads(json.dumps(shape(msgspec.inspect.type_info(kind))))
        held_back = {kind.__name__ for kind, version in blocks.SINCE.items() if version}
        assert [] == list(shrunk(kept[name], now, held_back if name == "delivery" else None))


def shrunk(old: Any, new: Any, held_back: set[str] | None) -> Iterator[str]:
    """Say what stands in the one shape and not, or elsewhere, in the other. ``held_back`` None: the
    newer one only reads, and may know more kinds.
    """
    if _is_struct(old) and _is_struct(new):
        if old[:2] != new[:2] or len(new[2]) < len(old[2]):
            yield f"{old[:2]} {old[2]} was, {new[2]} is"
        for before, after in zip(old[2], new[2], strict=False):
            if before[0] != after[0]:
                yield f"{old[0]}.{before[0]} was where {after[0]} is"
            else:
                yield from shrunk(before[1], after[1], held_back)
    elif _is_many(old) and _is_many(new):
        yield from shrunk(old[1], new[1], held_back)
    elif _is_union(old) and _is_union(new):
        before, after = ({each[0]: each for each in some} for some in (old, new))
        yield from (f"{kind} is gone" for kind in before.keys() - after.keys())
        if held_back is not None:
            for kind in after.keys() - before.keys() - held_back:
                yield f"{kind} is new and not held back"
        for kind in before.keys() & after.keys():
            yield from shrunk(before[kind], after[kind], held_back)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            yield from shrunk(before, after, held_back)
    elif old != new:
        yield f"{old} was, {new} is"


def _is_struct(told: Any) -> bool:
    return isinstance(told, list) and len(told) == 3 and isinstance(told[1], bool)


def _is_many(told: Any) -> bool:
    return isinstance(told, list) and len(told) == 2 and told[0] == "many"


def _is_union(told: Any) -> bool:
    return isinstance(told, list) and bool(told) and all(map(_is_struct, told))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda told: told[1][0][2].append(["more", "IntType"]), False),
        (lambda told: told[1][0][2].pop(), True),
        (lambda told: told[1][0][2].insert(0, ["more", "IntType"]), True),
        (lambda told: told[1].pop(), True),
        (lambda told: told[1].append(["Newer", True, []]), True),
        (lambda told: told[1][0].__setitem__(1, False), True),
    ],
)
def test_what_would_break_an_older_gateway_is_found(
    change: Callable[[Any], None], found: bool
) -> None:
    """Each way in which blocks could do more than grow; a new kind is held back or found."""
    old = json.loads(json.dumps(shape(msgspec.inspect.type_info(blocks.DELIVERY))))[1]
    new = copy.deepcopy(old)
    change(new)
    assert found == bool(list(shrunk(old, new, set())))


def test_another_content_is_another_version() -> None:
    """Two versions of the program are told apart by the number alone, so it must change with what
    they say.
    """
    crossing = (blocks.BATCH, blocks.DELIVERY, blocks.FIGURES)
    told = [shape(msgspec.inspect.type_info(kind)) for kind in crossing]
    found = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    assert (blocks.VERSION, found) == RECORDED
