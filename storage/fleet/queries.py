"""The read side: what administrators and metrics ask, answered from SQL. Never calls an actor,
never holds a write lock.

Lists go by keys, never by counting rows off: a page costs the same at any depth, and rows that
arrive meanwhile shift nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    func,
    select,
    tuple_,
)

from actors.machine import describe
from actors.machine.ledger import Account, Transfer, TransferKind
from storage.database.engine import Database
from storage.database.reader import in_turns
from storage.fleet import alike, gauges, lists, shapes, work_items
from storage.fleet.balances import read_balances
from storage.fleet.fleet_balances import FleetBalances
from storage.fleet.horizon import Horizon
from storage.fleet.lists import ALL, EVERY_MACHINE, MachinesWanted, Wanted
from storage.fleet.locked_columns import emptied, locks_of
from storage.fleet.views import (
    AuditView,
    BalanceView,
    ClosingView,
    EventView,
    GaugeView,
    MachineView,
    ReconciliationView,
    RefundView,
    SessionView,
    TallyView,
    TimelineView,
    TradeView,
    VendView,
    WorkItemView,
)
from storage.machines.loading import read_columns
from storage.tables import (
    journal,
    machines,
    products,
    refunds,
    trades,
    transfers,
    vends,
)
from storage.tables.records import USUAL, is_unusual

V = TypeVar("V")


class Queries:
    """Answers from SQL. Every method raises StoreError when the database does not answer; ``limit``
    bounds the rows.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._horizon = Horizon(db)
        self._fleet_balances = FleetBalances(db)

    async def machine(self, machine_id: str) -> MachineView | None:
        """Return a machine with its live state and its locks, or None."""
        wanted = lists.MACHINES.where(machines.c.machine_id == machine_id)
        found = next(iter(await self._machines(wanted, columns=True)), None)
        if found is None:
            return None
        ordered = found.ordered_locks
        locks = await self._db.read(lambda connection: locks_of(connection, machine_id, ordered))
        return replace(found, locks=locks)

    async def emptied(self, machine_id: str, columns: Collection[str]) -> Mapping[str, int]:
        """Return when the last item left each of these columns, of those of which that is known."""
        return await self._db.read(lambda connection: emptied(connection, machine_id, columns))

    async def not_in_catalogue(self, codes: Collection[str]) -> list[str]:
        """Return which of these products the catalogue does not know, in their order."""
        wanted = select(products.c.product).where(products.c.product.in_(codes))
        known = await self._db.read(lambda connection: set(connection.scalars(wanted)))
        return sorted(set(codes) - known)

    async def some_machines(
        self, machine_ids: Sequence[str], *, columns: bool = True
    ) -> list[MachineView]:
        """Return those of the machines that there are, in no order. Without ``columns`` no
        planogram is read for them.
        """
        wanted = lists.MACHINES.where(machines.c.machine_id.in_(machine_ids))
        return await self._machines(wanted, columns=columns)

    async def taken_for(self, machine_ids: Sequence[str]) -> Mapping[str, str]:
        """Return for each of the ids another one, of them or of a machine that there is or that an
        import brings, which people would take it for.
        """
        there = (alike.named(machines.c.machine_id, machine_ids), alike.coming(machine_ids))

        def work(connection: Connection) -> set[str]:
            return {name for wanted in there for name in connection.scalars(wanted)}

        return alike.among([*machine_ids, *sorted(await self._db.read(work))])

    async def codes_answered(self, machine_ids: Sequence[str]) -> frozenset[str]:
        """Return those of the machines about whose codes Alipay has answered, with a code or with a
        no.
        """
        asked = {"asked": list(machine_ids)}
        return await self._db.read(
            lambda connection: frozenset(connection.scalars(lists.CODES_ANSWERED, asked))
        )

    async def machines(
        self,
        wanted: MachinesWanted = EVERY_MACHINE,
        *,
        after: str = "",
        until: str = "",
        limit: int,
        columns: bool = True,
    ) -> list[MachineView]:
        """Return machines in the order of their ids, those behind ``after`` and up to ``until``.
        Without ``columns`` no planogram is read for them.
        """
        rows = lists.machines_page(wanted, after, limit, until=until)
        return await self._machines(rows, columns=columns)

    async def last_looked_at(self, wanted: MachinesWanted, *, after: str) -> str:
        """Return up to which machine a page behind ``after`` looks; empty: to the end."""
        if not wanted.picks:
            return ""
        last = lists.last_looked_at(after)
        return await self._db.read(lambda connection: connection.scalar(last) or "")

    async def sessions(
        self, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[SessionView]:
        """Return sessions, newest first unless ``wanted`` says otherwise."""
        return await self._list(lists.SESSIONS.page(wanted, position, limit), shapes.session_view)

    async def session(self, session_id: str) -> SessionView | None:
        """Return a session, or None."""
        return await self._one(lists.SESSIONS.one(session_id), shapes.session_view)

    async def vends(
        self, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[VendView]:
        """Return vends, newest first unless ``wanted`` says otherwise."""
        return await self._list(lists.VENDS.page(wanted, position, limit), shapes.vend_view)

    async def vend(self, vend_id: str) -> VendView | None:
        """Return a vend, or None."""
        return await self._one(lists.VENDS.one(vend_id), shapes.vend_view)

    async def trades(
        self, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[TradeView]:
        """Return trades, newest first unless ``wanted`` says otherwise."""
        return await self._list(lists.TRADES.page(wanted, position, limit), shapes.trade_view)

    async def trade(self, trade_id: str) -> TradeView | None:
        """Return a trade, or None."""
        return await self._one(lists.TRADES.one(trade_id), shapes.trade_view)

    async def refunds(
        self, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[RefundView]:
        """Return refunds, newest first unless ``wanted`` says otherwise."""
        return await self._list(lists.REFUNDS.page(wanted, position, limit), shapes.refund_view)

    async def refund(self, refund_id: str) -> RefundView | None:
        """Return a refund, or None."""
        return await self._one(lists.REFUNDS.one(refund_id), shapes.refund_view)

    async def closings(
        self, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[ClosingView]:
        """Return how people ended work items, newest first; the statuses of ``wanted`` are their
        kinds.
        """
        return await self._list(lists.CLOSINGS.page(wanted, position, limit), shapes.closing_view)

    async def events(
        self, machine_id: str, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[EventView]:
        """Return one machine's journal, newest first. The next page goes on behind the last
        ``version``.
        """
        return await self._list(
            lists.events(machine_id, wanted, position, limit), shapes.event_view
        )

    async def audit_records(
        self, wanted: Wanted = ALL, *, position: str = "", limit: int
    ) -> list[AuditView]:
        """Return what administrators did, newest first."""
        return await self._list(lists.audit_records(wanted, position, limit), shapes.audit_view)

    async def work_items(
        self,
        *,
        machine_id: str = "",
        kinds: Collection[str] = (),
        after: str = "",
        limit: int,
        now_ms: int,
    ) -> list[WorkItemView]:
        """Return what waits for a person, oldest first, behind ``after``; ``kinds`` are words of
        WorkItemKind, none asks for all.
        """
        wanted = work_items.page(
            machine_id=machine_id, kinds=kinds, after=after, limit=limit, now_ms=now_ms
        )
        return await self._list(wanted[0], work_items.work_item_view, wanted[1])

    async def timeline(self, session_id: str, *, limit: int = 1000) -> list[TimelineView]:
        """Return the story of a session, oldest first."""
        lines = (
            select(journal)
            .where(journal.c.session_id == session_id)
            .order_by(journal.c.id)
            .limit(limit)
        )
        return await self._db.read(
            lambda connection: _timeline(connection, connection.execute(lines).all())
        )

    async def balances(self, machine_id: str = "") -> list[BalanceView]:
        """Return all money by currency, of one machine or of all."""
        return await self._db.read(lambda connection: read_balances(connection, machine_id))

    async def fleet_balances(self) -> list[BalanceView]:
        """Return the same of all machines, from the totals that are saved."""
        return await self._fleet_balances.read()

    async def reconciliations(self, *, before: int = 0, limit: int) -> list[ReconciliationView]:
        """Return the daily files that were read before that position, newest first; 0: all."""
        return await self._list(lists.reconciliations(before).limit(limit), shapes.reconciliation)

    async def events_after(self, position: int, *, upto: int, limit: int) -> list[EventView]:
        """Return what was saved behind ``position`` and up to ``upto``, oldest first."""
        c = journal.c
        wanted = select(journal).where(c.id > position, c.id <= upto).order_by(c.id).limit(limit)
        return await self._list(wanted, shapes.event_view)

    async def events_of(
        self, machine_id: str, version: int, *, upto: int, limit: int
    ) -> list[EventView]:
        """Return what was saved of one machine behind its ``version``, up to the position ``upto``,
        oldest first. It costs the same however long the machine's history is.
        """
        return await self._list(
            lists.events_behind(machine_id, version, upto, limit), shapes.event_view
        )

    async def version_at(self, machine_id: str, position: int) -> int:
        """Return the version of the machine's last event that was saved up to ``position``; 0 if
        there is none.
        """
        return await self._db.read(
            lambda connection: lists.version_at(connection, machine_id, position)
        )

    async def settled_position(self) -> int:
        """Return the position up to which the journal can be followed and nothing is missed
        (``storage.fleet.horizon``).
        """
        return await self._horizon.position()

    async def last_position(self) -> int:
        """Return the newest position that is seen, 0 if there is none. Rows of slower commits may
        still come below it.
        """
        return (
            await self._db.read(
                lambda connection: connection.scalar(select(func.max(journal.c.id)))
            )
            or 0
        )

    async def gauges(self, *, now_ms: int) -> list[GaugeView]:
        """Return how much is open and how old it is, for alarms."""
        return await self._db.read(partial(gauges.read, now_ms=now_ms))

    async def tally(self) -> TallyView:
        """Return how many trades, and how many vends and refunds in each status, there have ever
        been.
        """

        def by_status(connection: Connection, table: Table) -> dict[str, int]:
            # The usual status has no index: it is what is left of all rows.
            unusual = select(table.c.status, func.count()).where(is_unusual(table))
            rows = connection.execute(unusual.group_by(table.c.status))
            found: dict[str, int] = {row[0]: row[1] for row in rows}
            total = connection.scalar(select(func.count()).select_from(table)) or 0
            usual = {USUAL[table.name]: total - sum(found.values())}
            return {status: count for status, count in (usual | found).items() if count}

        def work(connection: Connection) -> TallyView:
            return TallyView(
                trades=connection.scalar(select(func.count()).select_from(trades)) or 0,
                vends=by_status(connection, vends),
                refunds=by_status(connection, refunds),
            )

        return await self._db.read(work)

    async def _machines(self, wanted: Select[Any], *, columns: bool) -> list[MachineView]:
        def work(connection: Connection) -> list[MachineView]:
            rows = connection.execute(wanted).all()
            planograms = read_columns(connection, [row.machine_id for row in rows if columns])
            return [
                shapes.machine_view(row, planograms.get(row.machine_id, ()))
                for row in in_turns(rows, 10)
            ]

        return await self._db.read(work)

    async def _list(
        self,
        wanted: Select[Any],
        shape: Callable[[Row[Any]], V],
        given: Mapping[str, object] | None = None,
    ) -> list[V]:
        return await self._db.read(
            lambda connection: [shape(row) for row in in_turns(connection.execute(wanted, given))]
        )

    async def _one(self, wanted: Select[Any], shape: Callable[[Row[Any]], V]) -> V | None:
        return next(iter(await self._list(wanted, shape)), None)


def _timeline(connection: Connection, lines: Sequence[Row[Any]]) -> list[TimelineView]:
    money = _money(connection, lines)
    told = []
    for line in in_turns(lines):
        event, decided = shapes.line_in_words(line)
        moved = tuple(money.get((line.machine_id, line.version), ()))
        told.append(TimelineView(at_ms=line.at_ms, event=event, decisions=decided, money=moved))
    return told


def _money(
    connection: Connection, lines: Sequence[Row[Any]]
) -> Mapping[tuple[str, int], Sequence[str]]:
    """Return the movements of money of these decisions in words, made again from the ledger."""
    found: dict[tuple[str, int], list[str]] = {}
    for start in range(0, len(lines), 200):
        some = [(line.machine_id, line.version) for line in lines[start : start + 200]]
        c = transfers.c
        wanted = (
            select(transfers)
            .where(tuple_(c.machine_id, c.version).in_(some))
            .order_by(c.machine_id, c.version, c.line)
        )
        for row in connection.execute(wanted):
            found.setdefault((row.machine_id, row.version), []).append(
                describe.transfer(_transfer(row), row.currency)
            )
    return found


def _transfer(row: Row[Any]) -> Transfer:
    return Transfer(
        kind=TransferKind(row.kind),
        cause=row.cause,
        trade_id=row.trade_id,
        debit_account=Account(row.debit_account),
        debit_reference=row.debit_reference,
        credit_account=Account(row.credit_account),
        credit_reference=row.credit_reference,
        amount_minor=row.amount_minor,
    )
