"""A pretend Alipay on a real port."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from alipay_client.simulator import Faults, SimulatorConfig, build, gmt8
from alipay_client.simulator.serve import serve
from tests.alipay_client.simulator.merchant import CONFIG, KEY, PARTNER, read, shop, signed
from tests.support.patience import HANGS_AFTER_S

PROGRAM = f"""
import asyncio, sys
from pathlib import Path
from alipay_client.simulator import SimulatorConfig
from alipay_client.simulator.serve import serve
config = SimulatorConfig(partner="{PARTNER}", md5_key="{KEY}", redelivery_ms=(60_000,))
asyncio.run(serve(config, port=0, book_path=Path(sys.argv[1]), ready=lambda url: print(url, flush=True)))
"""


def _stderr(book_path: Path) -> Path:
    """A file, which takes everything without a reader."""
    return book_path.with_name("stderr")


@contextmanager
def _process(book_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = os.environ | {"PYTHONPATH": ".", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", PROGRAM, str(book_path)]
    with (
        _stderr(book_path).open("wb") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def _create(http: httpx.Client, store_id: str) -> str:
    now = gmt8.text(time.time_ns() // 1_000_000)
    parameters = signed(
        "alipay.commerce.qrcode.create",
        timestamp=now,
        biz_type="OVERSEASHOPQRCODE",
        notify_url="http://127.0.0.1:9/nobody",
        biz_data=shop(store_id=store_id),
    )
    answer = read(http.post("/gateway.do?_input_charset=UTF-8", data=parameters).content)
    assert answer.signed is not None
    return answer.signed["qrcode"]


def test_kill_9_loses_nothing_answered(tmp_path: Path) -> None:
    """Whatever was answered before the process was killed stands in the book, and its notifications
    are still due.
    """
    with (
        _process(tmp_path / "book") as (process, url),
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        codes = [_create(http, f"VM_{number}") for number in range(3)]
        paid = [
            http.post("/control/pay", json={"qrcode": code, "amount": "5.00"}).json()
            for code in codes
        ]
        refund = {
            "partner_trans_id": paid[0]["out_trade_no"],
            "partner_refund_id": "R1",
            "refund_amount": "2.00",
            "currency": "HKD",
        }
        refunded = http.post(
            "/gateway.do?_input_charset=UTF-8",
            data=signed("alipay.acquire.overseas.spot.refund", is_sync="Y", **refund),
        )
        assert "" == read(refunded.content).error
        process.kill()
        assert -signal.SIGKILL == process.wait(HANGS_AFTER_S)

    async def look() -> None:
        alipay = build(CONFIG, tmp_path / "book")
        book = await alipay.book()
        assert set(codes) == {code["qrcode"] for code in (await alipay.codes())["codes"]}
        assert {one["trade_no"] for one in paid} == {one["trade_no"] for one in book["trades"]}
        assert {"HKD": {"paid_minor": 1_500, "refunded_minor": 200}} == book["totals"]
        assert ["DUE"] * 3 == [one["notifications"][0]["state"] for one in book["trades"]]
        await alipay.close()

    asyncio.run(look())


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGHUP,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGQUIT, marks=pytest.mark.slow),
    ],
)
def test_signals_end_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """A kept-alive connection that stays open is not waited for; without a word and with success."""
    with (
        _process(tmp_path / "book") as (process, url),
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        assert 200 == http.get("/healthz").status_code
        process.send_signal(number)
        assert 0 == process.wait(HANGS_AFTER_S)
    assert "" == _stderr(tmp_path / "book").read_text()


async def test_a_slow_answer_does_not_hold_it_up() -> None:
    """Stopping cuts off an answer that would come minutes later."""
    config = replace(CONFIG, faults=Faults(slow=1.0, slow_ms=600_000))
    async with (
        _Served(config) as (served, url),
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        sent = asyncio.Event()

        async def look(event: str, _: object) -> None:
            if event == "http11.receive_response_headers.started":
                sent.set()

        asked = asyncio.create_task(
            http.post(
                "/gateway.do?_input_charset=UTF-8",
                data=signed("alipay.acquire.overseas.query", partner_trans_id="x"),
                extensions={"trace": look},
            )
        )
        await asyncio.wait_for(sent.wait(), HANGS_AFTER_S)
        served.stop.set()
        await asyncio.wait_for(served.task, HANGS_AFTER_S)
        await asyncio.gather(asked, return_exceptions=True)


async def test_a_connection_ends_without_a_byte() -> None:
    """Over a real port, too, no answer is no answer; the next request is served."""
    async with (
        _Served(CONFIG) as (_served, url),
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        body = signed("alipay.acquire.overseas.query", partner_trans_id="x")
        assert (
            200
            == (await http.post("/control/plan", json={"faults": ["no_answer_done"]})).status_code
        )
        with pytest.raises(httpx.TransportError):
            await http.post("/gateway.do?_input_charset=UTF-8", data=body)
        answer = await http.post("/gateway.do?_input_charset=UTF-8", data=body)
        assert "TRADE_NOT_EXIST" == read(answer.content).error
        assert "server" not in answer.headers


async def test_notifications_over_http() -> None:
    """A payment is told to another port, once."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(
            next(
                line.split(b":")[1]
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
        )
        heard.put_nowait(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsuccess")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as merchant:
        port = merchant.sockets[0].getsockname()[1]
        async with (
            _Served(CONFIG) as (_served, url),
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
        ):
            now = gmt8.text(time.time_ns() // 1_000_000)
            create = {
                "timestamp": now,
                "biz_type": "OVERSEASHOPQRCODE",
                "notify_url": f"http://127.0.0.1:{port}/t",
                "biz_data": shop(),
            }
            answer = read(
                (
                    await http.post(
                        "/gateway.do?_input_charset=UTF-8",
                        data=signed("alipay.commerce.qrcode.create", **create),
                    )
                ).content
            )
            assert answer.signed is not None
            await http.post(
                "/control/pay", json={"qrcode": answer.signed["qrcode"], "amount": "5.00"}
            )
            assert b"trade_status=TRADE_SUCCESS" in await asyncio.wait_for(
                heard.get(), HANGS_AFTER_S
            )
    assert heard.empty()


async def test_cancelling_ends_it_and_frees_the_port() -> None:
    """A larger program may just cancel it."""
    async with _Served(CONFIG) as (served, url):
        served.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await served.task
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{url}/healthz")


async def test_a_port_in_use_is_an_error() -> None:
    """It says so instead of ending the program."""
    async with _Served(CONFIG) as (_served, url):
        with pytest.raises(OSError, match="in use"):
            await serve(CONFIG, port=int(url.rpartition(":")[2]), ready=lambda _url: None)


async def test_ipv6() -> None:
    """The URL has brackets."""
    async with _Served(CONFIG, host="::1") as (_served, url):
        assert url.startswith("http://[::1]:")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert 200 == (await http.get(f"{url}/healthz")).status_code


class _Served:
    """Serves while the block lasts, in this loop."""

    def __init__(self, config: SimulatorConfig, host: str = "127.0.0.1") -> None:
        self.stop = asyncio.Event()
        self._config, self._host = config, host

    async def __aenter__(self) -> tuple["_Served", str]:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(
            serve(self._config, host=self._host, ready=ready.set_result, stop=self.stop)
        )
        return self, await asyncio.wait_for(ready, HANGS_AFTER_S)

    async def __aexit__(self, *_failure: object) -> None:
        self.stop.set()
        await asyncio.gather(self.task, return_exceptions=True)
