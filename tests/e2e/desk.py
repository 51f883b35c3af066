"""A person at a computer of their own: a folder, shells, programs that are left running in
terminals, and the pretend Alipay's phone.

Lines are typed as pages print them; only the ports are this desk's own, so that tests can run
beside each other.
"""

import asyncio
import contextlib
import html
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx

from gateway.demo import stage
from tests.e2e.typed import environment
from tests.support.patience import HANGS_AFTER_S


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


class Terminal:
    """A program that runs, and all that it has printed. ``within_s``: it hangs, if what is waited
    for takes longer.
    """

    def __init__(self, process: asyncio.subprocess.Process, *, within_s: float) -> None:
        self.process = process
        self._within_s = within_s
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
            async with asyncio.timeout(self._within_s):
                while text not in self.printed and not self._reading.done():
                    self._news.clear()
                    news = asyncio.create_task(self._news.wait())
                    await asyncio.wait([news, self._reading], return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
        assert text in self.printed, self.printed

    async def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def over(self) -> None:
        """Wait for its end and its last words."""
        async with asyncio.timeout(self._within_s):
            await self._reading
            await self.process.wait()

    async def end(self) -> None:
        """End it in order, as Ctrl-C does."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.over()


class Desk:
    """A person's folder and terminals. ``ports``: what is listened at instead of each port that a
    page prints; all of a folder that ``vendgate init`` made, if nothing is said. ``within_s``: no
    block takes longer, whatever else the computer does.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        ports: Mapping[str, int] | None = None,
        *,
        within_s: float = HANGS_AFTER_S,
    ) -> None:
        self.folder = folder
        self._within_s = within_s
        self.environment = environment(folder / "tools", settings)
        self._ports = _free_ports() if ports is None else ports
        self.instead: dict[str, str] = {}
        """Whole texts of pages, and what stands for them here."""

    @property
    def page(self) -> str:
        """The address of the phone."""
        return f"http://127.0.0.1:{self._ports['8188']}"

    def on_our_ports(self, text: str) -> str:
        """The text with this desk's ports."""
        for printed, here in self.instead.items():
            text = text.replace(printed, here)
        for printed, real in self._ports.items():
            text = text.replace(f"127.0.0.1:{printed}", f"127.0.0.1:{real}")
        if "8188" not in self._ports:
            return text
        text = text.replace("simulate alipay", f"simulate alipay --port {self._ports['8188']}")
        text = text.replace("simulator.client", f"simulator.client --alipay {self.page}")
        return text.replace("qr VM-0001", f"qr VM-0001 --admin 127.0.0.1:{self._ports['7444']}")

    async def type(self, block: str, *, status: int = 0) -> str:
        """Type a block into a shell and return what it prints; it ends with this status."""
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-e", "-o", "pipefail", "-c", self.on_our_ports(block)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=self._within_s,
        )
        assert status == done.returncode, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def prepare(self) -> None:
        """Give the settings that were written this desk's ports."""
        path = self.folder / "run" / "vendgate.toml"
        path.write_text(self.on_our_ports(path.read_text()))

    async def open(self, line: str) -> Terminal:
        """Leave a program running in a terminal of its own."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec {self.on_our_ports(line)}"),
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return Terminal(process, within_s=self._within_s)

    @asynccontextmanager
    async def terminal(self, line: str) -> AsyncIterator[Terminal]:
        """Leave a program running in a terminal of its own; Ctrl-C ends it."""
        terminal = await self.open(line)
        try:
            yield terminal
        finally:
            await terminal.end()

    async def until_the_phone_asks(self, amount: str) -> None:
        """Look at the phone until it shows that a machine asks for this much."""
        async with asyncio.timeout(HANGS_AFTER_S), httpx.AsyncClient(trust_env=False) as browser:
            while f"asks for <strong>{amount}</strong>" not in (await browser.get(self.page)).text:
                await asyncio.sleep(0.1)

    async def press_pay(self, amount: str, *, at: str = "") -> None:
        """Open the phone, scan the machine that asks for this much, or the one whose card says
        ``at``, write the amount if it is not there, and press the button.
        """
        said = re.escape(at) if at else f"asks for <strong>{re.escape(amount)}<"
        wanted = amount.split(maxsplit=1)[0]
        async with httpx.AsyncClient(base_url=self.page, trust_env=False) as browser:
            (href,) = re.findall(
                rf'href="(/scan[^"]+)"(?:(?!</li>).)*?{said}', (await browser.get("/")).text
            )
            page = (await browser.get(html.unescape(href))).text
            (form,) = [form for form in Forms(page).found if form[""] == "/pay"]
            assert at or wanted == form["amount"], page
            form["amount"] = wanted
            answer = await browser.post(form.pop(""), data=form, follow_redirects=True)
            assert "Paid to " in answer.text


def _free_ports() -> dict[str, int]:
    ports = stage.free_ports()
    return {
        "7443": ports.machines,
        "7444": ports.admin,
        "8080": ports.http,
        "8081": ports.health,
        "7446": ports.enrolment,
        "8188": ports.alipay,
    }
