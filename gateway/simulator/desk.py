"""A machine on the desk: commands are lines on stdin, the screen is lines on stdout.

Flows in: lines such as ``select A1`` or ``power-cut``. Flows out: a line for each new page of the
screen and for each happening. Meant for firmware engineers who want to see the protocol at work,
and for scripts: ``wait READY`` waits for a page.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import structlog

from gateway.simulator.board import CutPoint
from gateway.simulator.client import ClientConfig, MachineClient
from gateway.simulator.line import read_tls
from gateway.simulator.machine import Identity
from gateway.simulator.orders import Denied, Happening, Scolded, SessionEnded, VendEnded
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
status           print all that the machine knows
wait READY [s]   wait for a page of the screen:
                 dark, no_connection, out_of_service, ready, credit, waiting, pay, dispensing
quit             switch off"""


class Desk:
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
                    self._write(f"* {told(happening)}")
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


def told(happening: Happening) -> str:
    """Return a happening as one line of text: its name and its fields."""
    words = [type(happening).__name__]
    for field in dataclasses.fields(happening):
        value = getattr(happening, field.name)
        name = _ENUM_NAMES.get((type(happening), field.name))
        words.append(f"{field.name}={name(value) if name else value}")
    return " ".join(words)


_ENUM_NAMES: dict[tuple[type, str], Callable[[Any], str]] = {
    (Denied, "reason"): pb.VendDeniedReason.Name,
    (VendEnded, "cause"): pb.VendFailureCause.Name,
    (SessionEnded, "reason"): pb.EndSessionReason.Name,
    (Scolded, "code"): pb.ProtocolErrorCode.Name,
}


async def stdin_lines() -> AsyncIterator[str]:
    """Yield the lines of stdin; a thread reads them, because stdin may be a terminal, a pipe or a
    file.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed while we waited for a line
            for text in sys.stdin:
                loop.call_soon_threadsafe(queue.put_nowait, text)
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (text := await queue.get()) is not None:
        yield text


async def sit(
    config: ClientConfig, lines: AsyncIterator[str], write: Callable[[str], None], *, seed: int
) -> None:
    """Run one machine until its commands end."""
    client = MachineClient(config, rng=Random(seed))  # noqa: S311  a simulation
    desk = Desk(client, write)
    life = asyncio.create_task(client.run())
    show = asyncio.create_task(desk.show())
    obey = asyncio.create_task(desk.obey(lines))
    try:
        await asyncio.wait([life, obey], return_when=asyncio.FIRST_COMPLETED)
        if client.refusal is not None:
            write(
                f"! the gateway refuses this machine: {client.refusal.code.name} "
                f"{client.refusal.detail}"
            )
    finally:
        client.stop()
        for task in (show, obey):
            task.cancel()
        await asyncio.wait([life, show, obey])
    await life


def machine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that the desk and the fleet have in common."""
    parser.add_argument(
        "--gateway", default="127.0.0.1:7443", help="host:port of the gateway's machine side"
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        required=True,
        help="folder for journals and shelves, one below it for each machine",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ca",
        type=Path,
        help="PEM file with which the gateway is verified; without it the connection is plaintext",
    )
    parser.add_argument(
        "--cert", help="PEM file of the machine's certificate; {machine_id} is replaced"
    )
    parser.add_argument(
        "--key", help="PEM file of the machine's private key; {machine_id} is replaced"
    )


def log_to_stderr() -> None:
    """Keep stdout for the screen and the reports."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m gateway.simulator.client``."""
    parser = argparse.ArgumentParser(
        description="The reference machine on the desk: commands on stdin, its screen on stdout."
    )
    machine_arguments(parser)
    parser.add_argument("--machine", default="VM-0001", help="the machine's id, as registered")
    parser.add_argument("--motor-ms", type=int, default=1_000, help="how long a motor turns")
    options = parser.parse_args(arguments)
    log_to_stderr()
    config = ClientConfig(
        gateway=options.gateway,
        identity=Identity(machine_id=options.machine),
        state_dir=options.state_dir,
        tls=read_tls(options.machine, ca=options.ca, cert=options.cert, key=options.key),
        motor_ms=options.motor_ms,
    )

    def write(text: str) -> None:
        print(text, flush=True)

    write("commands on stdin; 'help' lists them")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(sit(config, stdin_lines(), write, seed=options.seed))
