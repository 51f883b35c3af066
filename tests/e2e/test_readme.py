"""The README works as printed, for a person who types it from top to bottom, twice in a row.

Where grpcurl is not installed, a stand-in of the same name hands the same call to ``buf curl``; the
lines stay as they are printed. Only ports are changed, so that tests can run beside each other;
hosts stay in the gateway's process, which starts quicker; and the machine waits two minutes for its
money, so that a busy computer changes nothing.
"""

import asyncio
import contextlib
import html
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from gateway.demo import stage
from tests.e2e.typed import BLOCK, ROOT, environment, flat
from tests.support.patience import HANGS_AFTER_S

README = (ROOT / "README.md").read_text()
SETTINGS = {"VENDGATE_RAY__MODE": "none", "VENDGATE_POLICY__PAYMENT_WAIT_MS": "120000"}
CHAPTER = "## The first ten minutes"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


def blocks() -> list[str]:
    """The shell blocks of the chapter, in the order of the page."""
    chapter = README.partition(CHAPTER)[2].partition("\n## ")[0]
    return BLOCK.findall(chapter)


class Forms(HTMLParser):
    """What a browser sends when the button of a form is pressed and nothing was typed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append({"": given["action"]})
        elif tag == "input" and self.found:
            self.found[-1][given["name"]] = given["value"]


class Desk:
    """A person's folder and terminals, on ports that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = environment(folder / "tools", SETTINGS)
        ports = stage.free_ports()
        self.page = f"http://127.0.0.1:{ports.alipay}"
        self._ports: Mapping[str, int] = {
            "7443": ports.machines,
            "7444": ports.admin,
            "8080": ports.http,
            "8081": ports.health,
            "7446": ports.enrolment,
            "8188": ports.alipay,
        }

    def on_our_ports(self, text: str) -> str:
        """The text with this test's ports."""
        for printed, real in self._ports.items():
            text = text.replace(f"127.0.0.1:{printed}", f"127.0.0.1:{real}")
        text = text.replace("simulate alipay", f"simulate alipay --port {self._ports['8188']}")
        return text.replace("simulator.client", f"simulator.client --alipay {self.page}")

    async def type(self, block: str) -> str:
        """Type a block into a shell and return what it prints."""
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-e", "-c", self.on_our_ports(block)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=HANGS_AFTER_S,
        )
        assert 0 == done.returncode, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def prepare(self) -> None:
        """Give the settings that were written this test's ports."""
        path = self.folder / "run" / "vendgate.toml"
        path.write_text(self.on_our_ports(path.read_text()))

    @asynccontextmanager
    async def terminal(self, line: str) -> AsyncIterator["Terminal"]:
        """Leave a program running in a terminal of its own; Ctrl-C ends it."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec {self.on_our_ports(line)}"),
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        terminal = Terminal(process)
        try:
            yield terminal
        finally:
            if process.returncode is None:
                process.terminate()
            await terminal.over()


class Terminal:
    """A program that runs, and all that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.printed = ""
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.printed += line.decode()
            self._news.set()

    async def until(self, text: str) -> None:
        """Wait until it has printed a text; fail with all it printed if it ends before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANGS_AFTER_S):
                while text not in self.printed and not self._reading.done():
                    self._news.clear()
                    news = asyncio.create_task(self._news.wait())
                    await asyncio.wait([news, self._reading], return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
        assert text in self.printed

    async def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def over(self) -> None:
        """Wait for its end and its last words."""
        async with asyncio.timeout(HANGS_AFTER_S):
            await self._reading
            await self.process.wait()


async def press_pay(desk: Desk) -> None:
    """Open the page, scan the machine, and press the button."""
    async with httpx.AsyncClient(base_url=desk.page, trust_env=False) as browser:
        (href,) = re.findall(r'href="(/scan[^"]+)"', (await browser.get("/")).text)
        page = (await browser.get(html.unescape(href))).text
        (form,) = [form for form in Forms(page).found if form[""] == "/pay"]
        assert "8.50" == form["amount"], page
        answer = await browser.post(form.pop(""), data=form, follow_redirects=True)
        assert "Paid to " in answer.text


async def test_the_ten_minutes_work_as_printed_twice(tmp_path: Path) -> None:
    """Servers, an administrator's calls, a machine by hand, and one on the desk that is paid on the
    page and drops; on the next day the same, in the same folder.
    """
    desk = Desk(tmp_path)
    _, alipay, serve, admin, with_buf, machine, client = blocks()
    init, alipay = alipay.splitlines()
    for day in ("first", "second"):
        told = await desk.type(init)
        assert ("wrote" if day == "first" else "kept") in told
        desk.prepare()
        async with desk.terminal(alipay) as page, desk.terminal(serve) as gateway:
            await page.until("pretend Alipay at ")
            await gateway.until(" is ready")
            told = await desk.type(admin)
            assert "RegisterMachine" in told
            assert '"qrpayload": "https://qr.alipay.com/' in flat(told)
            assert "CODE_STATUS_ACTIVE" in told

            told = await desk.type(with_buf)
            assert '"VM-0001"' in told
            assert "VM-0001  https://qr.alipay.com/" in told

            said = flat(await desk.type(machine))
            assert '"welcome"' in said
            assert '"showqr"' in said, said
            assert "venddeniedreasoncancelled" in said
            assert '"ack": "2"' in said

            async with desk.terminal(client) as screen:
                await screen.until("[READY")
                ready_s = int(time.time())
                await screen.type("select A1")
                await screen.until("to pay 8.50 HKD")
                await until_the_page_asks(desk)
                await until_the_second_is_over(ready_s)
                await press_pay(desk)
                await screen.until("A1: the goods drop")
                await screen.type("quit")
                await screen.over()


async def until_the_second_is_over(second: int) -> None:
    """Pay no sooner than a person can. The machine on the desk takes the identity over from the one
    by hand, and Alipay tells whole seconds: money of that second may have been paid before, and
    goes back.
    """
    while int(time.time()) <= second:
        await asyncio.sleep(0.05)


async def until_the_page_asks(desk: Desk) -> None:
    """Look at the page until it shows what the machine asks for."""
    async with asyncio.timeout(HANGS_AFTER_S), httpx.AsyncClient(trust_env=False) as browser:
        while "asks for <strong>8.50 HKD</strong>" not in (await browser.get(desk.page)).text:
            await asyncio.sleep(0.1)


def test_what_is_typed_stands_in_the_readme() -> None:
    """The test presses no button and types no word that the page does not name, and what sets up
    is a target of the Makefile.
    """
    for word in ("`select A1`", "scan", "*Pay*", "`quit`", "8.50 HKD", "http://127.0.0.1:8188"):
        assert word in README
    assert blocks()[0].startswith("make tools ")
    assert 0 == subprocess.run(["make", "-n", "tools"], cwd=ROOT, capture_output=True).returncode


def test_a_grpcurl_that_is_installed_comes_before_the_stand_in(tmp_path: Path) -> None:
    """The stand-in is taken only where no grpcurl is found."""
    tools = tmp_path / "tools"
    path = environment(tools, SETTINGS)["PATH"]
    installed = shutil.which("grpcurl", path=path.removesuffix(os.pathsep + str(tools)))

    assert shutil.which("grpcurl", path=path) == (installed or str(tools / "grpcurl"))
