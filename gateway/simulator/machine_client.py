"""The reference machine's wire: one stream to the gateway, kept up, replaced and taken up again.

Flows in: frames of the backend, network cuts, buttons (through ``board``). Flows out: frames of the
pure model. Nothing is decided here but when to call: Hello first, back-off with full jitter, a move
to another gateway before the old stream is closed.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import grpc

from gateway.simulator.backoff import INITIAL_MS, MAX_MS, REFUSAL_WAITS_MS, Backoff
from gateway.simulator.board import Board
from gateway.simulator.fetching import fetch
from gateway.simulator.identity import Certified, EnrolledAt
from gateway.simulator.line import ClientTls, Ended, Line
from gateway.simulator.machine import Identity
from gateway.simulator.screen_keeper import ScreenKeeper
from gateway.simulator.screen_server import screen_served
from gateway.simulator.shelf import Faults
from gateway.v1 import machine_service_pb2 as service_pb

BOOT_SUPERSEDED = "BOOT_SUPERSEDED"
"""The gateway's word for a boot that does not come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """One machine. Its files are in ``state_dir / machine_id``."""

    gateway: str
    identity: Identity
    state_dir: Path
    tls: ClientTls | None = None
    enrolment: EnrolledAt | None = None
    """Where it gets its certificates, of which ``tls`` holds the CA alone then."""
    motor_ms: int = 200
    welcome_within_ms: int = 40_000
    reconnect_initial_ms: int = INITIAL_MS
    reconnect_max_ms: int = MAX_MS
    refusal_waits_ms: tuple[int, ...] = REFUSAL_WAITS_MS
    faults: Faults = Faults()
    refills: bool = False
    """A column that is empty when its motor is to turn was loaded by somebody just before."""
    screen_port: int | None = None
    """Where the page of its screen is served to this computer; 0: the system chooses."""
    sync: Callable[[int], None] = os.fsync
    """Waits until what was written to a descriptor is on the disk."""


class MachineClient(Board):
    """A machine with its wires. ``run`` is its life; all other methods are called from the same
    event loop.
    """

    def __init__(
        self, config: ClientConfig, *, rng: Random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(
            identity=replace(config.identity, screens=config.screen_port is not None),
            folder=config.state_dir / config.identity.machine_id,
            rng=rng,
            clock=clock,
            motor_ms=config.motor_ms,
            faults=config.faults,
            refills=config.refills,
            sync=config.sync,
        )
        self.config = config
        self.refusal: Ended | None = None
        """Set when the machine has stopped calling because only a person can help."""
        self.welcomes = 0
        self.certified = self._new_certified()
        """What it shows, if it gets its certificates by itself."""
        self.keeper: ScreenKeeper | None = None
        """What its screen shows between customers, if ``run`` serves a page."""
        self.screen_url = ""
        """Where the page of its screen is, while ``run`` serves one."""
        self._line: Line | None = None
        self._lines: set[Line] = set()
        self._successor: asyncio.Task[Ended] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._plugged = True
        self._fresh = True
        self._stopping = False
        self._backoff = self._new_backoff()

    # --- its life ---

    async def run(self) -> None:
        """Switch on and stay connected until ``stop``, or until the gateway has refused too often
        and a person has to come (``refusal``).
        """
        self.power_on()
        try:
            async with self._screen():
                if await self._enrolled():
                    await self._stay_connected()
        finally:
            self._stopping = True
            for task in (self._successor, self._renewing):
                if task is not None:
                    task.cancel()
                    await asyncio.wait([task])
            self._end()
        if self._broken is not None:
            raise self._broken

    @contextlib.asynccontextmanager
    async def _screen(self) -> AsyncIterator[None]:
        """Serve the page of the screen, if one is wanted. A machine that cannot sells all the
        same.
        """
        async with contextlib.AsyncExitStack() as stack:
            if self.config.screen_port is not None:
                try:
                    self.keeper = keeper = self._new_keeper()
                    keeping = asyncio.create_task(keeper.run(), name="screen-keeper")
                    stack.push_async_callback(_cancelled, keeping)
                    page = screen_served(
                        self, port=self.config.screen_port, now_ms=self._now_ms, shows=keeper
                    )
                    self.screen_url = await stack.enter_async_context(page)
                    self._log.info("the screen's page is served", url=self.screen_url)
                except OSError as error:
                    self._log.error("the screen's page cannot be served", error=str(error))
            yield

    async def _enrolled(self) -> bool:
        """Have a certificate, if it gets them by itself; False: a person has to help. Renew it for
        as long as the machine is on.
        """
        if self.certified is None:
            return True
        while not self._stopping and self.certified.present is None:
            ended = await self.certified.enrol()
            if ended is None:
                break
            wait_ms = self._backoff.after(ended.code)
            if wait_ms is None:
                self.refusal = ended
                self._log.error("no certificate; a person has to look", detail=ended.detail)
                return False
            self._log.info("not enrolled yet", detail=ended.detail, again_in_ms=wait_ms)
            await self._pause(wait_ms + ended.retry_after_ms)
        self._renewing = asyncio.create_task(self.certified.keep(), name="certificate-renewal")
        return True

    def _new_certified(self) -> Certified | None:
        config = self.config
        if config.enrolment is None:
            return None
        return Certified(
            config.enrolment,
            machine_id=config.identity.machine_id,
            folder=config.state_dir / config.identity.machine_id,
            gateway=config.gateway,
            ca=b"" if config.tls is None else config.tls.ca,
            rng=self._rng,
            clock=self._clock,
        )

    def _new_keeper(self) -> ScreenKeeper:
        return ScreenKeeper(
            self.config.state_dir / self.config.identity.machine_id / "screen",
            fetch=fetch,
            now_ms=self._now_ms,
            say=self._say,
        )

    def _say(self, frame: service_pb.ConnectRequest) -> bool:
        """Send a frame without a number on the present stream, if there is one."""
        machine = self.machine
        if machine is None or not machine.online:
            return False
        self._do(machine.connection.send([frame], self._now_ms()))
        return True

    def stop(self) -> None:
        """Hang up and let ``run`` return. A vend that is under way is left to the journal, as in a
        power cut.
        """
        self._stopping = True
        self._hang_up()

    async def _stay_connected(self) -> None:
        while not self._stopping:
            if self.machine is None or not self._plugged:
                await self._pause(None)
                continue
            if self._fresh:
                self._fresh = False
                await self._pause(self._backoff.after_power_up())
                continue
            ended = await self._talk()
            while (successor := self._successor) is not None:
                self._successor = None
                ended = await successor
            if self._interrupted():
                continue
            wait_ms = self._backoff.after(ended.code)
            if wait_ms is None:
                self.refusal = ended
                self._log.error(
                    "the gateway refuses this machine; a person has to look",
                    code=ended.code.name,
                    detail=ended.detail,
                )
                return
            wait_ms += (
                ended.retry_after_ms
            )  # the gateway's wish, and our jitter on top: all were told the same
            self._log.info(
                "the stream ended", code=ended.code.name, detail=ended.detail, again_in_ms=wait_ms
            )
            await self._pause(wait_ms)
            if ended.reason == BOOT_SUPERSEDED:
                self._begin_again()

    def _begin_again(self) -> None:
        """Restart the firmware: its boot id does not count any more. Never in the middle of a vend,
        nor while a motor is tried.
        """
        if self.machine is not None and not self.machine.busy:
            self._restart(BOOT_SUPERSEDED)

    def _interrupted(self) -> bool:
        """Whether the stream ended for a reason of the machine's own, so that no back-off is
        due.
        """
        return self._stopping or self.machine is None or not self._plugged or self._fresh

    async def _talk(self) -> Ended:
        """Open one stream and stay on it to its end."""
        machine = self.machine
        assert machine is not None
        machine.manifest = self.keeper.manifest if self.keeper is not None else ""
        line = self._new_line()
        self._lines.add(line)
        line.send(machine.hello())
        impatience = asyncio.get_running_loop().call_later(
            self.config.welcome_within_ms / 1000, self._not_welcome, line
        )
        try:
            return await line.run(self._received)
        finally:
            impatience.cancel()
            self._lines.discard(line)
            if self._line is line:
                self._line = None
                if self.machine is not None:
                    self.machine.connection.lost()
                self._set_timer()

    def _new_line(self) -> Line:
        """Return the line for one call."""
        if self.certified is not None:
            return Line(self.certified.gateway, self.certified.tls())
        return Line(self.config.gateway, self.config.tls)

    async def _follow(self) -> Ended:
        """Open the stream that is to replace the present one, again and again while the present one
        stands.
        """
        old = self._line
        if old is None or self.machine is None:
            return Ended(code=grpc.StatusCode.CANCELLED, detail="no stream to replace")
        ended = await self._talk()
        while self._line is old and not self._interrupted():
            wait_ms = self._backoff.after(ended.code)
            if wait_ms is None:
                break
            await self._pause(wait_ms + ended.retry_after_ms)
            if self._line is old and not self._interrupted():
                ended = await self._talk()
        return ended

    def _received(self, line: Line, frame: service_pb.ConnectResponse) -> None:
        machine = self.machine
        if machine is None or line not in self._lines:
            return
        if frame.HasField("welcome"):
            if self._line is not None and self._line is not line:
                # moved: the new stream is welcome, so the old one has done its work
                self._line.hang_up()
            self._line = line
        elif self._line is not line:
            return
        self._take_in(frame)
        if self.keeper is not None:
            self.keeper.received(frame)
        if frame.HasField("welcome") and machine.online:
            self.welcomes += 1
            if self.certified is not None:
                self.certified.heard_time(frame.welcome.server_time_ms)
            self._backoff.welcomed(machine.connection.reconnect)

    def _not_welcome(self, line: Line) -> None:
        if self._line is not line:
            self._log.warning(
                "the gateway sent no Welcome in time", within_ms=self.config.welcome_within_ms
            )
            line.hang_up()

    async def _pause(self, wait_ms: int | None) -> None:
        """Wait, at most until power, cable or ``stop`` change."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if wait_ms is None else wait_ms / 1000):
                await self._changed.wait()

    def _hang_up(self) -> None:
        for line in self._lines:
            line.hang_up()
        self._changed.set()

    # --- power and cable ---

    def unplug(self) -> None:
        """Pull the network cable."""
        self._plugged = False
        self._hang_up()

    def plug(self) -> None:
        """Put the network cable in again."""
        self._plugged = True
        self._changed.set()

    def _power_changed(self) -> None:
        self._line = None
        self._fresh = True
        self._backoff = self._new_backoff()
        self._hang_up()

    def _transmit(self, frame: service_pb.ConnectRequest) -> None:
        if self._line is not None:
            self._line.send(frame)

    def _reopen(self) -> None:
        if self._successor is None or self._successor.done():
            self._successor = asyncio.create_task(self._follow())

    def _redial(self) -> None:
        if self._line is not None:
            self._line.hang_up()

    def _new_backoff(self) -> Backoff:
        config = self.config
        return Backoff(
            self._rng,
            initial_ms=config.reconnect_initial_ms,
            max_ms=config.reconnect_max_ms,
            refusal_waits_ms=config.refusal_waits_ms,
        )


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
