"""What each kind of work item is made of: one query for each, all with the same columns."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    cast,
    func,
    literal,
    null,
    select,
    tuple_,
)

from storage.fleet import positions
from storage.fleet.views import WorkItemKind
from storage.tables import inbox, machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One kind of item: ``since`` and ``item_id`` are its order, ``columns`` are named by
    ``columns``.

    ``currency`` None: the machine's.
    """

    kind: WorkItemKind
    table: Table
    since: ColumnElement[int]
    item_id: ColumnElement[str]
    where: tuple[ColumnElement[bool], ...]
    columns: tuple[ColumnElement[Any], ...]
    currency: ColumnElement[str] | None = None
    machine_id: ColumnElement[str] | None = None
    """None: the table's own column."""

    @property
    def of_machine(self) -> ColumnElement[str]:
        """Which machine an item is about."""
        return self.table.c.machine_id if self.machine_id is None else self.machine_id

    def counted(self) -> Select[*tuple[Any, ...]]:
        """Return the query for how many there are and since when the oldest of them."""
        return select(
            literal("work_items"), literal(self.kind.value), func.count(), func.min(self.since)
        ).where(*self.where)

    def items(self) -> Select[Any]:
        """Return the query for all of them, in no order."""
        own = self.of_machine
        # An inbox row knows the currency of its money only from what was told, and that not always.
        of_machine = (
            select(machines.c.currency).where(machines.c.machine_id == own).scalar_subquery()
        )
        return select(
            literal(self.kind.value).label("kind"),
            self.since.label("since_at_ms"),
            self.item_id.label("item_id"),
            own.label("machine_id"),
            (of_machine if self.currency is None else self.currency).label("currency"),
            *self.columns,
        ).where(*self.where)

    def page(self, *, machine_id: str, after: str, limit: int) -> Select[Any]:
        """Return the query for the first ``limit`` items behind ``after``."""
        wanted = self.items()
        if machine_id:
            wanted = wanted.where(self.of_machine == machine_id)
        if after:
            at_ms, key = positions.parse(after)
            # The first condition says less than the second, and is the one that an index can begin
            # at.
            wanted = wanted.where(
                self.since >= at_ms,
                tuple_(self.since, self.item_id) > tuple_(literal(at_ms), literal(key)),
            )
        return wanted.order_by(self.since, self.item_id).limit(limit)


def columns(
    *,
    amount_minor: ColumnElement[int],
    reason: ColumnElement[str],
    told: ColumnElement[Any] | None = None,
    **texts: ColumnElement[Any],
) -> tuple[ColumnElement[Any], ...]:
    """Return what every branch has, in one order; a text that is not given is empty. ``told``: what
    a row of the inbox holds.
    """
    named = (
        "trade_id",
        "refund_id",
        "vend_id",
        "status",
        "advice",
        "proposed_by",
        "proposed_reason",
    )
    assert texts.keys() <= set(named)
    return (
        *(texts.get(name, literal("")).label(name) for name in named),
        amount_minor.label("amount_minor"),
        reason.label("reason"),
        (cast(null(), inbox.c.event.type) if told is None else told).label("told"),
    )
