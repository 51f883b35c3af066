"""The command ``vendgate poster``. The parts are imported by the command: "vendgate --help" should
not wait for SQLAlchemy.
"""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from gateway.posters.layout import Size
from gateway.process import settings as settings_module
from gateway.process.endings import By, ConfigFile, sentences


def poster(
    *,
    machine: Annotated[
        list[str] | None, typer.Argument(help="Machines, or --selector for many.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="A new .pdf or .png.")
    ],
    selector: Annotated[
        str,
        typer.Option(metavar="JSON", help='As calls take it: \'{"district":"hk"}\'.'),
    ] = "",
    size: Annotated[Size, typer.Option(help="What it is printed on.")] = Size.A4,
    bleed: Annotated[
        bool, typer.Option("--bleed", help="Add 3 mm of bleed, and marks to cut along.")
    ] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out machines that can have none, and list them.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file if it is there.")
    ] = False,
    by: By = None,
    config_file: ConfigFile = None,
) -> None:
    """Make posters of machines from their codes' text: one PDF with a page for each, in the order
    of their ids, or one machine's PNG. Status 0: made, 1: refused.
    """
    with sentences():
        from gateway.office import poster_files
        from gateway.posters.layout import Sheet

        wanted = poster_files.Wanted(
            machine_ids=tuple(machine or ()),
            selector=selector,
            sheet=Sheet(size=size, bleed=bleed),
            out=out,
            skip=skip,
            force=force,
            by=by or getpass.getuser(),
        )
        poster_files.make(settings_module.load(config_file), wanted)
