"""The book in one SQLite file. Every ``with book.change():`` is one transaction, on disk
(WAL, FULL) before anything is answered.

The file is the state: nothing is held in memory beside it, so opening it again after a kill -9 is
all there is to a restart. This is the one writer, and it reads what a call decides upon; ``reader``
reads the same file for those who only look.
"""

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from alipay_client.simulator.model import Code, RefundEntry, RefundStatus, Trade
from alipay_client.simulator.scratch import scratch

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS codes (
  qrcode TEXT PRIMARY KEY,
  secondary_merchant_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  store_name TEXT NOT NULL,
  trans_currency TEXT NOT NULL,
  currency TEXT NOT NULL,
  channel_fee TEXT NOT NULL,
  passback TEXT NOT NULL,
  notify_url TEXT NOT NULL,
  notify_sign_type TEXT NOT NULL,
  notify_charset TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  secondary_merchant_industry TEXT NOT NULL DEFAULT '',
  secondary_merchant_name TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS codes_by_store ON codes (secondary_merchant_id, store_id);
CREATE TABLE IF NOT EXISTS trades (
  trade_no TEXT PRIMARY KEY,
  out_trade_no TEXT NOT NULL UNIQUE,
  qrcode TEXT NOT NULL,
  store_id TEXT NOT NULL,
  buyer TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  buyer_email TEXT NOT NULL,
  currency TEXT NOT NULL,
  paid_minor INTEGER NOT NULL,
  paid_at_ms INTEGER NOT NULL,
  status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS trades_by_time ON trades (paid_at_ms);
CREATE INDEX IF NOT EXISTS trades_open ON trades (paid_at_ms) WHERE status = 'TRADE_SUCCESS';
CREATE TABLE IF NOT EXISTS refunds (
  refund_id TEXT PRIMARY KEY,
  trade_no TEXT NOT NULL,
  out_trade_no TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  notify_url TEXT NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_of_trade ON refunds (trade_no);
CREATE INDEX IF NOT EXISTS refunds_done ON refunds (due_at_ms) WHERE state = 'SUCCEEDED';
CREATE INDEX IF NOT EXISTS refunds_due ON refunds (due_at_ms) WHERE state = 'PROCESSING';
CREATE TABLE IF NOT EXISTS notifications (
  notify_id TEXT PRIMARY KEY,
  trade_no TEXT NOT NULL,
  cause TEXT NOT NULL,
  url TEXT NOT NULL,
  fields TEXT NOT NULL,
  sign_type TEXT NOT NULL,
  charset TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_at_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS notifications_of_trade ON notifications (trade_no);
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (next_at_ms) WHERE state = 'DUE';
"""

_ADDED = {"codes": ("secondary_merchant_industry", "secondary_merchant_name")}
"""Texts that a book of an earlier version lacks, in the order of the columns."""


class NotificationState(StrEnum):
    """GIVEN_UP: the last interval of the schedule has passed."""

    DUE = "DUE"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    GIVEN_UP = "GIVEN_UP"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationEntry:
    """One thing that the merchant is to be told, until it says success. ``fields`` is JSON, without
    what each delivery adds.
    """

    notify_id: str
    trade_no: str
    cause: str
    url: str
    fields: str
    sign_type: str
    charset: str
    state: NotificationState
    attempts: int
    next_at_ms: int


Record = TypeVar("Record", Code, Trade, RefundEntry, NotificationEntry)


class Row(Protocol):
    """A row of either driver: its values by the names of their columns."""

    def __getitem__(self, name: str, /) -> Any: ...


class Book:
    """Open with ``Book.open``; one per process. Reads see what the current transaction has
    written.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._db = connection

    @classmethod
    def open(cls, path: Path | None, *, now_ms: int) -> "Book":
        """Open or make the file; ``now_ms`` becomes the birth of a new book. Without a path the
        file lies in a folder of its own, is not waited for, and goes when nobody has the book any
        more.
        """
        if path is None:
            folder = scratch()
            book = cls._open(folder.path / "book", now_ms=now_ms, synchronous="OFF")
            weakref.finalize(book, folder.remove)
            return book
        return cls._open(path, now_ms=now_ms, synchronous="FULL")

    @classmethod
    def _open(cls, path: Path, *, now_ms: int, synchronous: str) -> "Book":
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.executescript(_SCHEMA)
        for table, names in _ADDED.items():
            there = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
            for name in (name for name in names if name not in there):
                connection.execute(
                    f"ALTER TABLE {table} ADD COLUMN {name} TEXT NOT NULL DEFAULT ''"
                )
        connection.execute("INSERT OR IGNORE INTO facts VALUES ('birth', ?)", (now_ms,))
        return cls(connection, path)

    def close(self) -> None:
        """Let go of the file; a process that ends need not."""
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold one transaction: committed when the block ends, undone when it raises."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @property
    def birth(self) -> int:
        """What tells this book from any other."""
        return self._number("SELECT value FROM facts WHERE name = 'birth'")

    def next_number(self, name: str) -> int:
        """Return 1, 2, 3 ... under each name; call it inside ``change``."""
        self._db.execute(
            "INSERT INTO facts VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
            (name,),
        )
        return self._number("SELECT value FROM facts WHERE name = ?", name)

    def put_code(self, code: Code) -> None:
        """Write a code as it is now."""
        self._db.execute(
            """INSERT OR REPLACE INTO codes VALUES (:qrcode, :secondary_merchant_id, :store_id,
            :store_name, :trans_currency, :currency,
            :channel_fee, :passback, :notify_url, :notify_sign_type, :notify_charset, :status,
            :created_at_ms,
            :secondary_merchant_industry, :secondary_merchant_name)""",
            asdict(code),
        )

    def code(self, qrcode: str) -> Code | None:
        """Return the code with this text."""
        return self._one(Code, "SELECT * FROM codes WHERE qrcode = ?", qrcode)

    def codes_of(self, secondary_merchant_id: str, store_id: str) -> list[Code]:
        """Return a store's codes, newest first; more than two only where deleting frees a slot."""
        sql = (
            "SELECT * FROM codes WHERE secondary_merchant_id = ? AND store_id = ? ORDER BY "
            "created_at_ms DESC LIMIT 1000"
        )
        return self._all(Code, sql, secondary_merchant_id, store_id)

    def put_trade(self, trade: Trade) -> None:
        """Write a trade, or its new status."""
        self._db.execute(
            """INSERT INTO trades VALUES (:trade_no, :out_trade_no, :qrcode, :store_id, :buyer,
            :buyer_id, :buyer_email, :currency,
            :paid_minor, :paid_at_ms, :status) ON CONFLICT (trade_no) DO UPDATE SET status =
            excluded.status""",
            asdict(trade),
        )

    def trade(self, trade_no: str) -> Trade | None:
        """Return the trade with Alipay's number."""
        return self._one(Trade, "SELECT * FROM trades WHERE trade_no = ?", trade_no)

    def trade_by_out(self, out_trade_no: str) -> Trade | None:
        """Return the trade with the merchant's transaction id."""
        return self._one(Trade, "SELECT * FROM trades WHERE out_trade_no = ?", out_trade_no)

    def trades(self, limit: int) -> list[Trade]:
        """Return the newest trades, oldest of them first."""
        return self._all(
            Trade, "SELECT * FROM trades ORDER BY paid_at_ms DESC, trade_no DESC LIMIT ?", limit
        )[::-1]

    def trades_over(self, paid_before_ms: int, limit: int) -> list[Trade]:
        """Return trades whose refund window has ended."""
        sql = (
            "SELECT * FROM trades WHERE status = 'TRADE_SUCCESS' AND paid_at_ms <= ? ORDER BY "
            "paid_at_ms LIMIT ?"
        )
        return self._all(Trade, sql, paid_before_ms, limit)

    def put_refund(self, refund: RefundEntry) -> None:
        """Write a refund, or how it stands now."""
        self._db.execute(
            """INSERT INTO refunds VALUES (:refund_id, :trade_no, :out_trade_no, :amount_minor,
            :currency, :notify_url, :state,
            :error, :accepted_at_ms, :due_at_ms) ON CONFLICT (refund_id) DO UPDATE SET notify_url =
            excluded.notify_url,
            state = excluded.state, error = excluded.error, accepted_at_ms =
            excluded.accepted_at_ms, due_at_ms = excluded.due_at_ms""",
            asdict(refund),
        )

    def refund(self, refund_id: str) -> RefundEntry | None:
        """Return the refund with the merchant's id."""
        return self._one(RefundEntry, "SELECT * FROM refunds WHERE refund_id = ?", refund_id)

    def refunds_of(self, trade_no: str) -> list[RefundEntry]:
        """Return the refunds of a trade, oldest first."""
        return self._all(
            RefundEntry,
            "SELECT * FROM refunds WHERE trade_no = ? ORDER BY accepted_at_ms, refund_id",
            trade_no,
        )

    def refunds_due(self, now_ms: int, limit: int) -> list[RefundEntry]:
        """Return accepted refunds whose time has come, longest due first."""
        sql = (
            "SELECT * FROM refunds WHERE state = 'PROCESSING' AND due_at_ms <= ? ORDER BY "
            "due_at_ms LIMIT ?"
        )
        return self._all(RefundEntry, sql, now_ms, limit)

    def refunded_minor(self, trade_no: str) -> int:
        """Return what has gone back to the customer of a trade."""
        sql = "SELECT coalesce(sum(amount_minor), 0) FROM refunds WHERE trade_no = ? AND state = ?"
        return self._number(sql, trade_no, RefundStatus.SUCCEEDED.value)

    def taken_minor(self, trade_no: str) -> int:
        """Return what has gone back or is on its way."""
        return self._number(
            (
                "SELECT coalesce(sum(amount_minor), 0) FROM refunds WHERE trade_no = ? AND state "
                "<> 'FAILED'"
            ),
            trade_no,
        )

    def put_notification(self, notification: NotificationEntry) -> None:
        """Write a notification, or how its delivery stands."""
        self._db.execute(
            """INSERT INTO notifications VALUES (:notify_id, :trade_no, :cause, :url, :fields,
            :sign_type, :charset, :state,
            :attempts, :next_at_ms) ON CONFLICT (notify_id) DO UPDATE SET state = excluded.state,
            attempts = excluded.attempts,
            next_at_ms = excluded.next_at_ms""",
            asdict(notification),
        )

    def notification(self, notify_id: str) -> NotificationEntry | None:
        """Return the notification with this id."""
        return self._one(
            NotificationEntry, "SELECT * FROM notifications WHERE notify_id = ?", notify_id
        )

    def notifications_of(self, trade_no: str) -> list[NotificationEntry]:
        """Return the notifications of a trade, oldest first."""
        return self._all(
            NotificationEntry,
            "SELECT * FROM notifications WHERE trade_no = ? ORDER BY rowid",
            trade_no,
        )

    def notifications_due(self, now_ms: int, limit: int) -> list[NotificationEntry]:
        """Return the notifications to send, longest due first."""
        sql = (
            "SELECT * FROM notifications WHERE state = 'DUE' AND next_at_ms <= ? ORDER BY "
            "next_at_ms, rowid LIMIT ?"
        )
        return self._all(NotificationEntry, sql, now_ms, limit)

    def next_due_ms(self) -> int | None:
        """Return when the next refund or notification is due; None if nothing waits."""
        row = self._db.execute(
            """SELECT min(at_ms) FROM (SELECT min(next_at_ms) AS at_ms FROM notifications WHERE
            state = 'DUE'
            UNION ALL SELECT min(due_at_ms) FROM refunds WHERE state = 'PROCESSING')"""
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _number(self, sql: str, *values: object) -> int:
        return int(self._db.execute(sql, values).fetchone()[0])

    def _one(self, kind: type[Record], sql: str, *values: object) -> Record | None:
        row = self._db.execute(sql, values).fetchone()
        return None if row is None else record(kind, row)

    def _all(self, kind: type[Record], sql: str, *values: object) -> list[Record]:
        return [record(kind, row) for row in self._db.execute(sql, values)]


def record(kind: type[Record], row: Row) -> Record:
    """Return the row as a record: columns bear the names of the fields, and each field's type makes
    its value.
    """
    values: dict[str, Any] = {
        item.name: item.type(row[item.name])  # type: ignore[operator]
        for item in fields(kind)
    }
    return kind(**values)
