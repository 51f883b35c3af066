"""The published moves of sessions, trades, vends and refunds (docs/architecture.md, States) are
those that the core makes, and all of them.

In scope: every single step within a decision. Whole decisions are held against the same table by
``Story``, COMMITs by the worlds.
"""

import itertools
from collections.abc import Iterator

import pytest

from actors.machine import MachineState, decide, events
from actors.machine.decision import Record
from actors.machine.draft import Draft
from actors.machine.ids import RefundId
from actors.machine.policy import Policy
from actors.machine.state import Vend
from tests.support.every_event import STATES, every_event, refund_under_way
from tests.support.story import Story, a_machine
from tests.support.transitions import BEGINS, History, Transition, leads, of_record, published

DEPTH = 2
LATER_MS = (0, 61_000, 2_000_000)
POLICIES = (
    Policy(
        doubt_review_above_minor=100,
        refund_unresolved_ms=60_000,
        refund_unresolved_tries=1,
        refund_waiting_ms=60_000,
    ),
    Policy(),
)
"""A state that both lead to goes on under the first one, which is the less patient."""


def refund_asked_after() -> Story:
    """Alipay was silent and then said no: it is asked what became of the first try."""
    story = refund_under_way()
    story.do(events.RefundUnknown(refund_id=RefundId("t1R1_1000"), detail="time-out"))
    story.do(events.RefundRefused(refund_id=RefundId("t1R1_1000"), detail="no"))
    return story


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Give all that decisions write down, in order; one decision may write of one thing more than
    once.
    """
    lines: list[Record] = []
    record = Draft._record

    def noted(turn: Draft, written: Record, key: str) -> None:
        lines.append(written)
        record(turn, written, key)

    monkeypatch.setattr(Draft, "_record", noted)
    return lines


def walk(written: list[Record]) -> Iterator[list[Transition]]:
    """Let everything happen in every state that can be told apart from those before, a few events
    deep, each path under one policy; yield each decision's moves.
    """
    known: set[object] = set()
    here: list[tuple[MachineState, int, Policy]] = []
    for make, policy in itertools.product((*STATES, refund_asked_after), POLICIES):
        story = make()
        here.append((story.state, story.now_ms, policy))
    for _ in range(DEPTH):
        there: list[tuple[MachineState, int, Policy]] = []
        for state, now_ms, policy in here:
            teller = Story(state, policy)
            for later_ms in LATER_MS:
                teller.now_ms = now_ms + later_ms
                for event in every_event(teller):
                    written.clear()
                    after = decide(state, event, teller.now_ms, policy).state
                    history = History(state)
                    for each in written:
                        history.goes_on(each)
                    yield history.transitions
                    if (shape := _shape(after)) not in known:
                        known.add(shape)
                        there.append((after, teller.now_ms, policy))
        here = there


def _shape(state: MachineState) -> object:
    """What tells states apart here: what is open, in which status, and whether the machine is
    there.
    """
    session, vend = state.session, None if state.session is None else state.session.vend
    return (
        state.link.online,
        None if session is None else (session.mode, bool(session.paid_minor)),
        None if vend is None else vend.status,
        tuple(doubtful.status for doubtful in state.doubts),
        tuple(
            (refund.status, refund.query_next, refund.asked_by_person) for refund in state.refunds
        )[:1],
        tuple(settled.status for settled in state.settled_vends)[-1:],
        state.link.boot_id,
    )


def test_the_published_moves_are_those_that_are_made(written: list[Record]) -> None:
    """Each step is a published move, and each published move is a step that something leads to."""
    seen = {move for moves in walk(written) for move in moves}

    assert set() == seen - published().keys()
    assert set() == published().keys() - seen


def test_final_states_are_never_left() -> None:
    """Nothing leads on from what is over; after a failure only the late goods do, and a closed
    trade opens for the refund of sold goods only.
    """
    final = {
        "session": {"ENDED"},
        "vend": {"SUCCEEDED", "DENIED"},
        "refund": {"SUCCEEDED", "WRITTEN_OFF"},
    }
    ends = {kind: {move.after for move in published() if move.kind == kind} for kind in final}
    for kind, states in ends.items():
        dead = {
            state
            for state in states
            if not any((move.kind, move.before) == (kind, state) for move in published())
        }
        assert final[kind] | ({"SUCCEEDED (WRITTEN_OFF)"} if kind == "vend" else set()) == dead
    assert [Transition("trade", "CLOSED", "OPEN")] == [
        move for move in published() if move.before == "CLOSED"
    ]
    for failed in ("FAILED", "VOIDED"):
        assert [Transition("vend", failed, "SUCCEEDED (WRITTEN_OFF)")] == [
            move for move in published() if move.before == failed
        ]


def test_everything_begins_somewhere() -> None:
    """Each published state can be reached from the beginning of its kind."""
    assert [] == [move for move in published() if not leads(move.kind, BEGINS, move.after)]


def test_a_move_that_is_not_published_is_not_allowed() -> None:
    """A vend that was denied and is sold afterwards fails the story in which it happens."""
    story = Story(a_machine(stock=0))
    story.connect()
    story.select()
    (denied,) = [record for record in story.last.records if isinstance(record, Vend)]
    assert ("vend", "VM-1-v1", "DENIED") == of_record(denied)
    story.history.goes_on(denied)
    assert [Transition("vend", BEGINS, "DENIED")] == story.history.transitions
    sold = Story()
    sold.connect()
    sold.pay(500)
    sold.select()
    sold.success()
    with pytest.raises(AssertionError, match="vend DENIED -> SUCCEEDED is not allowed"):
        story.history.goes_on(*sold.last.records)
