"""Checks of the audit that are not made again of the same rows.

Hundreds of tests end with the audit of a small database, and most of its checks find there what
they found before: in empty tables nothing. What a check says follows from the rows of the tables
that it reads and from what its ``Books`` tell it; so SQLite is asked which tables that were
(its authorizer names them), and where all of them hold the same rows again, and its books tell the
same, so does the check. One that asks what time it is is made each time.

Flows in: a check and its books, on SQLite. Flows out: what it says.
"""

import contextlib
import marshal
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from sqlite3 import SQLITE_OK, SQLITE_READ
from typing import Any
from unittest.mock import patch

from storage.auditing import proof
from storage.auditing.findings import Check, Look
from storage.auditing.reading import Books
from storage.fleet.balances import Totals

KEPT = 8
"""So many answers of each check: rows of another day never come again."""
_make = proof._check


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check said, of which rows (a digest by the table's name) and of what its books told
    it; and the ends of the streams as it left them for those behind it.
    """

    rows: dict[str, bytes]
    told: tuple[object, ...]
    check: Check
    links: dict[str, str]


class WatchedBooks(Books):
    """Knows which tables are read, and whether the time is asked for."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self.seen: set[str] = set()
        self.asked_the_time = False
        self._of_balances: set[str] = set()
        self._rows: dict[str, bytes] = {}
        self._watches = False
        self._driver: Any = args[0].connection.dbapi_connection
        super().__init__(*args, **named)

    def begin(self) -> None:
        """Look from here on. With its authorizer set anew SQLite asks it about statements too that
        it prepared before.
        """
        self.seen, self.asked_the_time, self._watches = set(), False, True
        self._driver.set_authorizer(self._authorize)

    def _authorize(self, action: int, table: str | None, *_: object) -> int:
        if action == SQLITE_READ and table and self._watches:
            self.seen.add(table)
        return SQLITE_OK

    @property
    def now_ms(self) -> int:
        """The time of the audit."""
        self.asked_the_time = True
        return self._now_ms

    @now_ms.setter
    def now_ms(self, now_ms: int) -> None:
        self._now_ms = now_ms

    @property
    def balances(self) -> Totals:
        """As before, and whoever asks has read their tables."""
        before, self.seen = self.seen, set()
        totals = super().balances  # which is kept
        self._of_balances |= self.seen
        self.seen = before | self._of_balances
        return totals

    def told(self) -> tuple[object, ...]:
        """What a check is told without reading a table."""
        return (
            self.spans,
            self.partition_count,
            self.own_ids,
            repr(self.starts),
            repr(self.links),
        )

    def rows(self, table: str) -> bytes:
        """A digest of the rows that the table holds in this moment."""
        if table not in self._rows:
            watched, self._watches = self._watches, False
            # Version 2 says equal values alike; the newer ones say which of them are one object.
            rows = marshal.dumps(self._driver.execute(f'SELECT * FROM "{table}"').fetchall(), 2)
            self._watches = watched
            self._rows[table] = blake2b(rows, digest_size=16).digest()
        return self._rows[table]


class Memory:
    """What the checks said, for all files of a process."""

    def __init__(self) -> None:
        self._answers: defaultdict[Look, deque[Answer]] = defaultdict(lambda: deque(maxlen=KEPT))

    def check(self, books: Books, look: Look) -> Check:
        """Return what the check says of these books. Others than ``WatchedBooks`` are asked."""
        if not isinstance(books, WatchedBooks):
            return _make(books, look)
        told, answers = books.told(), self._answers[look]
        for answer in answers:
            if answer.told == told and all(
                books.rows(table) == rows for table, rows in answer.rows.items()
            ):
                books.links = dict(answer.links)
                answers.remove(answer)
                answers.appendleft(answer)
                return answer.check
        books.begin()
        made = _make(books, look)
        if not books.asked_the_time:
            rows = {table: books.rows(table) for table in books.seen}
            answers.appendleft(Answer(rows, told, made, dict(books.links)))
        return made

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Let audits have it meanwhile."""
        with patch.object(proof, "_check", self.check), patch.object(proof, "Books", WatchedBooks):
            yield
