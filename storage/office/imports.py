"""Imports of machines: many lines, carried out one after the other by whichever gateway is there.

Flows in: lines that were checked. Flows out: the lines that wait, to the one who holds the import;
and how far it is, to whoever asks. A gateway that dies lets go of what it held when its hold runs
out, and another goes on: a line that is not said to be done is done again, which whoever does it is
made for. Too many failures stop it, and so may a person.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from storage.books.audit_rows import Actor, AuditRow, actor_of, write_audit_rows
from storage.database import dialects
from storage.database.engine import Database
from storage.fleet import positions
from storage.office import deeds, import_turns
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.tables import machine_import_lines, machine_imports

APPLICATIONS_MAX = 200
"""So many applications of planograms may run or wait for their time."""


class ImportKind(StrEnum):
    """What is carried out: a file of machines, or a planogram's application to many machines."""

    MACHINES = "MACHINES"
    PLANOGRAMS = "PLANOGRAMS"

    @property
    def noun(self) -> str:
        """What people call it."""
        return "import" if self is ImportKind.MACHINES else "application"

    @property
    def code(self) -> str:
        """What programs call it."""
        return "machine_import" if self is ImportKind.MACHINES else "planogram_application"

    @property
    def ended(self) -> str:
        """Why one that has ended is not stopped, for programs."""
        return "IMPORT_ENDED" if self is ImportKind.MACHINES else "APPLICATION_ENDED"

    @property
    def action(self) -> str:
        """The call that begins it."""
        return "ImportMachines" if self is ImportKind.MACHINES else "ApplyPlanogram"


class ImportState(StrEnum):
    """RUNNING: lines wait, perhaps for their time. DONE: none does. STOPPED: those that wait are
    never carried out.
    """

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
    read it again; ``said`` why it failed; ``waits_for``: the import that is carried out at this
    machine before, if one is.
    """

    line: int
    machine_id: str
    content: str
    state: LineState = LineState.WAITING
    said: str = ""
    waits_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    """An import: ``lines_per_s`` lines a second at most, stopped by more than ``failures_max``
    failures. ``reason``: why it was stopped. It begins at ``from_ms``; ``started_at_ms``: when it
    did. ``about``: what of it is not in its lines. ``number``: the order in which those of its kind
    began (``storage.office.import_turns``); 0 until then.
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
    kind: ImportKind = ImportKind.MACHINES
    from_ms: int = 0
    started_at_ms: int | None = None
    about: str = ""
    number: int = 0


class Imports:
    """The imports of an installation that are of one kind. Every method raises StoreError when the
    database does not answer.
    """

    def __init__(self, db: Database, kind: ImportKind = ImportKind.MACHINES) -> None:
        self._db = db
        self._kind = kind

    async def begin(
        self,
        import_id: str,
        lines: Sequence[ImportLine],
        deed: Deed,
        *,
        lines_per_s: int,
        failures_max: int,
        from_ms: int = 0,
        about: str = "",
    ) -> ImportView:
        """Keep an import that is to be carried out from ``from_ms`` on. Raises NotPossible while
        another one runs, or, of planograms, too many do, and for REQUEST_ID_USED.
        """

        def plan(connection: Connection) -> DeedPlan[ImportView]:
            if deed.locks:
                dialects.office_alone(connection)  # two that begin at once: one of them does
            deeds.check_unused(connection, deed, machine_imports.c.import_id, import_id)
            _check_room(connection, self._kind)
            number = 0
            if from_ms <= deed.now_ms and deed.locks:
                # What was ordered for a moment that has come is before it, if nobody saw that yet.
                import_turns.number_due(connection, self._kind, deed.now_ms)
                number = import_turns.next_number(connection, self._kind)
            made = ImportView(
                import_id=import_id,
                state=ImportState.RUNNING,
                actor=actor_of(deed.actor),
                line_count=len(lines),
                lines_per_s=lines_per_s,
                failures_max=failures_max,
                created_at_ms=deed.now_ms,
                kind=self._kind,
                from_ms=from_ms,
                about=about,
                number=number,
            )
            rows = [_line_row(import_id, one) for one in lines]
            said = f"{self._kind.noun} {import_id} of {len(lines)} lines, {lines_per_s} a second"
            if from_ms:
                said = f"{said}, from {from_ms} on"
            return DeedPlan(
                result=made,
                writes=(
                    (insert(machine_imports), [_row(made)]),
                    (insert(machine_import_lines), rows),
                ),
                details=(Detail(said=said),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: self._there(connection, import_id)
        )

    async def stop(self, import_id: str, deed: Deed, *, reason: str) -> ImportView:
        """Carry out no more of its lines. Raises NotThere, or NotPossible if it has ended."""

        def plan(connection: Connection) -> DeedPlan[ImportView]:
            before = self._there(connection, import_id, lock=deed.locks)
            if before.state is not ImportState.RUNNING:
                raise NotPossible(
                    self._kind.ended,
                    f"{self._kind.noun} {import_id} has ended: nothing of it is to be stopped",
                    **{self._kind.code: import_id},
                )
            ended = _end(import_id, ImportState.STOPPED, deed.now_ms, reason)
            return DeedPlan(
                result=_with(before, ImportState.STOPPED, deed.now_ms, reason),
                writes=((ended, []),),
                details=(Detail(said=f"{self._kind.noun} {import_id} stopped; {reason}"),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: self._there(connection, import_id)
        )

    async def get(self, import_id: str) -> ImportView:
        """Return an import. Raises NotThere."""
        return await self._db.read(lambda connection: self._there(connection, import_id))

    async def page(self, *, position: str = "", limit: int, state: str = "") -> list[ImportView]:
        """Return those behind ``position``, which is ``at:id`` of the last one before: the newest
        first, of one state or of all. Raises InvalidPosition.
        """
        behind = positions.parse(position) if position else None
        wanted = newest(self._kind, behind, limit, state)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(wanted)]
        )

    async def lines(
        self, import_id: str, state: LineState, *, after: int = 0, limit: int
    ) -> Sequence[ImportLine]:
        """Return the first lines in this state behind the line ``after``."""
        wanted = import_turns.lines_of(import_id, state, after, limit)

        def work(connection: Connection) -> list[ImportLine]:
            lines = [_line(row) for row in connection.execute(wanted)]
            waiting = [one.machine_id for one in lines if one.state is LineState.WAITING]
            before = import_turns.waited_for(connection, import_id, waiting)
            return [replace(one, waits_for=before.get(one.machine_id, "")) for one in lines]

        return await self._db.read(work)

    async def carried_out_next(self, view: ImportView) -> Sequence[ImportLine]:
        """Return the first lines that may be carried out now, as many as in a second: first those
        for which one that began later waits, so that it does not wait for all of a large one.
        """
        of = (view.import_id, self._kind, view.number, view.lines_per_s)

        def work(connection: Connection) -> list[ImportLine]:
            rows = list(connection.execute(import_turns.lines_to_carry_out(*of)))
            later = import_turns.begun_later(self._kind, view.number)
            if len(rows) == view.lines_per_s and connection.scalar(later) is not None:
                waited_for = import_turns.lines_to_carry_out(*of, waited_for=True)
                rows = [*connection.execute(waited_for), *rows]
            lines = {row.line: _line(row) for row in rows}
            return list(lines.values())[: view.lines_per_s]

        return await self._db.read(work)

    async def take(
        self,
        holder: str,
        *,
        now_ms: int,
        held_ms: int,
        besides: Collection[str] = (),
        only: str = "",
    ) -> ImportView | None:
        """Return an import whose time has come and of which lines may be carried out, the one that
        was served the longest ago, held by ``holder`` alone for so long; none of ``besides``, or
        ``only`` this one. None if there is none or others hold them. What has begun goes on, even
        if the clock was set back since then.
        """
        due = import_turns.first_due(self._kind, now_ms)
        if await self._db.read(lambda connection: connection.scalar(due)) is None:
            return None
        begins = import_turns.not_numbered(self._kind, now_ms).limit(1)
        if await self._db.read(lambda connection: connection.scalar(begins)) is not None:
            await self._db.write(
                lambda connection: import_turns.number_due(connection, self._kind, now_ms)
            )
        c = machine_imports.c
        # Clocks differ, and one that was set back must not make a hold last for ever.
        free = or_(
            c.holder.in_(("", holder)),
            c.held_until_ms <= now_ms,
            c.held_until_ms > now_ms + 2 * held_ms,
        )
        free = and_(free, c.import_id.not_in(besides))
        served = import_turns.next_served(self._kind, free, only=only)
        # It looks at many lines: no commit of a machine waits for that, where there is one writer.
        import_id = await self._db.read(lambda connection: connection.scalar(served))
        if import_id is None:
            return None
        taken = (
            update(machine_imports)
            .where(c.import_id == import_id, c.state == ImportState.RUNNING, free)
            .values(
                holder=holder,
                held_until_ms=now_ms + held_ms,
                started_at_ms=func.coalesce(c.started_at_ms, now_ms),
            )
            .returning(*c)
        )
        row = await self._db.write(lambda connection: connection.execute(taken).one_or_none())
        return None if row is None else _view(row)

    async def let_go(self, holder: str, *, only: str = "", now_ms: int = 0) -> None:
        """Let others go on at once, with all of what it holds or ``only`` with this one, which is
        then served last.
        """
        c = machine_imports.c
        free = update(machine_imports).where(
            c.kind == self._kind, c.state == ImportState.RUNNING, c.holder == holder
        )
        if only:
            free = free.where(c.import_id == only)
        done = free.values(holder="", held_until_ms=now_ms)
        await self._db.write(lambda connection: connection.execute(done))

    async def ended(
        self, import_id: str, lines: Sequence[ImportLine], *, holder: str, now_ms: int
    ) -> ImportView:
        """Say what became of lines, if ``holder`` still holds the import and they still wait, and
        end the import if nothing waits or too much failed. What was done before somebody stopped it
        is told as done.
        """

        def work(connection: Connection) -> ImportView:
            there = self._there(connection, import_id, lock=True)
            c = machine_imports.c
            held = exists().where(c.import_id == import_id, c.holder == holder)
            if not connection.scalar(select(held)):
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
            connection.execute(
                update(machine_imports)
                .where(c.import_id == import_id)
                .values(done_count=c.done_count + done, failed_count=c.failed_count + failed)
            )
            told_of = self._there(connection, import_id)
            if there.state is not ImportState.RUNNING:
                return told_of
            return _ended_if_it_is(connection, told_of, now_ms)

        return await self._db.write(work)

    def _there(self, connection: Connection, import_id: str, *, lock: bool = False) -> ImportView:
        c = machine_imports.c
        wanted = select(machine_imports).where(c.import_id == import_id, c.kind == self._kind)
        row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
        if row is None:
            raise NotThere(self._kind.code, import_id)
        return _view(row)


def newest(
    kind: ImportKind, behind: tuple[int, str] | None, limit: int, state: str = ""
) -> Select[Any]:
    """Return the query for a page of imports, the newest first."""
    c = machine_imports.c
    wanted = select(machine_imports).where(c.kind == kind)
    if state:
        wanted = wanted.where(c.state == state)
    if behind is not None:
        wanted = wanted.where(tuple_(c.created_at_ms, c.import_id) < tuple_(*behind))
    return wanted.order_by(c.created_at_ms.desc(), c.import_id.desc()).limit(limit)


def _check_room(connection: Connection, kind: ImportKind) -> None:
    c = machine_imports.c
    running = select(c.import_id).where(c.kind == kind, c.state == ImportState.RUNNING)
    if kind is ImportKind.PLANOGRAMS:
        count = connection.scalar(select(func.count()).select_from(running.subquery())) or 0
        if count >= APPLICATIONS_MAX:
            raise NotPossible(
                "TOO_MANY_APPLICATIONS",
                f"{count} applications run or wait for their time, which is the most: wait for "
                "one's end, or StopPlanogramApplication",
            )
    elif (there := connection.scalar(running.limit(1))) is not None:
        raise NotPossible(
            "IMPORT_RUNNING",
            f"import {there} is still running: wait for its end, or StopMachineImport",
            machine_import=there,
        )


def _ended_if_it_is(connection: Connection, view: ImportView, now_ms: int) -> ImportView:
    if view.failed_count > view.failures_max:
        state, reason = ImportState.STOPPED, f"more than {view.failures_max} lines failed"
    elif view.done_count + view.failed_count >= view.line_count:
        state, reason = ImportState.DONE, ""
    else:
        return view
    connection.execute(_end(view.import_id, state, now_ms, reason))
    said = f"{view.kind.noun} {view.import_id}: {view.done_count} done, {view.failed_count} failed"
    row = AuditRow(
        at_ms=now_ms,
        actor=view.actor,
        action=view.kind.action,
        machine_id="",
        detail=f"{said}; stopped: {reason}" if reason else said,
    )
    write_audit_rows(connection, [row])
    return _with(view, state, now_ms, reason)


def _end(import_id: str, state: ImportState, now_ms: int, reason: str) -> Any:
    ended = update(machine_imports).where(machine_imports.c.import_id == import_id)
    return ended.values(state=state.value, ended_at_ms=now_ms, reason=reason)


def _with(view: ImportView, state: ImportState, now_ms: int, reason: str) -> ImportView:
    return replace(view, state=state, ended_at_ms=now_ms, reason=reason)


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
        "kind": view.kind.value,
        "from_ms": view.from_ms,
        "started_at_ms": None,
        "about": view.about,
        "number": view.number,
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
        kind=ImportKind(row.kind),
        from_ms=row.from_ms,
        started_at_ms=row.started_at_ms,
        about=row.about,
        number=row.number,
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
