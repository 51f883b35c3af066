"""The command line of one machine, as a process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.simulator.shelf import ShelfAct, read
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.scripted import ScriptedGateway
from tests.support.patience import HANGS_AFTER_S, until


async def test_kill_9_in_the_middle_of_a_vend(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """A killed process is a power cut: the next one has a new boot id, reports MOTOR_ON and does
    not turn the motor again.
    """
    command = [
        sys.executable,
        "-m",
        "gateway.simulator.client",
        "--gateway",
        gateway.address,
        "--state-dir",
        str(tmp_path),
    ]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command,
            "--motor-ms",
            "60000",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )

    process = await start()
    stream = await gateway.stream()
    first = await stream.welcome()
    assert process.stdin is not None
    process.stdin.write(b"wait READY\nselect A1\n")
    request = (await stream.read_kind("vend_request")).vend_request
    approved = pb.VendApproved(
        vend_id="v1",
        request_id=request.request_id,
        column="A1",
        amount_minor=500,
        valid_for_ms=30_000,
    )
    await stream.write(vend_approved=approved)
    shelf = tmp_path / "VM-0001" / "shelf.log"
    await until(lambda: any(line.act is ShelfAct.TURN for line in read(shelf)))
    process.send_signal(signal.SIGKILL)
    await process.wait()

    process = await start()
    hello = await (await gateway.stream()).welcome()
    assert hello.boot_id != first.boot_id
    assert [("v1", pb.JOURNAL_STAGE_MOTOR_ON)] == [
        (entry.vend_id, entry.stage) for entry in hello.journal_tail
    ]
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(HANGS_AFTER_S):
        assert 0 == await process.wait()
    assert [(ShelfAct.TURN, "v1")] == [
        (line.act, line.cause) for line in read(shelf) if line.act is not ShelfAct.LOAD
    ]
