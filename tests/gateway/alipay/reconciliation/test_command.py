"""``vendgate reconcile`` beside a gateway at work: files of the pretend Alipay in, reports, rows
and money at rest out.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import select
from typer.testing import CliRunner, Result

from actors.machine.state import RefundStatus
from alipay_client import AlipayClient, messages
from alipay_client.simulator import application, gmt8
from alipay_client.simulator.model import Trade
from gateway import cli
from gateway.demo import books
from gateway.fleet.v1 import fleet_service_pb2, work_item_pb2, work_item_service_pb2
from gateway.process.clock import SystemClock
from storage.auditing import prove
from storage.fleet.lists import Wanted
from storage.fleet.views import RefundView
from storage.machines.rows import DAY_MS
from storage.tables import (
    inbox,
    journal,
    reconciliation_differences,
    reconciliation_runs,
    transfers,
)
from tests.alipay_client.wire import PARTNER, Pair
from tests.support import daily, installed
from tests.support.site import Site, found

REFUND, QUERY = "alipay.acquire.overseas.spot.refund", "alipay.acquire.refund.query"
now_ms = SystemClock().now_ms


@dataclass(frozen=True, kw_only=True)
class Office:
    """Where an operator sits: the site's configuration, and a folder for the files that come each
    day.
    """

    site: Site
    folder: Path
    config: str

    async def code_of(self, machine_id: str = "VM-1", store_name: str = "Lobby") -> str:
        """Register a machine and return its code."""
        asked = fleet_service_pb2.RegisterMachineRequest(
            machine_id=machine_id,
            store_name=store_name,
            currency="HKD",
            country_code="HK",
            address="1 Queen's Road",
        )
        qrcode: str = (await self.site.fleet.RegisterMachine(asked)).machine.qr_payload
        assert qrcode
        return qrcode

    async def pay(self, qrcode: str, amount: str, *, ago_ms: int = 0, lost: bool = False) -> Trade:
        """Let a customer pay some time ago; Alipay tells of it now, or never."""
        alipay = self.site.alipay
        alipay.switch({"notify_lost": 1.0 if lost else 0.0})
        alipay.context.now_ms = lambda: now_ms() - ago_ms
        trade = alipay.pay(qrcode, amount)
        await alipay.settle()
        alipay.context.now_ms = now_ms
        return trade

    async def file_of(self, at_ms: int) -> Path:
        """Fetch the pretend Alipay's file of the day of this moment."""
        day = gmt8.digits(at_ms)[:8]
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=application(self.site.alipay)),
            base_url="http://alipay",
        ) as http:
            answer = await http.get(f"/control/files/{day}/transaction")
        path = self.folder / f"{PARTNER}_transaction_{day}.txt"
        path.write_bytes(answer.content)
        return path

    async def reconcile(self, path: Path, *options: str) -> Result:
        """Run the command in a thread, because it has a loop of its own; nothing but an exit may
        come out of it.
        """
        result = await asyncio.to_thread(
            CliRunner().invoke, cli.app, ["reconcile", str(path), "--config", self.config, *options]
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            result.exception
        )
        return result

    async def rows(self) -> list[list[Any]]:
        """All that reconciling could have changed."""
        tables = (reconciliation_runs, reconciliation_differences, inbox, journal, transfers)
        return await self.site.database.read(
            lambda connection: [
                [
                    tuple(row)
                    for row in connection.execute(select(table).order_by(*table.primary_key))
                ]
                for table in tables
            ]
        )

    async def books_differ(self) -> list[str]:
        """Audit our ledger and hold it against the pretend Alipay's own book."""
        audit = await prove(self.site.database, now_ms=now_ms(), own_ids={PARTNER})
        assert [] == [finding for check in audit.checks for finding in check.findings]
        trades = await self.site.queries.trades(limit=100)
        ours = [
            books.OurTrade(
                trade_id=one.trade_id,
                currency=one.currency,
                paid_minor=one.paid_minor,
                refunded_minor=one.refunded_minor,
            )
            for one in trades
        ]
        (balance,) = await self.site.queries.balances()
        return list(
            books.differences(
                ours,
                (await self.site.alipay.book()),
                {balance.currency: balance.money_refunded_minor},
            )
        )

    async def refund_of(self, trade: Trade, status: RefundStatus) -> RefundView:
        """Wait until the trade's refund has this status."""

        async def look() -> RefundView | None:
            refunds = await self.site.queries.refunds(
                Wanted(trade_id=trade.trade_no, statuses=(status.value,)), limit=1
            )
            return refunds[0] if refunds else None

        return await found(look)


@pytest.fixture
async def office(site: Site, tmp_path: Path, pair: Pair) -> AsyncIterator[Office]:
    """Give an operator's place at the site, whose log does not stand between the lines of the
    command.
    """
    tables = installed.good(tmp_path, pair)
    tables["database"]["url"] = f"sqlite:///{site.path}"
    folder = tmp_path / "files"
    folder.mkdir()
    with (tmp_path / "site.log").open("w") as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=log))
        yield Office(site=site, folder=folder, config=installed.write(tmp_path, tables))
        structlog.configure(logger_factory=structlog.PrintLoggerFactory())


async def test_after_a_restore_no_unknown_payment_is_returned(office: Office) -> None:
    """It may have bought goods in the time that the restore lost: a person looks, and no owner
    hears of it.
    """
    trade = await office.pay(await office.code_of(), "5.00", ago_ms=DAY_MS, lost=True)
    path = await office.file_of(trade.paid_at_ms)
    first = await office.reconcile(path, "--restored")
    assert 1 == first.exit_code, first.output
    assert "OPEN PAYMENT_UNKNOWN_TO_US" in first.stdout
    assert "after the backup that was restored" in first.stdout
    # The daily run, and a newer file of that day, say nothing of the restore.
    assert first.output == (await office.reconcile(path)).output
    await office.pay(await office.code_of(), "6.00", ago_ms=DAY_MS, lost=True)
    newer = await office.reconcile(await office.file_of(trade.paid_at_ms))
    assert 2 == newer.stdout.count("OPEN PAYMENT_UNKNOWN_TO_US")
    assert [] == await office.site.queries.trades(limit=1)
    assert [] == await office.site.queries.refunds(limit=1)


async def test_a_restore_is_remembered_though_it_was_said_with_an_older_file(
    office: Office,
) -> None:
    """Such a file changes nothing, and the day is a restored one all the same."""
    qrcode = await office.code_of()
    files = []
    for name in ("older.txt", "newer.txt"):
        trade = await office.pay(qrcode, "5.00", ago_ms=DAY_MS)
        files.append((await office.file_of(trade.paid_at_ms)).rename(office.folder / name))
        await office.reconcile(files[-1])
    said = await office.reconcile(files[0], "--restored")
    assert "this one changes nothing" in said.stdout
    forgotten = await office.pay(qrcode, "6.00", ago_ms=DAY_MS, lost=True)
    latest = await office.reconcile(await office.file_of(forgotten.paid_at_ms))
    assert "OPEN PAYMENT_UNKNOWN_TO_US" in latest.stdout


async def test_a_lost_notification_is_found_and_the_money_goes_back(office: Office) -> None:
    """The file tells of it, its owner credits it as late money and returns it, and both books
    agree; again changes nothing.
    """
    trade = await office.pay(await office.code_of(), "5.00", ago_ms=DAY_MS, lost=True)
    assert [] == await office.site.queries.trades(limit=1)
    path = await office.file_of(trade.paid_at_ms)
    first = await office.reconcile(path)
    assert 0 == first.exit_code, first.output
    assert "Differences: 1 passed on to their machines." in first.stdout
    assert "PASSED_ON PAYMENT_UNKNOWN_TO_US" in first.stdout
    assert f"Alipay took 5.00 HKD at 'Lobby' at {gmt8.text(trade.paid_at_ms)}" in first.stdout
    refund = await office.refund_of(trade, RefundStatus.SUCCEEDED)
    assert ("LATE_PAYMENT", 500, "VM-1") == (refund.cause, refund.amount_minor, refund.machine_id)
    assert [] == await office.books_differ()

    second = await office.reconcile(path)
    assert (0, True) == (second.exit_code, "Differences: 1 resolved." in second.stdout)
    before = await office.rows()
    assert [1, 1, 1] == [len(rows) for rows in before[:3]]
    third = await office.reconcile(path)
    assert second.output == third.output
    assert before == await office.rows()
    assert "No differences." in (await office.reconcile(await office.file_of(now_ms()))).stdout


async def test_a_run_that_is_repeated_at_once_is_the_same(office: Office) -> None:
    """Before the owner has taken what was passed on, too: one row of the inbox, the same words."""
    trade = await office.pay(await office.code_of(), "5.00", ago_ms=DAY_MS, lost=True)
    path = await office.file_of(trade.paid_at_ms)
    await office.site.host.stop()
    reports = [await office.reconcile(path) for _ in range(2)]
    assert [0, 0] == [one.exit_code for one in reports]
    assert reports[0].output == reports[1].output
    assert 1 == len((await office.rows())[2])


async def test_a_notification_after_the_file_is_a_duplicate(office: Office) -> None:
    """Whoever tells of a payment first, it is credited once."""
    trade = await office.pay(await office.code_of(), "5.00", ago_ms=DAY_MS, lost=True)
    await office.reconcile(await office.file_of(trade.paid_at_ms))
    office.site.alipay.switch({"notify_lost": 0.0})
    office.site.alipay.courier.redeliver(trade.trade_no)
    await office.site.alipay.settle()
    await office.refund_of(trade, RefundStatus.SUCCEEDED)
    assert 1.0 == office.site.counted("duplicate", "paid")
    assert [] == await office.books_differ()


async def test_a_refund_of_unknown_outcome_is_closed_by_the_file(office: Office) -> None:
    """Alipay did it, and its answers to the call and to each question were lost; the file tells."""
    qrcode = await office.code_of()
    office.site.alipay.switch({"no_answer_done": 1.0, "services": [REFUND, QUERY]})
    trade = await office.pay(qrcode, "5.00", ago_ms=DAY_MS)
    await office.refund_of(trade, RefundStatus.UNKNOWN)
    (done,) = office.site.alipay.context.book.refunds_of(trade.trade_no)
    result = await office.reconcile(await office.file_of(done.due_at_ms))
    assert (0, True) == (result.exit_code, "PASSED_ON REFUND_OPEN_HERE" in result.stdout), (
        result.output
    )
    await office.refund_of(trade, RefundStatus.SUCCEEDED)
    assert [] == await office.books_differ()


async def test_a_portal_refund_is_reported(office: Office, pair: Pair) -> None:
    """Somebody returned money without us: a person must know, and it stays open."""
    trade = await office.pay(await office.code_of(), "5.00")
    await found(lambda: office.site.queries.trade(trade.trade_no))
    async with httpx.AsyncClient(transport=httpx.MockTransport(office.site.alipay.handle)) as http:
        asked = messages.Refund(
            partner_trans_id=trade.out_trade_no,
            partner_refund_id="PORTAL-1",
            amount_minor=200,
            currency="HKD",
        )
        await AlipayClient(pair.config(), http, now=lambda: gmt8.moment(now_ms())).refund(asked)
    path = await office.file_of(trade.paid_at_ms)
    for _ in range(2):
        result = await office.reconcile(path, "--json")
        assert 1 == result.exit_code, result.output
        told = json.loads(result.stdout)
        assert (1, False, True) == (told["open"], told["day_is_over"], told["latest"])
        (difference,) = told["differences"]
        assert ("REFUND_UNKNOWN_TO_US", "OPEN", "PORTAL-1", 200, "VM-1") == (
            difference["kind"],
            difference["status"],
            difference["refund_id"],
            difference["alipay_minor"],
            difference["machine_id"],
        )
        expected = {
            "alipay_paid_minor": 500,
            "ours_paid_minor": 500,
            "alipay_back_minor": 200,
            "ours_back_minor": 0,
        }
        assert [{"currency": "HKD", **expected}] == told["totals"]


async def test_what_a_person_closed_is_open_no_more(office: Office, pair: Pair) -> None:
    """The report says who and why, by the same file and by a newer one, and the status is 0; with
    other money it is open again.
    """
    trade = await office.pay(await office.code_of(), "5.00")
    await found(lambda: office.site.queries.trade(trade.trade_no))
    day = gmt8.moment(trade.paid_at_ms).date()
    line = daily.line(trade.out_trade_no, trade.trade_no, "7.00")
    paid = line.replace(f"{daily.DAY} 12:00:00", gmt8.text(trade.paid_at_ms))
    path = office.folder / "file.txt"
    path.write_bytes(daily.whole(paid, day=day))
    assert 1 == (await office.reconcile(path)).exit_code
    (item,) = (
        await office.site.work_items.ListWorkItems(
            work_item_service_pb2.ListWorkItemsRequest(
                kinds=[work_item_pb2.WORK_ITEM_KIND_RECONCILIATION_DIFFERENCE]
            )
        )
    ).work_items
    assert ("VM-1", trade.trade_no, 200) == (item.machine_id, item.trade_id, item.amount.minor)
    asked = work_item_service_pb2.CloseWorkItemRequest(
        item_id=item.item_id, reason="Alipay mends it, case 17"
    )
    await office.site.work_items.CloseWorkItem(asked, metadata=(("x-actor", "ann"),))
    newer = office.folder / "newer.txt"
    newer.write_bytes(daily.whole(paid, day=day) + b"\n")
    for each in (path, newer, path):
        result = await office.reconcile(each)
        assert 0 == result.exit_code, result.output
        assert "Differences: 1 closed." in result.stdout
        assert "CLOSED AMOUNT_DIFFERS" in result.stdout
        assert "closed by ann: Alipay mends it, case 17" in result.stdout
        assert "To do:" not in result.stdout
    (difference,) = json.loads((await office.reconcile(newer, "--json")).stdout)["differences"]
    assert ("CLOSED", "ann", "Alipay mends it, case 17") == (
        difference["status"],
        difference["closed_by"],
        difference["closed_reason"],
    )
    assert [] == [
        finding
        for check in (await prove(office.site.database, now_ms=now_ms())).checks
        for finding in check.findings
    ]

    newest = office.folder / "newest.txt"
    newest.write_bytes(daily.whole(paid.replace("7.00", "8.00"), day=day))
    result = await office.reconcile(newest)
    assert (1, True) == (result.exit_code, "OPEN AMOUNT_DIFFERS" in result.stdout), result.output


async def test_whose_machine_cannot_be_told_waits_for_a_person(office: Office) -> None:
    """Two machines have the same store name: nothing is credited."""
    await office.code_of("VM-2")
    trade = await office.pay(await office.code_of(), "5.00", ago_ms=DAY_MS, lost=True)
    result = await office.reconcile(await office.file_of(trade.paid_at_ms))
    assert (1, True) == (result.exit_code, "2 machines have 'Lobby'" in result.stdout), (
        result.output
    )
    assert [] == (await office.rows())[2]


async def test_an_older_file_changes_nothing(office: Office) -> None:
    """It says that there is a newer one, and how the day stands."""
    qrcode = await office.code_of()
    trade = await office.pay(qrcode, "5.00", ago_ms=DAY_MS, lost=True)
    path = await office.file_of(trade.paid_at_ms)
    old = path.rename(path.with_suffix(".old"))
    await office.reconcile(old)
    await office.refund_of(trade, RefundStatus.SUCCEEDED)
    path.write_bytes(daily.whole(day=gmt8.moment(trade.paid_at_ms).date()))
    newer = await office.reconcile(path)
    assert (1, True) == (newer.exit_code, "OPEN PAYMENT_MISSING_AT_ALIPAY" in newer.stdout), (
        newer.output
    )
    before = await office.rows()
    again = await office.reconcile(old)
    assert (1, True) == (
        again.exit_code,
        "A newer file of this day has been read since" in again.stdout,
    )
    assert before == await office.rows()


UNREADABLE = {
    "no file": (None, "No such file"),
    "empty": (b"", "is this a transaction file?"),
    "another partner": (
        daily.whole().replace(PARTNER.encode(), b"2088999999999999"),
        f"expected {PARTNER}",
    ),
    "no row": (daily.whole("a|b"), "line 2: expected 15 fields or more, found 2"),
    "cut": (
        daily.whole(daily.line("OT1", "T1", "5.00"))[:-60],
        "line 2: expected 15 fields or more",
    ),
    "miscounted": (
        daily.whole().replace(b"count:0", b"count:9"),
        "Total_count says 9 items and 0 are there",
    ),
}


async def test_an_unreadable_file_is_a_sentence(office: Office, subtests: pytest.Subtests) -> None:
    """Status 2, nothing on standard output, no row."""
    path = office.folder / "file.txt"
    for name, (content, said) in UNREADABLE.items():
        with subtests.test(name):
            if content is not None:
                path.write_bytes(content)
            result = await office.reconcile(path)
            assert (2, "") == (result.exit_code, result.stdout)
            assert said in result.stderr
            assert [[], []] == (await office.rows())[:2]


def test_a_database_that_is_not_there_is_status_2(tmp_path: Path, pair: Pair) -> None:
    """Scripts must not take it for differences."""
    path = tmp_path / "file.txt"
    path.write_bytes(daily.whole())
    config = installed.write(tmp_path, installed.good(tmp_path, pair))
    result = CliRunner().invoke(cli.app, ["reconcile", str(path), "--config", config])
    assert (2, "") == (result.exit_code, result.stdout)
    assert "vendgate db upgrade" in result.stderr
