"""The README works as printed, for a person who types it from top to bottom, and again.

Where grpcurl is not installed, a stand-in of the same name hands the same call to ``buf curl``; the
lines stay as they are printed. Only ports are changed, so that tests can run beside each other;
hosts stay in the gateway's process, which starts quicker; and the machine waits two minutes for its
money, so that a busy computer changes nothing.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from actors.machine.policy import Policy
from tests.e2e.desk import Desk
from tests.e2e.typed import BLOCK, ROOT, environment, flat

README = (ROOT / "README.md").read_text()
SETTINGS = {"VENDGATE_RAY__MODE": "none", "VENDGATE_POLICY__PAYMENT_WAIT_MS": "120000"}
CHAPTER = "## The first ten minutes"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


def blocks() -> list[str]:
    """The shell blocks of the chapter, in the order of the page."""
    chapter = README.partition(CHAPTER)[2].partition("\n## ")[0]
    return BLOCK.findall(chapter)


@pytest.mark.parametrize(
    "days", [("first",), pytest.param(("first", "second"), marks=pytest.mark.slow)], ids=len
)
async def test_the_ten_minutes_work_as_printed(tmp_path: Path, days: Sequence[str]) -> None:
    """Servers, an administrator's calls, a machine by hand, and one on the desk that is paid on the
    page and drops; on the next day the same, in the same folder.
    """
    desk = Desk(tmp_path, SETTINGS)
    _, alipay, serve, admin, with_buf, machine, client = blocks()
    init, alipay = alipay.splitlines()
    for day in days:
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
                ready_s = time.time()
                await screen.type("select A1")
                await screen.until("to pay 8.50 HKD")
                await desk.until_the_phone_asks("8.50 HKD")
                await until_it_counts_as_later(ready_s)
                await desk.press_pay("8.50 HKD")
                await screen.until("A1: the goods drop")
                await screen.type("quit")
                await screen.over()


async def until_it_counts_as_later(moment_s: float) -> None:
    """Pay no sooner than a person can. The machine on the desk takes the identity over from the one
    by hand: what is paid within what two clocks may differ by may have been paid before, and goes
    back. Alipay tells whole seconds.
    """
    later_s = moment_s + Policy().clock_tolerance_ms / 1_000 + 1
    while time.time() < later_s:
        await asyncio.sleep(0.05)


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
