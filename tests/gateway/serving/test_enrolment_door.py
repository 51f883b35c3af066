"""The process at the enrolment port: what strangers do to it is its own trouble."""

import asyncio
import os
import signal
import socket
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from gateway.process.addresses import ListenRefused
from gateway.rpc.tls import Tls
from gateway.serving import enrolment_door
from gateway.serving.enrolment_child import NO_ANSWER, NewerKeys, Task, desk_at, opened
from gateway.serving.enrolment_door import EnrolmentDesk, EnrolmentDoor, keys_of, until_ended
from gateway.trust.strangers import ENROL, ENROLMENT, caller_of
from tests.support.certificates import Authority
from tests.support.header_bomb import throw
from tests.support.patience import HANGS_AFTER_S, until

MIB = 1024 * 1024


class _Office:
    """Answers who asked."""

    def handler(self) -> grpc.GenericRpcHandler:
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
            self.enrol
        )
        return grpc.method_handlers_generic_handler(ENROLMENT.full_name, {"Enrol": method})

    async def enrol(self, request: bytes, context: Any) -> bytes:
        if request == b"refuse":
            details = (("grpc-status-details-bin", b"why"),)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no", details)
        return request + b" of " + caller_of(context).rpartition(":")[0].encode()


class _Door:
    """A door that is open, and the deaths behind it."""

    def __init__(self, door: EnrolmentDoor, port: int, deaths: list[None]) -> None:
        self.door, self.port, self.deaths = door, port, deaths

    async def enrol(self, request: bytes = b"token") -> bytes:
        """Ask as a machine asks; it tries again while nobody listens."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            call: Any = channel.unary_unary(ENROL)
            answer: bytes = await call(request, wait_for_ready=True, timeout=HANGS_AFTER_S)
            return answer


@asynccontextmanager
async def _door(
    *,
    tls: Tls | None = None,
    memory: int = 256 * MIB,
    program: Sequence[str] = enrolment_door.PROGRAM,
    port: int = 0,
    heard_every_s: float = enrolment_door.HEARD_EVERY_S,
) -> AsyncIterator[_Door]:
    desk = EnrolmentDesk(_Office().handler())
    await desk.start()
    deaths: list[None] = []
    task = Task(
        address=f"127.0.0.1:{port}",
        desk=str(desk.path),
        connections_max=64,
        memory_more_max=memory,
        keys=keys_of(tls),
    )
    door = EnrolmentDoor(
        task,
        tls=tls,
        died=lambda: deaths.append(None),
        program=program,
        again_after_s=(0.05, 0.1),
        heard_every_s=heard_every_s,
    )
    try:
        yield _Door(door, await door.open(), deaths)
    finally:
        await door.close()
        await desk.stop()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_who_asks_is_told_what_the_gateway_says() -> None:
    """The answer, or the refusal with its details; and the gateway hears by whom the call is."""
    async with _door() as door:
        assert b"token of ipv4:127.0.0.1" == await door.enrol()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await door.enrol(b"refuse")
        assert grpc.StatusCode.PERMISSION_DENIED is refused.value.code()
        trailers = dict(refused.value.trailing_metadata() or ())
        assert ("no", b"why") == (refused.value.details(), trailers["grpc-status-details-bin"])
        assert not door.deaths


async def grown_beside_a_child() -> int:
    """Return by how much a gateway's process grows while its child is bombed."""
    async with _door(memory=1024 * MIB) as door:
        before = _resident()
        await _thrown(door.port)
        grown = _resident() - before
        assert b"token of ipv4:127.0.0.1" == await door.enrol()
        return grown


async def grown_within() -> int:
    """Return by how much a process grows that is bombed itself."""
    task = Task(address="127.0.0.1:0", desk="/nowhere", connections_max=64)
    async with desk_at(task.desk) as way:
        server, port = await opened(task, way, renewed=NewerKeys())
        before = _resident()
        await _thrown(port)
        grown = _resident() - before
        await server.stop(0)
        return grown


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux what it has")
async def test_a_strangers_header_bomb_takes_no_memory_of_the_gateway() -> None:
    """In the gateway's own process the same bombs take a hundred megabytes: that is tried too, so
    that this test says when gRPC has mended it and the process can go.
    """
    assert await _in_a_new_process(grown_beside_a_child.__name__) < 8 * MIB
    assert await _in_a_new_process(grown_within.__name__) > 40 * MIB


async def _in_a_new_process(name: str) -> int:
    """Return what one of these functions returns where no other test has left memory, or is still
    about to take some.
    """
    said = f"import asyncio, {__name__} as here; print(asyncio.run(here.{name}()))"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", said), stdout=PIPE, cwd=Path(__file__).parents[3]
    )
    told, _ = await child.communicate()
    return int(told.splitlines()[-1])


async def _thrown(port: int) -> None:
    """Throw bombs, and wait until nobody speaks any more."""
    async with asyncio.timeout(HANGS_AFTER_S):
        await asyncio.gather(*(throw(port, "/x", references=200_000) for _ in range(3)))


async def test_it_dies_of_a_bomb_and_another_one_listens_there() -> None:
    """At the same port, without anybody's help; the gateway counts it and goes on."""
    async with _door(memory=24 * MIB) as door:
        first = door.door.pid
        await throw(door.port, ENROL)
        await until(lambda: bool(door.deaths))
        assert b"token of ipv4:127.0.0.1" == await door.enrol()
        assert first != door.door.pid


async def test_one_that_is_killed_is_followed_by_another() -> None:
    """Again and again, not only the first time."""
    async with _door() as door:
        for count in (1, 2):
            pid = door.door.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda count=count: len(door.deaths) == count)  # type: ignore[misc]
            assert b"token of ipv4:127.0.0.1" == await door.enrol()


_ENDS_SERVING = """
import asyncio
from gateway.serving import enrolment_child

opened = enrolment_child.opened

async def opened_and_ended(*given, **named):
    server, port = await opened(*given, **named)
    ending = asyncio.get_running_loop().create_task(server.stop(0))
    ending.add_done_callback(lambda _: None)
    return server, port

enrolment_child.opened = opened_and_ended
enrolment_child.main()
"""


async def test_one_whose_server_ended_is_followed_by_another() -> None:
    """One whose call failed for want of memory is ended by gRPC; its process would go on, deaf."""
    async with _door(program=(sys.executable, "-c", _ENDS_SERVING)) as door:
        await until(lambda: len(door.deaths) > 1)


async def test_one_that_stands_still_is_followed_by_another() -> None:
    """It lives, and nobody is enrolled."""
    async with _door(heard_every_s=0.5) as door:
        pid = door.door.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: bool(door.deaths))
        assert b"token of ipv4:127.0.0.1" == await door.enrol()
        assert pid != door.door.pid


class _Child:
    """A process as its keeper sees it: it says that it lives as long as it ``speaks``."""

    def __init__(self, *, speaks: bool) -> None:
        self.speaks, self.said, self.killed = speaks, 0, 0
        self.over = asyncio.Event()
        self.stdout = self

    async def read(self, _most: int) -> bytes:
        if not self.speaks:
            await self.over.wait()
        await asyncio.sleep(0)
        self.said += 1
        return b"\n"

    async def wait(self) -> int:
        await self.over.wait()
        return -9

    def kill(self) -> None:
        self.killed += 1
        self.over.set()


async def test_who_says_that_it_lives_is_left_alone() -> None:
    """And who does not, through some looks, is ended once."""
    looks = 10 * enrolment_door.SILENT_LOOKS_MAX
    well, still = _Child(speaks=True), _Child(speaks=False)
    keeping = asyncio.create_task(until_ended(cast("Process", well), heard_every_s=0.001))
    async with asyncio.timeout(HANGS_AFTER_S):
        for _ in range(looks):
            await asyncio.sleep(0.001)
        assert -9 == await until_ended(cast("Process", still), heard_every_s=0.001)
    assert (0, 1) == (well.killed, still.killed)
    assert not keeping.done()
    well.over.set()
    assert -9 == await keeping


async def test_its_environment_has_no_secret_of_the_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings may stand in variables, the database's password among them."""
    names = ("VENDGATE_DATABASE__URL", "PGPASSWORD", "RAY_AUTH_TOKEN")
    for name in names:
        monkeypatch.setenv(name, "secret")
    said = (
        f"import os; raise SystemExit('has ' + str([one for one in {names} if one in os.environ]))"
    )
    with pytest.raises(ListenRefused, match=r"has \[\]"):
        async with _door(program=(sys.executable, "-c", said)):
            pass


async def test_newer_keys_are_shown_from_the_next_handshake_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And after a death, too."""
    monkeypatch.setattr(enrolment_door, "LOOK_EVERY_S", 0.05)
    ca = Authority("the gateway's")
    newer: list[Tls] = []

    class _Files:
        def __call__(self) -> Tls | None:
            return newer.pop() if newer else None

        def to_come(self) -> Tls | None:
            return newer[-1] if newer else None

    old, new = ca.server(), ca.server()
    tls = Tls(certificate=old.certificate, private_key=old.private_key, renewed=_Files())
    async with _door(tls=tls) as door:
        assert await _shown(door.port) in old.certificate.decode()
        newer.append(Tls(certificate=new.certificate, private_key=new.private_key))
        async with asyncio.timeout(HANGS_AFTER_S):
            while await _shown(door.port) not in new.certificate.decode():
                await asyncio.sleep(0.05)
        os.kill(door.door.pid or 0, signal.SIGKILL)
        await until(lambda: bool(door.deaths))
        async with asyncio.timeout(HANGS_AFTER_S):
            while await _shown(door.port) not in new.certificate.decode():
                await asyncio.sleep(0.05)


async def _shown(port: int) -> str:
    try:
        pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port), timeout=5.0)
    except OSError:
        return "nothing"
    return pem.strip()


async def test_a_port_that_is_taken_is_refused_with_a_sentence() -> None:
    """It names the setting, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        task = Task(
            address=f"127.0.0.1:{taken.getsockname()[1]}", desk="/nowhere", connections_max=1
        )
        door = EnrolmentDoor(task, tls=None, died=lambda: None)
        with pytest.raises(ListenRefused, match=r"enrolment\.listen is 127.*another program"):
            await door.open()
    assert door.pid is None


async def test_one_that_cannot_start_keeps_nobody_from_selling() -> None:
    """It is tried again and counted; where the port is to be chosen, it is refused with what was
    said.
    """
    program = (sys.executable, "-c", "raise SystemExit('no such thing')")
    with pytest.raises(ListenRefused, match=r"enrolment\.listen is .*no such thing"):
        async with _door(program=program):
            pass
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with _door(program=program, port=port) as door:
        assert port == door.port
        await until(lambda: len(door.deaths) > 2)


async def test_who_asks_while_the_gateway_is_away_is_told_to_come_again() -> None:
    """And not at which socket it was looked for."""
    task = Task(address="127.0.0.1:0", desk="/nowhere", connections_max=1)
    async with desk_at(task.desk) as way:
        server, port = await opened(task, way, renewed=NewerKeys())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary(ENROL)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(b"token", timeout=HANGS_AFTER_S)
        await server.stop(0)
    assert (grpc.StatusCode.UNAVAILABLE, NO_ANSWER) == (
        refused.value.code(),
        refused.value.details(),
    )


async def test_without_tls_strangers_are_not_let_in() -> None:
    """Behind the port are tokens."""
    task = Task(address="0.0.0.0:0", desk="/nowhere", connections_max=1)
    with pytest.raises(ListenRefused, match="without TLS"):
        await EnrolmentDoor(task, tls=None, died=lambda: None).open()
