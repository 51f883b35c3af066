"""Imports of machines: many lines, carried out one after the other by whichever gateway is there.

Flows in: lines that were checked. Flows out: the lines that wait, to the one who holds the import;
and how far it is, to whoever asks. A gateway that dies lets go of what it held when its hold runs
out, and another goes on: a line that is not said to be done is done again, which whoever does it is
made for. Too many failures stop it, and so may a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    insert,
    or_,
    select,
    update,
)

from storage.books.audit_rows import Actor, AuditRow, actor_of, write_audit_rows
from storage.database import dialects
from storage.database.engine import Database
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.tables import machine_import_lines, machine_imports


class ImportState(StrEnum):
    """RUNNING: lines wait. DONE: none does. STOPPED: those that wait are never carried out."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    STOPPED = "STOPPED"


class LineState(StrEnum):
    """What became of a line."""

    WAITING = "WAITING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLine:
    """One line: ``line`` is its number in the file, ``content`` what it wants, as its writer can
    read it again; ``said`` why it failed.
    """

    line: int
    machine_id: str
    content: str
    state: LineState = LineState.WAITING
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    """An import: ``lines_per_s`` lines a second at most, stopped by more than ``failures_max``
    failures. ``reason``: why it was stopped.
    """

    import_id: str
    state: ImportState
    actor: Actor
    line_count: int
    lines_per_s: int
    failures_max: int
    created_at_ms: int
    done_count: int = 0
    failed_count: int = 0
    ended_at_ms: int | None = None
    reason: str = ""


class Imports:
    """The imports of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(
        self,
        import_id: str,
        lines: Sequence[ImportLine],
        deed: Deed,
        *,
        lines_per_s: int,
        failures_max: int,
    ) -> ImportView:
        """Keep an import that is to be carried out. Raises NotPossible while another one runs."""

        def plan(connection: Connection) -> DeedPlan[ImportView]:
            if deed.locks:
                dialects.office_alone(connection)  # two that begin at once: one of them does
            running = machine_imports.c.state == ImportState.RUNNING
            other = select(machine_imports.c.import_id).where(running).limit(1)
            if (there := connection.scalar(other)) is not None:
                raise NotPossible(
                    "IMPORT_RUNNING",
                    f"import {there} is still running: wait for its end, or StopMachineImport",
                    machine_import=there,
                )
            made = ImportView(
                import_id=import_id,
                state=ImportState.RUNNING,
                actor=actor_of(deed.actor),
                line_count=len(lines),
                lines_per_s=lines_per_s,
                failures_max=failures_max,
                created_at_ms=deed.now_ms,
            )
            rows = [_line_row(import_id, one) for one in lines]
            said = f"import {import_id} of {len(lines)} lines, {lines_per_s} a second"
            return DeedPlan(
                result=made,
                writes=(
                    (insert(machine_imports), [_row(made)]),
                    (insert(machine_import_lines), rows),
                ),
                details=(Detail(said=said),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: _there(connection, import_id)
        )

    async def stop(self, import_id: str, deed: Deed, *, reason: str) -> ImportView:
        """Carry out no more of its lines. Raises NotThere, or NotPossible if it has ended."""

        def plan(connection: Connection) -> DeedPlan[ImportView]:
            before = _there(connection, import_id, lock=deed.locks)
            if before.state is not ImportState.RUNNING:
                raise NotPossible(
                    "IMPORT_ENDED",
                    f"import {import_id} has ended: nothing of it is to be stopped",
                    machine_import=import_id,
                )
            ended = _end(import_id, ImportState.STOPPED, deed.now_ms, reason)
            return DeedPlan(
                result=_with(before, ImportState.STOPPED, deed.now_ms, reason),
                writes=((ended, []),),
                details=(Detail(said=f"import {import_id} stopped; {reason}"),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: _there(connection, import_id)
        )

    async def get(self, import_id: str) -> ImportView:
        """Return an import. Raises NotThere."""
        return await self._db.read(lambda connection: _there(connection, import_id))

    async def lines(
        self, import_id: str, state: LineState, *, after: int = 0, limit: int
    ) -> Sequence[ImportLine]:
        """Return the first lines in this state behind the line ``after``."""
        wanted = lines_of(import_id, state, after, limit)
        return await self._db.read(
            lambda connection: [_line(row) for row in connection.execute(wanted)]
        )

    async def take(self, holder: str, *, now_ms: int, held_ms: int) -> ImportView | None:
        """Return the import that runs, held by ``holder`` alone for so long; None if there is none
        or another holds it.
        """

        def work(connection: Connection) -> ImportView | None:
            c = machine_imports.c
            # A clock that was set back must not make a hold last for ever.
            free = or_(
                c.holder == holder, c.held_until_ms <= now_ms, c.held_until_ms > now_ms + held_ms
            )
            row = connection.execute(
                update(machine_imports)
                .where(c.state == ImportState.RUNNING, free)
                .values(holder=holder, held_until_ms=now_ms + held_ms)
                .returning(*machine_imports.c)
            ).one_or_none()
            return None if row is None else _view(row)

        if not await self._db.read(_runs):  # nothing is written at rest
            return None
        return await self._db.write(work)

    async def let_go(self, holder: str) -> None:
        """Let another go on at once."""
        c = machine_imports.c
        free = update(machine_imports).where(c.state == ImportState.RUNNING, c.holder == holder)
        await self._db.write(lambda connection: connection.execute(free.values(held_until_ms=0)))

    async def ended(
        self, import_id: str, lines: Sequence[ImportLine], *, holder: str, now_ms: int
    ) -> ImportView:
        """Say what became of lines, if ``holder`` still holds the import and they still wait, and
        end the import if nothing waits or too much failed.
        """

        def work(connection: Connection) -> ImportView:
            there = _there(connection, import_id, lock=True)
            if not connection.scalar(select(exists().where(_held(import_id, holder)))):
                return there
            done = failed = 0
            for one in lines:
                told = connection.execute(
                    update(machine_import_lines)
                    .where(
                        machine_import_lines.c.import_id == import_id,
                        machine_import_lines.c.line == one.line,
                        machine_import_lines.c.state == LineState.WAITING,
                    )
                    .values(state=one.state.value, said=one.said)
                )
                counted = told.rowcount == 1
                done += counted and one.state is LineState.DONE
                failed += counted and one.state is LineState.FAILED
            c = machine_imports.c
            connection.execute(
                update(machine_imports)
                .where(c.import_id == import_id)
                .values(done_count=c.done_count + done, failed_count=c.failed_count + failed)
            )
            return _ended_if_it_is(connection, _there(connection, import_id), now_ms)

        return await self._db.write(work)


def lines_of(import_id: str, state: LineState, after: int, limit: int) -> Select[Any]:
    """Return the query for a page of an import's lines in one state."""
    c = machine_import_lines.c
    wanted = select(machine_import_lines).where(
        c.import_id == import_id, c.state == state, c.line > after
    )
    return wanted.order_by(c.line).limit(limit)


def _runs(connection: Connection) -> bool:
    running = exists().where(machine_imports.c.state == ImportState.RUNNING)
    return bool(connection.scalar(select(running)))


def _held(import_id: str, holder: str) -> ColumnElement[bool]:
    c = machine_imports.c
    return and_(c.import_id == import_id, c.state == ImportState.RUNNING, c.holder == holder)


def _ended_if_it_is(connection: Connection, view: ImportView, now_ms: int) -> ImportView:
    if view.failed_count > view.failures_max:
        state, reason = ImportState.STOPPED, f"more than {view.failures_max} lines failed"
    elif view.done_count + view.failed_count >= view.line_count:
        state, reason = ImportState.DONE, ""
    else:
        return view
    connection.execute(_end(view.import_id, state, now_ms, reason))
    said = f"import {view.import_id}: {view.done_count} done, {view.failed_count} failed"
    row = AuditRow(
        at_ms=now_ms,
        actor=view.actor,
        action="ImportMachines",
        machine_id="",
        detail=f"{said}; stopped: {reason}" if reason else said,
    )
    write_audit_rows(connection, [row])
    return _with(view, state, now_ms, reason)


def _end(import_id: str, state: ImportState, now_ms: int, reason: str) -> Any:
    ended = update(machine_imports).where(machine_imports.c.import_id == import_id)
    return ended.values(state=state.value, ended_at_ms=now_ms, reason=reason)


def _with(view: ImportView, state: ImportState, now_ms: int, reason: str) -> ImportView:
    return ImportView(
        import_id=view.import_id,
        state=state,
        actor=view.actor,
        line_count=view.line_count,
        lines_per_s=view.lines_per_s,
        failures_max=view.failures_max,
        created_at_ms=view.created_at_ms,
        done_count=view.done_count,
        failed_count=view.failed_count,
        ended_at_ms=now_ms,
        reason=reason,
    )


def _there(connection: Connection, import_id: str, *, lock: bool = False) -> ImportView:
    wanted = select(machine_imports).where(machine_imports.c.import_id == import_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise NotThere("machine_import", import_id)
    return _view(row)


def _row(view: ImportView) -> dict[str, Any]:
    return {
        "import_id": view.import_id,
        "state": view.state.value,
        "actor": view.actor.name,
        "claimed": view.actor.claimed,
        "proven": view.actor.proven,
        "line_count": view.line_count,
        "done_count": 0,
        "failed_count": 0,
        "lines_per_s": view.lines_per_s,
        "failures_max": view.failures_max,
        "holder": "",
        "held_until_ms": 0,
        "created_at_ms": view.created_at_ms,
        "ended_at_ms": None,
        "reason": "",
    }


def _view(row: Row[Any]) -> ImportView:
    return ImportView(
        import_id=row.import_id,
        state=ImportState(row.state),
        actor=Actor(name=row.actor, claimed=row.claimed, proven=row.proven),
        line_count=row.line_count,
        lines_per_s=row.lines_per_s,
        failures_max=row.failures_max,
        created_at_ms=row.created_at_ms,
        done_count=row.done_count,
        failed_count=row.failed_count,
        ended_at_ms=row.ended_at_ms,
        reason=row.reason,
    )


def _line_row(import_id: str, line: ImportLine) -> dict[str, Any]:
    return {
        "import_id": import_id,
        "line": line.line,
        "machine_id": line.machine_id,
        "state": line.state.value,
        "said": line.said,
        "content": line.content,
    }


def _line(row: Row[Any]) -> ImportLine:
    return ImportLine(
        line=row.line,
        machine_id=row.machine_id,
        content=row.content,
        state=LineState(row.state),
        said=row.said,
    )
