"""A machine's stream to the gateway without a socket: the reference machine at one end, the
gateway's own service at the other.

Flows in: frames as bytes, both ways. Flows out: the same, at once and in order. ``PastCall`` is
what the service sees of it, in place of gRPC's context; ``PastLine`` is the machine's line.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NoReturn

import grpc
import grpc.aio

from gateway.machines.service import MachineService
from gateway.simulator.line import Ended, Line, reason_of
from gateway.simulator.machine_client import ClientConfig, MachineClient
from gateway.v1 import machine_service_pb2 as wire


class PastCall:
    """One stream, at the gateway's end; ``down`` takes what the gateway writes."""

    def __init__(self, down: Callable[[bytes], None]) -> None:
        self._down = down
        self._frames: deque[bytes] = deque()
        self._came = asyncio.Event()
        self._aborted = False
        self.ended = Ended(code=grpc.StatusCode.OK, detail="closed by the gateway")

    def arrived(self, frame: bytes) -> None:
        """A frame came from the machine."""
        self._frames.append(frame)
        self._came.set()

    def auth_context(self) -> Mapping[str, Any]:
        """Nobody proves anything on virtual time."""
        return {}

    def peer(self) -> str:
        """Where it came from."""
        return "past:"

    async def read(self) -> Any:
        """Return the next frame."""
        while not self._frames and not self._aborted:
            self._came.clear()
            await self._came.wait()
        return grpc.aio.EOF if self._aborted else self._frames.popleft()

    async def write(self, frame: bytes) -> None:
        """Send a frame to the machine."""
        self._down(frame)

    async def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with a status."""
        self._aborted = True
        self._came.set()
        self.ended = Ended(
            code=status.code, detail=status.details, reason=reason_of(status.trailing_metadata)
        )
        raise grpc.aio.AbortError

    async def served(self, service: MachineService) -> Ended:
        """Run the gateway's handler to its end."""
        with contextlib.suppress(grpc.aio.AbortError):
            await service.connect(None, self)  # type: ignore[arg-type]  # it has what the service uses
        return self.ended


class PastLine(Line):
    """One stream, at the machine's end."""

    def __init__(self, service: MachineService) -> None:
        super().__init__("", None)
        self._service = service
        self._received: Callable[[Line, wire.ConnectResponse], None] = lambda _line, _frame: None
        self._there = PastCall(self._came)
        self._serving: asyncio.Task[Ended] | None = None

    def send(self, frame: wire.ConnectRequest) -> None:
        """Write the frame. On a line that is gone it is lost."""
        if not self._hung_up:
            self._there.arrived(frame.SerializeToString())

    def hang_up(self) -> None:
        """End the stream."""
        self._hung_up = True
        if self._serving is not None:
            self._serving.cancel()

    async def run(self, received: Callable[[Line, wire.ConnectResponse], None]) -> Ended:
        """Dial, hand each frame to ``received``, return how it ended."""
        self._received = received
        if self._hung_up:
            return Ended(code=grpc.StatusCode.CANCELLED, detail="hung up")
        self._serving = serving = asyncio.create_task(self._there.served(self._service))
        await asyncio.wait({serving})
        if serving.cancelled():
            return Ended(code=grpc.StatusCode.CANCELLED, detail="hung up")
        return serving.result()

    def _came(self, frame: bytes) -> None:
        if not self._hung_up:
            # In a turn of its own: the gateway's writer is not to run the machine.
            asyncio.get_running_loop().call_soon(self._hand_on, frame)

    def _hand_on(self, frame: bytes) -> None:
        self._received(self, wire.ConnectResponse.FromString(frame))


class PastMachine(MachineClient):
    """A reference machine that calls a service in this program."""

    def __init__(
        self,
        config: ClientConfig,
        service: MachineService,
        *,
        rng: Random,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(config, rng=rng, clock=clock)
        self._service = service

    def _new_line(self) -> Line:
        return PastLine(self._service)
