"""Books are read in pieces: spans of machines, and pages of rows, without a seam or a gap."""

import pytest
from sqlalchemy import Connection, select

from storage.auditing import reading
from storage.auditing.reading import Books, Span
from storage.database.engine import Database
from storage.tables import journal, machines
from tests.storage.auditing.books import NOW_MS, write_sound_books


async def test_spans_hold_every_machine_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of machines in a span, and ids that are not registered are in one too."""
    await write_sound_books(db)

    def work(connection: Connection) -> tuple[list[str], list[str], tuple[Span, ...]]:
        books = Books(connection, now_ms=NOW_MS, partition_count=8)
        ids = select(machines.c.machine_id).order_by(machines.c.machine_id)
        found = [
            machine_id
            for span in books.spans
            for machine_id in connection.scalars(ids.where(span.holds(machines.c.machine_id)))
        ]
        return list(connection.scalars(ids)), found, books.spans

    for at_once in (1, 2, 200):
        monkeypatch.setattr(reading, "MACHINES_AT_ONCE", at_once)
        every, found, spans = await db.read(work)
        assert every == found
        assert spans[0].after is None
        assert spans[-1].upto is None


async def test_pages_hold_every_row_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their numbers, and none is empty."""
    await write_sound_books(db)
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 3)

    def work(connection: Connection) -> tuple[list[int], list[list[int]]]:
        books = Books(connection, now_ms=NOW_MS, partition_count=8)
        pages = books.pages(select(journal.c.id), journal.c.id)
        every = connection.scalars(select(journal.c.id).order_by(journal.c.id)).all()
        return list(every), [[row.id for row in page] for page in pages]

    every, pages = await db.read(work)
    assert every == [number for page in pages for number in page]
    assert {3} == {len(page) for page in pages[:-1]}
    assert 0 < len(pages[-1]) <= 3
