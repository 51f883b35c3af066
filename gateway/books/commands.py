"""The commands of the books. The parts are imported by the command: "vendgate --help" should not
wait for SQLAlchemy.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import ConfigFile, sentences


def _month(told: str) -> str:
    from storage.archiving.archive import month_ms
    from storage.archiving.files import ArchiveRefused

    try:
        month_ms(told)
    except ArchiveRefused as error:
        raise typer.BadParameter(str(error)) from None
    return told


def audit(
    *,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    write_seals: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the newest digests to a new file.")
    ] = None,
    check_seals: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check that digests of such a file still stand."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="All that is in the database, not from the last seals.")
    ] = False,
    archive_folder: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FOLDER", help="All that is, and all that was archived."),
    ] = None,
) -> None:
    """Prove the books, from the last seals on: check every invariant of the database, which may be
    live. Status 0: clean, 1: findings, 2: cannot be done.
    """
    with sentences(trouble=2):
        from gateway.books import audit as auditing

        files = auditing.SealFiles(check=check_seals, write=write_seals)
        raise typer.Exit(
            auditing.audit(
                settings_module.load(config_file),
                as_json=as_json,
                files=files,
                whole=whole,
                archive=archive_folder,
            )
        )


def audit_log(
    *,
    config_file: ConfigFile = None,
    after: Annotated[int, typer.Option(min=0, help="Go on behind the row with this id.")] = 0,
) -> None:
    """Write the audit log as lines of JSON, oldest first: who did, proposed or was refused what."""
    with sentences():
        from gateway.books import audit_log as log

        log.export(settings_module.load(config_file), after=after)


def backup(
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A new file.")],
    config_file: ConfigFile = None,
) -> None:
    """Copy a SQLite database, which may be live, into one file and prove it. Status 0: clean, 1:
    the books have findings, 2: cannot be done.
    """
    with sentences(trouble=2):
        from gateway.books import backup as backing_up

        raise typer.Exit(backing_up.backup(settings_module.load(config_file), to))


def move(
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The TOML file that names the PostgreSQL.")
    ],
    config_file: ConfigFile = None,
) -> None:
    """Move a SQLite database that nobody serves into an empty PostgreSQL; the old file is kept."""
    with sentences():
        from gateway.books import database
        from gateway.process import configs

        source = configs.storage_config(settings_module.load(config_file))
        target = configs.storage_config(settings_module.load(to), writes=True)
        rows, kept = database.move(source, target)
        print(
            f"{rows} rows are moved, and the old database is kept as {kept}; prove the new one: "
            f"vendgate audit --whole --config {to}"
        )


def archive(
    *,
    to: Annotated[
        Path, typer.Option("--to", file_okay=False, metavar="FOLDER", help="The archive's folder.")
    ],
    before: Annotated[
        str,
        typer.Option(
            "--before",
            callback=_month,
            metavar="YYYY-MM",
            help="Archive the months before this one.",
        ),
    ],
    config_file: ConfigFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go, and write nothing.")
    ] = False,
) -> None:
    """Export old months of the books to files, prove them, and drop their rows; the machines sell
    meanwhile. Run again, it goes on where it was. Status 0: done, 1: refused, 2: cannot be done.
    """
    with sentences(trouble=2):
        from gateway.books import archiving

        raise typer.Exit(
            archiving.archive(
                settings_module.load(config_file), folder=to, before=before, only_look=dry_run
            )
        )
