"""A gateway for the load's own tests: real sockets, and a script instead of hosts and money.

Flows in: what each machine's wishes are answered with. Flows out: an address, and what was heard.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

from gateway.bench.echo import answer, started
from gateway.machines.outbox import Context
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse


@dataclass
class PretendGateway:
    """Answers as the echo does, but for what it is told otherwise."""

    address: str = ""
    approve: bool = True
    """If not, a wish is answered with ShowQr, and refused when its time is over."""
    deny: int = 0
    """So many wishes are refused at once."""
    turn_away: int = 0
    """So many streams are ended instead of a Welcome."""
    wait_ms: int = 50
    heard: list[ConnectRequest] = field(default_factory=list)
    streams: dict[str, Context] = field(default_factory=dict)
    """By machine."""
    _seq: int = 0

    async def begin_session(self, machine_id: str) -> None:
        """Tell a machine that a customer has paid."""
        began = wire.BeginSession(session_id="s-1", funds_minor=5, expires_in_ms=1_000)
        await self._write(self.streams[machine_id], ConnectResponse(begin_session=began))

    async def connect(self, _requests: object, context: Context) -> None:
        """Serve one stream."""
        while isinstance(raw := await context.read(), bytes):
            frame = ConnectRequest.FromString(raw)
            self.heard.append(frame)
            kind = frame.WhichOneof("payload")
            if kind == "hello":
                if self.turn_away:
                    self.turn_away -= 1
                    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
                self.streams[frame.hello.machine_id] = context
            if kind == "vend_request" and (self.deny or not self.approve):
                await self._refuse(context, frame)
            elif response := answer(frame, seq=0):
                await self._write(context, response)

    async def _refuse(self, context: Context, frame: ConnectRequest) -> None:
        request_id = frame.vend_request.request_id
        if self.deny:
            self.deny -= 1
        else:
            ask = wire.ShowQr(request_id=request_id, amount_minor=2, expires_in_ms=self.wait_ms)
            await self._write(context, ConnectResponse(show_qr=ask, ack=frame.seq))
            await asyncio.sleep(self.wait_ms / 1_000)
        denied = wire.VendDenied(request_id=request_id, reason=wire.VEND_DENIED_REASON_BUSY)
        await self._write(context, ConnectResponse(vend_denied=denied, ack=frame.seq))

    async def _write(self, context: Context, response: ConnectResponse) -> None:
        self._seq += 1
        response.seq = self._seq
        await context.write(response.SerializeToString())


@asynccontextmanager
async def pretend_gateway() -> AsyncIterator[PretendGateway]:
    """Serve while the block lasts."""
    pretend = PretendGateway()
    server, pretend.address = await started(pretend.connect)
    try:
        yield pretend
    finally:
        await server.stop(0)
