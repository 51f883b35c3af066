"""The machines of the world: the reference firmware with a body, on lines that misbehave, with a
flash that survives.

Flows in: a gateway to dial, a seeded generator. Flows out: frames, and the shelf, which nobody but
the world can see into.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from gateway.simulator.board import CutPoint
from gateway.simulator.commands import Command, Restart
from gateway.simulator.happenings import Happening, VendAsked
from gateway.simulator.line import Line
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from gateway.simulator.shelf import Faults
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.simulation.doubles import Firmware
from tests.simulation.network import SimLine
from tests.simulation.shown import frame_comes

if TYPE_CHECKING:
    from tests.simulation.world import World

CUT_POINTS = tuple(CutPoint)


class SimMachine(MachineClient):
    """One machine."""

    def __init__(self, world: "World", machine_id: str, folder: Path, rng: Random) -> None:
        faults = world.faults
        config = ClientConfig(
            gateway="",
            identity=Identity(machine_id=machine_id, response_time_ms=rng.choice((40_000, 60_000))),
            state_dir=folder,
            motor_ms=rng.choice((200, 2_000)),
            faults=Faults(jam=faults.jam, hook=faults.hook),
            reconnect_max_ms=20_000,
            refusal_waits_ms=(5_000,) * 10_000,
        )
        super().__init__(config, rng=rng, clock=world.loop.time)
        self.world = world
        self.machine_id = machine_id
        self._rng_wire = rng
        # Drawn once and kept: a frame that is sent again must say the same.
        own = world.rng(f"firmware/{machine_id}")
        self._firmware = Firmware(newer=own.random() < faults.newer_firmware, lies=faults.lies)
        self._boots: list[str] = []

    def _new_boot_id(self, number: int) -> str:
        new = f"b{number}-{self._rng.getrandbits(32):08x}"
        if self._boots and self.world.faults.boots_come_back:
            rng = self.world.rng(f"boots/{self.machine_id}/{number}")
            if rng.random() < self.world.faults.boots_come_back:
                new = rng.choice(self._boots)
                self.world.note(f"{self.machine_id} begins boot {new} once more")
        self._boots.append(new)
        return new

    def _tell(self, happening: Happening) -> None:
        """The world sees what the customers see."""
        if isinstance(happening, VendAsked):
            self.world.pressed.setdefault(happening.request_id, self.world.clock.now_ms())
            self.world.shown.setdefault(happening.request_id, set()).add(happening.price_minor)
        if self.world.traced:
            self.world.note(f"{self.machine_id} shows {happening}")
        super()._tell(happening)

    def _carry_out(self, command: Command) -> None:
        """The world sees who restarts, and for which command."""
        if isinstance(command, Restart) and command.reason.startswith("command "):
            self.world.orderers.restarted.add(command.reason.split()[1])
        super()._carry_out(command)

    def _transmit(self, frame: service_pb.ConnectRequest) -> None:
        """The world hears what is said to be done."""
        result = frame.command_result
        if result.outcome == pb.COMMAND_OUTCOME_APPLIED:
            self.world.orderers.applied.add(result.command_id)
        super()._transmit(frame)

    def _new_line(self) -> Line:
        return SimLine(
            machine_id=self.machine_id,
            rng=self._rng_wire,
            faults=self.world.faults,
            dial=self.world.dial,
            said=self._firmware.said,
        )

    def _take_in(self, frame: service_pb.ConnectResponse) -> None:
        """The world sees what the screen is about to show."""
        if self.machine is not None:
            frame_comes(self.world, self.machine, frame)
        super()._take_in(frame)

    def misfortune(self) -> None:
        """Perhaps something befalls the machine during the next visit."""
        faults, rng = self.world.faults, self._rng
        if rng.random() < faults.power_cut:
            point = rng.choice(CUT_POINTS)
            self.world.note(f"{self.machine_id} will lose power at {point}")
            self.cut_power_at(point)
        elif rng.random() < faults.unplug:
            self.world.loop.call_later(rng.random() * 20, self.unplug)
            self.world.loop.call_later(20 + rng.random() * 40, self.plug)

    def revive(self) -> None:
        """Somebody switches the machine on again and puts the cable in."""
        if self.machine is None:
            if self._rng.random() < self.world.faults.flash_lost:
                self._journal_path.unlink(missing_ok=True)
                self.world.flash_lost.add(self.machine_id)
                self.world.note(f"{self.machine_id} comes back with an empty flash")
            self.power_on()
        self.plug()

    def repair_all(self) -> None:
        """A technician frees every motor."""
        if self.machine is not None:
            for column in list(self.machine.columns):
                self.repair(column)

    @property
    def at_rest(self) -> bool:
        """Online, nobody there, nothing unsaid. Of a boot whose id was used again the machine
        cannot tell what was heard, and keeps its lines.
        """
        return (
            self.free
            and self.machine is not None
            and len(self.machine.outbox) == 0
            and all(
                self._boots.count(line.boot_id) > 1 for line in self.machine.vending.memory.tail
            )
        )

    def watch_motor(self, turned: Callable[[str, str], None]) -> None:
        """Let the world see each turn of a motor and each approval."""
        shelf_turned = self.shelf.turned

        def both(column: str, cause: str) -> None:
            shelf_turned(column, cause)
            turned(column, cause)

        self.shelf.turned = both  # type: ignore[method-assign]


def delivered(machine: SimMachine, vend_id: str) -> bool:
    """Return whether goods fell for this vend."""
    return machine.shelf.drops[vend_id] > 0


def journal_says_delivered(machine: SimMachine, vend_id: str) -> bool:
    """Return whether the machine itself knows that it delivered."""
    known = None if machine.machine is None else machine.machine.vending.memory.known(vend_id)
    return known is not None and known.stage == pb.JOURNAL_STAGE_SUCCEEDED
