"""The physical side: goods, motors and sensors, and the only honest witness of what really dropped.

Flows in: motor commands and what people do to the machine (load it, jam it, repair it). Flows out:
what the sensors see, and the shelf file: one JSON line for each motor turn, each item that fell
(``vend_id``, or ``"cash"``) and each loading, on the disk before anybody is told. A checker that
compares this file with the books needs nothing else from the machine.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from gateway.v1 import machine_pb2 as pb

CASH = "cash"


class ShelfAct(StrEnum):
    """What a line of the shelf file is about."""

    TURN = "turn"
    DROP = "drop"
    LOAD = "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfLine:
    """One thing that really happened. ``cause`` is the vend_id or "cash"; for LOAD it is empty and
    ``items`` counts.
    """

    act: ShelfAct
    column: str
    cause: str = ""
    items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often, per turn of a motor, something goes wrong by itself: 0.0 never, 1.0 always."""

    jam: float = 0.0
    hook: float = 0.0
    """The motor runs, the item hangs and nothing falls."""


NO_FAULTS = Faults()


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorRun:
    """How one run of a motor goes: what the sensors will see, and whether something will fall."""

    motor: pb.MotorEvidence.ValueType
    drop: pb.DropEvidence.ValueType
    falls: bool


class Shelf:
    """Columns with goods. ``turns`` and ``drops`` count by cause, all boots together, from the
    file.
    """

    def __init__(
        self,
        path: Path,
        *,
        rng: Random,
        faults: Faults = NO_FAULTS,
        drop_sensor: bool = True,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        """``sync`` sees to it that what was written to a descriptor is on the disk."""
        self._sync = sync
        self.stock: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        self.drops: Counter[str] = Counter()
        self.loaded: set[str] = set()
        self._jammed: set[str] = set()
        self._rng = rng
        self._faults = faults
        self._drop_sensor = drop_sensor
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in read(path):
            self._count(line)
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)

    # --- what people do ---

    def load(self, column: str, items: int) -> None:
        """Put goods into a column."""
        self._note(ShelfLine(act=ShelfAct.LOAD, column=column, items=items))

    def jam(self, column: str) -> None:
        """Block the column's motor until ``repair``."""
        self._jammed.add(column)

    def repair(self, column: str) -> None:
        """Free the column's motor."""
        self._jammed.discard(column)

    # --- what motors do ---

    def plan(self, column: str) -> MotorRun:
        """Work out how the next run of this motor will go."""
        unseen = pb.DROP_EVIDENCE_NOT_SEEN if self._drop_sensor else pb.DROP_EVIDENCE_NO_SENSOR
        chance = self._rng.random()
        if self.stock[column] <= 0:  # the empty switch keeps the motor from starting
            return MotorRun(motor=pb.MOTOR_EVIDENCE_NOT_RUN, drop=unseen, falls=False)
        if column in self._jammed or chance < self._faults.jam:
            self._jammed.add(column)
            return MotorRun(motor=pb.MOTOR_EVIDENCE_JAMMED, drop=unseen, falls=False)
        if self._drop_sensor and chance < self._faults.jam + self._faults.hook:
            return MotorRun(motor=pb.MOTOR_EVIDENCE_RAN, drop=unseen, falls=False)
        seen = pb.DROP_EVIDENCE_SEEN if self._drop_sensor else pb.DROP_EVIDENCE_NO_SENSOR
        return MotorRun(motor=pb.MOTOR_EVIDENCE_RAN, drop=seen, falls=True)

    def turned(self, column: str, cause: str) -> None:
        """The motor has begun to turn."""
        self._note(ShelfLine(act=ShelfAct.TURN, column=column, cause=cause))

    def dropped(self, column: str, cause: str) -> None:
        """An item has fallen into the customer's hands."""
        self._note(ShelfLine(act=ShelfAct.DROP, column=column, cause=cause))

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _note(self, line: ShelfLine) -> None:
        body = {"act": line.act, "column": line.column, "cause": line.cause, "items": line.items}
        os.write(self._file, json.dumps(body).encode() + b"\n")
        self._sync(self._file)
        self._count(line)

    def _count(self, line: ShelfLine) -> None:
        match line.act:
            case ShelfAct.TURN:
                self.turns[line.cause] += 1
            case ShelfAct.DROP:
                self.drops[line.cause] += 1
                self.stock[line.column] -= 1
            case ShelfAct.LOAD:
                self.loaded.add(line.column)
                self.stock[line.column] += line.items


def read(path: Path) -> Iterator[ShelfLine]:
    """Read a shelf file; a last line that is not complete has not happened and is cut off."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    complete, _, torn = content.rpartition(b"\n")
    if torn:
        os.truncate(path, len(content) - len(torn))
    for text in complete.splitlines():
        body = json.loads(text)
        yield ShelfLine(
            act=ShelfAct(body["act"]),
            column=body["column"],
            cause=body["cause"],
            items=body["items"],
        )
