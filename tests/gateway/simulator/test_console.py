"""The console of one machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest

from gateway.simulator.console import HELP, sit
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig
from gateway.simulator.phone import Phone
from gateway.simulator.picture import for_terminal
from tests.gateway.simulator.backend import QR, Backend
from tests.gateway.simulator.scripted import ScriptedGateway, attend, refusing
from tests.support.patience import HANGS_AFTER_S


def config(gateway: ScriptedGateway, folder: Path) -> ClientConfig:
    """Describe a quick machine."""
    return ClientConfig(
        gateway=gateway.address,
        identity=Identity(machine_id="VM-0001"),
        state_dir=folder,
        motor_ms=1,
        reconnect_initial_ms=5,
        reconnect_max_ms=20,
        refusal_waits_ms=(1,),
    )


@asynccontextmanager
async def nobodys_phone() -> AsyncIterator[Phone]:
    """A phone whose Alipay takes what it is told."""
    heard = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    async with Phone("http://alipay.test", transport=heard) as phone:
        yield phone


async def lines(*texts: str) -> AsyncIterator[str]:
    """Yield the lines of a script."""
    for text in texts:
        yield text
        await asyncio.sleep(0)


async def sit_at(gateway: ScriptedGateway, folder: Path, *script: str) -> tuple[list[str], Backend]:
    """Run a script against a small backend; return what was printed."""
    books = Backend(emit=lambda _: None, idle_ms=5_000, wait_ms=5_000)
    attending = asyncio.create_task(attend(gateway, lambda _: books))
    printed: list[str] = []
    try:
        async with asyncio.timeout(HANGS_AFTER_S), nobodys_phone() as phone:
            await sit(config(gateway, folder), lines(*script), printed.append, seed=1, phone=phone)
    finally:
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)
    return printed, books


async def test_a_script_drives_a_machine(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """Choose, be asked for money, cancel; the screen is printed page by page."""
    printed, _ = await sit_at(
        gateway,
        tmp_path,
        "wait READY 5",
        "select A1",
        "wait PAY",
        "cancel",
        "wait READY",
        "cash A1",
        "status",
        "quit",
        "never",
    )
    text = "\n".join(printed)

    assert "[READY | Scan to top up, or choose | code https://qr.example/VM-0001]" in printed
    assert "to pay 5.00 HKD" in text
    assert "* Denied" in text
    assert "VEND_DENIED_REASON_CANCELLED" in text
    assert "dropped" in printed
    assert "  A1: Water 5.00 HKD, 49 on the shelf" in printed


async def test_power_and_cable_by_hand(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """Pulled plugs show on the screen, and the machine comes back."""
    printed, _ = await sit_at(
        gateway,
        tmp_path,
        "wait ready",
        "unplug",
        "wait no_connection",
        "plug",
        "wait ready",
        "power-cut",
        "wait dark",
        "status",
        "power-on",
        "wait ready",
        "door open",
        "wait out_of_service",
        "door close",
        "jam A1",
        "repair A1",
        "load A1 2",
        "power-cut accepted",
        "cash Z9",
    )

    assert "power: off" in printed
    assert "coins returned" in printed
    assert not [text for text in printed if text.startswith("?")]


@pytest.mark.parametrize(
    "line",
    [
        "dance",
        "select",
        "load A1 many",
        "door ajar",
        "power-cut never",
        "wait",
        "wait NEVER",
        "wait DARK x",
    ],
)
async def test_what_makes_no_sense_is_answered(
    gateway: ScriptedGateway, tmp_path: Path, line: str
) -> None:
    """A wrong command is named and help is offered."""
    printed, _ = await sit_at(gateway, tmp_path, "", line, "help", "wait DARK 0.01", "quit")

    assert any(text.startswith("?") and "help" in text for text in printed)
    assert HELP in printed
    assert "? no DARK within 0.01 s" in printed


async def test_the_code_can_be_drawn(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """The one that the screen shows; before the first Welcome there is none."""
    printed, _ = await sit_at(gateway, tmp_path, "code", "wait READY", "code", "quit")

    assert "? there is no code yet" in printed
    assert for_terminal(QR) in printed


async def test_a_refused_machine_says_so(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """When only a person can help, the console says why and ends."""
    printed: list[str] = []

    async def wait_for_ever() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    async with (
        refusing(gateway, grpc.StatusCode.NOT_FOUND, "unknown"),
        asyncio.timeout(HANGS_AFTER_S),
        nobodys_phone() as phone,
    ):
        await sit(config(gateway, tmp_path), wait_for_ever(), printed.append, seed=1, phone=phone)

    assert "! the gateway refuses this machine: NOT_FOUND unknown" == printed[-1]
