"""A machine on the desk: commands are lines on stdin, the screen is lines on stdout.

Flows in: lines such as ``select A1`` or ``power-cut``. Flows out: a line for each new page of the
screen and for each happening. Meant for firmware engineers who want to see the protocol at work,
and for scripts: ``wait READY`` waits for a page.
"""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from random import Random

from gateway.simulator.billboard import Billboard
from gateway.simulator.board import CutPoint
from gateway.simulator.happenings import VendEnded, one_line
from gateway.simulator.machine_client import ClientConfig, MachineClient
from gateway.simulator.phone import Phone
from gateway.simulator.picture import for_terminal
from gateway.simulator.screen import Screen, Show, amount_text
from gateway.v1 import machine_pb2 as pb

WAIT_S = 30.0
_LOOK_EVERY_S = 0.05

HELP = """\
select A1        press a column's button          cancel           give the request up
complete         press the button for the rest    cash A1          buy for coins
jam A1           block a motor                    repair A1        free it again
load A1 5        put goods into a column          door open|close  open or close the door
power-cut        pull the plug                    power-on         put it in again
power-cut accepted   lose power at that point of the next vend:
                     asked, approved, accepted, motor_on, dropped, result, said
unplug           pull the network cable           plug             put it in again
code             draw the code that the screen shows, for a phone
status           print all that the machine knows
wait READY [s]   wait for a page of the screen:
                 dark, no_connection, out_of_service, ready, credit, waiting, pay, dispensing
quit             switch off"""


class Console:
    """One machine, its printed screen and its commands."""

    def __init__(self, client: MachineClient, write: Callable[[str], None]) -> None:
        self._client = client
        self._write = write
        self._page: Screen | None = None
        self._commands: dict[str, Callable[[list[str]], None]] = {
            "select": lambda words: client.select(words[0]),
            "cancel": lambda _: client.cancel(),
            "complete": lambda _: client.complete(),
            "cash": lambda words: write("dropped" if client.cash(words[0]) else "coins returned"),
            "jam": lambda words: client.jam(words[0]),
            "repair": lambda words: client.repair(words[0]),
            "load": lambda words: client.shelf.load(words[0], int(words[1])),
            "door": lambda words: client.door(is_open={"open": True, "close": False}[words[0]]),
            "power-cut": lambda words: (
                client.cut_power_at(CutPoint[words[0].upper()]) if words else client.power_cut()
            ),
            "power-on": lambda _: client.power_on(),
            "unplug": lambda _: client.unplug(),
            "plug": lambda _: client.plug(),
            "code": lambda _: self._code(),
            "status": lambda _: self._status(),
            "help": lambda _: write(HELP),
        }

    async def obey(self, lines: AsyncIterator[str]) -> None:
        """Carry out commands until ``quit`` or the last line."""
        async for text in lines:
            command, *words = text.split() or [""]
            if command == "quit":
                return
            if command == "wait":
                await self._wait(words)
            elif command in self._commands:
                try:
                    self._commands[command](words)
                except (IndexError, KeyError, ValueError):
                    self._write(f"? {text!r}: see 'help'")
            elif command:
                self._write(f"? {command!r} is no command: see 'help'")

    async def show(self) -> None:
        """Print what happens, and the screen whenever its page changes, until cancelled."""
        with self._client.watch() as watch:
            while True:
                happening = await watch.until(within_s=_LOOK_EVERY_S)
                if happening is not None:
                    self._write(f"* {one_line(happening)}")
                if isinstance(happening, VendEnded):
                    what = "the goods drop" if happening.delivered else "nothing drops"
                    self._write(f"{happening.column}: {what}")
                self._print_page()

    def _print_page(self) -> None:
        page = dataclasses.replace(self._client.screen, left_ms=None)
        if page != self._page:
            self._page = page
            self._write(f"[{drawn(self._client.screen)}]")

    async def _wait(self, words: list[str]) -> None:
        try:
            wanted, within_s = Show[words[0].upper()], float(words[1]) if len(words) > 1 else WAIT_S
        except (IndexError, KeyError, ValueError):
            self._write("? wait for which page? see 'help'")
            return
        until = time.monotonic() + within_s
        with self._client.watch() as watch:
            while self._client.screen.show is not wanted:
                if time.monotonic() >= until:
                    self._write(f"? no {wanted} within {within_s:g} s")
                    return
                await watch.until(within_s=_LOOK_EVERY_S)
        self._print_page()

    def _code(self) -> None:
        payload = self._client.screen.qr_payload or self._client.sticker
        self._write(for_terminal(payload) if payload else "? there is no code yet")

    def _status(self) -> None:
        client, machine = self._client, self._client.machine
        if machine is None:
            self._write("power: off")
            return
        memory, outbox = machine.vending.memory, machine.outbox
        self._write(
            f"boot {machine.boot_id}, {'online' if machine.online else 'offline'}, planogram "
            f"{machine.planogram_version}"
        )
        self._write(
            f"outbox: last seq {outbox.last_seq}, acknowledged {outbox.acked_seq}, waiting "
            f"{len(outbox)}"
        )
        for name, column in sorted(machine.columns.items()):
            price = amount_text(column.price_minor, machine.service.currency)
            note = ", blocked" if name in machine.blocked else ""
            self._write(
                f"  {name}: {column.product} {price} {machine.service.currency}, "
                f"{client.shelf.stock[name]} on the shelf{note}"
            )
        for line in memory.tail:
            self._write(f"  journal: {line.vend_id} {pb.JournalStage.Name(line.stage)}")


def drawn(screen: Screen) -> str:
    """Return a page as one line of text."""
    parts = [screen.show.value, screen.text]
    if screen.amount_minor is not None:
        parts.append(
            f"to pay {amount_text(screen.amount_minor, screen.currency)} {screen.currency}"
        )
    if screen.funds_minor is not None:
        parts.append(f"credit {amount_text(screen.funds_minor, screen.currency)} {screen.currency}")
    if screen.left_ms is not None:
        parts.append(f"{screen.left_ms / 1000:.0f} s left")
    if screen.qr_payload:
        parts.append(f"code {screen.qr_payload}")
    return " | ".join(part for part in parts if part)


async def sit(
    config: ClientConfig,
    lines: AsyncIterator[str],
    write: Callable[[str], None],
    *,
    seed: int,
    phone: Phone,
) -> None:
    """Run one machine until its commands end; who listens to ``phone`` sees its screen."""
    client = MachineClient(config, rng=Random(seed))  # noqa: S311  a simulation
    console = Console(client, write)
    life = asyncio.create_task(client.run())
    show = asyncio.create_task(console.show())
    obey = asyncio.create_task(console.obey(lines))
    tell = asyncio.create_task(Billboard([client], phone).keep())
    try:
        await asyncio.wait([life, obey], return_when=asyncio.FIRST_COMPLETED)
        if client.refusal is not None:
            write(
                f"! the gateway refuses this machine: {client.refusal.code.name} "
                f"{client.refusal.detail}"
            )
    finally:
        client.stop()
        for task in (show, obey, tell):
            task.cancel()
        await asyncio.wait([life, show, obey, tell])
    await life
