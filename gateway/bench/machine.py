"""A machine of the load: one connection, one stream, and a customer whenever it is told so.

Flows in: bytes of its connection. Flows out: frames, and what it heard into the load's
:class:`Tally`. It keeps the protocol (numbers, acknowledgements, Hello first) and nothing else: no
journal, no shelf, no reconnection. It is cheap, so that what is measured is the other side.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.bench import http2
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse

PATH = "/gateway.v1.MachineService/Connect"
COLUMNS = 8
"""A1 to A8, of which customers choose one after the other."""
PRICE_MINOR = 2

_EVIDENCE = wire.Evidence(
    motor=wire.MOTOR_EVIDENCE_RAN,
    drop=wire.DROP_EVIDENCE_SEEN,
)
_CAPABILITIES = wire.Capabilities(multivend=True, display=True, response_time_ms=60_000)

now_s = time.perf_counter


@dataclass(slots=True)
class Tally:
    """What the machines of a load heard since it was made. Times in seconds."""

    approvals: list[float] = field(default_factory=list)
    """From the customer's wish to VendApproved."""
    results: list[float] = field(default_factory=list)
    """From VendSuccess to its acknowledgement."""
    vends: int = 0
    denied: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    """Streams that the server ended, by how."""


Hook = Callable[["LoadMachine", ConnectResponse, float], None]
"""Is told of a frame of its kind, and when it came."""
Free = Callable[["LoadMachine", float, bool], None]
"""Is told that a machine's vend is over: when, and whether it was sold."""


@dataclass(slots=True)
class Ears:
    """Who is told what."""

    tally: Tally = field(default_factory=Tally)
    free: "Free" = lambda _machine, _at, _sold: None
    hooks: dict[str, Hook] = field(default_factory=dict)


class LoadMachine(asyncio.Protocol):
    """One machine of a load. ``ask`` when it is ``idle``."""

    __slots__ = (
        "_asked_at",
        "_boot",
        "_ears",
        "_heard_seq",
        "_opening",
        "_reader",
        "_result_seq",
        "_seq",
        "_told_at",
        "_transport",
        "_version",
        "_wishes",
        "connected_at",
        "idle",
        "machine_id",
        "said_at",
        "welcome_at",
    )

    def __init__(self, machine_id: str, *, boot: str, opening: bytes, ears: Ears) -> None:
        self.machine_id = machine_id
        self.connected_at = 0.0
        self.welcome_at = 0.0
        """When Welcome came; 0 before."""
        self.said_at = 0.0
        """When it last said anything."""
        self.idle = False
        self._boot = boot
        self._opening = opening
        self._ears = ears
        self._reader = http2.FrameReader()
        self._transport: asyncio.Transport | None = None
        self._seq = self._heard_seq = self._wishes = 0
        self._version = 1
        self._asked_at = self._told_at = 0.0
        self._result_seq = 0  # of the VendSuccess that waits for its acknowledgement

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the stream and say Hello."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.connected_at = self.said_at = now_s()
        hello = wire.Hello(
            machine_id=self.machine_id,
            boot_id=self._boot,
            firmware="bench",
            planogram_version=self._version,
            capabilities=_CAPABILITIES,
        )
        transport.write(
            self._opening + http2.message(ConnectRequest(hello=hello).SerializeToString())
        )

    def data_received(self, data: bytes) -> None:
        """Hear what came."""
        reader = self._reader
        for payload in reader.feed(data):
            self._heard(ConnectResponse.FromString(payload))
        if reader.owed and self._transport is not None:
            self._transport.write(reader.owed)
            reader.owed = b""
        if reader.ended:
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Note who ended it, if it was not us."""
        if self._transport is not None:
            self._ears.tally.ended[self._reader.ended or "connection lost"] += 1
            self._transport = None
        self.idle = False

    def close(self) -> None:
        """Hang up."""
        transport, self._transport = self._transport, None
        if transport is not None:
            if self._reader.ended:
                self._ears.tally.ended[self._reader.ended] += 1
            transport.abort()

    # --- selling ---

    def ask(self, asked_at: float) -> None:
        """Let a customer choose, who has waited since ``asked_at``."""
        self._wishes += 1
        self._asked_at = asked_at
        self.idle = False
        wish = wire.VendRequest(
            request_id=f"{self._boot}-{self._wishes}",
            column=f"A{1 + self._wishes % COLUMNS}",
            price_minor=PRICE_MINOR,
            planogram_version=self._version,
        )
        self._say(ConnectRequest(vend_request=wish))

    def beat(self) -> None:
        """Say that it is still here."""
        if self._transport is not None:
            frame = ConnectRequest(heartbeat=wire.Heartbeat()).SerializeToString()
            self._transport.write(http2.message(frame))
            self.said_at = now_s()

    def _say(self, frame: ConnectRequest) -> None:
        self._seq += 1
        frame.seq = self._seq
        frame.ack = self._heard_seq
        if self._transport is not None:
            self._transport.write(http2.message(frame.SerializeToString()))
            self.said_at = now_s()

    def _heard(self, frame: ConnectResponse) -> None:
        at, ears = now_s(), self._ears
        self._heard_seq = frame.seq
        kind = frame.WhichOneof("payload")
        if kind == "vend_approved":
            self._approved(frame.vend_approved, at)
        elif kind == "vend_denied":
            reason = wire.VendDeniedReason.Name(frame.vend_denied.reason)
            ears.tally.denied[reason.removeprefix("VEND_DENIED_REASON_")] += 1
            self.idle = True
            ears.free(self, at, False)
        elif kind == "welcome" and not self.welcome_at:
            self._version = frame.welcome.planogram_version
            self.welcome_at, self.idle = at, True
        elif kind == "planogram_update":
            self._version = frame.planogram_update.planogram_version
        elif kind == "protocol_error":
            ears.tally.errors[frame.protocol_error.detail] += 1
        if kind in ears.hooks:
            ears.hooks[kind](self, frame, at)
        if self._result_seq and frame.ack >= self._result_seq:
            self._result_seq = 0
            ears.tally.results.append(at - self._told_at)
            ears.tally.vends += 1
            self.idle = True
            ears.free(self, at, True)

    def _approved(self, approved: wire.VendApproved, at: float) -> None:
        self._ears.tally.approvals.append(at - self._asked_at)
        self._told_at = at
        self._say(
            ConnectRequest(
                vend_success=wire.VendSuccess(vend_id=approved.vend_id, evidence=_EVIDENCE)
            )
        )
        self._result_seq = self._seq
