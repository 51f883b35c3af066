"""What people ordered of machines, as their actors wrote it down. Reads only.

Flows in: which ones are asked for. Flows out: pages, newest first, and what must be known before
something is ordered.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from actors.machine.command import CommandWait, MachineReport
from actors.machine.command_waits import waits_for
from actors.machine.state import MachineState
from storage import codec
from storage.database.engine import Database
from storage.fleet import positions
from storage.tables import machine_commands, machine_states


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandView:
    """One command. ``ended_at_ms`` None: it is open, and ``waits_for`` a word of
    ``CommandWait``.
    """

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
    waits_for: str = CommandWait.NOTHING.value

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
            lambda connection: _waiting(
                connection, [_view(row) for row in connection.execute(asked.limit(limit))]
            )
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
    return None if row is None else _waiting(connection, [_view(row)])[0]


def _waiting(connection: Connection, views: list[CommandView]) -> list[CommandView]:
    """Return the commands with what each open one waits for, by its machine's state beside it."""
    machine_ids = {view.machine_id for view in views if view.ended_at_ms is None}
    if not machine_ids:
        return views
    c = machine_states.c
    wanted = select(c.machine_id, c.format, c.body).where(c.machine_id.in_(machine_ids))
    states = {row.machine_id: _state(row.format, row.body) for row in connection.execute(wanted)}
    return [
        replace(view, waits_for=_waits_for(view, states.get(view.machine_id))) for view in views
    ]


def _waits_for(view: CommandView, state: MachineState | None) -> str:
    if view.ended_at_ms is not None:
        return CommandWait.NOTHING.value
    # A state that cannot be read halts its machine, which sends nothing then.
    return CommandWait.HOST.value if state is None else waits_for(state, view.command_id).value


def _state(format_: int, body: str) -> MachineState | None:
    try:
        return codec.decode_state(format_, body, only_reads=True)
    except codec.CodecError:
        return None


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
