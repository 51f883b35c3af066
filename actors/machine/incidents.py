"""Faults as incidents: opened when a machine tells of one, counted while it tells it again, ended
by evidence, or by a person who has looked. They move no money and stop no sale.
"""

from collections.abc import Callable

from actors.machine.draft import Draft
from actors.machine.incident import (
    DETAIL_BYTES_MAX,
    INCIDENTS_KEPT,
    FaultReported,
    FaultsCounted,
    Incident,
    IncidentClosed,
    IncidentEnd,
)
from actors.machine.values import replace


def told(draft: Draft, fact: FaultReported) -> None:
    """The machine tells of a fault, or that one is over."""
    about = f"fault {fact.code}" + (f" of column {fact.column}" if fact.column else "")
    said = f": {fact.detail}" if fact.detail else ""
    if fact.cleared:
        draft.note(f"{about} is over{said}")
        _end(draft, IncidentEnd.CLEARED, lambda one: _is(one, fact.code, fact.column))
        return
    draft.update(link=replace(draft.state.link, last_fault=fact.code))
    draft.note(f"{about}{said}")
    _open(draft, fact.code, fact.column, _short(fact.detail), 1)


def counted(draft: Draft, fact: FaultsCounted) -> None:
    """Many faults were told, of which only the last one's code is known."""
    draft.update(link=replace(draft.state.link, last_fault=fact.code))
    draft.note(f"{fact.count} faults were counted, the last one is {fact.code}")
    _open(draft, fact.code, fact.column, "", fact.count)


def sold(draft: Draft, column: str) -> None:
    """The column delivered: what was broken about it is not any more."""
    if draft.state.incidents:
        _end(draft, IncidentEnd.SOLD, lambda one: one.column == column)


def closed(draft: Draft, event: IncidentClosed) -> None:
    """A person has looked at it."""
    open_before = draft.state.incidents
    _end(
        draft,
        IncidentEnd.CLOSED,
        lambda one: one.incident_id == event.incident_id,
        by=event.actor,
        reason=event.reason,
    )
    if draft.state.incidents == open_before:
        draft.note(f"incident {event.incident_id} is not open")


def _short(detail: str) -> str:
    return detail.encode()[:DETAIL_BYTES_MAX].decode(errors="ignore")


def _is(one: Incident, code: str, column: str) -> bool:
    return (one.code, one.column) == (code, column)


def _open(draft: Draft, code: str, column: str, detail: str, times: int) -> None:
    known = next((one for one in draft.state.incidents if _is(one, code, column)), None)
    others = tuple(one for one in draft.state.incidents if one is not known)
    if known is None:
        number = draft.state.incidents_made + 1
        draft.update(incidents_made=number)
        known = Incident(
            incident_id=f"{draft.state.machine_id}-i{number}",
            code=code,
            column=column,
            detail=detail,
            times=0,
            opened_at_ms=draft.now_ms,
            last_at_ms=draft.now_ms,
        )
    again = replace(
        known, detail=detail or known.detail, times=known.times + times, last_at_ms=draft.now_ms
    )
    draft.update(incidents=(*others, again))
    draft.record_incident(again)
    if len(others) >= INCIDENTS_KEPT:
        _end(draft, IncidentEnd.CROWDED_OUT, lambda one: one is others[0])


def _end(
    draft: Draft,
    end: IncidentEnd,
    ends: Callable[[Incident], bool],
    *,
    by: str = "",
    reason: str = "",
) -> None:
    going = [one for one in draft.state.incidents if ends(one)]
    if not going:
        return
    draft.update(incidents=tuple(one for one in draft.state.incidents if one not in going))
    for one in going:
        draft.note(f"incident {one.incident_id} ({one.code}) ended: {end}")
        draft.record_incident(
            replace(one, ended_at_ms=draft.now_ms, end=end, ended_by=by, reason=reason)
        )
