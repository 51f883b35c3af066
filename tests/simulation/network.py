"""Between a machine and a gateway: a stream that keeps its order, and is late, cut, or silent; and
a machine's line that misbehaves.

Flows in: frames as bytes, both ways. Flows out: the same, after a delay, until somebody cuts the
wire. ``Call`` is what the gateway's service sees of it, in place of gRPC's context; ``SimLine`` is
what the reference machine sees, in place of its line.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context
from random import Random
from typing import Any, NoReturn

import grpc
import grpc.aio

from gateway.simulator.line import Ended, Line, reason_of
from gateway.v1 import machine_service_pb2 as service_pb
from tests.simulation.backend import GatewayProcess
from tests.simulation.faults import Faults

REMEMBERED = 12
APART_S = 1e-4
"""Two frames never arrive in one moment: timers of one moment have no order."""


class Call:
    """One stream, at the gateway's end. ``written`` is told each frame as it leaves the gateway."""

    def __init__(
        self,
        gateway: GatewayProcess,
        line: "SimLine",
        written: Callable[["Call", service_pb.ConnectResponse], None],
    ) -> None:
        self.gateway = gateway
        self._line = line
        self._written = written
        self._frames: deque[bytes] = deque()
        self._came = asyncio.Event()
        self.machine_id = line.machine_id
        self.boot_id = ""
        self.acked = 0
        self.over = False
        self._aborted = False
        self.task: asyncio.Task[None] | None = None
        self.status = Ended(code=grpc.StatusCode.OK, detail="closed by the gateway")

    def arrived(self, frame: bytes) -> None:
        """A frame came from the machine."""
        if not self.boot_id:
            self.boot_id = service_pb.ConnectRequest.FromString(frame).hello.boot_id
        if not self.over and self.gateway.process.alive:
            self._frames.append(frame)
            self._came.set()

    def cut(self) -> None:
        """The connection is gone, and gRPC has noticed: the handler is cancelled."""
        if self.task is not None and not self.over:
            self.task.cancel()

    # --- what the service uses of gRPC's context ---

    def auth_context(self) -> Mapping[str, Any]:
        """There is no TLS in this world."""
        return {}

    async def read(self) -> Any:
        """Return the next frame."""
        while not self._frames and not self._aborted:
            self._came.clear()
            await self._came.wait()
        return grpc.aio.EOF if self._aborted else self._frames.popleft()

    async def write(self, frame: bytes) -> None:
        """Send a frame to the machine."""
        await self.gateway.process.cross()
        self._written(self, service_pb.ConnectResponse.FromString(frame))
        self._line.down(frame)

    async def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with a status: nothing more is read, and the machine hears why."""
        self._aborted = True
        self._came.set()
        reason = reason_of(status.trailing_metadata)
        self.status = Ended(code=status.code, detail=status.details, reason=reason)
        raise grpc.aio.AbortError

    async def serve(self) -> None:
        """Run the gateway's handler to its end, and let the machine know."""
        try:
            await self.gateway.service.connect(None, self)  # type: ignore[arg-type]  # it has what the service uses
        except grpc.aio.AbortError:
            pass
        except asyncio.CancelledError:
            if not self._aborted:
                gone = "the connection is gone"
                self.status = Ended(code=grpc.StatusCode.UNAVAILABLE, detail=gone)
            raise
        finally:
            self.over = True
            self._line.ended_there(self.status)


def _as_it_is(frame: service_pb.ConnectRequest) -> bytes:
    return frame.SerializeToString()


class SimLine(Line):
    """One stream, at the machine's end."""

    def __init__(
        self,
        *,
        machine_id: str,
        rng: Random,
        faults: Faults,
        dial: Callable[["SimLine"], Call | None],
        said: Callable[[service_pb.ConnectRequest], bytes] = _as_it_is,
    ) -> None:
        super().__init__("", None)
        self._firmware_says = said
        self.machine_id = machine_id
        self.silent = False
        """Nothing gets through any more, and nobody says so."""
        self._rng = rng
        self._faults = faults
        self._dial = dial
        self._loop = asyncio.get_running_loop()
        self._there: Call | None = None
        self._early: list[bytes] = []
        self._over: asyncio.Future[Ended] = self._loop.create_future()
        self._received: Callable[[Line, service_pb.ConnectResponse], None] = lambda _line, _frame: (
            None
        )
        self._up_at = self._down_at = 0.0
        self._held: bytes | None = None
        self._said: deque[bytes] = deque(maxlen=REMEMBERED)

    def send(self, frame: service_pb.ConnectRequest) -> None:
        """Write a frame; the world may repeat it, or let the next one overtake it."""
        if self._hung_up:
            return
        faults, rng, body = self._faults, self._rng, self._firmware_says(frame)
        if rng.random() < faults.wire_cut:
            self._later(rng.random() * 0.2, self.hang_up)
        elif rng.random() < faults.wire_silent:
            self.silent = True
        if frame.seq == 0:
            self._up(body)
            return
        if self._said and rng.random() < faults.wire_replays:
            for old in list(self._said)[-rng.randrange(1, 1 + len(self._said)) :]:
                self._up(old)
        self._said.append(body)
        if self._held is None and rng.random() < faults.wire_swaps:
            self._held = body
            self._later(0.5, self._let_go)
            return
        self._up(body)
        self._let_go()
        if rng.random() < faults.wire_repeats:
            self._up(body)

    def replay_late(self) -> None:
        """A line that was given up long ago brings what it still had."""
        if self._there is not None and not self._there.over:
            for frame in self._said:
                self._there.arrived(frame)

    def hang_up(self) -> None:
        """End the stream; the gateway hears of it now or much later."""
        if self._hung_up:
            return
        self._hung_up = True
        there = self._there
        if there is not None and not self.silent:
            self._later(self._delay_s(), there.cut)
        elif there is not None:
            self._later(self._rng.random() * 3, self.replay_late)
            self._later(60 + self._rng.random() * 60, there.cut)  # keepalive
        self._end(Ended(code=grpc.StatusCode.CANCELLED, detail="hung up"))

    async def run(self, received: Callable[[Line, service_pb.ConnectResponse], None]) -> Ended:
        """Dial, hand each frame to ``received``, return how it ended."""
        self._received = received
        await asyncio.sleep(self._delay_s())
        if self._hung_up:
            return Ended(code=grpc.StatusCode.CANCELLED, detail="hung up")
        self._there = self._dial(self)
        if self._there is None:
            return Ended(code=grpc.StatusCode.UNAVAILABLE, detail="nobody is there")
        for frame in self._early:
            self._there.arrived(frame)
        return await self._over

    def _up(self, body: bytes) -> None:
        if self._there is None:
            self._early.append(body)
            return
        if self.silent:
            return
        self._up_at = max(self._up_at + APART_S, self._loop.time() + self._delay_s())
        self._at(self._up_at, self._there.arrived, body)

    def _let_go(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._up(held)

    def down(self, frame: bytes) -> None:
        """The gateway wrote a frame."""
        if self._hung_up or self.silent:
            return
        if self._rng.random() < self._faults.wire_cut:
            self.hang_up()
            return
        self._down_at = max(self._down_at + APART_S, self._loop.time() + self._delay_s())
        self._at(self._down_at, self._came, frame)

    def _came(self, frame: bytes) -> None:
        if not self._hung_up and not self.silent:
            self._received(self, service_pb.ConnectResponse.FromString(frame))

    def ended_there(self, status: Ended) -> None:
        """The gateway ended the stream, or died."""
        if not self.silent:
            self._at(
                max(self._down_at + APART_S, self._loop.time() + self._delay_s()), self._end, status
            )

    def _end(self, status: Ended) -> None:
        if not self._over.done():
            self._over.set_result(status)

    def _later(self, delay_s: float, what: Callable[..., None], *values: Any) -> None:
        self._at(self._loop.time() + delay_s, what, *values)

    def _at(self, at_s: float, what: Callable[..., None], *values: Any) -> None:
        """Let it happen at the other end, which must not die with whoever sent it."""
        self._loop.call_at(at_s, what, *values, context=Context())

    def _delay_s(self) -> float:
        return 0.005 + self._rng.random() * (0.01 + self._faults.wire_delay_s)
