"""A program of before never saves a state without what it does not know."""

import hashlib
import json
from collections.abc import Iterator

import msgspec
import pytest

from actors.machine.ids import Currency, MachineId, TradeId
from actors.machine.state import Link, MachineState, Trade
from actors.machine.values import replace
from storage import codec, state_formats
from storage.codec import CodecError
from tests.support.shapes import shape

RECORDED = (2, "b0a1bd66047eb2da")
"""The newest format, and a digest of what a state holds. A field that is added comes with the next
format and stands in ``state_formats.ADDED``; write down both anew.
"""
STATE = MachineState(machine_id=MachineId("VM-1"), currency=Currency("HKD"))
TRADE = Trade(
    trade_id=TradeId("t1"),
    partner_trans_id="out-t1",
    payer_id="",
    paid_minor=5,
    funds_minor=5,
    received_at_ms=1,
)


def test_another_state_is_another_format() -> None:
    """Else a program of before would drop the new field of each machine that it touches."""
    told = json.dumps(shape(msgspec.inspect.type_info(MachineState)))
    found = hashlib.sha256(told.encode()).hexdigest()[:16]
    assert (codec.STATE_FORMAT, found) == RECORDED
    for fields in state_formats.ADDED.values():
        for kind, name in fields:
            state_formats._default(kind, name)  # asserts that there is one


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two fields came with two formats, one of them in a part of which a state has many."""
    newer = {2: ((MachineState, "failed_in_row"),), 3: ((Trade, "refunds_made"), (Link, "online"))}
    monkeypatch.setattr(state_formats, "ADDED", newer)


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (STATE, 1),
        (replace(STATE, version=7), 1),
        (replace(STATE, failed_in_row=1), 2),
        (replace(STATE, link=replace(STATE.link, online=True)), 3),
        (
            replace(STATE, failed_in_row=1, trades=(TRADE, replace(TRADE, refunds_made=1))),
            3,
        ),
    ],
)
def test_a_state_has_the_format_of_what_it_says(
    state: MachineState, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a program of before goes on with all machines but those that say something new."""
    encoded = codec.encode_state(state)
    assert wanted == encoded.format
    for known in (1, 2, 3):
        monkeypatch.setattr(codec, "STATE_FORMAT", known)
        if known >= wanted:
            assert state == codec.decode_state(encoded.format, encoded.body)
        else:
            with pytest.raises(CodecError, match="run a newer version"):
                codec.decode_state(encoded.format, encoded.body)
            assert state == codec.decode_state(encoded.format, encoded.body, only_reads=True)


def test_only_what_may_hold_something_new_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each COMMIT asks for each of its states, which have hundreds of parts."""
    seen: list[type] = []
    parts = state_formats._parts

    def counted(value: object, kinds: state_formats.Kinds) -> Iterator[object]:
        seen.append(type(value))
        return parts(value, kinds)

    monkeypatch.setattr(state_formats, "_parts", counted)
    state = replace(STATE, trades=(TRADE, TRADE))
    assert 1 == state_formats.needed(state, {2: ((Link, "online"),)})
    assert [MachineState, Link] == seen
    seen.clear()
    assert 1 == state_formats.needed(state, {2: ((Trade, "refunds_made"),)})
    assert Link not in seen
    assert 2 == seen.count(Trade)
