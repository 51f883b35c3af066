"""Makes machines of their rows, for the actors."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from actors.machine.code import says_of
from actors.machine.events import ConfigurationChanged
from actors.machine.ids import Currency, MachineId
from actors.machine.state import Column, Configuration, MachineState, Mode
from actors.ports import CodeStop, LoadedMachine, Place, Unreadable
from storage import codec
from storage.database.reader import in_turns
from storage.tables import (
    machine_halts,
    machine_states,
    machines,
    planogram_columns,
    planogram_waits,
)

IN_ONE_STATEMENT = 500
"""A statement names at most this many ids; drivers have limits."""


def machine_rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the query for registered machines with their states, if they have any."""
    return (
        select(
            machines,
            *machine_states.c["format", "body"],
            *machine_halts.c["halted_at_ms", "code_stop"],
        )
        .select_from(
            machines.outerjoin(
                machine_states, machine_states.c.machine_id == machines.c.machine_id
            ).outerjoin(machine_halts, machine_halts.c.machine_id == machines.c.machine_id)
        )
        .where(*conditions)
        .order_by(machines.c.machine_id)
    )


# What every load asks, put together once: making a statement costs more than running it.
_ASKED = machine_rows(machines.c.machine_id.in_(bindparam("asked", expanding=True)))
_COLUMNS = (
    select(planogram_columns)
    .where(planogram_columns.c.machine_id.in_(bindparam("asked", expanding=True)))
    .order_by(planogram_columns.c.machine_id, planogram_columns.c.place)
)
_AGREED = select(planogram_waits.c.machine_id).where(
    planogram_waits.c.machine_id.in_(bindparam("asked", expanding=True)),
    planogram_waits.c.goods_may_be_removed,
)


def read_rows(connection: Connection, machine_ids: Sequence[str]) -> list[Row[Any]]:
    """Return the rows of ``machine_rows`` of those of these machines that are registered."""
    return [
        row
        for asked in _some(machine_ids)
        for row in connection.execute(_ASKED, {"asked": asked}).all()
    ]


def _some(machine_ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(machine_ids), IN_ONE_STATEMENT):
        yield list(machine_ids[start : start + IN_ONE_STATEMENT])


def configuration_of(row: Row[Any]) -> Configuration:
    """Return what the registry says about a machine."""
    return Configuration(
        revision=row.revision,
        enabled=row.enabled,
        mode=Mode(row.mode),
        overrides=codec.decode_overrides(row.overrides),
        planogram_version=row.planogram_version,
        retired=row.retired_at_ms is not None,
        locked=None if row.locked is None else tuple(json.loads(row.locked)),
    )


def state_of(row: Row[Any], *, only_reads: bool = False) -> MachineState:
    """Return a machine's state, a fresh one if it has none. Raises CodecError; see there for
    ``only_reads``.
    """
    if row.body is None:
        return MachineState(machine_id=MachineId(row.machine_id), currency=Currency(row.currency))
    return codec.decode_state(row.format, row.body, only_reads=only_reads)


def read_columns(
    connection: Connection, machine_ids: Sequence[str]
) -> dict[str, tuple[Column, ...]]:
    """Return the planograms of these machines; ``stock`` is what was there at the start."""
    columns: dict[str, list[Column]] = {machine_id: [] for machine_id in machine_ids}
    for asked in _some(machine_ids):
        for row in in_turns(connection.execute(_COLUMNS, {"asked": asked}), 200):
            columns[row.machine_id].append(
                Column(
                    column=row.column,
                    product=row.product,
                    price_minor=row.price_minor,
                    capacity=row.capacity,
                    stock=row.stock,
                )
            )
    return {machine_id: tuple(ordered) for machine_id, ordered in columns.items()}


def removal_agreed(connection: Connection, machine_ids: Sequence[str]) -> frozenset[str]:
    """Return those of these machines whose newest planogram may remove goods that have no place in
    it, because whoever wants it said so.
    """
    return frozenset(
        machine_id
        for asked in _some(machine_ids)
        for machine_id in connection.scalars(_AGREED, {"asked": asked})
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Makes machines of rows. ``notify_base_url``: where Alipay reaches the gateway from outside,
    without a slash at its end.
    """

    notify_base_url: str

    def load(
        self, connection: Connection, rows: Sequence[Row[Any]]
    ) -> list[LoadedMachine | Unreadable]:
        """Return the machines of ``machine_rows``, each with its planogram if the actor has not
        heard of it. What cannot be read of one machine stands in its place.
        """
        read = [(row, _read(row)) for row in in_turns(rows, 10)]
        newer = [
            row.machine_id
            for row, one in read
            if not isinstance(one, Unreadable)
            and row.planogram_version != one[0].configuration.planogram_version
        ]
        columns = read_columns(connection, newer)
        agreed = removal_agreed(connection, newer)
        return [
            one
            if isinstance(one, Unreadable)
            else LoadedMachine(
                state=one[0],
                place=self._place(row),
                configuration=ConfigurationChanged(
                    configuration=one[1],
                    columns=columns.get(row.machine_id),
                    goods_may_be_removed=row.machine_id in agreed,
                ),
                halted=row.halted_at_ms is not None,
                halted_at_ms=row.halted_at_ms,
                code_stop=CodeStop(row.code_stop or ""),
            )
            for row, one in in_turns(read)
        ]

    def _place(self, row: Row[Any]) -> Place:
        notify_url = f"{self.notify_base_url}/alipay/notify/{row.notify_token}"
        return Place(
            machine_id=MachineId(row.machine_id),
            store_name=row.store_name,
            country_code=row.country_code,
            address=row.address,
            notify_url=notify_url,
            says=says_of(
                notify_url=notify_url,
                store_name=row.store_name,
                country_code=row.country_code,
                address=row.address,
                store_id=row.store_id,
            ),
        )


def _read(row: Row[Any]) -> tuple[MachineState, Configuration] | Unreadable:
    try:
        return state_of(row), configuration_of(row)
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - what cannot be read is one machine's matter
        return Unreadable(machine_id=MachineId(row.machine_id), error=error)
