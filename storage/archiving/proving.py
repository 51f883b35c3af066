"""The whole history, proved: what was archived and what is in the database, as one."""

from pathlib import Path

from sqlalchemy import select

from storage.archiving.files import ArchiveRefused, Month, months_in, rows_of
from storage.auditing import Scope
from storage.auditing.excerpt import Excerpt
from storage.tables import archives, inbox, journal, transfers


def with_archive(folder: Path) -> Scope:
    """Return the scope of an audit that begins with the first line of all, in this archive. The
    audit raises ArchiveRefused if a file is not what was written, a month is missing, or nothing
    was ever archived; this raises it if there is no such folder.
    """
    if not folder.is_dir():
        raise ArchiveRefused(f"{folder} is no folder that is there: name that of the archive.")

    def put(excerpt: Excerpt) -> None:
        for month in _archived(excerpt, folder):
            excerpt.put(journal, rows_of(month, journal))
            excerpt.put(
                transfers,
                # Those that the database still has are proved as it has them.
                (row for row in rows_of(month, transfers) if row[:3] not in excerpt.carried),
            )
            excerpt.put(inbox, rows_of(month, inbox), once="id")

    return Scope(archived=put)


def _archived(excerpt: Excerpt, folder: Path) -> list[Month]:
    wanted = select(archives.c.month, archives.c.manifest_sha256).order_by(archives.c.month)
    known = [(row.month, row.manifest_sha256) for row in excerpt.database.execute(wanted)]
    if not known:
        raise ArchiveRefused(
            f"Nothing was archived of this database, into {folder} or elsewhere, as far as it "
            "knows: leave --archive away, or name the settings of the database that was."
        )
    months = months_in(folder)
    if known != [(month.manifest.month, month.sha256) for month in months[: len(known)]]:
        raise ArchiveRefused(
            f"{folder} does not hold what this database has archived, or not as it was: its "
            f"months are {', '.join(month for month, _ in known)}."
        )
    # One more may stand there, written before a kill: its lines are in the database still.
    return months[: len(known)]
