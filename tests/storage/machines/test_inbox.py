"""A notification is saved once, whoever brings it and however often."""

import asyncio
import dataclasses
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete, insert, make_url, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from actors.machine.events import RefundSucceeded, TradeFinished
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.machine.state import RefundStatus
from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.machines import inbox as inboxes
from storage.machines.inbox import AskedBack, Inbox, Received
from storage.tables import inbox, refunds, trades
from tests.storage.conftest import ON_POSTGRES
from tests.storage.notifications import other, received
from tests.storage.owner import START_MS
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S


async def causes(db: Database) -> dict[str, bool]:
    """Return all causes, and whether they are taken."""
    rows = await db.read(
        lambda connection: connection.execute(select(inbox).order_by(inbox.c.id)).all()
    )
    return {row.cause: row.taken_at_ms is not None for row in rows}


async def test_the_first_is_new_and_the_next_are_duplicates(db: Database) -> None:
    """They have the same row, which waits to be taken."""
    first = await Inbox(db).put(received("t1"))
    second = await Inbox(db).put(received("t1"))
    assert ("NEW", "DUPLICATE") == (first.verdict, second.verdict)
    assert first.inbox_id == second.inbox_id
    assert {"payment:t1": False} == await causes(db)


@pytest.mark.parametrize("event", [None, '{"kind":"TopUpPaid","body":{"amount_minor":1000}}'])
async def test_what_was_paid_is_read_by_the_database(db: Database, event: str | None) -> None:
    """Of a row as it is written by now, and of one from before schema 0007."""
    await Inbox(db).put(received("t1", amount_minor=1_000))
    if event is not None:
        older = update(inbox).values(event=event)
        await db.write(lambda connection: connection.execute(older))
    paid = select(inboxes.payment_minor())
    assert "1000" == await db.read(lambda connection: connection.scalar(paid))


async def test_another_hash_of_the_payer_is_no_conflict(db: Database) -> None:
    """The key of the hash may have been changed between two tellings."""
    await Inbox(db).put(received("t1"))
    assert "DUPLICATE" == (await Inbox(db).put(received("t1", payer_id="payer-other"))).verdict


async def test_other_money_under_the_same_cause_is_a_conflict(db: Database) -> None:
    """It is kept for a person, once for each telling, and never decided upon."""
    await Inbox(db).put(received("t1"))
    first = await Inbox(db).put(received("t1", amount_minor=999))
    second = await Inbox(db).put(received("t1", amount_minor=999))
    assert ("CONFLICT", "CONFLICT") == (first.verdict, second.verdict)
    assert first.inbox_id == second.inbox_id
    assert {"payment:t1": False, f"conflict:payment:t1:{999:064}": True} == await causes(db)


async def test_the_same_payment_at_another_machine_is_a_conflict(db: Database) -> None:
    """One payment belongs to one machine."""
    await Inbox(db).put(received("t1"))
    assert "CONFLICT" == (await Inbox(db).put(received("t1", machine_id="VM-2"))).verdict


async def test_what_nobody_must_decide_upon_is_stored_as_taken(db: Database) -> None:
    """It is a record only; its repetition is a duplicate."""
    first = await Inbox(db).put(other("other:n1", None))
    second = await Inbox(db).put(other("other:n1", None))
    assert ("NEW", "DUPLICATE") == (first.verdict, second.verdict)
    assert {"other:n1": True} == await causes(db)


async def test_other_kinds_have_causes_of_their_own(db: Database) -> None:
    """A refund's echo and the end of the trade are facts beside the payment."""
    put = Inbox(db).put
    await put(received("t1"))
    echo = await put(
        other("refund:t1R1", RefundSucceeded(refund_id=RefundId("t1R1"), source="notification"))
    )
    finished = await put(
        other("finished:t1", TradeFinished(trade_id=TradeId("t1"), status="TRADE_FINISHED"))
    )
    assert ("NEW", "NEW") == (echo.verdict, finished.verdict)


async def test_gateways_that_are_told_at_once_agree(db: Database) -> None:
    """One of them is told that it is new."""
    stored = await asyncio.gather(*(Inbox(db).put(received("t1")) for _ in range(8)))
    assert 1 == len({one.inbox_id for one in stored})
    assert 1 == [one.verdict for one in stored].count("NEW")


def _credit_and_close(connection: Connection) -> None:
    """As the host of VM-1 does it; what matters here is that the trade is known."""
    row = {
        "trade_id": "t1",
        "machine_id": "VM-1",
        "partner_trans_id": "out-t1",
        "payer_id": "payer-alice",
        "status": "CLOSED",
        "currency": "HKD",
        "paid_minor": 1_000,
        "sold_minor": 1_000,
        "refunded_minor": 0,
        "written_off_minor": 0,
        "held_minor": 0,
        "received_at_ms": START_MS,
    }
    connection.execute(insert(trades), row)


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=ON_POSTGRES)], indirect=True)
async def test_a_payment_whose_row_is_on_its_way_out_is_no_new_one(db: Database, url: str) -> None:
    """Told again in the moment in which its row goes to the archive, it is not credited again."""
    first = await Inbox(db).put(received("t1"))
    await db.write(_credit_and_close)
    other_gateway = await Database.open(StorageConfig(url=url))
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as archive:
        await archive.execute(delete(inbox).where(inbox.c.id == first.inbox_id))
        telling = asyncio.create_task(Inbox(other_gateway).put(received("t1")))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(HANGS_AFTER_S):
            while not telling.done() and not await db.read(lambda c: c.scalar(waiting)):
                await asyncio.sleep(LOOK_EVERY_S)
        await archive.commit()
    again = await telling
    await engine.dispose()
    await other_gateway.close()
    assert "DUPLICATE" == again.verdict
    assert {} == await causes(db)
    assert "DUPLICATE" == (await Inbox(db).put(received("t1"))).verdict


async def test_what_others_put_in_and_take_out_is_tried_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some times; then nobody knows whether it is saved, and Alipay tells it again."""
    tries: list[str] = []

    def taken(left: int) -> Callable[..., int | None]:
        def insert(connection: Connection, told: Received, cause: str, *rest: int) -> int | None:
            tries.append(cause)
            return None if len(tries) <= left else put(connection, told, cause, *rest)

        return insert

    put = inboxes._insert
    monkeypatch.setattr(inboxes, "_insert", taken(2))
    assert "NEW" == (await Inbox(db).put(other("finished:t1", None))).verdict
    assert ["finished:t1"] * 3 == tries
    monkeypatch.setattr(inboxes, "_insert", taken(1_000))
    with pytest.raises(StoreError, match="finished:t2 was put in and taken out by others"):
        await Inbox(db).put(other("finished:t2", None))


async def test_whether_a_payment_was_told_is_known_for_ever(db: Database) -> None:
    """Of a trade that only something else was told of, no payment is known."""
    await Inbox(db).put(received("t1"))
    await Inbox(db).put(other("finished:t2", None))
    known = [await Inbox(db).knows_payment(trade_id) for trade_id in ("t1", "t2")]
    assert [True, False] == known


async def test_a_refund_is_ours_if_it_was_saved(db: Database) -> None:
    """By its whole id, whatever became of it; one without an id is nobody's."""
    row = {
        "refund_id": "t1R1",
        "machine_id": "VM-1",
        "trade_id": "t1",
        "partner_trans_id": "p1",
        "amount_minor": 500,
        "currency": "HKD",
        "cause": "IDLE",
        "status": "WRITTEN_OFF",
        "attempts": 1,
        "due_at_ms": 0,
        "error": "",
    }
    await db.write(lambda connection: connection.execute(insert(refunds), row))
    ours = [await Inbox(db).our_refund(RefundId(name)) for name in ("t1R1", "t1R", "T1R1", "")]
    known = AskedBack(
        trade_id=TradeId("t1"),
        amount_minor=500,
        currency=Currency("HKD"),
        status=RefundStatus.WRITTEN_OFF,
    )
    assert [known, None, None, None] == ours


@pytest.mark.parametrize(
    ("sold", "refunded", "written_off", "is_here"),
    [
        (0, 500, 0, False),
        (0, 0, 0, True),
        (500, 0, 0, True),
        (200, 300, 0, True),
        (0, 0, 500, True),
    ],
)
async def test_money_is_here_until_all_of_it_was_asked_back(
    db: Database, sold: int, refunded: int, written_off: int, is_here: bool
) -> None:
    """Sold, free or given up: Alipay has none of it any more only if we gave all of it back."""
    row = {
        "trade_id": "t1",
        "machine_id": "VM-1",
        "partner_trans_id": "p1",
        "payer_id": "",
        "status": "OPEN",
        "currency": "HKD",
        "paid_minor": 500,
        "sold_minor": sold,
        "refunded_minor": refunded,
        "written_off_minor": written_off,
        "held_minor": 500 - sold - refunded - written_off,
        "received_at_ms": 0,
    }
    await db.write(lambda connection: connection.execute(insert(trades), row))
    assert is_here is await Inbox(db).has_money_of("t1")


async def test_money_is_here_before_its_machine_has_taken_it(db: Database) -> None:
    """A payment that was only saved; of a trade that nobody paid there is none."""
    await Inbox(db).put(received("t1"))
    await Inbox(db).put(other("closed:t2", None))
    assert [True, False] == [await Inbox(db).has_money_of(one) for one in ("t1", "t2")]


async def test_a_trade_is_over_unpaid_if_no_payment_of_it_was_told(db: Database) -> None:
    """One that was paid before is not, and neither is one of which nothing was told. What somebody
    else returned is over as what was closed is; a refund of ours that was given up says nothing.
    """
    await Inbox(db).put(received("t1"))
    for number, of in (("t1", "closed"), ("t2", "closed"), ("t3", "returned"), ("t4", "given up")):
        cause = {
            "closed": f"closed:{number}",
            "returned": f"refused:unknown_refund:{number}:n1",
            "given up": f"refused:given_up_refund:{number}:n1",
        }[of]
        await Inbox(db).put(dataclasses.replace(other(cause, None), trade_id=number))
    known = [await Inbox(db).over_unpaid(f"t{number}") for number in range(1, 6)]
    assert [None, "CLOSED", "RETURNED", None, None] == known


async def test_what_is_only_kept_may_hold_nul(db: Database) -> None:
    """PostgreSQL keeps none, and yet a person must see what Alipay signed."""
    told = Received(
        cause="refused:unknown_token:20\0x:1",
        kind="PUT_ASIDE",
        machine_id=MachineId(""),
        trade_id="20\0x",
        event=None,
        fields={"subject": "20\0x"},
        told_sha256="a" * 64,
        received_at_ms=START_MS,
    )
    assert "NEW" == (await Inbox(db).put(told)).verdict
    assert "DUPLICATE" == (await Inbox(db).put(told)).verdict
