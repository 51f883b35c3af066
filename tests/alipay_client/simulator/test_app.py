"""The pretend Alipay as one object."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import alipay_client.simulator
from alipay_client.simulator import build, gmt8
from alipay_client.simulator.app import wall_clock_ms
from alipay_client.simulator.delivery import HttpDelivery
from tests.alipay_client.simulator.merchant import CONFIG, World, read, signed, world

QUERY = "alipay.acquire.overseas.query"


async def test_under_a_mock_transport(here: World) -> None:
    """``handle`` answers as the port does, and raises what a real client would see."""
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(here.alipay.handle), base_url="http://alipay"
    ) as http:
        body = signed(QUERY, partner_trans_id="x")
        response = await http.post("/gateway.do?_input_charset=UTF-8", data=body)
        assert "text/xml;charset=UTF-8" == response.headers["content-type"]
        assert "TRADE_NOT_EXIST" == read(response.content).error
        here.alipay.plan("no_answer_undone")
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post("/gateway.do?_input_charset=UTF-8", data=body)


async def test_the_sandbox_rests(here: World) -> None:
    """Where switched on, from Sunday noon to Monday noon."""
    here.alipay.switch({"sandbox_maintenance": True})
    assert read((await here.send(signed(QUERY, partner_trans_id="x"))).content).ok
    here.clock.at_ms = gmt8.parse("2026-01-18 12:00:00")
    assert (
        (await here.send(signed(QUERY, partner_trans_id="x")))
        .headers["content-type"]
        .startswith("text/html")
    )


async def test_two_of_one_seed_are_alike(here: World) -> None:
    """Same seed, same time, same acts: the same books, to the last digit."""
    other = world()
    for made in (here, other):
        qrcode = await made.create()
        made.alipay.switch({"http_500": 0.4, "notify_lost": 0.5, "notify_reordered": 0.5})
        for _ in range(5):
            out_trade_no = made.alipay.pay(qrcode, "5.00").out_trade_no
            for number in range(5):
                refund = {
                    "partner_trans_id": out_trade_no,
                    "partner_refund_id": f"R{out_trade_no}{number}",
                    "refund_amount": "1.00",
                }
                await made.send(
                    signed(
                        "alipay.acquire.overseas.spot.refund", currency="HKD", is_sync="Y", **refund
                    )
                )
        await made.alipay.settle()
    assert 0 < (await here.alipay.book())["totals"]["HKD"]["refunded_minor"] < 2_500
    assert (await here.alipay.book()) == (await other.alipay.book())
    await other.alipay.close()


async def test_built_with_defaults() -> None:
    """The wall clock, real HTTP for notifications, and a book that ends with it; a missing key is refused
    with a sentence.
    """
    alipay = build(CONFIG)
    assert isinstance(alipay._deliver, HttpDelivery)
    assert {"trades": [], "totals": {}, "left_off": 0} == (await alipay.book())
    assert wall_clock_ms() > gmt8.parse("2025-01-01 00:00:00")
    await alipay.close()
    with pytest.raises(ValueError, match="md5_key"):
        build(replace(CONFIG, md5_key=""))


def test_twins_share_the_wire_and_no_code() -> None:
    """The simulator imports nothing of the client beside it, nor of the rest of the house."""
    allowed = {
        "cryptography",
        "httpx",
        "segno",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
    }
    for path in Path(alipay_client.simulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in named:
                inside = name == "alipay_client.simulator" or name.startswith(
                    "alipay_client.simulator."
                )
                assert inside or name.split(".")[0] in allowed | sys.stdlib_module_names, (
                    f"{path.name} imports {name}"
                )
