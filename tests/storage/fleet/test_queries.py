"""Administrators see what was saved."""

from dataclasses import replace

import pytest

from actors.machine import values
from actors.machine.events import RefundUnknown, VendRequested
from actors.machine.ids import MachineId, RequestId
from actors.machine.state import Column
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.fleet.lists import MachinesWanted, Wanted
from storage.fleet.positions import InvalidPosition
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.fleet.views import BalanceView, GaugeView, TallyView, WorkItemKind
from storage.machines.inbox import Inbox
from tests.storage.notifications import received
from tests.storage.owner import COLUMNS, START_MS, Owner, new_machine, paid, refund_of


@pytest.mark.slow_on_postgres
async def test_a_machine_is_registry_state_and_owner(db: Database) -> None:
    """One view of all that is known of it."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    view = await Queries(db).machine("VM-1")
    assert view is not None
    assert ("Pier 7", "HKD", True, "BOTH", 1) == (
        view.store_name,
        view.currency,
        view.enabled,
        view.mode,
        view.planogram_version,
    )
    assert ("ACTIVE", "https://qr.example/VM-1") == (view.code_status, view.qr_payload)
    assert ("SESSION_IDLE", True, "VM-1-s1", 1_000) == (
        view.phase,
        view.online,
        view.session_id,
        view.funds_minor,
    )
    assert ("vendgate-host-0", COLUMNS, START_MS) == (
        view.host,
        view.columns,
        view.registered_at_ms,
    )
    assert await Queries(db).machine("VM-2") is None


async def test_machines_that_are_read_together_are_as_each_alone(db: Database) -> None:
    """Those that there are; a name that nobody has brings nothing."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.do("VM-1", paid("t1"))
    queries = Queries(db)
    found = {
        view.machine_id: view for view in await queries.some_machines(["VM-2", "VM-1", "VM-9"])
    }
    assert {name: await queries.machine(name) for name in ("VM-1", "VM-2")} == found
    assert [] == await queries.some_machines([])


@pytest.mark.slow_on_postgres
async def test_a_machine_that_nothing_was_decided_for_shows_its_registry_row(db: Database) -> None:
    """It is inactive, and its planogram is the registry's."""
    await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    view = await Queries(db).machine("VM-1")
    assert view is not None
    assert ("INACTIVE", "PENDING", COLUMNS, None) == (
        view.phase,
        view.code_status,
        view.columns,
        view.connection_changed_at_ms,
    )


@pytest.mark.slow_on_postgres
async def test_a_new_planogram_shows_at_once(db: Database) -> None:
    """Even if the actor has not heard of it."""
    await Owner.of(db, "VM-1")
    columns = (Column(column="B1", product="water", price_minor=200, capacity=4, stock=4),)
    await Registry(db).change(
        MachineId("VM-1"),
        MachineChange(columns=columns, goods_may_be_removed=True),
        actor="ann",
        action="set planogram",
        now_ms=START_MS,
    )
    view = await Queries(db).machine("VM-1")
    assert view is not None
    assert (columns, 2, 1) == (view.columns, view.planogram_version, view.planogram_in_force)


@pytest.mark.slow_on_postgres
async def test_a_planogram_that_is_not_in_force_shows_the_counts_that_stay(db: Database) -> None:
    """A column that goes on has its own count, as far as it fits, and not the one that came."""
    await Owner.of(db, "VM-1")
    first = COLUMNS[0]
    wanted = values.replace(first, price_minor=900, capacity=first.stock - 1, stock=0)
    await Registry(db).change(
        MachineId("VM-1"),
        MachineChange(columns=(wanted,), goods_may_be_removed=True),
        actor="ann",
        action="set planogram",
        now_ms=START_MS,
    )
    view = await Queries(db).machine("VM-1")
    assert view is not None
    assert [(900, first.stock - 1)] == [(one.price_minor, one.stock) for one in view.columns]


async def test_machines_come_by_id_and_phase(db: Database) -> None:
    """A page goes on behind the last id of the page before."""
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    await Registry(db).register(new_machine("VM-4"), actor="ann", now_ms=START_MS)
    await owner.do("VM-2", paid("t1"))
    queries = Queries(db)

    async def ids(after: str, limit: int, *phases: str) -> list[str]:
        return [
            view.machine_id
            for view in await queries.machines(
                MachinesWanted(phases=tuple(phases)), after=after, limit=limit
            )
        ]

    assert ["VM-1", "VM-2"] == await ids("", 2)
    assert ["VM-3", "VM-4"] == await ids("VM-2", 2)
    assert ["VM-2"] == await ids("", 10, "SESSION_IDLE")
    assert ["VM-4"] == await ids("", 10, "INACTIVE")
    assert ["VM-1", "VM-3", "VM-4"] == await ids("", 10, "INACTIVE", "ENABLED")


async def test_a_purchase_can_be_looked_up(db: Database) -> None:
    """Its session, vend, trade and refund are there in their final forms."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    queries = Queries(db)
    session, vend = await queries.session("VM-1-s1"), await queries.vend("VM-1-v1")
    trade, refund = await queries.trade("VM-1-t1"), await queries.refund("VM-1-t1R1_500")
    assert session is not None
    assert vend is not None
    assert trade is not None
    assert refund is not None
    assert ("ENDED", "COMPLETE", 1_000, 500, 500) == (
        session.status,
        session.end_reason,
        session.paid_minor,
        session.sold_minor,
        session.refunded_minor,
    )
    assert ("SUCCEEDED", 500, "cola", "VM-1-s1") == (
        vend.status,
        vend.price_minor,
        vend.product,
        vend.session_id,
    )
    assert ("CLOSED", 1_000, 500, 500, 0) == (
        trade.status,
        trade.paid_minor,
        trade.sold_minor,
        trade.refunded_minor,
        trade.held_minor,
    )
    assert ("SUCCEEDED", 500, "COMPLETE", "VM-1-t1") == (
        refund.status,
        refund.amount_minor,
        refund.cause,
        refund.trade_id,
    )
    assert [None] * 4 == [
        await queries.session("x"),
        await queries.vend("x"),
        await queries.trade("x"),
        await queries.refund("x"),
    ]


async def test_pages_are_newest_first_and_lose_nothing(db: Database) -> None:
    """Rows of one and the same time are told apart; what comes in meanwhile shifts nothing."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    for number in range(1, 4):
        owner.now_ms += number % 2
        await owner.buy("VM-1", number)
        await owner.buy("VM-2", number)
    queries = Queries(db)
    whole = await queries.trades(limit=100)
    assert (
        sorted(whole, key=lambda view: (view.received_at_ms, view.trade_id), reverse=True) == whole
    )
    pages = await queries.trades(limit=4)
    owner.now_ms += 1
    await owner.buy("VM-1", 4)
    pages += await queries.trades(limit=4, position=pages[-1].position)
    assert whole == pages
    assert ["VM-2-s3", "VM-2-s2", "VM-2-s1"] == [
        view.session_id for view in await queries.sessions(Wanted(machine_id="VM-2"), limit=10)
    ]
    assert ["VM-1-v2"] == [
        view.vend_id for view in await queries.vends(Wanted(session_id="VM-1-s2"), limit=10)
    ]


async def test_lists_are_filtered(db: Database) -> None:
    """By machine, session, trade and status."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    await owner.do("VM-1", paid("t2"))
    await owner.do("VM-1", paid("t3", payer_id="payer-bob"))
    queries = Queries(db)
    assert ["VM-1-s2"] == [
        view.session_id for view in await queries.sessions(Wanted(statuses=("OPEN",)), limit=10)
    ]
    assert ["VM-1-s1"] == [
        view.session_id for view in await queries.sessions(Wanted(statuses=("ENDED",)), limit=10)
    ]
    assert ["VM-1-t1"] == [
        view.trade_id for view in await queries.trades(Wanted(statuses=("CLOSED",)), limit=10)
    ]
    assert ["t2"] == [
        view.trade_id for view in await queries.trades(Wanted(session_id="VM-1-s2"), limit=10)
    ]
    assert ["t3R1_1000"] == [
        view.refund_id
        for view in await queries.refunds(Wanted(statuses=tuple(OPEN_REFUNDS)), limit=10)
    ]
    assert ["VM-1-t1R1_500"] == [
        view.refund_id for view in await queries.refunds(Wanted(statuses=("SUCCEEDED",)), limit=10)
    ]
    assert ["t3R1_1000"] == [
        view.refund_id for view in await queries.refunds(Wanted(trade_id="t3"), limit=10)
    ]
    assert ["VM-1-v1"] == [
        view.vend_id
        for view in await queries.vends(
            Wanted(statuses=("SUCCEEDED",), machine_id="VM-1"), limit=10
        )
    ]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("before", ["x", "1", "x:1", "²:t1", ":", "9" * 19 + ":t1"])
async def test_a_position_that_is_none_of_ours_is_refused(db: Database, before: str) -> None:
    """It is the caller's mistake, not an empty page."""
    with pytest.raises(InvalidPosition):
        await Queries(db).trades(position=before, limit=10)


async def test_the_timeline_tells_the_story_of_a_session(db: Database) -> None:
    """What happened, what was decided and what money moved, oldest first."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    story = await Queries(db).timeline("VM-1-s1")
    assert ["TopUpPaid", "#1", "#2", "#3", "RefundSucceeded"] == [
        line.event.split()[0] for line in story
    ]
    assert ("TOP_UP 1000 HKD RECEIVABLE to CUSTOMER_FUNDS VM-1-t1",) == story[0].money
    assert any(line.startswith("BeginSession") for line in story[0].decisions)
    assert any(line.startswith("SendRefund") for line in story[3].decisions)
    assert ("REFUND_CONFIRMED 500 HKD REFUND_DUE VM-1-t1R1_500 to RECEIVABLE",) == story[4].money


@pytest.mark.slow_on_postgres
async def test_events_are_followed_by_position(db: Database) -> None:
    """Whoever asks behind the last position that they saw misses nothing."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    queries = Queries(db)
    start = await queries.last_position()
    await owner.do("VM-1", paid("t1"))
    await owner.do("VM-2", paid("t2"))
    upto = await queries.settled_position()
    seen = await queries.events_after(start, upto=upto, limit=10)
    assert [("VM-1", "TopUpPaid"), ("VM-2", "TopUpPaid")] == [
        (event.machine_id, event.kind) for event in seen
    ]
    assert "TopUpPaid trade_id=t1" in seen[0].text
    assert "BeginSession" in seen[0].text
    assert await queries.last_position() == seen[-1].position
    assert [] == await queries.events_after(seen[-1].position, upto=upto, limit=10)
    assert start + 2 == len(await queries.events_after(0, upto=upto, limit=100))
    assert seen[:1] == await queries.events_after(start, upto=seen[0].position, limit=10)


async def test_one_machines_events_are_followed_by_version(db: Database) -> None:
    """From any position, its own or another's, a watch of one machine finds what comes behind it,
    and nothing else.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    for number in range(5):
        await owner.do("VM-1", paid(f"a{number}"))
        await owner.do("VM-2", paid(f"b{number}"))
    queries = Queries(db)
    upto = await queries.settled_position()
    everything = await queries.events_after(0, upto=upto, limit=100)
    for position in range(-1, everything[-1].position + 2):
        version = await queries.version_at("VM-2", position)
        assert [
            event
            for event in everything
            if event.machine_id == "VM-2" and event.position > position
        ] == await queries.events_of("VM-2", version, upto=upto, limit=100)
    assert 0 == await queries.version_at("VM-9", 10)
    assert 2 == len(await queries.events_of("VM-2", 0, upto=upto, limit=2))
    assert [] == await queries.events_of("VM-2", 0, upto=0, limit=2)


@pytest.mark.slow_on_postgres
async def test_the_journal_of_an_empty_database_starts_at_0(db: Database) -> None:
    """Position 0 is before the first event."""
    assert 0 == await Queries(db).last_position()


async def test_balances_come_from_the_ledger(db: Database) -> None:
    """Every part of what came in, by its own account."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    await owner.do("VM-2", paid("t2", 700))
    await owner.do("VM-2", paid("t3", 300, payer_id="payer-bob"))
    expected = BalanceView(
        currency="HKD",
        money_in_minor=2_000,
        money_sold_minor=500,
        money_refunded_minor=500,
        money_held_minor=700,
        refunds_open_minor=300,
        goods_written_off_minor=0,
        refunds_written_off_minor=0,
        ledger_balanced=True,
    )
    assert [expected] == await Queries(db).balances()
    (of_one,) = await Queries(db).balances("VM-1")
    assert (1_000, 500, 500, 0) == (
        of_one.money_in_minor,
        of_one.money_sold_minor,
        of_one.money_refunded_minor,
        of_one.money_held_minor,
    )
    assert [] == await Queries(db).balances("VM-3")


@pytest.mark.slow_on_postgres
async def test_gauges_tell_what_is_open_and_since_when(db: Database) -> None:
    """Every number has the age of its oldest one, where it has one."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    owner.now_ms += 5
    await owner.do("VM-1", paid("t1"))
    await owner.do("VM-1", paid("t2", payer_id="payer-bob"))
    await owner.do("VM-1", RefundUnknown(refund_id=refund_of("t2"), detail="time-out"))
    request = VendRequested(
        request_id=RequestId("r1"), column="A1", price_minor=500, planogram_version=1
    )
    await owner.do("VM-1", owner.frame("VM-1", request))
    await owner.do("VM-2", paid("t4"))
    await Inbox(db).put(replace(received("t9"), received_at_ms=START_MS + 1))
    at_ms = START_MS + 5
    assert [
        GaugeView(name="refunds_open", status="UNKNOWN", count=1, oldest_at_ms=at_ms),
        GaugeView(name="inbox_untaken", status="", count=1, oldest_at_ms=START_MS + 1),
        GaugeView(name="sessions_open", status="", count=2, oldest_at_ms=at_ms),
        GaugeView(name="machines_online", status="", count=2, oldest_at_ms=None),
        GaugeView(name="codes_differing", status="", count=0, oldest_at_ms=None),
        GaugeView(name="locks_not_obeyed", status="", count=0, oldest_at_ms=None),
        GaugeView(name="vends_in_doubt", status="", count=0, oldest_at_ms=None),
        GaugeView(name="differences_open", status="", count=0, oldest_at_ms=None),
        GaugeView(name="tried_prices_kept", status="", count=0, oldest_at_ms=None),
        *(
            GaugeView(name="work_items", status=kind, count=0, oldest_at_ms=None)
            for kind in WorkItemKind
        ),
    ] == await Queries(db).gauges(now_ms=owner.now_ms)


@pytest.mark.slow_on_postgres
async def test_the_tally_counts_all_there_has_ever_been(db: Database) -> None:
    """Closed things count as well as open ones."""
    owner = await Owner.of(db, "VM-1")
    assert TallyView(trades=0, vends={}, refunds={}) == await Queries(db).tally()
    await owner.do("VM-1", paid("t1"))
    tally = await Queries(db).tally()
    assert (1, {}) == (tally.trades, tally.vends)
