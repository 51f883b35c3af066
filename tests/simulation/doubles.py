"""Another device that uses a machine's identity, and firmware whose word is not its sensors'.

Flows in: the world. Flows out: streams that were never the machine's, and frames that differ from
what the reference machine said, the same frame always in the same way.
"""

import asyncio
import zlib
from random import Random
from typing import TYPE_CHECKING

from gateway.simulator.line import Line
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.simulation.faults import Faults
from tests.simulation.network import SimLine

if TYPE_CHECKING:
    from tests.simulation.world import World

NEWER: int = 9
"""A number that no enum has."""
NEW_FIELD = bytes([0xF8, 0x01, 0x01])
"""Field 31, which no message has."""
STAYS_S = 8.0


async def double(world: "World", rng: Random) -> None:
    """A second device says Hello as one of the machines, and takes what its customer has paid."""
    machine = rng.choice(list(world.machines.values()))
    if machine.machine is None or not machine.machine.online:
        return
    world.note(f"a double of {machine.machine_id} comes")
    await Double(world, machine.machine_id, rng).live()


class Double:
    """One stream of a device that has the identity and nothing else. It delivers nothing, and says
    that it does.
    """

    def __init__(self, world: "World", machine_id: str, rng: Random) -> None:
        self._line = SimLine(machine_id=machine_id, rng=rng, faults=Faults(), dial=world.dial)
        self._world = world
        self._came_at_ms = world.clock.now_ms()
        self._machine_id = machine_id
        self._boot_id = f"x-{rng.getrandbits(32):08x}"
        self._speaks = rng.random() < 0.5
        self._seq = 0
        self._funds = 0

    async def live(self) -> None:
        """Come, take, and go."""
        hello = pb.Hello(machine_id=self._machine_id, boot_id=self._boot_id, firmware="double")
        self._line.send(service_pb.ConnectRequest(hello=hello))
        asyncio.get_running_loop().call_later(STAYS_S, self._line.hang_up)
        await self._line.run(self._heard)

    def _heard(self, _line: Line, frame: service_pb.ConnectResponse) -> None:
        match frame.WhichOneof("payload"):
            case "welcome":
                # What comes later is paid by people who stand before whoever shows their funds.
                if not self._world.provider.was_paid_since(self._came_at_ms):
                    self._funds = frame.welcome.session.funds_minor
                if self._speaks or self._funds:
                    self._say(reader_enable=pb.ReaderEnable())
            case "planogram_update":
                self._wish(frame.planogram_update)
            case "vend_approved":
                seen = pb.Evidence(motor=pb.MOTOR_EVIDENCE_RAN, drop=pb.DROP_EVIDENCE_SEEN)
                self._say(
                    vend_success=pb.VendSuccess(vend_id=frame.vend_approved.vend_id, evidence=seen)
                )

    def _wish(self, planogram: pb.PlanogramUpdate) -> None:
        for column in planogram.columns:
            if self._funds >= column.price_minor:
                self._say(
                    vend_request=pb.VendRequest(
                        request_id=f"{self._boot_id}-r1",
                        column=column.column,
                        price_minor=column.price_minor,
                        planogram_version=planogram.planogram_version,
                    )
                )
                return

    def _say(self, **payload: object) -> None:
        self._seq += 1
        self._line.send(service_pb.ConnectRequest(seq=self._seq, **payload))  # type: ignore[arg-type]


class Firmware:
    """What a machine's firmware makes of its own words. ``newer``: it says what only a newer
    backend knows. ``lies``: the share of vends whose result is not what its sensors saw.
    """

    def __init__(self, *, newer: bool, lies: float) -> None:
        self.newer = newer
        self.lies = lies

    def said(self, frame: service_pb.ConnectRequest) -> bytes:
        """Return the frame as it leaves the machine."""
        copy = service_pb.ConnectRequest()
        copy.CopyFrom(frame)
        for entry in copy.hello.journal_tail if copy.HasField("hello") else ():
            if self._turns(entry.vend_id):
                _turn_line(entry)
            if self.newer:
                entry.evidence.motor = NEWER  # type: ignore[assignment]
        match copy.WhichOneof("payload"):
            case "vend_success":
                if self._turns(copy.vend_success.vend_id):
                    _turn_success(copy)
            case "vend_failure":
                if self._turns(copy.vend_failure.vend_id):
                    _turn_failure(copy)
        if self.newer:
            _renew(copy)
        return copy.SerializeToString() + (NEW_FIELD if self.newer else b"")

    def _turns(self, vend_id: str) -> bool:
        return bool(vend_id) and zlib.crc32(vend_id.encode()) % 100 < 100 * self.lies


def _turn_success(frame: service_pb.ConnectRequest) -> None:
    was = frame.vend_success
    frame.vend_failure.CopyFrom(
        pb.VendFailure(
            vend_id=was.vend_id, evidence=was.evidence, cause=pb.VEND_FAILURE_CAUSE_JAMMED
        )
    )


def _turn_failure(frame: service_pb.ConnectRequest) -> None:
    was = frame.vend_failure
    frame.vend_success.CopyFrom(pb.VendSuccess(vend_id=was.vend_id, evidence=was.evidence))


def _turn_line(entry: pb.JournalEntry) -> None:
    if entry.stage == pb.JOURNAL_STAGE_SUCCEEDED:
        entry.stage, entry.cause = pb.JOURNAL_STAGE_FAILED, pb.VEND_FAILURE_CAUSE_JAMMED
    elif entry.stage == pb.JOURNAL_STAGE_FAILED:
        entry.stage, entry.cause = pb.JOURNAL_STAGE_SUCCEEDED, pb.VEND_FAILURE_CAUSE_UNSPECIFIED


def _renew(frame: service_pb.ConnectRequest) -> None:
    """Say in new words what the old ones said; the drop sensor's word stays."""
    match frame.WhichOneof("payload"):
        case "hello":
            frame.hello.mode = NEWER  # type: ignore[assignment]
        case "vend_success":
            frame.vend_success.evidence.motor = NEWER  # type: ignore[assignment]
        case "vend_failure":
            frame.vend_failure.evidence.motor = NEWER  # type: ignore[assignment]
            frame.vend_failure.cause = NEWER  # type: ignore[assignment]
