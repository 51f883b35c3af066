"""How much of everything is open, and since when: what alarms are made of. Each is one query."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Numeric,
    Select,
    bindparam,
    case,
    cast,
    distinct,
    func,
    literal,
    or_,
    select,
)

from actors.machine.command import CommandStatus
from actors.machine.state import VendStatus
from storage.fleet import work_items
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.fleet.views import GaugeView
from storage.item_ids import DIFFERENCE_ITEM, not_closed
from storage.tables import (
    column_locks,
    experiment_prices,
    experiments,
    inbox,
    machine_commands,
    machine_screens,
    machine_states,
    machines,
    offer_spending,
    offers,
    planogram_waits,
    reconciliation_differences,
    refunds,
    sessions,
    vends,
)
from storage.tables.records import in_status

_TRIED = experiment_prices.c
_GAUGES: tuple[Select[*tuple[Any, ...]], ...] = (
    select(literal("refunds_open"), refunds.c.status, func.count(), func.min(refunds.c.due_at_ms))
    .where(in_status(refunds, OPEN_REFUNDS))
    .group_by(refunds.c.status),
    select(
        literal("inbox_untaken"), literal(""), func.count(), func.min(inbox.c.received_at_ms)
    ).where(inbox.c.taken_at_ms.is_(None)),
    select(
        literal("sessions_open"), literal(""), func.count(), func.min(sessions.c.started_at_ms)
    ).where(in_status(sessions, ["OPEN"])),
    select(literal("machines_online"), literal(""), func.count(), literal(None)).where(
        machine_states.c.online.is_(True)
    ),
    select(
        literal("codes_differing"),
        literal(""),
        func.count(),
        func.min(machine_states.c.code_differs_since_ms),
    ).where(machine_states.c.code_differs_since_ms.is_not(None)),
    select(
        literal("locks_not_obeyed"),
        literal(""),
        func.count(),
        func.min(column_locks.c.locked_at_ms),
    ).where(column_locks.c.obeyed_at_ms.is_(None)),
    select(
        literal("planograms_waiting"),
        case((machine_states.c.online.is_(True), "online"), else_="offline").label("link"),
        func.count(),
        func.min(planogram_waits.c.since_at_ms),
    )
    .select_from(
        planogram_waits.outerjoin(
            machine_states, machine_states.c.machine_id == planogram_waits.c.machine_id
        )
    )
    .group_by("link"),
    select(
        literal("screens_waiting"),
        case((machine_states.c.online.is_(True), "online"), else_="offline").label("link"),
        func.count(),
        func.min(machine_screens.c.wanted_at_ms),
    )
    .select_from(
        machine_screens.join(
            machines, machines.c.machine_id == machine_screens.c.machine_id
        ).outerjoin(machine_states, machine_states.c.machine_id == machine_screens.c.machine_id)
    )
    .where(
        machine_screens.c.wanted != machine_screens.c.applied, machines.c.retired_at_ms.is_(None)
    )
    .group_by("link"),
    select(
        literal("machine_commands_open"),
        machine_commands.c.status,
        func.count(),
        func.min(machine_commands.c.ordered_at_ms),
    )
    .where(machine_commands.c.status.in_([CommandStatus.QUEUED, CommandStatus.SENT]))
    .group_by(machine_commands.c.status),
    select(
        literal("vends_in_doubt"), literal(""), func.count(), func.min(vends.c.requested_at_ms)
    ).where(in_status(vends, [VendStatus.IN_DOUBT.value])),
    select(
        literal("differences_open"),
        literal(""),
        func.count(),
        func.min(reconciliation_differences.c.found_at_ms),
    ).where(reconciliation_differences.c.status == "OPEN", not_closed(DIFFERENCE_ITEM)),
    select(
        literal("tried_prices_kept"),
        literal(""),
        func.count(distinct(_TRIED.machine_id)),
        func.min(experiments.c.ended_at_ms),
    )
    .select_from(
        experiment_prices.join(experiments, experiments.c.experiment == _TRIED.experiment).join(
            machines, machines.c.machine_id == _TRIED.machine_id
        )
    )
    .where(
        _TRIED.restored_at_ms.is_(None),
        experiments.c.state.in_(["STOPPED", "ENDED"]),
        machines.c.retired_at_ms.is_(None),
    ),
)


_O = offers.c
_USED = offer_spending.c
_LEFT = _O.budget_minor - _USED.spent_minor
# Of a share nobody knows what the next one takes off: as much as they did on average. The product
# may be more than 64 bits hold.
_TOO_LITTLE = case(
    (_O.discount_minor > 0, _O.discount_minor > _LEFT),
    else_=cast(_LEFT, Numeric) * _USED.uses < _USED.spent_minor,
)
_NOW = bindparam("now_ms", type_=BigInteger)
# By how much of it is left and not by its code: offers come and go, and each would be a series for
# ever. What is less than one use takes off is as good as nothing.
_OFFERS = (
    select(
        literal("offers_running"),
        case(
            (or_(_LEFT < 1, _TOO_LITTLE), "used_up"),
            (_O.budget_minor > 10 * _LEFT, "low"),
            else_="ample",
        ).label("budget"),
        func.count(),
        literal(None),
    )
    .join_from(offers, offer_spending, offer_spending.c.offer == _O.offer)
    .where(_O.begins_at_ms <= _NOW, _O.ends_at_ms > _NOW, _O.ended_at_ms.is_(None))
    .group_by("budget")
)


def read(connection: Connection, *, now_ms: int) -> list[GaugeView]:
    """Return all of them."""
    return [
        gauge
        for queries, given in ((_GAUGES, {}), ([*work_items.gauges(), _OFFERS], {"now_ms": now_ms}))
        for query in queries
        for gauge in _gauges(connection, query, given)
    ]


def _gauges(
    connection: Connection, query: Select[*tuple[Any, ...]], given: Mapping[str, object]
) -> list[GaugeView]:
    return [
        GaugeView(name=name, status=status, count=count, oldest_at_ms=oldest_at_ms)
        for name, status, count, oldest_at_ms in connection.execute(query, given)
    ]
