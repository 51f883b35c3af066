"""A decision's rows fit their tables, and say whose story they are."""

from collections.abc import Callable

import pytest

from actors.machine import MachineState, decide
from actors.machine.code import Code, CodeStatus
from actors.machine.command import Command
from actors.machine.decision import Decision, Record
from actors.machine.ids import MachineId, SessionId, TradeId
from actors.machine.incident import Incident
from actors.machine.state import (
    Alarm,
    Mode,
    Refund,
    RefundCause,
    RefundStatus,
    Session,
    Trade,
    Vend,
)
from actors.machine.values import replace
from storage import tables
from storage.database.engine import Database
from storage.database.prepared import Row
from storage.machines import rows
from tests.storage.owner import HKD, START_MS, Owner, refund_of
from tests.support.every_event import STATES, every_event
from tests.support.story import Story

VM_1 = MachineId("VM-1")
TRADE = Trade(
    trade_id=TradeId("t1"),
    partner_trans_id="out-t1",
    payer_id="",
    paid_minor=5,
    funds_minor=5,
    received_at_ms=START_MS,
)
REFUND = Refund(
    refund_id=refund_of("t1"),
    trade_id=TradeId("t1"),
    partner_trans_id="out-t1",
    amount_minor=5,
    cause=RefundCause.IDLE,
    status=RefundStatus.DUE,
    due_at_ms=START_MS,
)


def named(table: str, values: Row) -> dict[str, object]:
    """Give a row's values the names of their columns."""
    names = [
        column.name
        for column in tables.metadata.tables[table].columns
        if column.name not in {"id", "digest"}
    ]
    return dict(zip(names, values, strict=True))


async def test_values_stand_in_the_order_of_the_columns(db: Database) -> None:
    """Whoever adds a column to a table adds its value in the same place."""
    owner = await Owner.of(db, "VM-1")
    changes = [owner.decide("VM-1", event) for event in owner.purchase("VM-1", 1)]
    made = rows.batch_rows(changes, {changes[0].machine_id: rows.Owned(partition=3, epoch=7)})
    state = named("machine_states", made.states[changes[0].machine_id])
    trade = named("trades", made.trades["VM-1-t1"])
    refund = named("refunds", made.refunds["VM-1-t1R1_500"])
    session = named("sessions", made.sessions["VM-1-s1"])
    vend = named("vends", made.vends["VM-1-v1"])
    assert (3, 7, "ENABLED", 1) == (
        state["partition"],
        state["epoch"],
        state["phase"],
        state["revision"],
    )
    assert (1_000, 500, 500, 0, "HKD") == tuple(
        trade[name]
        for name in ("paid_minor", "sold_minor", "refunded_minor", "held_minor", "currency")
    )
    assert (500, "COMPLETE", "SUCCEEDED", 1, "") == tuple(
        refund[name] for name in ("amount_minor", "cause", "status", "attempts", "error")
    )
    assert ("ENDED", "COMPLETE", START_MS) == (
        session["status"],
        session["end_reason"],
        session["ended_at_ms"],
    )
    assert (500, "cola", "drop sensor") == (vend["price_minor"], vend["product"], vend["evidence"])
    first = named("journal", made.journal[0])
    assert (3, 7, "TopUpPaid", "VM-1-s1") == tuple(
        first[name] for name in ("partition", "epoch", "kind", "session_id")
    )
    moved = [named("kept_transfers", row) for row in made.transfers]
    assert [(1, "VM-1-t1", 1, 7, None, 1_000, "HKD")] == [
        tuple(
            row[name]
            for name in (
                *("kind", "cause", "trade_from", "trade_length", "trade_id"),
                *("amount_minor", "currency"),
            )
        )
        for row in moved[:1]
    ]
    assert [0] * 5 == [row["line"] for row in moved]
    (item,) = (named("goods_moves", row) for row in made.goods)
    assert ("SOLD", "VM-1-v1", 1, "COLUMN:VM-1/A1", "SOLD", "VM-1") == tuple(
        item[name] for name in ("kind", "cause", "quantity", "from_place", "to_place", "machine_id")
    )
    assert (6, "", "") == (item["version"], item["visit"], item["actor"])


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({}, False),
        ({"code": Code()}, True),
        ({"code": Code(status=CodeStatus.REFUSED)}, False),
        ({"code": Code(status=CodeStatus.ACTIVE, wanted=CodeStatus.STOPPED)}, True),
        ({"code": Code(status=CodeStatus.UNKNOWN)}, True),
        ({"code": Code(status=CodeStatus.ACTIVE, asked=CodeStatus.STOPPED)}, True),
        ({"refunds": (REFUND,)}, True),
    ],
)
def test_a_machine_is_active_while_something_is_open(
    changes: dict[str, object], *, active: bool
) -> None:
    """What a new owner must see to without being asked."""
    code = Code(qr_payload="https://qr.alipay.com/bax1", status=CodeStatus.ACTIVE)
    rest = MachineState(machine_id=VM_1, currency=HKD, code=code)
    assert active == rows.is_active(replace(rest, **changes))  # type: ignore[arg-type]


def test_a_refund_is_told_in_the_session_of_its_trade() -> None:
    """Not in that of whoever stands at the machine now; a late trade's belongs to none."""
    now = Session(
        session_id=SessionId("VM-1-s9"),
        mode=Mode.BOTH,
        started_at_ms=START_MS,
        last_operation_at_ms=START_MS,
    )
    state = MachineState(machine_id=VM_1, currency=HKD, session=now)
    fed = replace(TRADE, session_id=SessionId("VM-1-s1"))
    assert "VM-1-s1" == rows.session_of(
        Decision(state=replace(state, trades=(fed,)), records=(REFUND,))
    )
    assert (
        rows.session_of(Decision(state=replace(state, trades=(TRADE,)), records=(REFUND,))) is None
    )
    assert "VM-1-s9" == rows.session_of(Decision(state=state))
    assert rows.session_of(Decision(state=replace(state, session=None))) is None


def rows_of(state: MachineState) -> dict[str, tuple[object, ...]]:
    """Return the rows of all that the state holds open."""
    session = state.session
    vends = (*state.doubts, *(() if session is None or session.vend is None else (session.vend,)))
    return {
        **({} if session is None else {session.session_id: rows.session_row(session, VM_1, HKD)}),
        **{vend.vend_id: rows.vend_row(vend, VM_1, HKD) for vend in vends},
        **{trade.trade_id: rows.trade_row(trade, VM_1, HKD) for trade in state.trades},
        **{one.command_id: rows.command_row(one, VM_1) for one in state.commands},
        **{refund.refund_id: rows.refund_row(refund, VM_1, HKD) for refund in state.refunds},
    }


def key_of(record: Record) -> str:
    """Return the id under which a record has its row."""
    match record:
        case Session():
            return record.session_id
        case Vend():
            return record.vend_id
        case Trade():
            return record.trade_id
        case Refund():
            return record.refund_id
        case Alarm():
            return record.alarm_id
        case Incident():
            return record.incident_id
        case Command():
            return record.command_id


@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_a_row_is_written_when_it_changes_and_only_then(make: Callable[[], Story]) -> None:
    """Of all that can happen in each state: no column of a row changes without its record, and no
    session or trade is written again as it was.
    """
    story = make()
    before = rows_of(story.state)
    for event in every_event(story):
        decision = decide(story.state, event, story.now_ms, story.policy)
        after = rows_of(decision.state)
        recorded = {key_of(record) for record in decision.records}
        changed = {key for key in before | after if before.get(key) != after.get(key)}
        assert changed <= recorded
        records = (one for one in decision.records if isinstance(one, Session | Trade))
        assert set() == {key_of(one) for one in records} & after.keys() - changed
