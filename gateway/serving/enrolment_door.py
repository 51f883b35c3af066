"""The process at the enrolment port, as its gateway keeps it: started, given newer keys, and
started again when it dies.

Flows in: where it is to listen. Flows out: the port; a count of its deaths, and what it said, in
the gateway's log. It has no secret but the listener's own key, and no way to SQL: it asks the
gateway at a socket in a folder that is this user's alone.
"""

import asyncio
import shutil
import tempfile
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import grpc.aio
import msgspec
import structlog

from gateway.process import offspring
from gateway.process.addresses import ListenRefused, cannot_listen, why_not
from gateway.process.sections import Address
from gateway.process.works import process_works
from gateway.rpc.options import QUIET
from gateway.rpc.tls import Tls
from gateway.serving.enrolment_child import Keys, Opened, Task
from gateway.serving.listeners import build_enrolment_desk, is_loopback
from gateway.serving.unix_socket import Socket

_log = structlog.get_logger()

PROGRAM: Sequence[str] = offspring.program("gateway.serving.enrolment_child")
START_MAX_S = 60.0
AGAIN_AFTER_S = (1.0, 10.0)
"""How long nobody listens after a death, at first and at most."""
LIVED_S = 60.0
"""Who lived for so long is no second failure of a row."""
LOOK_EVERY_S = 5.0
"""How often newer keys are looked for."""
HEARD_EVERY_S = 5.0
"""How often it is looked at, whether it has said that it lives."""
SILENT_LOOKS_MAX = 6
"""Who has said nothing at so many looks, one after the other, stands still. They are counted,
because a gateway that stood still itself has heard nothing, whatever was said.
"""
_SAID_MAX = 500
_READ_MAX = 4_096
_READ_EVERY_S = 0.1


class EnrolmentDoor:
    """``open`` it, and ``close`` it. ``died`` hears of each death that nobody asked for."""

    def __init__(
        self,
        task: Task,
        *,
        tls: Tls | None,
        died: Callable[[], object],
        program: Sequence[str] = PROGRAM,
        again_after_s: tuple[float, float] = AGAIN_AFTER_S,
        heard_every_s: float = HEARD_EVERY_S,
    ) -> None:
        self._task, self._tls, self._died = task, tls, died
        self._program, self._again_after_s = program, again_after_s
        self._heard_every_s = heard_every_s
        self._child: Process | None = None
        self._said: asyncio.Task[str] | None = None
        self._works: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """The process that listens now."""
        return None if self._child is None else self._child.pid

    async def open(self) -> int:
        """Have it listen, now or soon, and return the port. Raises ListenRefused if nobody can."""
        address, where = self._task.address, Address.parse(self._task.address)
        if self._tls is None and not is_loopback(address):
            raise ListenRefused(
                f"refusing to listen on {address} for enrolment without TLS: configure a "
                "certificate and its private key for this listener, or listen on 127.0.0.1"
            )
        try:
            port = await self._begin()
        except _NotOpened as error:
            await self._end()
            if error.refused:
                raise cannot_listen(
                    where, setting="enrolment.listen", error=why_not(where)
                ) from None
            if not where.port:
                raise ListenRefused(f"enrolment.listen is {where}, and {error}.") from None
            # Machines that sell do not wait for those that enrol.
            self._failed(error)
            port = where.port
        # A death later on must not move it to another port.
        self._task = msgspec.structs.replace(
            self._task, address=f"{address.rpartition(':')[0]}:{port}"
        )
        self._works = [
            process_works().begin("enrolment-keeper", self._keep),
            process_works().begin("enrolment-keys", self._renew, ends=True),
        ]
        return port

    async def close(self) -> None:
        """End it. It loses nothing: what was asked is the gateway's, and is asked again."""
        for work in self._works:
            work.cancel()
        if self._works:
            await asyncio.wait(self._works)
        await self._end()

    async def _begin(self) -> int:
        self._child = child = await offspring.begun(self._program, unless_set={QUIET: "ERROR"})
        assert child.stdin is not None
        assert child.stdout is not None
        self._said = asyncio.create_task(_heard(child))
        child.stdin.write(msgspec.json.encode(self._task) + b"\n")
        try:
            async with asyncio.timeout(START_MAX_S):
                with suppress(OSError):
                    await child.stdin.drain()
                line = await child.stdout.readline()
        except TimeoutError:
            raise _NotOpened(
                f"who listens there was not ready within {START_MAX_S:.0f} s"
            ) from None
        if not line:
            raise _NotOpened(f"who listens there ended before it did: {await self._end()}")
        opened = msgspec.json.decode(line, type=Opened)
        if not opened.port:
            raise _NotOpened("nobody can listen there", refused=True)
        return opened.port

    async def _end(self) -> str:
        """Have the process gone, and return what it said last."""
        child, said = self._child, self._said
        self._child = self._said = None
        if child is None:
            return ""
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
        await child.wait()
        return "" if said is None else await said

    async def _keep(self) -> None:
        """Start it again whenever it has died, or did not begin."""
        loop, (first, most) = asyncio.get_running_loop(), self._again_after_s
        wait_s, began = first, loop.time()
        while True:
            if self._child is not None:
                status = await until_ended(self._child, heard_every_s=self._heard_every_s)
                self._died()
                last = await self._end()
                if loop.time() - began > LIVED_S:
                    wait_s = first
                _log.warning(
                    "who listens at the enrolment port has died, and begins again",
                    status=status,
                    said=last,
                    after_s=wait_s,
                )
            await asyncio.sleep(wait_s)
            wait_s, began = min(most, 2 * wait_s), loop.time()
            try:
                await self._begin()
            except (_NotOpened, OSError, msgspec.DecodeError) as error:
                await self._end()
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._died()
        _log.warning("nobody listens at the enrolment port yet", error=str(error))

    async def _renew(self) -> None:
        """Give it newer keys as soon as the listener's files have them."""
        renewed = None if self._tls is None else self._tls.renewed
        while renewed is not None:
            await asyncio.sleep(LOOK_EVERY_S)
            # To read and judge keys takes some 50 ms, which is too long for the loop.
            newer = await asyncio.to_thread(renewed)
            if newer is None:
                continue
            keys = keys_of(newer)
            assert keys is not None
            self._task = msgspec.structs.replace(self._task, keys=keys)
            child = self._child
            if child is not None and child.stdin is not None and child.returncode is None:
                child.stdin.write(msgspec.json.encode(keys) + b"\n")


class _NotOpened(Exception):
    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        super().__init__(sentence)
        self.refused = refused


def keys_of(tls: Tls | None) -> Keys | None:
    """Return what the process needs of a listener's TLS; None for plaintext."""
    if tls is None:
        return None
    return Keys(certificate=tls.certificate, private_key=tls.private_key)


async def _heard(child: Process) -> str:
    """Write what it says into our log, and return what it said last. It is read slowly: whoever
    makes it talk costs the gateway little, and waits himself.
    """
    assert child.stderr is not None
    last = ""
    while said := await child.stderr.read(_READ_MAX):
        for line in filter(str.strip, said.decode("utf-8", "replace").splitlines()):
            last = line[:_SAID_MAX]
            _log.warning("who listens at the enrolment port says", line=last)
        await asyncio.sleep(_READ_EVERY_S)
    return last


async def until_ended(child: Process, *, heard_every_s: float = HEARD_EVERY_S) -> int:
    """Return its status once it has ended. One that stands still, stopped or busy, is ended."""
    said = asyncio.Event()
    hearing = asyncio.create_task(_beats(child, said))
    ending = asyncio.create_task(child.wait())
    silent = 0
    try:
        while not (await asyncio.wait([ending], timeout=heard_every_s))[0]:
            silent = 0 if said.is_set() else silent + 1
            said.clear()
            if silent == SILENT_LOOKS_MAX:
                _log.warning("who listens at the enrolment port stands still, and is ended")
            if silent >= SILENT_LOOKS_MAX:
                with suppress(ProcessLookupError):
                    child.kill()
        return ending.result()
    finally:
        hearing.cancel()
        ending.cancel()


async def _beats(child: Process, said: asyncio.Event) -> None:
    assert child.stdout is not None
    while await child.stdout.read(_READ_MAX):
        said.set()


class EnrolmentDesk:
    """The socket at which the process asks, in a folder of its own."""

    def __init__(self, enrolment: grpc.GenericRpcHandler) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="vendgate-enrol-"))
        self.path = self._folder / "desk"
        try:
            self._server = build_enrolment_desk(
                enrolment, Socket(path=self.path, mode=0o600, setting="TMPDIR makes a socket that")
            )
        except ListenRefused:
            self._gone()
            raise

    async def start(self) -> None:
        """Answer."""
        await self._server.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._server.stop(0)
        self._gone()

    def _gone(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
