"""Notifications on their way."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from alipay_client.simulator import Limits, gmt8
from alipay_client.simulator.config import DOCUMENTED_REDELIVERY_MS
from alipay_client.simulator.delivery import HttpDelivery
from tests.alipay_client.simulator.merchant import CONFIG, World, world
from tests.support.patience import HANGS_AFTER_S


async def _run_clock(here: World, hours: int) -> None:
    """Goes from due time to due time."""
    end_ms = here.clock.at_ms + hours * 3_600_000
    await here.alipay.settle()
    while (due_ms := here.alipay.context.book.next_due_ms()) is not None and due_ms <= end_ms:
        here.clock.at_ms = max(here.clock.at_ms, due_ms)
        await here.alipay.settle()


async def test_eight_times_in_25_hours(here: World) -> None:
    """Unacknowledged, it comes at the documented intervals, under one notify_id, and then no
    more.
    """
    here.letters.answer = b"SUCCESS"
    trade = here.alipay.pay(await here.create(), "5.00")
    await _run_clock(here, 48)
    gaps = tuple(after - before for before, after in pairwise(here.letters.at_ms))
    assert DOCUMENTED_REDELIVERY_MS == gaps
    assert 1 == len({told["notify_id"] for told in here.letters.received})
    assert "2026-01-15 12:02:00" == here.letters.received[1]["notify_time"]
    assert [{"cause": "paid", "state": "GIVEN_UP", "attempts": 8}] == (await here.alipay.book())[
        "trades"
    ][0]["notifications"]
    assert 1 == here.alipay.courier.redeliver(trade.trade_no)
    here.letters.answer = b"success"
    await here.alipay.settle()
    assert (await here.alipay.book())["trades"][0]["notified"] is True


@pytest.mark.parametrize(
    "answer", [b"fail", b" success", b"success\n", b"\xef\xbb\xbfsuccess", b'"success"', b""]
)
async def test_nothing_but_success_counts(here: World, answer: bytes) -> None:
    """Exactly the seven letters, or it comes again."""
    here.letters.answer = answer
    here.alipay.pay(await here.create(), "5.00")
    await _run_clock(here, 1)
    assert 4 == len(here.letters.received)


async def test_success_ends_it(here: World) -> None:
    """Acknowledged, it never comes again; a broken connection is no acknowledgement; case can be
    made not to matter.
    """
    here.letters.broken = True
    here.alipay.pay(await here.create(), "5.00")
    await here.alipay.settle()
    here.letters.broken, here.letters.answer = False, b"SUCCESS"
    here.alipay.switch({"success_any_case": True})
    await _run_clock(here, 48)
    assert 2 == len(here.letters.received)


async def test_lost_delayed_duplicated(here: World) -> None:
    """A lost one comes with the next interval, a delayed one later, a duplicated one in copies of
    one notify_id.
    """
    qrcode = await here.create()
    here.alipay.switch({"notify_lost": 1.0})
    here.alipay.pay(qrcode, "5.00")
    await here.alipay.settle()
    assert [] == here.letters.received
    here.alipay.switch({"notify_lost": 0.0, "notify_duplicated": 1.0, "notify_copies": 2})
    await _run_clock(here, 1)
    assert 3 == len(here.letters.received)
    assert 1 == len({told["notify_id"] for told in here.letters.received})
    here.alipay.switch({"notify_duplicated": 0.0, "notify_delayed": 1.0, "notify_delay_ms": 60_000})
    started_ms = here.clock.at_ms
    here.alipay.pay(qrcode, "5.00")
    await _run_clock(here, 1)
    assert started_ms + 60_000 == here.letters.at_ms[-1]


async def test_reordered(here: World) -> None:
    """Held back by times of their own, later notifications overtake earlier ones."""
    qrcode = await here.create()
    here.alipay.switch({"notify_reordered": 1.0, "notify_reorder_ms": 10_000})
    paid = [here.alipay.pay(qrcode, "5.00").trade_no for _ in range(10)]
    await _run_clock(here, 1)
    told = [one["trade_no"] for one in here.letters.received]
    assert sorted(paid) == sorted(told)
    assert told != paid


async def test_a_restart_goes_on(tmp_path: Path) -> None:
    """What was due when the process ended without a word is delivered by the next one; what was
    acknowledged is not.
    """
    first = world(book_path=tmp_path / "book")
    qrcode = await first.create()
    first.alipay.pay(qrcode, "1.00")
    await first.alipay.settle()
    first.letters.broken = True
    first.alipay.pay(qrcode, "2.00")
    await first.alipay.settle()
    out_trade_no = first.alipay.pay(qrcode, "3.00").out_trade_no
    await first.refund(
        out_trade_no, "R1", "1.00", is_sync="N", notify_url="https://gw.example.com/refunds"
    )

    second = world(book_path=tmp_path / "book", clock=first.clock)
    await _run_clock(second, 1)
    assert ["3.00", "3.00", "2.00"] == [told["total_fee"] for told in second.letters.received]
    assert "R1" == second.letters.received[1]["out_biz_no"]
    await first.alipay.close()
    await second.alipay.close()


async def test_deliveries_are_bounded() -> None:
    """No more than the limit are sent at once, however many are due; all arrive."""
    made = world(replace(CONFIG, limits=Limits(deliveries_max=3)))
    at_once, most = 0, 0

    async def slowly(_url: str, _body: bytes, _content_type: str) -> bytes:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return b"success"

    made.alipay.courier._deliver = slowly
    qrcode = await made.create()
    for _ in range(10):
        made.alipay.pay(qrcode, "5.00")
    await made.alipay.settle()
    assert 3 == most
    assert all(trade["notified"] for trade in (await made.alipay.book())["trades"])
    await made.alipay.close()


async def test_running_delivers_by_itself(here: World) -> None:
    """While it runs, a payment is delivered without being asked for, and a refund of the same
    moment after it.
    """
    arrived = asyncio.Event()
    inner = here.alipay.courier._deliver

    async def listening(url: str, body: bytes, content_type: str) -> bytes:
        answer = await inner(url, body, content_type)
        arrived.set()
        return answer

    here.alipay.courier._deliver = listening
    async with here.alipay.running():
        here.alipay.pay(await here.create(), "5.00")
        await asyncio.wait_for(arrived.wait(), HANGS_AFTER_S)
    assert "TRADE_SUCCESS" == here.letters.received[0]["trade_status"]


async def test_stopping_ends_deliveries_in_flight(here: World) -> None:
    """What was cut off is still due."""
    started = asyncio.Event()

    async def for_ever(_url: str, _body: bytes, _content_type: str) -> bytes:
        started.set()
        await asyncio.Event().wait()
        return b""

    here.alipay.courier._deliver = for_ever
    async with here.alipay.running():
        here.alipay.pay(await here.create(), "5.00")
        await asyncio.wait_for(started.wait(), HANGS_AFTER_S)
    assert [{"cause": "paid", "state": "DUE", "attempts": 0}] == (await here.alipay.book())[
        "trades"
    ][0]["notifications"]


async def test_over_http() -> None:
    """A plain 200 with a short body, or it is an error."""
    deliver = HttpDelivery(timeout_ms=1_000, connections_max=1)
    answers = {
        "/ok": (200, b"success"),
        "/no": (503, b"success"),
        "/away": (302, b"success"),
        "/long": (200, b"x" * 5_000),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        assert "text/form" == request.headers["content-type"]
        status, body = answers[request.url.path]
        return httpx.Response(
            status, content=body, headers={"location": "/ok"} if status == 302 else {}
        )

    await deliver._http.aclose()
    deliver._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    assert b"success" == await deliver("http://gw/ok", b"", "text/form")
    for path in ("/no", "/away", "/long"):
        with pytest.raises(OSError, match=r"HTTP|longer"):
            await deliver(f"http://gw{path}", b"", "text/form")
    await deliver.close()


async def test_given_up_stays_given_up(here: World) -> None:
    """A year passes without another word, until the trade is finished."""
    here.letters.answer = b""
    here.alipay.pay(await here.create(), "5.00")
    await _run_clock(here, 24 * 30)
    assert 8 == len(here.letters.received)
    here.clock.at_ms += 365 * gmt8.DAY_MS
    await here.alipay.settle()
    assert "TRADE_FINISHED" == here.letters.received[-1]["trade_status"]


async def test_a_delivery_may_be_odd(here: World) -> None:
    """Each of a payment's deliveries for itself, in one of the ways in which the documents leave
    room; what the trade was stays in the book.
    """
    here.letters.answer = b"fail"
    here.alipay.switch({"notify_odd": 1.0})
    for _ in range(6):
        here.alipay.pay(await here.create(), "5.00")
    await _run_clock(here, 26)
    told = here.letters.received
    assert any("total_fee" not in each for each in told)
    assert any("out_trade_no" not in each for each in told)
    assert any(each.get("total_fee") == "5.001" for each in told)
    assert any(each.get("gmt_payment", "").endswith(".0") for each in told)
    assert {500} == {trade.paid_minor for trade in here.alipay.context.book.trades(10)}
