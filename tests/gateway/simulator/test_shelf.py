"""The physical side."""

from pathlib import Path
from random import Random

import pytest

from gateway.simulator import shelf as shelves
from gateway.simulator.shelf import CASH, Faults, Shelf, ShelfAct
from gateway.v1 import machine_pb2 as pb


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the shelf file is."""
    return tmp_path / "shelf.log"


def test_everything_that_falls_is_on_the_disk(path: Path) -> None:
    """Turns, drops and loads are there again after a restart, by cause."""
    shelf = Shelf(path, rng=Random(1))
    shelf.load("A1", 5)
    shelf.turned("A1", "v1")
    shelf.dropped("A1", "v1")
    shelf.dropped("A1", CASH)
    shelf.close()
    again = Shelf(path, rng=Random(1))

    assert (
        3,
        1,
        1,
        1,
    ) == (again.stock["A1"], again.turns["v1"], again.drops["v1"], again.drops[CASH])
    assert [ShelfAct.LOAD, ShelfAct.TURN, ShelfAct.DROP, ShelfAct.DROP] == [
        line.act for line in shelves.read(path)
    ]
    again.close()
    again.close()


def test_a_torn_line_has_not_happened(path: Path) -> None:
    """A last line without its end is cut off."""
    shelf = Shelf(path, rng=Random(1))
    shelf.load("A1", 5)
    shelf.close()
    path.write_bytes(path.read_bytes() + b'{"act": "dr')

    assert [5] == [line.items for line in shelves.read(path)]
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize(
    ("state", "motor", "drop", "falls"),
    [
        ("full", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, True),
        ("blind", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_NO_SENSOR, True),
        ("empty", pb.MOTOR_EVIDENCE_NOT_RUN, pb.DROP_EVIDENCE_NOT_SEEN, False),
        ("jammed", pb.MOTOR_EVIDENCE_JAMMED, pb.DROP_EVIDENCE_NOT_SEEN, False),
        ("hooked", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_NOT_SEEN, False),
    ],
)
def test_how_a_turn_goes(
    path: Path,
    state: str,
    motor: pb.MotorEvidence.ValueType,
    drop: pb.DropEvidence.ValueType,
    *,
    falls: bool,
) -> None:
    """The sensors see what the column's state makes of the turn."""
    faults = Faults(hook=1.0) if state == "hooked" else Faults()
    shelf = Shelf(path, rng=Random(1), faults=faults, drop_sensor=state != "blind")
    if state != "empty":
        shelf.load("A1", 1)
    if state == "jammed":
        shelf.jam("A1")
    turn = shelf.plan("A1")
    shelf.close()

    assert (motor, drop, falls) == (turn.motor, turn.drop, turn.falls)


def test_a_jam_stays_until_it_is_repaired(path: Path) -> None:
    """A motor that jams by itself jams again, until somebody frees it."""
    shelf = Shelf(path, rng=Random(1), faults=Faults(jam=1.0))
    shelf.load("A1", 1)
    shelf.plan("A1")
    shelf._faults = Faults()

    assert pb.MOTOR_EVIDENCE_JAMMED == shelf.plan("A1").motor
    shelf.repair("A1")
    assert pb.MOTOR_EVIDENCE_RAN == shelf.plan("A1").motor
    shelf.close()


def test_each_line_is_waited_for_as_its_machine_wants_it(path: Path) -> None:
    """By the disk, or by nobody, where a machine lives on virtual time; it is written all the
    same.
    """
    waited: list[int] = []
    shelf = Shelf(path, rng=Random(1), sync=waited.append)
    shelf.load("A1", 2)
    shelf.dropped("A1", CASH)
    shelf.close()
    assert 2 == len(waited) == len(list(shelves.read(path)))
