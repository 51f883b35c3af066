"""The lines that the documents tell people to type work as printed, against real processes.

Where grpcurl is not installed, a stand-in of the same name hands the same call to ``buf curl``; the
lines stay as they are printed.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system import System

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("grpcurl_stand_in.py")
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


def blocks(document: str) -> Iterator[str]:
    """The shell blocks of a document that call the running system."""
    for block in BLOCK.findall((ROOT / document).read_text()):
        if "grpcurl" in block or "buf curl" in block:
            yield block


def environment(tools: Path) -> dict[str, str]:
    """An environment in which grpcurl and buf are found; the stand-in comes last."""
    tools.mkdir()
    grpcurl = tools / "grpcurl"
    grpcurl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    grpcurl.chmod(0o755)
    places = [
        str(ROOT / ".tools"),
        str(Path(sys.executable).parent),
        os.environ["PATH"],
        str(tools),
    ]
    return {**os.environ, "PATH": os.pathsep.join(places)}


def flat(text: str) -> str:
    """The text without the difference between grpcurl (snake_case) and buf curl (camelCase)."""
    return text.replace("_", "").lower()


async def run(block: str, system: System, tools: Path) -> str:
    """Type the block into a shell, on this test's ports, and return what it prints."""
    for printed, real in (
        ("7443", system.ports.machines),
        ("7444", system.ports.admin),
        ("8188", system.ports.alipay),
    ):
        block = block.replace(f"127.0.0.1:{printed}", f"127.0.0.1:{real}")
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-e", "-c", block],
        cwd=ROOT,
        env=environment(tools),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 0 == done.returncode, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


async def test_the_readmes_ten_minutes_work_as_printed(tmp_path: Path) -> None:
    """An administrator's calls, a machine by hand over the stream, and the same with buf curl."""
    admin, machine, with_buf = blocks("README.md")
    async with System(tmp_path, ray=False, machines=0, seed=1) as system:
        told = await run(admin, system, tmp_path / "t1")
        assert "RegisterMachine" in told
        assert '"qrpayload": "https://qr.alipay.com/' in flat(told)
        assert "CODE_STATUS_ACTIVE" in told

        said = flat(await run(machine, system, tmp_path / "t2"))
        assert '"welcome"' in said
        assert '"showqr"' in said
        assert "venddeniedreasoncancelled" in said
        assert '"ack": "2"' in said

        assert '"VM-0001"' in await run(with_buf, system, tmp_path / "t3")


def test_a_grpcurl_that_is_installed_comes_before_the_stand_in(tmp_path: Path) -> None:
    """The stand-in is taken only where no grpcurl is found."""
    tools = tmp_path / "tools"
    path = environment(tools)["PATH"]
    installed = shutil.which("grpcurl", path=path.removesuffix(os.pathsep + str(tools)))

    assert shutil.which("grpcurl", path=path) == (installed or str(tools / "grpcurl"))
