"""One month in files: proved by reading it back."""

from pathlib import Path

import pytest
from sqlalchemy import Connection

from storage.archiving.archive import month_ms
from storage.archiving.exporting import export, prove_readable, starts_of, within
from storage.archiving.files import ArchiveRefused, Month, MonthWriter, read_month, rows_of
from storage.auditing.reading import Books
from storage.database.engine import Database
from storage.tables import inbox, journal, starts, transfers
from tests.storage.archiving.books import NOW_MS


async def exported(db: Database, folder: Path) -> Month:
    """January, in files."""

    def work(connection: Connection) -> Month:
        return export(
            books(connection, db),
            folder / "2026-01",
            month="2026-01",
            end_ms=month_ms("2026-02"),
            previous_sha256="",
        )

    return await db.read(work)


def books(connection: Connection, db: Database) -> Books:
    """The books of a read transaction."""
    return within(connection, now_ms=NOW_MS, partition_count=db.partition_count)


@pytest.mark.slow_on_postgres
async def test_a_month_ends_where_its_starts_say(books: Database, tmp_path: Path) -> None:
    """Each machine's last line in it has the version and the digest behind which books begin."""
    month = await exported(books, tmp_path)
    last = {row[1]: (row[2], row[-1]) for row in rows_of(month, journal)}
    begun = {name: (one.version, one.digest) for name, one in starts_of(month).items()}
    assert last == begun
    assert {"VM-1", "VM-2", "VM-3", "VM-4", "VM-5"} == set(begun)
    assert month == read_month(month.folder)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("table", [journal, transfers], ids=["journal", "transfers"])
async def test_what_cannot_be_read_back_is_refused(
    sound: Database, tmp_path: Path, table: object
) -> None:
    """A row less in a file, whose own hash is right, breaks the chain of its machine."""
    month = await exported(sound, tmp_path)
    writer = MonthWriter(tmp_path / "2026-01b")
    for one in (journal, transfers, inbox, starts):
        rows = list(rows_of(month, one))
        writer.write(one, rows[1:] if one is table else rows)
    (tmp_path / "2026-01b").rename(tmp_path / "2026-02")
    spoilt = MonthWriter.finish(
        _moved(writer, tmp_path / "2026-02"),
        installation_ms=1,
        month="2026-02",
        end_ms=2,
        now_ms=3,
        previous_sha256="",
    )
    with pytest.raises(ArchiveRefused, match=r"does not follow on line|stand on none"):
        prove_readable(spoilt, {})


def _moved(writer: MonthWriter, folder: Path) -> MonthWriter:
    writer._folder = folder
    return writer
