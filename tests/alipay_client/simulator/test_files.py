"""The daily files."""

import dataclasses
import sqlite3
from pathlib import Path

import httpx
import pytest

from alipay_client.simulator import application, files, gmt8
from alipay_client.simulator.book import Book
from alipay_client.simulator.model import Declined
from tests.alipay_client.simulator.merchant import CONFIG, NOON_MS, PARTNER, World, world

TODAY = gmt8.day(NOON_MS)


async def _file(here: World, day: int) -> str:
    most = here.alipay.context.limits.file_rows_max
    found = await here.alipay.reader.day(*files.span(day), limit=most + 1)
    return files.transactions(here.alipay.context, day, found)


async def test_a_day_is_a_header_and_a_line_for_each_item(here: World) -> None:
    """Payments, refunds under the merchant's own ids and cancelled payments, in the order of their
    times, fifteen columns each.
    """
    qrcode = await here.create()
    one, two = here.alipay.pay(qrcode, "5.00"), here.alipay.pay(qrcode, "3.00")
    here.clock.at_ms += 61_000
    await here.refund(one.out_trade_no, "R1", "1.50")
    here.clock.at_ms += 1_000
    await here.call(
        "alipay.acquire.cancel", out_trade_no=two.out_trade_no, timestamp=str(here.clock.at_ms)
    )
    shop = "5499|Example Vending|Lobby|shopQrCode"
    assert [
        f"Partner:{PARTNER}|Payment_time:2026-01-15|Total_count:4",
        (
            f"{one.out_trade_no}|{one.trade_no}|5.00|0.00|HKD|2026-01-15 "
            f"12:00:00|PAYMENT||{shop}|HKD|5.00|1.00000000"
        ),
        (
            f"{two.out_trade_no}|{two.trade_no}|3.00|0.00|HKD|2026-01-15 "
            f"12:00:00|PAYMENT||{shop}|HKD|3.00|1.00000000"
        ),
        f"R1|{one.trade_no}|1.50|0.00|HKD|2026-01-15 12:01:01|REFUND||{shop}|HKD|1.50|1.00000000",
        (
            f"{two.out_trade_no}|{two.trade_no}|3.00|0.00|HKD|2026-01-15 "
            f"12:01:02|CANCEL||{shop}|HKD|3.00|1.00000000"
        ),
    ] == (await _file(here, TODAY)).splitlines()


async def test_settlement_may_be_in_cny(here: World) -> None:
    """Then the price stands in its own columns, with the rate."""
    here.alipay.pay(await here.create(currency="CNY", trans_currency="JPY"), "500")
    columns = (await _file(here, TODAY)).splitlines()[1].split("|")
    assert ("23.90", "CNY", ["JPY", "500", "0.04780000"]) == (columns[2], columns[4], columns[12:])


async def test_a_day_is_a_day_of_gmt8(here: World) -> None:
    """From midnight to midnight; a refund stands on its own day, and only once it is done."""
    qrcode = await here.create()
    here.clock.at_ms = gmt8.parse("2026-01-15 23:59:59")
    trade = here.alipay.pay(qrcode, "5.00")
    here.clock.at_ms += 1_000
    here.alipay.pay(qrcode, "3.00")
    await here.refund(trade.out_trade_no, "R1", "1.00")
    await here.refund(trade.out_trade_no, "R2", "1.00", is_sync="N")
    kinds = [
        [line.split("|")[6] for line in (await _file(here, day)).splitlines()[1:]]
        for day in range(TODAY, TODAY + 3)
    ]
    assert [["PAYMENT"], ["PAYMENT", "REFUND"], []] == kinds


async def test_a_name_cannot_part_a_line(here: World) -> None:
    """Separators in it become blanks."""
    here.alipay.pay(await here.create(store_name="A|B\nC"), "5.00")
    _, line = (await _file(here, TODAY)).splitlines()
    assert "A B C" == line.split("|")[10]


async def test_a_file_has_a_bound() -> None:
    """Rather none than one that leaves something out."""
    there = world(
        dataclasses.replace(CONFIG, limits=dataclasses.replace(CONFIG.limits, file_rows_max=1))
    )
    qrcode = await there.create()
    there.alipay.pay(qrcode, "5.00")
    assert (await _file(there, TODAY)).startswith("Partner:")
    there.alipay.pay(qrcode, "5.00")
    with pytest.raises(Declined, match="FILE_TOO_LONG"):
        (await _file(there, TODAY))
    await there.alipay.close()


async def test_files_are_fetched_over_http(here: World) -> None:
    """Under their documented name, in either charset; a day that is none is refused."""
    here.alipay.pay(await here.create(store_name="大堂"), "5.00")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application(here.alipay)), base_url="http://alipay"
    ) as http:
        for charset in ("UTF-8", "GBK"):
            here.alipay.switch({"answer_charset": charset})
            answer = await http.get("/control/files/20260115/transaction")
            assert "大堂" in answer.content.decode(charset)
            assert f"{PARTNER}_transaction_20260115.txt" in answer.headers["content-disposition"]
        for day in ("2026011", "20260230", "yesterday", "2026-1-15"):
            assert 400 == (await http.get(f"/control/files/{day}/transaction")).status_code


def test_a_book_of_an_earlier_version_is_opened(tmp_path: Path) -> None:
    """It gets the columns that it lacks."""
    path = tmp_path / "book.db"
    Book.open(path, now_ms=1).close()
    with sqlite3.connect(path) as connection:
        for name in ("secondary_merchant_industry", "secondary_merchant_name"):
            connection.execute(f"ALTER TABLE codes DROP COLUMN {name}")
    connection.close()
    for _ in range(2):
        book = Book.open(path, now_ms=2)
        assert [
            "secondary_merchant_industry",
            "secondary_merchant_name",
        ] == [row["name"] for row in book._db.execute("PRAGMA table_info(codes)")][-2:]
        book.close()
