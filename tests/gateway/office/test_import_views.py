"""Imports are said as they are kept."""

from gateway.office import import_views as views
from gateway.office.import_calls import Taken
from gateway.office.machine_csv import MachineFileLine, MachineWish
from gateway.office.v1 import machine_import_pb2 as wire
from storage.books.audit_rows import Actor
from storage.office.imports import ImportLine, ImportState, ImportView, LineState

VIEW = ImportView(
    import_id="i1",
    state=ImportState.STOPPED,
    actor=Actor(name="ann"),
    line_count=9,
    lines_per_s=10,
    failures_max=1,
    created_at_ms=1_000,
    done_count=3,
    failed_count=2,
    ended_at_ms=2_000,
    reason="a\u202eb",
)


def test_an_import_is_said_with_its_state() -> None:
    """And what it was stopped for, in one line."""
    told = views.machine_import(VIEW)
    assert (wire.MACHINE_IMPORT_STATE_STOPPED, 9, 3, 2, 2) == (
        told.state,
        told.line_count,
        told.done_count,
        told.failed_count,
        told.ended_at.seconds,
    )
    assert told.reason.isprintable()


def test_every_state_has_its_word() -> None:
    """None is shown as unspecified."""
    for state in LineState:
        line = ImportLine(line=2, machine_id="VM-1", content="{}", state=state)
        assert views.line(line).state > 0


def test_a_rehearsal_shows_what_is_wrong_first() -> None:
    """And how many lines would be refused."""
    lines = [
        MachineFileLine(number=2, wish=MachineWish(machine_id="VM-1", cells={})),
        MachineFileLine(
            number=3, wish=MachineWish(machine_id="VM-2", cells={}), problems=("x",) * 9
        ),
    ]
    told = views.taken(Taken(lines=lines, new=frozenset({"VM-2"})))
    assert ([3, 2], 1, 1, 1, False) == (
        [one.line for one in told.lines],
        told.new_count,
        told.known_count,
        told.refused_count,
        told.HasField("machine_import"),
    )
    assert (5, True) == (len(told.lines[0].problems), told.lines[0].new)
