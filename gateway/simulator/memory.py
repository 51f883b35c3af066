"""What a machine remembers over a power cut, as values: the lines of its journal and what they add
up to.

Flows in: the lines, in the order in which they were written. Flows out: the vends that the machine
knows, and which of them the backend has not settled yet. Pure; ``journal`` keeps the lines on disk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from gateway.v1 import machine_pb2 as pb

TAIL_MAX = 32
"""Hello carries at most this many journal lines."""
SETTLED_KEPT = 256
"""The machine remembers this many settled vends, so that a repeated approval is answered and not
dispensed.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """The machine was switched on. ``lost``: there was no readable journal before this line."""

    number: int
    boot_id: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VendLine:
    """How far a vend went. The sensors count with MOTOR_ON, SUCCEEDED and FAILED, ``cause`` only
    with FAILED. ``request_id`` is the approval's; empty in lines that were written before they kept
    it.
    """

    vend_id: str
    boot_id: str
    stage: pb.JournalStage.ValueType
    column: str = ""
    cause: pb.VendFailureCause.ValueType = pb.VEND_FAILURE_CAUSE_UNSPECIFIED
    motor: pb.MotorEvidence.ValueType = pb.MOTOR_EVIDENCE_UNSPECIFIED
    drop: pb.DropEvidence.ValueType = pb.DROP_EVIDENCE_UNSPECIFIED
    request_id: str = ""

    @property
    def ended(self) -> bool:
        """Whether the result is written."""
        return self.stage in {pb.JOURNAL_STAGE_SUCCEEDED, pb.JOURNAL_STAGE_FAILED}

    def entry(self) -> pb.JournalEntry:
        """Return the line as Hello tells it."""
        entry = pb.JournalEntry(vend_id=self.vend_id, stage=self.stage)
        if self.stage != pb.JOURNAL_STAGE_ACCEPTED:
            entry.evidence.CopyFrom(pb.Evidence(motor=self.motor, drop=self.drop))
        if self.stage == pb.JOURNAL_STAGE_FAILED:
            entry.cause = self.cause
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The backend has saved what became of these vends and commands, or nobody will ever know it;
    ``loss_told``: it also knows that an older journal was lost.
    """

    vend_ids: tuple[str, ...] = ()
    loss_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the next Hello returns, from the last Welcome."""

    resume_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """How far a command went: begun, or with its ``outcome`` ended. ``kind``: the name of its order
    on the wire.
    """

    command_id: str
    kind: str
    boot_id: str
    column: str = ""
    locked: bool = False
    outcome: pb.CommandOutcome.ValueType = pb.COMMAND_OUTCOME_UNSPECIFIED
    detail: str = ""
    motor: pb.MotorEvidence.ValueType = pb.MOTOR_EVIDENCE_UNSPECIFIED
    drop: pb.DropEvidence.ValueType = pb.DROP_EVIDENCE_UNSPECIFIED


JournalLine = Booted | VendLine | Settled | Token | CommandLine


class Memory:
    """All lines added up. Knows every open vend and the last settled ones."""

    def __init__(self, lines: Iterable[JournalLine] = ()) -> None:
        self.boots = 0
        self.boot_id = ""
        self.lost = False
        self.resume_token = ""
        self._open: dict[str, VendLine] = {}
        self._settled: dict[str, VendLine] = {}
        self._commands: dict[str, CommandLine] = {}
        self._told: dict[str, CommandLine] = {}
        self._locks: dict[str, CommandLine] = {}
        for line in lines:
            self.add(line)

    def add(self, line: JournalLine) -> None:
        """Take one more line that is on disk."""
        match line:
            case Booted():
                self.boots = max(self.boots, line.number)
                self.boot_id = line.boot_id
                self.lost = self.lost or line.lost
            case VendLine():
                known = self._settled.pop(line.vend_id, None)
                column = line.column or (known or self._open.get(line.vend_id, line)).column
                self._open[line.vend_id] = replace(line, column=column)
            case Settled():
                self.lost = self.lost and not line.loss_told
                for vend_id in line.vend_ids:
                    if (vend := self._open.pop(vend_id, None)) is not None:
                        self._settled[vend_id] = vend
                    if (command := self._commands.pop(vend_id, None)) is not None:
                        self._told[vend_id] = command
                while len(self._told) > SETTLED_KEPT:
                    del self._told[next(iter(self._told))]
                while len(self._settled) > SETTLED_KEPT:
                    del self._settled[next(iter(self._settled))]
            case Token():
                self.resume_token = line.resume_token
            case CommandLine():
                self._told.pop(line.command_id, None)
                self._commands[line.command_id] = line
                if line.kind == "lock_column" and line.outcome == pb.COMMAND_OUTCOME_APPLIED:
                    self._locks[line.column] = line
            case _:
                assert_never(line)

    def known(self, vend_id: str) -> VendLine | None:
        """Return the last line of a vend, or None if the machine never heard of it."""
        return self._open.get(vend_id) or self._settled.get(vend_id)

    def command(self, command_id: str) -> CommandLine | None:
        """Return the last line of a command, or None if the machine never heard of it."""
        return self._commands.get(command_id) or self._told.get(command_id)

    @property
    def untold(self) -> tuple[CommandLine, ...]:
        """The last line of each command whose result the backend has not saved, oldest first."""
        return tuple(self._commands.values())

    @property
    def locked(self) -> frozenset[str]:
        """The columns that a command locks."""
        return frozenset(column for column, line in self._locks.items() if line.locked)

    @property
    def tail(self) -> tuple[VendLine, ...]:
        """The last line of each vend that is not settled, oldest vend first."""
        return tuple(self._open.values())

    def lines(self) -> Iterator[JournalLine]:
        """Return the fewest lines that add up to this memory again."""
        if self.boots:
            yield Booted(number=self.boots, boot_id=self.boot_id, lost=self.lost)
        if self.resume_token:
            yield Token(resume_token=self.resume_token)
        yield from self._settled.values()
        if self._settled:
            yield Settled(vend_ids=tuple(self._settled))
        yield from self._open.values()
        done = {line.command_id: line for line in self._locks.values()} | self._told
        yield from done.values()
        if done:
            yield Settled(vend_ids=tuple(done))
        yield from self._commands.values()
