"""The body of a machine: power, flash, shelf, motor and buttons around the pure model.

Flows in: buttons, what the wire brings (in ``machine_client``), power cuts at any point of a vend.
Flows out: lines on disk, happenings for everybody who watches, frames for the wire. It carries out
the model's commands one after the other; a line of the journal is on the disk before it looks at
the next command, as on a small board.
"""

import asyncio
import os
import secrets
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import assert_never

import structlog

from gateway.simulator import screen as screens
from gateway.simulator.commands import (
    Command,
    Redial,
    Reopen,
    Restart,
    Send,
    Tell,
    TurnMotor,
    Write,
)
from gateway.simulator.happenings import Happening, NotNow, PowerLost, TurnedAway
from gateway.simulator.journal import Journal
from gateway.simulator.machine import Identity, Machine
from gateway.simulator.memory import Booted, JournalLine, VendLine
from gateway.simulator.shelf import CASH, NO_FAULTS, Faults, Shelf
from gateway.simulator.vending import result_of
from gateway.simulator.watch import Watch
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

log = structlog.get_logger()

REFILL_ITEMS = 10


class CutPoint(StrEnum):
    """Where in a vend the power fails, in the order of a vend."""

    ASKED = "ASKED"
    """VendRequest is on its way."""
    APPROVED = "APPROVED"
    """VendApproved came; nothing is written."""
    ACCEPTED = "ACCEPTED"
    """ACCEPTED is written; the motor has not turned."""
    MOTOR_ON = "MOTOR_ON"
    """MOTOR_ON is written; the motor has not turned yet, but the journal cannot know."""
    DROPPED = "DROPPED"
    """The goods fell; no result is written."""
    RESULT = "RESULT"
    """The result is written, not sent."""
    SAID = "SAID"
    """The result is sent, not acknowledged."""


_AFTER_WRITE = {
    pb.JOURNAL_STAGE_ACCEPTED: CutPoint.ACCEPTED,
    pb.JOURNAL_STAGE_MOTOR_ON: CutPoint.MOTOR_ON,
    pb.JOURNAL_STAGE_SUCCEEDED: CutPoint.RESULT,
    pb.JOURNAL_STAGE_FAILED: CutPoint.RESULT,
}
_ON_ITS_WAY_S = 0.03


class Board(ABC):
    """One machine's body; its files are in ``folder``. All methods are called from one event
    loop.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        folder: Path,
        rng: Random,
        clock: Callable[[], float] = time.monotonic,
        motor_ms: int = 200,
        faults: Faults = NO_FAULTS,
        refills: bool = False,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        """``refills``: a column that is empty when its motor is to turn was loaded by somebody just
        before. ``sync`` waits until what was written to a descriptor is on the disk.
        """
        self.identity = identity
        self.machine: Machine | None = None
        """The present boot; None while the power is off."""
        self.shelf = Shelf(
            folder / "shelf.log",
            rng=rng,
            faults=faults,
            drop_sensor=identity.drop_sensor,
            sync=sync,
        )
        self._sync = sync
        self.boots = 0
        self.sticker = ""
        """The code that is glued to the machine: readable with the power off."""
        self._journal_path = folder / "journal.log"
        self._journal: Journal | None = None
        self._rng = rng
        self._clock = clock
        self._motor_ms = motor_ms
        self._refills = refills
        self._commands: deque[Command] = deque()
        self._carrying_out = False
        self._over = False
        self._watches: list[Watch] = []
        self._motor: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._door_open = False
        self._broken: OSError | None = None
        self._armed: CutPoint | None = None
        self._restart_why = ""
        self._log = log.bind(machine_id=identity.machine_id)

    # --- the wire ---

    @abstractmethod
    def _transmit(self, frame: service_pb.ConnectRequest) -> None:
        """Write the frame to the present stream; without one it is lost, and sent again later."""

    @abstractmethod
    def _reopen(self) -> None:
        """Open a new stream and, once it is welcome, close the present one."""

    @abstractmethod
    def _redial(self) -> None:
        """Hang up; a new stream follows after the usual wait."""

    @abstractmethod
    def _power_changed(self) -> None:
        """The power came or went: no stream outlives that."""

    @abstractmethod
    def unplug(self) -> None:
        """Pull the network cable."""

    @abstractmethod
    def plug(self) -> None:
        """Put the network cable in again."""

    @abstractmethod
    def stop(self) -> None:
        """Hang up and end."""

    def _take_in(self, frame: service_pb.ConnectResponse) -> None:
        """Handle a frame of the backend."""
        if self.machine is None or self._restart_why:
            return
        commands = self.machine.received(frame, self._now_ms())
        self.sticker = self.machine.service.qr_payload or self.sticker
        for column in frame.planogram_update.columns:
            if (
                column.column not in self.shelf.loaded
            ):  # who put the machine up loaded it as the backend believes
                self.shelf.load(column.column, column.stock)
        self._do(commands)

    # --- power ---

    def power_on(self) -> None:
        """Begin a new boot: read the journal, take a new boot id. With the power on already, or at
        the end, it changes nothing.
        """
        if self.machine is not None or self._over:
            return
        journal = Journal(self._journal_path, sync=self._sync)
        number = journal.memory.boots + 1
        boot_id = self._new_boot_id(number)
        booted = Booted(number=number, boot_id=boot_id, lost=journal.unreadable)
        journal.append(booted)
        journal.memory.add(booted)
        self._journal = journal
        self.boots = number
        self.machine = Machine(
            identity=self.identity,
            boot_id=boot_id,
            memory=journal.memory,
            rng=self._rng,
            door_open=self._door_open,
        )
        self._power_changed()

    def _new_boot_id(self, number: int) -> str:
        """Return a name for this boot. The counter alone would begin again with a replaced flash:
        new frames would pass for old ones.
        """
        return f"b{number}-{secrets.token_hex(4)}"

    def power_cut(self) -> None:
        """Everything that is not on disk is gone, at once."""
        if self.machine is None:
            return
        self.machine = None
        self._armed = None
        self._restart_why = ""
        self._commands.clear()
        if self._motor is not None:
            self._motor.cancel()
            self._motor = None
        self._set_timer()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._power_changed()
        self._tell(PowerLost())

    def _end(self) -> None:
        """Switch off for good and close the files."""
        self._over = True
        self.power_cut()
        self.shelf.close()

    def cut_power_at(self, point: CutPoint | None) -> None:
        """Let the power fail at this point of the next vend that comes to it; None: let it be."""
        self._armed = point

    def _cut(self, point: CutPoint) -> bool:
        if self._armed is not point:
            return False
        self._log.info("the power is cut", point=point)
        self.power_cut()
        return True

    def _cut_soon(self, point: CutPoint) -> None:
        if self._armed is point:
            asyncio.get_running_loop().call_later(_ON_ITS_WAY_S, self._cut, point)

    # --- the front ---

    @property
    def screen(self) -> screens.Screen:
        """What the screen shows now."""
        return (
            screens.DARK
            if self.machine is None
            else screens.screen_of(self.machine, self._now_ms())
        )

    @property
    def free(self) -> bool:
        """Whether the next customer may step up: power and stream are up, and nobody has money, a
        wish or goods in the machine.
        """
        machine = self.machine
        return (
            machine is not None and machine.online and machine.session is None and not machine.busy
        )

    def watch(self) -> Watch:
        """Look at the machine from now on; ``with client.watch() as watch:`` looks away again at
        the end.
        """
        watch = Watch(self._watches.remove)
        self._watches.append(watch)
        return watch

    def select(self, column: str) -> None:
        """Press a column's button; what follows is told to the watches."""
        self._press(lambda machine: machine.select(column, self._now_ms()))

    def cancel(self) -> None:
        """Press cancel while waiting for an answer."""
        self._press(lambda machine: machine.cancel(self._now_ms()))

    def complete(self) -> None:
        """Press the button for the rest of the money."""
        self._press(lambda machine: machine.complete(self._now_ms()))

    def door(self, *, is_open: bool) -> None:
        """Open or close the door."""
        self._door_open = is_open
        if self.machine is not None:
            self._do(self.machine.door(is_open=is_open, now_ms=self._now_ms()))

    def cash(self, column: str) -> bool:
        """Buy for coins; True if something fell (if not, the coins come back). Works without a
        connection.
        """
        machine = self.machine
        if (
            machine is None
            or machine.busy
            or column not in machine.columns
            or column in machine.blocked
            or column in machine.orders.memory.locked
        ):
            return False
        run = self.shelf.plan(column)
        if run.motor == pb.MOTOR_EVIDENCE_NOT_RUN:
            return False
        self.shelf.turned(column, CASH)
        if not run.falls:
            return False
        self.shelf.dropped(column, CASH)
        self._do(machine.cash_sold(column, machine.columns[column].price_minor, self._now_ms()))
        return True

    def jam(self, column: str) -> None:
        """Block a column's motor, without the machine knowing."""
        self.shelf.jam(column)

    def repair(self, column: str) -> None:
        """Free a column's motor and put the column into use again."""
        self.shelf.repair(column)
        if self.machine is not None:
            self.machine.repaired(column)

    def _press(self, button: Callable[[Machine], list[Command]]) -> None:
        if self.machine is None:
            self._tell(TurnedAway(reason=NotNow.NO_POWER))
            return
        self._do(button(self.machine))

    # --- carrying out ---

    def _do(self, commands: list[Command]) -> None:
        """Carry out the commands, first in, first out, and all that follows from them."""
        self._commands.extend(commands)
        if self._carrying_out:
            return
        self._carrying_out = True
        try:
            while self._commands:
                self._carry_out(self._commands.popleft())
        except OSError as error:  # the flash is broken: a machine that cannot write must not sell
            self._log.exception("cannot write to disk; the machine stops")
            self._broken = error
            self.power_cut()
            self.stop()
        finally:
            self._carrying_out = False
        self._set_timer()

    def _carry_out(self, command: Command) -> None:
        machine, journal = self.machine, self._journal
        if machine is None or journal is None:
            return
        match command:
            case Send(frame=frame):
                self._send(frame)
            case Write(line=line):
                self._write(machine, journal, line)
            case TurnMotor():
                self._motor = asyncio.create_task(self._turn(machine, command))
            case Reopen():
                self._reopen()
            case Redial(reason=reason):
                self._log.warning("the stream is dead", reason=reason)
                self._redial()
            case Restart(reason=reason):
                self._restart(reason)
            case Tell(happening=happening):
                self._tell(happening)
            case _:
                assert_never(command)

    def _restart(self, reason: str) -> None:
        """Begin a new boot, once the motor is at rest: else nobody would know whether goods fell.
        Until then this boot neither hears nor says anything more.
        """
        if self._motor is not None:
            self._restart_why = reason
            self._commands.clear()
            return
        self._log.warning("the firmware restarts", reason=reason)
        self.power_cut()
        self.power_on()

    def _send(self, frame: service_pb.ConnectRequest) -> None:
        if self._restart_why:
            return
        self._transmit(frame)
        if frame.HasField("vend_request"):
            self._cut_soon(CutPoint.ASKED)
        elif result_of(frame):
            self._cut_soon(CutPoint.SAID)

    def _write(self, machine: Machine, journal: Journal, line: JournalLine) -> None:
        stage = line.stage if isinstance(line, VendLine) else None
        if stage == pb.JOURNAL_STAGE_ACCEPTED and self._cut(CutPoint.APPROVED):
            return
        journal.append(line)
        if stage is None or not self._cut(_AFTER_WRITE[stage]):
            self._commands.extend(machine.written(line, self._now_ms()))

    async def _turn(self, machine: Machine, command: TurnMotor) -> None:
        if self._refills and self.shelf.stock[command.column] <= 0:
            self.shelf.load(command.column, REFILL_ITEMS)
        run = self.shelf.plan(command.column)
        if run.motor != pb.MOTOR_EVIDENCE_NOT_RUN:
            self.shelf.turned(command.column, command.vend_id)
            await asyncio.sleep(self._motor_ms / 1000)
        if run.falls:
            self.shelf.dropped(command.column, command.vend_id)
        self._motor = None
        if not self._cut(CutPoint.DROPPED):
            self._do(machine.motor_stopped(command.vend_id, run.motor, run.drop, self._now_ms()))
        if self._restart_why:
            self._restart(self._restart_why)

    def _tell(self, happening: Happening) -> None:
        for watch in self._watches:
            watch.see(happening)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_ms = self.machine.next_tick_at_ms if self.machine is not None else None
        if at_ms is not None:
            wait_s = max(0, at_ms - self._now_ms()) / 1000
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.machine is not None:
            self._do(self.machine.tick(self._now_ms()))

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
