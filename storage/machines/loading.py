"""Makes machines of their rows, for the actors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from actors.machine.events import ConfigurationChanged
from actors.machine.ids import Currency, MachineId
from actors.machine.state import Column, Configuration, MachineState, Mode
from actors.ports import CodeStop, LoadedMachine, Place, Unreadable
from storage import codec
from storage.database.reader import in_turns
from storage.tables import machine_halts, machine_states, machines, planogram_columns

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


def configuration_of(row: Row[Any]) -> Configuration:
    """Return what the registry says about a machine."""
    return Configuration(
        revision=row.revision,
        enabled=row.enabled,
        mode=Mode(row.mode),
        overrides=codec.decode_overrides(row.overrides),
        planogram_version=row.planogram_version,
        retired=row.retired_at_ms is not None,
    )


def state_of(row: Row[Any]) -> MachineState:
    """Return a machine's state, a fresh one if it has none."""
    if row.body is None:
        return MachineState(machine_id=MachineId(row.machine_id), currency=Currency(row.currency))
    return codec.decode_state(row.format, row.body)


def read_columns(
    connection: Connection, machine_ids: Sequence[str]
) -> dict[str, tuple[Column, ...]]:
    """Return the planograms of these machines; ``stock`` is what was there at the start."""
    columns: dict[str, list[Column]] = {machine_id: [] for machine_id in machine_ids}
    c = planogram_columns.c
    for start in range(0, len(machine_ids), IN_ONE_STATEMENT):
        some = list(machine_ids[start : start + IN_ONE_STATEMENT])
        wanted = select(planogram_columns).where(c.machine_id.in_(some))
        found = connection.execute(wanted.order_by(c.machine_id, c.place))
        for row in in_turns(found, 200):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Makes machines of rows. ``notify_base_url``: where Alipay reaches the gateway from outside,
    without a slash at its end.
    """

    notify_base_url: str

    def load(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[LoadedMachine]:
        """Return the machines of ``machine_rows``, each with its planogram if the actor has not
        heard of it.
        """
        states = [state_of(row) for row in in_turns(rows, 10)]
        pairs = list(zip(rows, states, strict=True))
        newer = [
            row.machine_id
            for row, state in pairs
            if row.planogram_version != state.configuration.planogram_version
        ]
        columns = read_columns(connection, newer)
        return [
            LoadedMachine(
                state=state,
                place=self._place(row),
                configuration=ConfigurationChanged(
                    configuration=configuration_of(row), columns=columns.get(row.machine_id)
                ),
                halted=row.halted_at_ms is not None,
                halted_at_ms=row.halted_at_ms,
                code_stop=CodeStop(row.code_stop or ""),
            )
            for row, state in in_turns(pairs)
        ]

    def load_each(
        self, connection: Connection, rows: Sequence[Row[Any]]
    ) -> list[LoadedMachine | Unreadable]:
        """Return the same, with what cannot be read of one machine in its place."""
        try:
            return [*self.load(connection, rows)]
        except codec.CodecError as error:
            if len(rows) == 1:
                return [Unreadable(machine_id=MachineId(rows[0].machine_id), error=error)]
            middle = len(rows) // 2
            return [
                *self.load_each(connection, rows[:middle]),
                *self.load_each(connection, rows[middle:]),
            ]

    def _place(self, row: Row[Any]) -> Place:
        return Place(
            machine_id=MachineId(row.machine_id),
            store_name=row.store_name,
            country_code=row.country_code,
            address=row.address,
            notify_url=f"{self.notify_base_url}/alipay/notify/{row.notify_token}",
        )
