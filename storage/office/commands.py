"""What people ordered of machines, as their actors wrote it down. Reads only.

Flows in: which ones are asked for. Flows out: pages, newest first, and what must be known before
something is ordered.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from actors.machine.command import MachineReport
from actors.machine.state import MachineState
from storage import codec
from storage.database.engine import Database
from storage.fleet import positions
from storage.tables import machine_commands, machine_states


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandView:
    """One command. ``ended_at_ms`` None: it is open."""

    command_id: str
    machine_id: str
    kind: str
    column: str
    show_for_ms: int
    status: str
    ordered_by: str
    ordered_at_ms: int
    expires_at_ms: int
    sent_at_ms: int | None
    ended_at_ms: int | None
    dropped: bool
    detail: str
    evidence: str
    report: MachineReport | None

    @property
    def position(self) -> str:
        """Where it stands in its list."""
        return positions.position(self.ordered_at_ms, self.command_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """At one moment: the command of this id, if it is there, and its machine's state, if it has
    one.
    """

    command: CommandView | None
    state: MachineState | None


class Commands:
    """Asks a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(
        self, *, machine_id: str, kind: str, status: str, after: str, limit: int
    ) -> list[CommandView]:
        """Return the next commands behind a position, newest first. Raises InvalidPosition."""
        asked = commands_page(machine_id=machine_id, kind=kind, status=status, after=after)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(asked.limit(limit))]
        )

    async def named(self, command_id: str) -> CommandView | None:
        """Return one command."""
        return await self._db.read(lambda connection: _named(connection, command_id))

    async def seen(self, machine_id: str, command_id: str) -> Seen:
        """Return the command of this id and the machine's state, as they are together."""
        return await self._db.read(lambda connection: _seen(connection, machine_id, command_id))


def _named(connection: Connection, command_id: str) -> CommandView | None:
    asked = select(machine_commands).where(machine_commands.c.command_id == command_id)
    row = connection.execute(asked).one_or_none()
    return None if row is None else _view(row)


def _seen(connection: Connection, machine_id: str, command_id: str) -> Seen:
    c = machine_states.c
    row = connection.execute(select(c.format, c.body).where(c.machine_id == machine_id))
    found = row.one_or_none()
    return Seen(
        command=_named(connection, command_id),
        state=None
        if found is None
        else codec.decode_state(found.format, found.body, only_reads=True),
    )


def _view(row: Row[tuple[object, ...]]) -> CommandView:
    values = dict(row._mapping)  # noqa: SLF001 - a public name of SQLAlchemy's
    return CommandView(**{**values, "report": codec.decode_report(values["report"])})


def commands_page(
    *, machine_id: str, kind: str, status: str, after: str
) -> Select[tuple[object, ...]]:
    """Return the query for a page of commands, newest first. Raises InvalidPosition."""
    c = machine_commands.c
    asked = select(machine_commands).order_by(c.ordered_at_ms.desc(), c.command_id.desc())
    for name, value in (("machine_id", machine_id), ("kind", kind), ("status", status)):
        if value:
            asked = asked.where(c[name] == value)
    if after:
        behind = tuple_(*map(literal, positions.parse(after)))
        asked = asked.where(tuple_(c.ordered_at_ms, c.command_id) < behind)
    return asked
