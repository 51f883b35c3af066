"""What the backend orders of a machine beside vends: reboot, test vend, report, show, lock. Pure.

Flows in: commands, what flash and motor report, the time (monotonic milliseconds). Flows out:
commands to the board. The rule that all of it serves: a command_id is obeyed once, in whatever
boot, because what cannot be done twice is on flash before it is done.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.simulator.commands import Command, Restart, Tell, TurnMotor, Write
from gateway.simulator.happenings import IdentityShown
from gateway.simulator.memory import CommandLine, Memory, Settled
from gateway.simulator.vending import Say
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

APPLIED = pb.COMMAND_OUTCOME_APPLIED
REJECTED = pb.COMMAND_OUTCOME_REJECTED


class Orders:
    """At most one test vend at a time. ``memory`` is what the journal holds, earlier boots
    included; ``report`` says how the machine is.
    """

    def __init__(
        self, *, boot_id: str, memory: Memory, say: Say, report: Callable[[int], pb.MachineReport]
    ) -> None:
        self.memory = memory
        self.testing: CommandLine | None = None
        """The test vend that is being carried out."""
        self._turning = False
        self._boot_id = boot_id
        self._say = say
        self._report = report
        self._unacked: set[str] = set()

    # --- the backend's orders ---

    def received(
        self, order: pb.Command, now_ms: int, *, occupied: str, columns: Iterable[str]
    ) -> list[Command]:
        """Obey, once. ``occupied``: who keeps the machine busy, empty if nobody does. What this
        firmware does not know it does not answer.
        """
        kind = order.WhichOneof("order")
        known = self.memory.command(order.command_id)
        if known is not None:
            return self._again(known, now_ms)
        line = CommandLine(command_id=order.command_id, kind=kind or "", boot_id=self._boot_id)
        late = "" if order.valid_for_ms else "too late"
        if kind in {"report", "show_identity"}:
            return self._shown(order, line, now_ms, late)
        if kind == "lock_column":
            locks = order.lock_column
            line = replace(line, column=locks.column, locked=locks.locked)
            return [Write(replace(line, outcome=REJECTED if late else APPLIED, detail=late))]
        if kind not in {"reboot", "test_vend"}:
            return []
        if kind == "test_vend":
            line = replace(line, column=order.test_vend.column)
            if line.column not in columns:
                occupied = occupied or "no such column"
        occupied = occupied or late
        if occupied:
            return [Write(replace(line, outcome=REJECTED, detail=occupied))]
        if kind == "test_vend":
            self.testing = line
        return [Write(line)]

    def _shown(self, order: pb.Command, line: CommandLine, now_ms: int, late: str) -> list[Command]:
        """Tell or show what harms nobody twice, so that no flash is asked."""
        if late:
            return self._told(replace(line, outcome=REJECTED, detail=late), now_ms)
        if line.kind == "report":
            return self._told(line, now_ms, report=self._report(now_ms))
        shown = IdentityShown(for_ms=order.show_identity.for_ms)
        return [Tell(shown), *self._told(line, now_ms)]

    def _again(self, known: CommandLine, now_ms: int) -> list[Command]:
        """A known command comes again: say its result again, never obey it again."""
        if known.command_id in self._unacked or not known.outcome:
            # Its result waits in the outbox, or nobody will ever know it.
            return []
        return self._told(known, now_ms)

    def welcomed(self, now_ms: int) -> list[Command]:
        """A stream is welcome: a reboot that was begun in an earlier boot is done by this one, and
        what an earlier boot could not tell is told.
        """
        commands: list[Command] = []
        for line in self.memory.untold:
            if line.boot_id == self._boot_id:
                continue
            if line.outcome and line.command_id not in self._unacked:
                commands += self._told(line, now_ms)
            elif line.kind == "reboot" and not line.outcome:
                commands.append(Write(replace(line, outcome=APPLIED, boot_id=self._boot_id)))
            elif not line.outcome:
                # The power failed while its motor was to turn: nobody knows, and it is not tried
                # again.
                commands.append(Write(Settled(vend_ids=(line.command_id,))))
        return commands

    # --- flash and motor ---

    def written(self, line: CommandLine, now_ms: int) -> list[Command]:
        """A line is on flash: take the next step. The motor is ordered here and nowhere else."""
        self.memory.add(line)
        if line.outcome:
            if self.testing is not None and self.testing.command_id == line.command_id:
                self.testing, self._turning = None, False
            return self._told(line, now_ms)
        if line.kind == "reboot":
            return [Restart(f"command {line.command_id} orders it")]
        self._turning = True
        return [TurnMotor(vend_id=line.command_id, column=line.column)]

    def motor_stopped(
        self, command_id: str, motor: pb.MotorEvidence.ValueType, drop: pb.DropEvidence.ValueType
    ) -> list[Command]:
        """The motor came to rest: write down what the sensors saw."""
        line = self.testing
        if line is None or line.command_id != command_id or not self._turning:
            return []
        ran = motor != pb.MOTOR_EVIDENCE_NOT_RUN
        outcome = APPLIED if ran else REJECTED
        detail = "" if ran else "the column is empty"
        return [Write(replace(line, outcome=outcome, detail=detail, motor=motor, drop=drop))]

    # --- what the backend has saved ---

    def acknowledged(self, frames: Iterable[service_pb.ConnectRequest]) -> list[Command]:
        """These frames are saved: the results among them need not be told any more."""
        ids = tuple(
            frame.command_result.command_id for frame in frames if frame.HasField("command_result")
        )
        self._unacked.difference_update(ids)
        kept = tuple(one for one in ids if self.memory.command(one) is not None)
        return [Write(Settled(vend_ids=kept))] if kept else []

    def _told(
        self, line: CommandLine, now_ms: int, report: pb.MachineReport | None = None
    ) -> list[Command]:
        self._unacked.add(line.command_id)
        result = pb.CommandResult(
            command_id=line.command_id,
            outcome=line.outcome or APPLIED,
            detail=line.detail,
            report=report,
        )
        if line.kind == "test_vend":
            result.evidence.CopyFrom(pb.Evidence(motor=line.motor, drop=line.drop))
        return self._say(service_pb.ConnectRequest(command_result=result), now_ms)
