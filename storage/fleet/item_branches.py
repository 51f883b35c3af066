"""What each kind of work item is made of: one query for each, all with the same columns."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    bindparam,
    cast,
    func,
    literal,
    null,
    select,
    tuple_,
)

from storage.fleet.views import WorkItemKind
from storage.tables import inbox, machines

LIMIT = bindparam("limit", type_=Integer)
"""How many items a page has at most."""


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

    def page(self, *, of_machine: bool, goes_on: bool) -> Select[Any]:
        """Return the query for the first ``limit`` items; of the machine ``machine_id``, and behind
        the item ``after_item`` of ``after_ms``, which it is all asked with.
        """
        wanted = self.items()
        if of_machine:
            wanted = wanted.where(self.of_machine == bindparam("machine_id", type_=String))
        if goes_on:
            at_ms = bindparam("after_ms", type_=BigInteger)
            key = bindparam("after_item", type_=String)
            # The first condition says less than the second, and is the one that an index can begin
            # at.
            wanted = wanted.where(
                self.since >= at_ms, tuple_(self.since, self.item_id) > tuple_(at_ms, key)
            )
        return wanted.order_by(self.since, self.item_id).limit(LIMIT)


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
