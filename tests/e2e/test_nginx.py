"""Behind nginx, as docs/howto/balancer.md has it: a machine's stream and a notification pass.
Which of nginx's waits end a stream is what docs/firmware.md says.

Skipped where nginx, or its ``stream`` module, is not installed.
"""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import httpx
import pytest

from gateway.certify.desk import Desk, ExamTerms
from gateway.certify.examination import examine
from gateway.certify.hands import NoHands
from gateway.certify.moments import RuleOutcome
from gateway.certify.reference import ReferenceHands
from gateway.certify.rules import chosen_rules
from gateway.certify.selling import settle
from gateway.certify.server import listening
from gateway.rpc.tls import Tls
from gateway.simulator.line import ClientTls
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from tests.e2e.typed import ROOT
from tests.support.certificates import Authority

NGINX = shutil.which("nginx") or "nginx"
MODULE = Path(NGINX).resolve().parents[1] / "lib/nginx/modules/ngx_stream_module.so"
PAGE = (ROOT / "docs/howto/balancer.md").read_text()
TABLE = (ROOT / "docs/firmware.md").read_text()
MACHINE = "VM-0001"
BEAT_MS = 6_000
SALES = 100
"""They are more than 1 KiB."""
SHORT = "2s"
"""Shorter than the machine's heartbeats."""
RULES = ("pay-first", "resend", "cut-in-vend", "move", "heartbeat")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def nginx(folder: Path, text: str, port: int) -> AsyncIterator[None]:
    """Run nginx with this configuration until it listens, and until the end."""
    (folder / "nginx.conf").write_text(text)
    here = "user root; " if os.geteuid() == 0 else ""  # its workers write into our folder
    here += f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log info;"
    arguments = ("-p", str(folder), "-c", "nginx.conf", "-e", str(folder / "nginx.log"), "-g", here)
    process = await asyncio.create_subprocess_exec(NGINX, *arguments)
    try:
        async with asyncio.timeout(30):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        assert process.returncode is None, (folder / "nginx.log").read_text()
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def examiner() -> Desk:
    return Desk(
        terms=ExamTerms(mark="n", columns=("A1",)),
        hands=NoHands(),
        now_ms=lambda: time.monotonic_ns() // 1_000_000,
    )


@contextlib.asynccontextmanager
async def machine(
    folder: Path, port: int, tls: ClientTls | None = None
) -> AsyncIterator[MachineClient]:
    config = ClientConfig(
        gateway=f"localhost:{port}",
        identity=Identity(machine_id=MACHINE),
        state_dir=folder,
        motor_ms=500,
        tls=tls,
    )
    client = MachineClient(config, rng=Random(7))
    life = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        client.stop()
        await asyncio.wait([life])


# --- as the page says ---


def page(machines: tuple[int, int], http: tuple[int, int]) -> str:
    """The page's configuration between these ports; (outside, inside) of each door."""
    (text,) = re.findall(r"^```text\n(include .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for old, new in (
        ("include /etc/nginx/modules-enabled/*.conf;", f"load_module {MODULE};"),
        ("listen 7443;", f"listen 127.0.0.1:{machines[0]};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{http[0]} ssl;"),
        ("server 10.0.0.11:7443; server 10.0.0.12:7443;", f"server 127.0.0.1:{machines[1]};"),
        ("server 10.0.0.11:8080; server 10.0.0.12:8080;", f"server 127.0.0.1:{http[1]};"),
        ("http {\n", "http {\n  access_log off;\n" + TEMPORARY),
    ):
        assert old in text
        text = text.replace(old, new)
    return str(text)


TEMPORARY = "".join(
    f"  {kind}_temp_path {kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


@contextlib.contextmanager
def notified() -> Iterator[tuple[int, list[tuple[str, bytes]]]]:
    """A door of notifications that remembers what came: its port, and the paths with bodies."""
    came: list[tuple[str, bytes]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "7")
            self.end_headers()
            self.wfile.write(b"success")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_port, came
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.mark.skipif(not MODULE.is_file(), reason="nginx has no stream module here")
async def test_a_machine_and_a_notification_pass_as_the_page_says(tmp_path: Path) -> None:
    """TLS goes through to the gateway, which sees the machine's certificate; streams are cut, come
    back and move; a notification's body arrives as it was sent, and nothing else is let in.
    """
    ca, desk = Authority(), examiner()
    server, own = ca.server(), ca.machine(MACHINE)
    (tmp_path / "pay.pem").write_bytes(server.certificate)
    (tmp_path / "pay_key.pem").write_bytes(server.private_key)
    tls = Tls(
        certificate=server.certificate, private_key=server.private_key, client_ca=ca.certificate
    )
    shown = ClientTls(ca=ca.certificate, certificate=own.certificate, private_key=own.private_key)
    outside, pay = free_port(), free_port()
    with notified() as (inside, came):
        async with (
            listening(desk, "127.0.0.1:0", tls) as port,
            nginx(tmp_path, page((outside, port), (pay, inside)), outside),
            machine(tmp_path, outside, shown) as client,
        ):
            desk.hands = ReferenceHands(client, tmp_path / MACHINE / "journal.log")
            examination = await examine(desk, chosen_rules(RULES))

            body = bytes(range(256)) * 200
            trusting = ssl.create_default_context(cadata=ca.certificate.decode())
            async with httpx.AsyncClient(
                base_url=f"https://127.0.0.1:{pay}", verify=trusting, trust_env=False
            ) as alipay:
                answer = await alipay.post("/alipay/notify/token", content=body)
                elsewhere = await alipay.post("/metrics", content=body)

    verdicts = {each.rule.name: each.verdict for each in examination.findings}
    assert set(RULES) == verdicts.keys()
    assert {RuleOutcome.PASS} == {each.outcome for each in verdicts.values()}, verdicts
    assert (b"success", [("/alipay/notify/token", body)]) == (answer.content, came)
    assert 404 == elsewhere.status_code


# --- what docs/firmware.md says of nginx's waits ---


def proxied(port: int, inside: int, setting: str) -> str:
    return (
        "events { worker_connections 100; }\n"
        f"http {{\n  access_log off;\n{TEMPORARY}  server {{\n"
        f"    listen 127.0.0.1:{port} http2;\n    {setting}\n"
        f"    location / {{ grpc_pass grpc://127.0.0.1:{inside}; }}\n  }}\n}}\n"
    )


@pytest.mark.parametrize(
    ("wait", "ends"),
    [
        ("grpc_read_timeout", True),
        ("client_body_timeout", True),
        ("grpc_send_timeout", False),
        ("send_timeout", False),
        ("keepalive_timeout", False),
    ],
)
async def test_a_wait_below_the_heartbeat_ends_a_stream(
    tmp_path: Path, wait: str, ends: bool
) -> None:
    """Two of them do, of which the page says how long they are to be."""
    assert f"`{wait}`" in TABLE
    assert ends is (wait in table_of_waits())
    desk, outside = examiner(), free_port()
    async with (
        listening(desk, "127.0.0.1:0", None) as port,
        nginx(tmp_path, proxied(outside, port, f"{wait} {SHORT};"), outside),
        machine(tmp_path, outside),
    ):
        await settle(desk)
        call = await desk.online(heartbeat_interval_ms=BEAT_MS)

        def told() -> bool | None:
            return call.over or bool(beats()) or None

        def beats() -> list[object]:
            return [*desk.seen_since(0).on(call.number).heard("heartbeat")]

        assert await desk.until(told, 5 * BEAT_MS)
        assert (ends, not ends) == (call.over, bool(beats()))


def table_of_waits() -> str:
    """The rows of nginx's ``grpc_pass``."""
    rows = re.findall(r"^\| nginx, `grpc_pass` \| (.+?) \|", TABLE, re.MULTILINE)
    return " ".join(rows)


@pytest.mark.parametrize(("bound", "stands"), [("1k", False), ("0", True)])
async def test_a_stream_may_say_more_than_a_body_has_room_for(
    tmp_path: Path, bound: str, stands: bool
) -> None:
    """Nginx counts all that a stream says as one body; without a bound it stands."""
    assert "client_max_body_size" in table_of_waits()
    desk, outside = examiner(), free_port()
    async with (
        listening(desk, "127.0.0.1:0", None) as port,
        nginx(tmp_path, proxied(outside, port, f"client_max_body_size {bound};"), outside),
        machine(tmp_path, outside) as client,
    ):
        call = await settle(desk)

        def told() -> int:
            return len(desk.seen_since(0).on(call.number).heard("cash_sale"))

        for sold in range(1, SALES + 1):
            assert client.cash("A1")
            assert await desk.until(lambda sold=sold: call.over or told() >= sold or None, 60_000)  # type: ignore[misc]
            if call.over:
                break
        assert (stands, stands) == (not call.over, told() == SALES)
