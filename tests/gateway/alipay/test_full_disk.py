"""A site whose disk is full: SQLite itself says so, at each COMMIT. Everybody is told no, nothing
is lost, and it goes on by itself.

In scope: real SQL, a real host, a machine on a real stream, the pretend Alipay. Hours of it are in
``tests/actors/host/test_full_disk.py``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from sqlalchemy import Connection, func, select

from actors.host.loop import TurnLimits
from actors.host.services import HostLimits
from actors.machine.ids import MachineId
from actors.ports import StoreError
from gateway.fleet.v1 import fleet_service_pb2
from gateway.v1 import machine_pb2 as wire
from storage.fleet.views import RefundView
from storage.tables import inbox, transfers
from tests.alipay_client.wire import Pair
from tests.support.edge import MachineCall
from tests.support.fleet_calls import refusal, registered, registration
from tests.support.site import Site, a_site, found
from tests.support.site_machine import a_machine, heard

REFUND = "alipay.acquire.overseas.spot.refund"
PRICE = "5.00"
TRIES = 12
"""More than a machine would be given whose changes break the store all by themselves."""
EAGER = HostLimits(turns=TurnLimits(retry_first_s=0.01, retry_longest_s=0.02))


@pytest.fixture
async def site(tmp_path: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Site]:
    """Give a site whose host tries again soon; at its end the audit must be clean."""
    async with a_site(tmp_path, upgraded_file, pair, host_limits=EAGER) as opened:
        yield opened


@asynccontextmanager
async def full_disk(site: Site) -> AsyncIterator[None]:
    """Leave the file no page to grow by, and let each line of journal and inbox need one;
    afterwards there is room again.
    """

    def need_pages(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE filler (bytes BLOB)")
        for table in ("journal", "inbox", "audit"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER full_{table} AFTER INSERT ON {table} BEGIN INSERT INTO filler "
                "VALUES (zeroblob(8192)); END"
            )

    def limit(connection: Connection, pages: int) -> None:
        # The one connection that writes. SQLite lets no limit fall below the present size.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await site.database.write(need_pages)
    await site.database.write(lambda connection: limit(connection, 1))
    with pytest.raises(StoreError, match="database or disk is full"):
        await _fill(site)
    yield
    await site.database.write(lambda connection: limit(connection, 1_000_000))
    for table in ("journal", "inbox", "audit"):
        await site.database.write(
            lambda connection, table=table: connection.exec_driver_sql(f"DROP TRIGGER full_{table}")  # type: ignore[misc]
        )
    await site.database.write(lambda connection: connection.exec_driver_sql("DROP TABLE filler"))


async def _fill(site: Site) -> None:
    """Use up what is free within the file."""
    while True:
        await site.database.write(
            lambda connection: connection.exec_driver_sql(
                "INSERT INTO filler VALUES (zeroblob(4000))"
            )
        )


async def _tried(site: Site, times: int = TRIES) -> None:
    """Return once the host has tried so often in vain."""
    before = site.host.stats()["commit_failures"]

    async def look() -> bool | None:
        return site.host.stats()["commit_failures"] >= before + times or None

    await found(look)


async def _saved_seq(site: Site) -> int:
    loaded = await site.store.load(MachineId("VM-1"))
    assert loaded is not None
    return loaded.state.link.last_seq


async def _count(site: Site, kind: str) -> int:
    of_kind = select(func.count()).where(transfers.c.kind == kind)
    return await site.database.read(lambda connection: connection.scalar(of_kind) or 0)


async def _acknowledged(machine: MachineCall, seq: int) -> None:
    while (await machine.hear()).ack < seq:
        pass


def _refunds_asked(site: Site) -> list[dict[str, str]]:
    return [call for call in site.asked if call["service"] == REFUND]


async def _customer(site: Site, machine: MachineCall, qr_payload: str) -> str:
    """Let somebody pay, and return their session."""
    site.alipay.pay(qr_payload, PRICE)
    await site.alipay.settle()
    return (await heard(machine, "begin_session")).begin_session.session_id


def _wish(request_id: str) -> wire.VendRequest:
    return wire.VendRequest(
        request_id=request_id, column="A1", price_minor=500, planogram_version=1
    )


async def test_a_vend_is_denied_and_sold_when_there_is_room_again(site: Site) -> None:
    """The customer hears no at once, unacknowledged; no machine is halted; with room the same
    customer is served, once.
    """
    code = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        await _customer(site, machine, code)
        async with full_disk(site):
            await machine.say(1, vend_request=_wish("r1"))
            told = await heard(machine, "vend_denied")
            assert (wire.VEND_DENIED_REASON_BACKEND_UNAVAILABLE, "r1") == (
                told.vend_denied.reason,
                told.vend_denied.request_id,
            )
            assert 0 == told.ack
            await _tried(site)
            assert (
                0
                == await _saved_seq(site)
                == site.host.stats()["halted"]
                == await _count(site, "RESERVE")
            )
        await _acknowledged(machine, 1)  # it can be saved again
        await machine.say(2, vend_request=_wish("r2"))
        vend_id = (await heard(machine, "vend_approved")).vend_approved.vend_id
        await machine.say(3, vend_success=wire.VendSuccess(vend_id=vend_id))
        await _acknowledged(machine, 3)
        assert 3 == await _saved_seq(site)
    assert 1 == await _count(site, "SETTLE")
    assert 0 == site.host.stats()["halted"]


async def test_nothing_is_acknowledged_and_no_refund_leaves(site: Site) -> None:
    """A customer who is finished while nothing can be saved gets the money back later, once; until
    then Alipay hears nothing.
    """
    code = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        stay = await _customer(site, machine, code)
        calls = len(site.asked)
        async with full_disk(site):
            await machine.say(1, session_complete=wire.SessionComplete(session_id=stay))
            await _tried(site)
            assert calls == len(site.asked)
            assert (0, 0) == (await _saved_seq(site), await _count(site, "REFUND_ASKED"))
        await _acknowledged(machine, 1)
        assert 1 == await _saved_seq(site)
    (refund,) = await found(lambda: _done(site))
    assert 500 == refund.amount_minor
    assert [refund.refund_id] == [call["partner_refund_id"] for call in _refunds_asked(site)]


async def _done(site: Site) -> list[RefundView] | None:
    refunds = await site.queries.refunds(limit=10)
    return [refund for refund in refunds if refund.status == "SUCCEEDED"] or None


async def test_an_answer_of_alipay_waits_for_room(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alipay has refunded and it cannot be written down: it is not asked again, and is written down
    when there is room.
    """
    code = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        stay = await _customer(site, machine, code)
        full, handle = asyncio.Event(), site.alipay.handle

        async def slow(request: httpx.Request) -> httpx.Response:
            await full.wait()
            return await handle(request)

        monkeypatch.setattr(site.alipay, "handle", slow)
        await machine.say(1, session_complete=wire.SessionComplete(session_id=stay))
        await found(lambda: _asked(site))
        async with full_disk(site):
            full.set()
            await _tried(site)
            assert 1 == len(_refunds_asked(site))
            assert 0 == await _count(site, "REFUND_CONFIRMED")
        assert 1 == len(await found(lambda: _done(site)))
        assert 1 == len(_refunds_asked(site))


async def _asked(site: Site) -> bool | None:
    return bool(_refunds_asked(site)) or None


async def test_a_notification_is_not_answered_success_and_counts_when_it_comes_again(
    site: Site,
) -> None:
    """Alipay is told no, so that it repeats itself; the repetition is credited."""
    code = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        async with full_disk(site):
            trade = site.alipay.pay(code, PRICE)
            await site.alipay.settle()
            machine_row = await site.registry.get(MachineId("VM-1"))
            assert machine_row is not None
            status, words = await site.post(
                machine_row.notify_token, site.signed(trade_no=trade.trade_no, out_trade_no="P1")
            )
            assert 503 == status
            assert "success" not in words
            assert 0 == await site.database.read(
                lambda connection: connection.scalar(select(func.count()).select_from(inbox))
            )
        site.clock.ahead_ms += 241_000  # Alipay's second try comes after four minutes
        await site.alipay.settle()
        await heard(machine, "begin_session")
    assert 500 == (await found(lambda: site.queries.trade(trade.trade_no))).paid_minor
    assert 1 == await _count(site, "TOP_UP")


async def test_an_administrator_is_told(site: Site) -> None:
    """What cannot be saved is refused as unavailable, and done when asked again."""
    async with full_disk(site):
        code, reason, _ = await refusal(site.fleet.RegisterMachine(registration("VM-2")))
        assert (grpc.StatusCode.UNAVAILABLE, "SQL_UNAVAILABLE") == (code, reason)
    await registered(site, "VM-2")
    shown = await site.fleet.GetMachine(fleet_service_pb2.GetMachineRequest(machine_id="VM-2"))
    assert "VM-2" == shown.machine.machine_id
