"""What the checker makes of our SQL as it grows: the ledger folded into sums, row by row, without
asking any code of the product.

Flows in: rows of ``transfers`` and ``journal`` that a COMMIT added. Flows out: sums for each
trade, vend and refund.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.disk import Disk


@dataclass(slots=True)
class TradeSums:
    """One trade, by the ledger alone."""

    machine_id: str = ""
    paid: int = 0
    reserved: int = 0
    returned: int = 0
    settled: int = 0
    asked: int = 0
    confirmed: int = 0
    cancelled: int = 0
    """Refunds that a person wrote off."""
    given: int = 0
    """Sold, and given back by a person."""

    @property
    def funds(self) -> int:
        """What is free."""
        return self.paid - self.reserved + self.returned + self.given - self.asked

    @property
    def sold(self) -> int:
        """What stays in the machine's till."""
        return self.settled - self.given

    @property
    def held(self) -> int:
        """What stands in vends that are open."""
        return self.reserved - self.returned - self.settled

    @property
    def due(self) -> int:
        """What is to go back and has not."""
        return self.asked - self.confirmed - self.cancelled


@dataclass(slots=True)
class VendSums:
    """One vend, by the ledger alone; each part is a trade's."""

    reserved: dict[str, int] = field(default_factory=dict)
    returned: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    written_off: int = 0


_SUM = {
    "TOP_UP": "paid",
    "RESERVE": "reserved",
    "RETURN": "returned",
    "SETTLE": "settled",
    "GOODWILL": "given",
    "REFUND_ASKED": "asked",
    "REFUND_CONFIRMED": "confirmed",
    "REFUND_GIVEN_UP": "cancelled",
}
_ACCOUNTS = {
    "TOP_UP": ("RECEIVABLE", "CUSTOMER_FUNDS"),
    "RESERVE": ("CUSTOMER_FUNDS", "RESERVED"),
    "RETURN": ("RESERVED", "CUSTOMER_FUNDS"),
    "SETTLE": ("RESERVED", "SALES"),
    "GOODWILL": ("SALES", "CUSTOMER_FUNDS"),
    "REFUND_ASKED": ("CUSTOMER_FUNDS", "REFUND_DUE"),
    "REFUND_CONFIRMED": ("REFUND_DUE", "RECEIVABLE"),
    "REFUND_GIVEN_UP": ("REFUND_DUE", "REFUNDS_WRITTEN_OFF"),
    "WRITE_OFF": ("GOODS_WRITTEN_OFF", "SALES"),
}
_PARTS = {name: _SUM[name] for name in ("RESERVE", "RETURN", "SETTLE", "GOODWILL")}


class Fold:
    """The ledger so far."""

    def __init__(self, disk: Disk) -> None:
        self.trades: dict[str, TradeSums] = defaultdict(TradeSums)
        self.vends: dict[str, VendSums] = defaultdict(VendSums)
        self.refunds: dict[str, tuple[str, int]] = {}
        """Refund id: trade and amount."""
        self.crooked: list[str] = []
        """Transfers that move nothing, or not between the accounts of their kind."""
        self._disk = disk
        self._ledger_at = self._journal_at = 0

    def ledger_news(self) -> list[tuple[str, str, str, int]]:
        """Take in the new transfers; return each as (kind, cause, trade, amount)."""
        rows = self._disk.rows(
            (
                "SELECT k.rowid, t.kind, t.cause, t.trade_id, t.amount_minor, t.machine_id, "
                "t.debit_account, t.credit_account FROM kept_transfers k JOIN transfers t USING "
                "(machine_id, version, line) WHERE k.rowid > ? ORDER BY k.rowid"
            ),
            self._ledger_at,
        )
        news: list[tuple[str, str, str, int]] = []
        for row_id, kind, cause, trade_id, amount, machine_id, *accounts in rows:
            self._ledger_at = row_id
            if amount <= 0 or _ACCOUNTS[kind] != tuple(accounts):
                self.crooked.append(f"{kind} {cause} moves {amount} between {accounts}")
            news.append((kind, cause, trade_id, amount))
            self._add(kind, cause, trade_id, amount, machine_id)
        return news

    def _add(self, kind: str, cause: str, trade_id: str, amount: int, machine_id: str) -> None:
        if kind == "WRITE_OFF":
            self.vends[cause].written_off += amount
            return
        trade = self.trades[trade_id]
        trade.machine_id = machine_id
        name = _SUM[kind]
        setattr(trade, name, getattr(trade, name) + amount)
        if kind in _PARTS:
            parts: dict[str, int] = getattr(self.vends[cause.partition("/")[0]], _PARTS[kind])
            parts[trade_id] = parts.get(trade_id, 0) + amount
        elif kind == "REFUND_ASKED":
            self.refunds[cause] = (trade_id, amount)

    def journal_news(self) -> list[tuple[Any, ...]]:
        """Return the new rows of the journal as (machine, version, partition, epoch)."""
        rows = self._disk.rows(
            (
                "SELECT id, machine_id, version, partition, epoch FROM journal WHERE id > ? ORDER "
                "BY id"
            ),
            self._journal_at,
        )
        if rows:
            self._journal_at = rows[-1][0]
        return [row[1:] for row in rows]
