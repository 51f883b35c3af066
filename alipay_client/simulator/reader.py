"""What pages, lists and daily files show of the book, read beside its one writer: on SQLAlchemy's
async engine, so that a long file holds up no call.

Each reading opens a connection of its own and is one snapshot of what was committed before it
began. Nothing is decided from it: what a call decides, it reads in ``book``, inside its own
transaction.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from alipay_client.simulator.book import NotificationEntry, Record, record
from alipay_client.simulator.model import Code, CodeStatus, RefundEntry, Trade

_COUNT = "SELECT coalesce(max(value), 0) FROM facts WHERE name = :name"
_CODES = "SELECT * FROM codes ORDER BY status = :last, store_id, created_at_ms LIMIT :limit"
_NEWEST = (
    "SELECT {} FROM trades WHERE :before = '' OR (paid_at_ms, trade_no) < "
    "(SELECT paid_at_ms, trade_no FROM trades WHERE trade_no = :before) "
    "ORDER BY paid_at_ms DESC, trade_no DESC LIMIT :limit"
)
_TRADES = _NEWEST.format("*")
_THEIRS = f"trade_no IN ({_NEWEST.format('trade_no')})"
_REFUNDS = f"SELECT * FROM refunds WHERE {_THEIRS} ORDER BY accepted_at_ms, refund_id"  # noqa: S608  # constants alone
_NOTIFICATIONS = f"SELECT * FROM notifications WHERE {_THEIRS} ORDER BY rowid"  # noqa: S608  # constants alone
_PAID_SUMS = "SELECT currency, sum(paid_minor) FROM trades GROUP BY currency ORDER BY currency"
_REFUNDED_SUMS = (
    "SELECT currency, sum(amount_minor) FROM refunds WHERE state = 'SUCCEEDED' GROUP BY currency"
)
_PAID = (
    "SELECT * FROM trades WHERE paid_at_ms >= :from_ms AND paid_at_ms < :to_ms "
    "ORDER BY paid_at_ms LIMIT :limit"
)
_RETURNED = (
    "SELECT * FROM refunds WHERE state = 'SUCCEEDED' AND due_at_ms >= :from_ms "
    "AND due_at_ms < :to_ms ORDER BY due_at_ms LIMIT :limit"
)
_RETURNED_TRADES = (
    "SELECT * FROM trades WHERE trade_no IN (SELECT trade_no FROM refunds WHERE "
    "state = 'SUCCEEDED' AND due_at_ms >= :from_ms AND due_at_ms < :to_ms) LIMIT :limit"
)
_CODES_OF_DAY = (
    "SELECT * FROM codes WHERE qrcode IN (SELECT qrcode FROM trades WHERE paid_at_ms >= :from_ms "
    "AND paid_at_ms < :to_ms) OR qrcode IN (SELECT trades.qrcode FROM refunds JOIN trades USING "
    "(trade_no) WHERE refunds.state = 'SUCCEEDED' AND due_at_ms >= :from_ms AND due_at_ms < :to_ms)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """Codes that live first, then by store. ``made`` counts all that were ever made."""

    codes: Sequence[Code]
    made: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeList:
    """The newest trades, or the newest before one, oldest of them first, with what belongs to them
    by ``trade_no``, oldest first. ``made`` and ``totals`` (paid and refunded minor units by
    currency) are of the whole book.
    """

    trades: Sequence[Trade]
    refunds: Mapping[str, Sequence[RefundEntry]]
    notifications: Mapping[str, Sequence[NotificationEntry]]
    totals: Mapping[str, Mapping[str, int]]
    made: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What was paid and what went back in a stretch of time, oldest first; with the trades by
    ``trade_no`` and the codes by ``qrcode`` that they name.
    """

    paid: Sequence[Trade]
    returned: Sequence[RefundEntry]
    trades: Mapping[str, Trade]
    codes: Mapping[str, Code]


class Reader:
    """Reads the book at ``path``. It holds no connection between two readings, so there is nothing
    to close.
    """

    def __init__(self, path: Path) -> None:
        self._engine = create_async_engine(
            URL.create(
                "sqlite+aiosqlite",
                database=path.absolute().as_uri(),
                query={"mode": "ro", "uri": "true"},
            ),
            poolclass=NullPool,
            connect_args={"isolation_level": None},
        )

    async def codes(self, limit: int) -> CodeList:
        """Return at most ``limit`` codes."""
        async with self._snapshot() as book:
            last = CodeStatus.DELETED.value
            return CodeList(
                codes=await _all(book, Code, _CODES, last=last, limit=limit),
                made=await _made(book, "code"),
            )

    async def trades(self, limit: int, *, before: str = "") -> TradeList:
        """Return the newest trades, or the newest before that number, at most ``limit``; of a
        number that is not there, none.
        """
        wanted = {"limit": limit, "before": before}
        async with self._snapshot() as book:
            trades = await _all(book, Trade, _TRADES, **wanted)
            refunds: defaultdict[str, list[RefundEntry]] = defaultdict(list)
            for refund in await _all(book, RefundEntry, _REFUNDS, **wanted):
                refunds[refund.trade_no].append(refund)
            notifications: defaultdict[str, list[NotificationEntry]] = defaultdict(list)
            for told in await _all(book, NotificationEntry, _NOTIFICATIONS, **wanted):
                notifications[told.trade_no].append(told)
            return TradeList(
                trades=trades[::-1],
                refunds=refunds,
                notifications=notifications,
                totals=await _totals(book),
                made=await _made(book, "trade"),
            )

    async def day(self, from_ms: int, to_ms: int, *, limit: int) -> Day:
        """Return what was paid and what went back at ``from_ms`` or later and before ``to_ms``; of
        each at most ``limit``.
        """
        span = {"from_ms": from_ms, "to_ms": to_ms, "limit": limit}
        async with self._snapshot() as book:
            paid = await _all(book, Trade, _PAID, **span)
            before = await _all(book, Trade, _RETURNED_TRADES, **span)
            return Day(
                paid=paid,
                returned=await _all(book, RefundEntry, _RETURNED, **span),
                trades={trade.trade_no: trade for trade in (*paid, *before)},
                codes={code.qrcode: code for code in await _all(book, Code, _CODES_OF_DAY, **span)},
            )

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Hold one state of the book: the driver would begin no transaction for a SELECT."""
        async with self._engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN")
            yield connection


async def _all(
    book: AsyncConnection, kind: type[Record], sql: str, **values: object
) -> list[Record]:
    return [record(kind, row) for row in (await book.execute(text(sql), values)).mappings()]


async def _made(book: AsyncConnection, name: str) -> int:
    """Return the last number given out under ``name``: no row is ever deleted, so it counts
    them.
    """
    return int((await book.execute(text(_COUNT), {"name": name})).scalar_one())


async def _totals(book: AsyncConnection) -> dict[str, dict[str, int]]:
    sums = {
        currency: {"paid_minor": paid, "refunded_minor": 0}
        for currency, paid in await book.execute(text(_PAID_SUMS))
    }
    for currency, refunded in await book.execute(text(_REFUNDED_SUMS)):
        sums[currency]["refunded_minor"] = refunded
    return sums
