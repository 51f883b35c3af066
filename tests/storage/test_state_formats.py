"""A program of before never saves a state without what it does not know."""

import hashlib
import json
from collections.abc import Mapping

import msgspec
import pytest

from actors.machine.ids import Currency, MachineId, TradeId
from actors.machine.offer import Offered
from actors.machine.state import Link, MachineState, Trade
from actors.machine.values import replace
from storage import codec, state_formats
from storage.codec import CodecError
from storage.state_formats import Fields
from tests.support.shapes import shape
from tests.support.story import Story

RECORDED = (2, "eaed31bada5d397c")
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


def test_only_what_may_hold_something_new_is_looked_at() -> None:
    """Each COMMIT asks for each of its states, which have hundreds of parts."""
    state = replace(STATE, trades=(TRADE, TRADE))
    for kind, name in ((Link, "online"), (Trade, "refunds_made"), (MachineState, "failed_in_row")):
        added: Mapping[int, Fields] = {2: ((kind, name),)}
        looked_at = set(state_formats._plan(MachineState, tuple(added.items())))
        assert looked_at == {MachineState, kind}
        assert 1 == state_formats.needed(state, added)


def test_a_state_with_an_offer_is_for_programs_that_know_offers() -> None:
    """One without, and one whose last vend with an offer is forgotten, is for those of before."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    story.success()
    assert 1 == codec.encode_state(story.state).format
    offered = Offered(offer="tea", ends_at_ms=story.now_ms + 60_000, left=1, discount_minor=50)
    story.pay(1_000, offers=(offered,))
    assert 2 == codec.encode_state(story.state).format
    story.select()
    vend = story.state.session and replace(story.state.session, offers=())
    assert 2 == codec.encode_state(replace(story.state, session=vend)).format
    story.success()
    story.complete()
    story.refunds_done()
    assert 2 == codec.encode_state(story.state).format
    assert 1 == codec.encode_state(replace(story.state, settled_vends=())).format
