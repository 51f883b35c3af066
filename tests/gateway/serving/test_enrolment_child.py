"""The program at the enrolment port, by itself: what it is told, and when it ends."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.rpc.tls import Tls
from gateway.serving.enrolment_child import Keys, NewerKeys, Opened, Task, desk_at, opened
from gateway.serving.enrolment_door import PROGRAM
from gateway.trust.strangers import ENROL
from tests.support.header_bomb import bomb
from tests.support.patience import HANGS_AFTER_S

TASK = Task(address="127.0.0.1:0", desk="/nowhere", connections_max=4)


async def test_it_ends_with_its_gateway(tmp_path: Path) -> None:
    """However that ended: its standard input is closed by the system. It leaves no socket."""
    desk = tmp_path / "own" / "desk"
    desk.parent.mkdir()
    desk.touch()
    task = msgspec.structs.replace(TASK, desk=str(desk))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*PROGRAM, stdin=pipe, stdout=pipe)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(msgspec.json.encode(task) + b"\n")
    async with asyncio.timeout(HANGS_AFTER_S):
        line = await child.stdout.readline()
        assert 0 < msgspec.json.decode(line, type=Opened).port
        child.stdin.close()
        assert 0 == await child.wait()
    assert not desk.parent.exists()


async def test_who_never_acknowledges_the_bounds_is_sent_away() -> None:
    """Even with a call open: gRPC keeps the bounds only once that is done, and honest ones do it
    with their first frames.
    """
    async with desk_at(TASK.desk) as way:
        server, port = await opened(TASK, way, renewed=NewerKeys())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bomb(ENROL, streams=1, references=0))
        async with asyncio.timeout(HANGS_AFTER_S):
            said = await reader.read()
        writer.close()
        await server.stop(0)
    assert b"settings_timeout" in said


def test_newer_keys_are_told_once() -> None:
    """To the first handshake after they came; those in use stay until then."""
    keys = NewerKeys()
    assert (None, None) == (keys(), keys.to_come())
    keys.give(Keys(certificate=b"c", private_key=b"k"))
    newer = Tls(certificate=b"c", private_key=b"k")
    assert (newer, newer, None) == (keys(), keys.to_come(), keys())
    assert newer == keys.to_come()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what it has")
def test_memory_beyond_the_bound_is_refused() -> None:
    """What is within it is not."""
    tried = (
        "from gateway.serving.enrolment_child import bound_memory\n"
        "most = bound_memory(64 * 1024 * 1024)\n"
        "few = bytearray(32 * 1024 * 1024)\n"
        "try:\n"
        "    many = bytearray(64 * 1024 * 1024)\n"
        "except MemoryError:\n"
        "    import resource\n"
        "    print(most == resource.getrlimit(resource.RLIMIT_DATA)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, check=True)
    assert "True\n" == done.stdout
    assert resource.RLIM_INFINITY == resource.getrlimit(resource.RLIMIT_DATA)[0]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what it has")
def test_where_less_memory_may_be_had_that_is_the_bound() -> None:
    """Whoever started the gateway has bounded it, for all that it starts; no more can be asked."""
    tried = (
        "import resource\n"
        "from gateway.serving.enrolment_child import bound_memory\n"
        "most = 512 * 1024 * 1024\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (most, most))\n"
        "print(bound_memory(2 * most) == most == resource.getrlimit(resource.RLIMIT_DATA)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, check=True)
    assert "True\n" == done.stdout
