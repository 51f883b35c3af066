"""What belongs together in the books: a unit is a session with all its trades, vends and refunds,
or a trade without a session with its refunds. No money leaves a unit. So an audit looks at all of
one or at nothing of it, and no transfer of one leaves the database while it goes on.
"""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Row, Table

from storage.machines.loading import IN_ONE_STATEMENT
from storage.tables import refunds, trades, vends


class Units:
    """Sessions, each with its trades and vends, and trades and vends without one."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.trades: set[str] = set()
        self.vends: set[str] = set()
        self.refunds: set[str] = set()
        self._vends_of: dict[str, set[str]] = {}
        self._trades_of: dict[str, set[str]] = {}

    def note(self, table: Table, row: Row[Any]) -> None:
        """Note a record, and the unit that it belongs to."""
        if table is refunds:
            self.refunds.add(row.refund_id)
            return
        session_id = row.session_id or ""
        if table is trades:
            self.trades.add(row.trade_id)
            self._trades_of.setdefault(session_id, set()).add(row.trade_id)
        elif table is vends:
            self.vends.add(row.vend_id)
            self._vends_of.setdefault(session_id, set()).add(row.vend_id)
        self.sessions.add(session_id)

    def without(self, others: "Units") -> "Units":
        """Return those that are not among the others."""
        rest = Units()
        rest.sessions = self.sessions - others.sessions
        rest.trades = self.trades - others.trades
        rest.vends = self.vends - others.vends
        return rest

    def causes(self) -> set[str]:
        """Return the causes of all transfers that there may be of this."""
        both = (
            f"{vend_id}/{trade_id}"
            for session_id, vend_ids in self._vends_of.items()
            for vend_id in vend_ids
            for trade_id in self._trades_of.get(session_id, ())
        )
        return {*self.trades, *self.refunds, *self.vends, *both}


def pieces(values: Collection[str]) -> Iterator[list[str]]:
    """Yield the values in pieces that a statement may name."""
    ordered = sorted(values)
    for first in range(0, len(ordered), IN_ONE_STATEMENT):
        yield ordered[first : first + IN_ONE_STATEMENT]
