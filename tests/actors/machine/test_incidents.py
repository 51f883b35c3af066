"""Faults become incidents, which end by evidence or by a person."""

from actors.machine import events
from actors.machine.incident import (
    DETAIL_BYTES_MAX,
    INCIDENTS_KEPT,
    FaultReported,
    FaultsCounted,
    Incident,
    IncidentClosed,
    IncidentEnd,
)
from tests.support.story import Story


def online() -> Story:
    """A machine with a stream."""
    story = Story()
    story.connect()
    return story


def written(story: Story) -> list[Incident]:
    """The rows in the order in which they were written."""
    return [
        record
        for decision in story.decisions
        for record in decision.records
        if isinstance(record, Incident)
    ]


def test_a_fault_that_is_told_again_is_one_incident() -> None:
    """Counted, with what was said last; of another column it is another one."""
    story = online()
    story.frame(FaultReported(code="EJB", column="A1", detail="stuck"))
    story.wait(60_000)
    story.frame(FaultReported(code="EJB", column="A1"))
    story.frame(FaultsCounted(first_seq=3, count=4, code="EJB", column="A1"))
    story.frame(FaultReported(code="EJB", column="A2"))

    first, second = story.state.incidents
    assert ("VM-1-i1", 6, "stuck") == (first.incident_id, first.times, first.detail)
    assert 60_000 == first.last_at_ms - first.opened_at_ms
    assert ("VM-1-i2", 1, "A2") == (second.incident_id, second.times, second.column)
    assert "EJB" == story.state.link.last_fault


def test_a_machine_says_that_it_is_over() -> None:
    """With the code and the column of the fault; told again it is another incident."""
    story = online()
    story.frame(FaultReported(code="EGS"))
    story.frame(FaultReported(code="EJB", column="A1"))
    for code, column in (("EJB", ""), ("EJB", "A2"), ("EGS", "")):
        story.frame(FaultReported(code=code, column=column, cleared=True))
    assert ["EJB"] == [one.code for one in story.state.incidents]
    assert IncidentEnd.CLEARED is written(story)[-1].end

    story.frame(FaultReported(code="EGS"))
    assert "VM-1-i3" == story.state.incidents[-1].incident_id


def test_a_column_that_delivers_is_well_again() -> None:
    """Whatever was told of it, and nothing of another one; for cash, too."""
    story = online()
    for code, column in (("EJB", "A1"), ("ELA", "A1"), ("EJB", "A2"), ("EJJ", "")):
        story.frame(FaultReported(code=code, column=column))
    story.pay(1_000)
    story.select()
    story.success()
    ended = {one.code: one.end for one in written(story) if one.ended_at_ms is not None}
    assert {"EJB": IncidentEnd.SOLD, "ELA": IncidentEnd.SOLD} == ended
    story.frame(events.CashSold(column="A2", price_minor=500))
    assert ["EJJ"] == [one.code for one in story.state.incidents]


def test_a_person_closes_one_once() -> None:
    """With their name and what they saw; what is over is left."""
    story = online()
    story.frame(FaultReported(code="EJJ"))
    closed = IncidentClosed(incident_id="VM-1-i1", reason="fan cleaned", actor="ann")
    for _ in range(2):
        story.do(closed)
    assert () == story.state.incidents
    last = written(story)[-1]
    assert (IncidentEnd.CLOSED, "ann", "fan cleaned") == (last.end, last.ended_by, last.reason)
    assert ("incident VM-1-i1 is not open",) == story.decisions[-1].notes


def test_there_is_an_end_to_what_is_watched() -> None:
    """The one that was told longest ago makes way, and says so; texts are cut."""
    story = online()
    for number in range(INCIDENTS_KEPT):
        story.frame(FaultReported(code=f"E{number}", detail="x" * 256))
    story.frame(FaultReported(code="E0"))
    story.frame(FaultReported(code="NEW", detail="\u6a5f" * 80))

    assert INCIDENTS_KEPT == len(story.state.incidents)
    assert {"x" * DETAIL_BYTES_MAX, "\u6a5f" * (DETAIL_BYTES_MAX // 3)} == {
        one.detail for one in story.state.incidents
    }
    assert [("E1", IncidentEnd.CROWDED_OUT)] == [
        (one.code, one.end) for one in written(story) if one.ended_at_ms is not None
    ]
