"""Machines' states: each holds by itself, its row's summary says the same, and the rows that are
open are exactly what it holds open.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, func, or_, select

from actors.machine import InvariantBroken, MachineState, check, phase
from actors.machine.command import OPEN
from actors.machine.invariants import RESERVING
from actors.machine.state import VendStatus
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, Span
from storage.database.prepared import Row as Values
from storage.fleet.halted_money import OPEN_REFUNDS
from storage.machines import rows
from storage.tables import (
    machine_commands,
    machines,
    planogram_columns,
    refunds,
    sessions,
    trades,
    vends,
)
from storage.tables.records import in_status

OPEN_VENDS = (VendStatus.AWAITING_PAYMENT, *RESERVING)

_OPEN: tuple[tuple[Table, str, ColumnElement[bool]], ...] = (
    (sessions, "session_id", in_status(sessions, ["OPEN"])),
    (vends, "vend_id", in_status(vends, [status.value for status in OPEN_VENDS])),
    (trades, "trade_id", in_status(trades, ["OPEN"])),
    (refunds, "refund_id", in_status(refunds, OPEN_REFUNDS)),
    (machine_commands, "command_id", machine_commands.c.status.in_(sorted(OPEN))),
)


def states_hold(books: Books) -> Iterator[int | Finding]:
    """Every machine's state can be read, contradicts nothing within itself, and is what its row
    says of it; stock fits its columns.
    """
    for span in books.spans:
        for row, state in books.states(span):
            if row.state_version is None:
                continue
            yield 1
            for sentence in _contradictions(row, state):
                yield Finding(
                    sentence=f"machine {row.machine_id}: {sentence}", machine_id=row.machine_id
                )


def _contradictions(row: Row[Any], state: MachineState | None) -> Iterator[str]:
    if state is None:
        yield f"its state (format {row.format}) cannot be read"
        return
    try:
        check(state)
    except InvariantBroken as broken:
        yield f"its state does not hold: {broken}"
    pairs = {
        "machine": (row.machine_id, state.machine_id),
        "currency": (row.currency, state.currency),
        "version": (row.state_version, state.version),
        "revision": (row.state_revision, state.configuration.revision),
        "phase": (row.state_phase, phase(state).value),
        "online": (row.state_online, state.link.online),
    }
    for name, (said, held) in pairs.items():
        if said != held:
            yield f"its row says {name} {said}, its state {held}"
    if (state.session or state.refunds or state.doubts) and not row.state_active:
        yield "its row says that nothing is open, and its owner would not look at it again"
    if state.configuration.revision > row.revision:
        yield (
            f"its state knows revision {state.configuration.revision}, the registry only "
            f"{row.revision}"
        )


def what_is_open_is_in_the_state(books: Books) -> Iterator[int | Finding]:
    """The open sessions, vends, trades, refunds and commands are exactly those that the machines'
    states hold, and say the same.
    """
    for span in books.spans:
        held = {table.name: dict[str, Values]() for table, _, _ in _OPEN}
        unreadable = set()
        for row, state in books.states(span):
            if state is None:
                unreadable.add(row.machine_id)
                continue
            for name, key, values in _held(state):
                held[name][key] = values
        for table, key_name, is_open in _OPEN:
            yield len(held[table.name])
            yield from _compare(books, span, table, key_name, is_open, held[table.name], unreadable)


def _held(state: MachineState) -> Iterator[tuple[str, str, Values]]:
    """Return all that the state holds open, as its rows would be."""
    session = state.session
    if session is not None:
        yield (
            sessions.name,
            session.session_id,
            rows.session_row(session, state.machine_id, state.currency),
        )
    for vend in (
        *state.doubts,
        *(() if session is None or session.vend is None else (session.vend,)),
    ):
        yield vends.name, vend.vend_id, rows.vend_row(vend, state.machine_id, state.currency)
    for trade in state.trades:
        yield trades.name, trade.trade_id, rows.trade_row(trade, state.machine_id, state.currency)
    for refund in state.refunds:
        yield (
            refunds.name,
            refund.refund_id,
            rows.refund_row(refund, state.machine_id, state.currency),
        )
    for command in state.commands:
        yield (
            machine_commands.name,
            command.command_id,
            rows.command_row(command, state.machine_id),
        )


def _compare(
    books: Books,
    span: Span,
    table: Table,
    key_name: str,
    is_open: ColumnElement[bool],
    held: Mapping[str, Values],
    unreadable: set[str],
) -> Iterator[Finding]:
    """Hold the open rows of a table against what is held; each key that is left over is open in a
    state only.
    """
    noun = key_name.removesuffix("_id")
    left, last = dict(held), ""
    key = table.c[key_name]
    while page := books.odd_ones(
        select(table).where(span.holds(table.c.machine_id), is_open, key > last).order_by(key)
    ):
        last = getattr(page[-1], key_name)
        for row in page:
            values = left.pop(getattr(row, key_name), None)
            if values == tuple(row) or row.machine_id in unreadable:
                continue
            about = {"machine_id": row.machine_id, key_name: getattr(row, key_name)}
            if values is None:
                what = (
                    f"{noun} {getattr(row, key_name)} is open, but not in the state of machine "
                    f"{row.machine_id}"
                )
                yield Finding(sentence=what, amounts=_amounts(table, row), **about)
            else:
                what = "; ".join(_differing(table, tuple(row), values))
                yield Finding(
                    sentence=f"{noun} {getattr(row, key_name)} of machine {row.machine_id}: {what}",
                    amounts=_amounts(table, row),
                    **about,
                )
    for missing, values in left.items():
        told = dict(zip(table.c.keys(), values, strict=True))
        yield Finding(
            sentence=(
                f"the state of machine {told['machine_id']} holds {noun} {missing} open, and there "
                "is no such open row"
            ),
            machine_id=told["machine_id"],
            amounts={name: value for name, value in told.items() if name.endswith("_minor")},
            **{key_name: missing},
        )


def _amounts(table: Table, row: Row[Any]) -> dict[str, int]:
    return {name: getattr(row, name) for name in table.c.keys() if name.endswith("_minor")}  # noqa: SIM118 - columns are no dict


def _differing(table: Table, said: Sequence[Any], held: Sequence[Any]) -> Iterator[str]:
    for column, one, other in zip(table.columns, said, held, strict=True):
        if one != other:
            yield f"{column.name} is {one!r} in its row and {other!r} in the state"


def nothing_was_taken_out(books: Books) -> Iterator[int | Finding]:
    """Each machine has as many sessions and vends as its state has counted."""
    for span in books.spans:
        made = {table.name: _counted(books, span, table) for table in (sessions, vends)}
        for row, state in books.states(span):
            if state is None:
                continue
            yield state.sessions_made + state.vends_made
            for name, counted in (
                (sessions.name, state.sessions_made),
                (vends.name, state.vends_made),
            ):
                there = made[name].pop(row.machine_id, 0)
                if there != counted:
                    sentence = (
                        f"machine {row.machine_id} has counted {counted} {name}, and there are "
                        f"{there}"
                    )
                    yield Finding(sentence=sentence, machine_id=row.machine_id)


def _counted(books: Books, span: Span, table: Table) -> dict[str, int]:
    grouped = (
        select(table.c.machine_id, func.count().label("rows"))
        .where(span.holds(table.c.machine_id))
        .group_by(table.c.machine_id)
    )
    return {row.machine_id: row.rows for row in books.connection.execute(grouped)}


def planograms_fit(books: Books) -> Iterator[int | Finding]:
    """Every column of the registry belongs to a machine, has a price, and holds no more than
    fits.
    """
    c = planogram_columns.c
    yield books.count(planogram_columns)
    wanted = (
        select(planogram_columns, machines.c.machine_id.label("registered"))
        .select_from(planogram_columns.outerjoin(machines, machines.c.machine_id == c.machine_id))
        .where(
            or_(
                machines.c.machine_id.is_(None),
                c.stock < 0,
                c.stock > c.capacity,
                c.capacity <= 0,
                c.price_minor <= 0,
            )
        )
    )
    for row in books.odd_ones(wanted):
        yield Finding(
            sentence=(
                f"column {row.column} of machine {row.machine_id} holds {row.stock} of "
                f"{row.capacity} at {row.price_minor}"
            ),
            machine_id=row.machine_id,
            amounts={"price_minor": row.price_minor},
        )
