"""What is wrong with a machine now, since when, and what that costs. Pure.

Flows in: the machine as SQL has it, its open incidents, its locked columns, and what it usually
sells. Flows out: its troubles, those that stop all of it first. What a trouble costs is what its
machine or its column usually sells in that time: an estimate, day and night alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from actors.machine.state import Phase
from gateway.office.event_codes import meaning
from storage.fleet.views import MachineView
from storage.machines.rows import DAY_MS
from storage.office.incidents import IncidentView, Takings
from storage.office.locks import LockView
from storage.office.supply import HOUR_MS


class TroubleKind(StrEnum):
    """What can be wrong with a machine."""

    HALTED = "HALTED"
    DISABLED = "DISABLED"
    OFFLINE = "OFFLINE"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    NO_CODE = "NO_CODE"
    SOLD_OUT = "SOLD_OUT"
    INCIDENT = "INCIDENT"
    LOCKED = "LOCKED"
    RETIRED = "RETIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong. ``cost_minor``: in an hour, None if it keeps nothing from being
    sold.
    """

    kind: TroubleKind
    column: str = ""
    detail: str = ""
    since_ms: int | None = None
    cost_minor: int | None = None
    incident_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHealth:
    """All that is wrong; what the machine usually sells in an hour, and what of it is lost."""

    troubles: Sequence[Trouble]
    usual_minor: int
    cost_minor: int


def health(
    machine: MachineView,
    incidents: Iterable[IncidentView],
    locks: Iterable[LockView],
    takings: Takings,
    *,
    disabled_at_ms: int | None = None,
    emptied: Mapping[str, int] | None = None,
) -> MachineHealth:
    """Return how the machine is. ``disabled_at_ms``: when somebody disabled it last; ``emptied``:
    when the last item left columns that are empty.
    """
    if machine.retired_at_ms is not None:
        return _of_retired(machine.retired_at_ms, incidents, takings)
    usual = _hourly(sum(takings.by_column.values()), takings)
    whole = list(_of_all(machine, usual, disabled_at_ms))
    some = [
        *_sold_out(machine, takings, emptied or {}),
        *_locked(locks, takings),
        *_locked_by_commands(machine, takings),
        *_incidents(incidents, takings),
    ]
    if whole:
        lost = usual
    else:
        columns = {one.column for one in some if one.cost_minor is not None}
        lost = _hourly(sum(takings.by_column.get(one, 0) for one in columns), takings)
    return MachineHealth(troubles=[*whole, *some], usual_minor=usual, cost_minor=lost)


def _of_retired(
    retired_at_ms: int, incidents: Iterable[IncidentView], takings: Takings
) -> MachineHealth:
    """Return how a machine is that sells nothing any more: whatever is wrong with it costs
    nothing.
    """
    retired = Trouble(kind=TroubleKind.RETIRED, since_ms=retired_at_ms)
    told = [replace(one, cost_minor=None) for one in _incidents(incidents, takings)]
    return MachineHealth(troubles=[retired, *told], usual_minor=0, cost_minor=0)


def sales_count_from(wished_ms: int, registered_at_ms: int, now_ms: int) -> int:
    """Return since when a machine's sales tell what it usually sells: since it was registered, if
    that is later than what was wished. A new one is taken as a day old, so that the first sale of
    its first minute is not taken for what it sells in every minute.
    """
    return min(now_ms - DAY_MS, max(wished_ms, registered_at_ms))


def _hourly(minor: int, takings: Takings) -> int:
    return round(minor * HOUR_MS / takings.span_ms)


def _of_all(machine: MachineView, usual: int, disabled_at_ms: int | None) -> Iterable[Trouble]:
    halt = machine.halt
    if halt is not None:
        yield Trouble(
            kind=TroubleKind.HALTED,
            detail=halt.error,
            since_ms=halt.halted_at_ms,
            cost_minor=usual,
        )
    if not machine.enabled:
        yield Trouble(kind=TroubleKind.DISABLED, since_ms=disabled_at_ms, cost_minor=usual)
    elif machine.code_status != "ACTIVE":
        yield Trouble(
            kind=TroubleKind.NO_CODE,
            detail=machine.code_error or machine.code_status,
            cost_minor=usual,
        )
    if not machine.online:
        yield Trouble(
            kind=TroubleKind.OFFLINE, since_ms=machine.connection_changed_at_ms, cost_minor=usual
        )
    elif machine.enabled and machine.phase == Phase.DISABLED.value:
        yield Trouble(kind=TroubleKind.OUT_OF_SERVICE, cost_minor=usual)


def _sold_out(
    machine: MachineView, takings: Takings, emptied: Mapping[str, int]
) -> Iterable[Trouble]:
    for one in machine.columns:
        if one.stock == 0:
            yield Trouble(
                kind=TroubleKind.SOLD_OUT,
                column=one.column,
                detail=one.product,
                since_ms=emptied.get(one.column),
                cost_minor=_hourly(takings.by_column.get(one.column, 0), takings),
            )


def _locked(locks: Iterable[LockView], takings: Takings) -> Iterable[Trouble]:
    for one in locks:
        what = f"lot {one.lot} of {one.product}" if one.lot else one.product
        yield Trouble(
            kind=TroubleKind.LOCKED,
            column=one.column,
            detail=f"{one.cause.value}: {what}, recall {one.recall_id}",
            since_ms=one.locked_at_ms,
            cost_minor=_hourly(takings.by_column.get(one.column, 0), takings),
        )


def _locked_by_commands(machine: MachineView, takings: Takings) -> Iterable[Trouble]:
    since = {one.column: one.since_ms for one in machine.locks if not one.recall_id}
    for column in machine.ordered_locks:
        yield Trouble(
            kind=TroubleKind.LOCKED,
            column=column,
            detail="by a command: UNLOCK_COLUMN ends it",
            since_ms=since.get(column),
            cost_minor=_hourly(takings.by_column.get(column, 0), takings),
        )


def _incidents(incidents: Iterable[IncidentView], takings: Takings) -> Iterable[Trouble]:
    for one in incidents:
        cost = _hourly(takings.by_column.get(one.column, 0), takings) if one.column else None
        said = (one.code, meaning(one.code), one.detail)
        yield Trouble(
            kind=TroubleKind.INCIDENT,
            column=one.column,
            detail=": ".join(part for part in said if part),
            since_ms=one.opened_at_ms,
            cost_minor=cost,
            incident_id=one.incident_id,
        )
