"""The commands ``vendgate lake``. The parts are imported by the command: "vendgate --help" should
not wait for SQLAlchemy or DuckDB.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import ConfigFile, sentences

lake = typer.Typer(no_args_is_help=True, help="Facts of sales as Parquet files (docs/data.md).")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
OnRay = Annotated[
    bool, typer.Option("--ray", help="As tasks on the Ray of the settings, a day each.")
]
FirstDay = Annotated[int, typer.Option("--from", help="The first local day, such as 20260101.")]
LastDay = Annotated[int, typer.Option("--to", help="The last local day.")]


@lake.command()
def export(
    *,
    config_file: ConfigFile = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Begin with the first fact: after 'insight rebuild'."),
    ] = False,
) -> None:
    """Write the facts of sales that are in no file yet. Status 0: done, 1: it cannot be done, and
    nothing is lost.
    """
    with sentences():
        from gateway.lake import running

        raise typer.Exit(running.export(settings_module.load(config_file), again=again))


@lake.command()
def compact(
    *,
    config_file: ConfigFile = None,
    keep_minutes: Annotated[
        int,
        typer.Option(min=0, help="How long files that were replaced stay for who reads them."),
    ] = 60,
) -> None:
    """Make one file of each day's, take payers out whom nobody knows any more, and remove what was
    replaced. Status 0: done, 1: it cannot be done, and nothing is lost.
    """
    with sentences():
        from gateway.lake import running

        settings = settings_module.load(config_file)
        raise typer.Exit(running.compact(settings, keep_minutes=keep_minutes))


@lake.command()
def cubes(*, config_file: ConfigFile = None, on_ray: OnRay = False) -> None:
    """Add each day's facts up by hour, machine and product, where that is not done of today's
    files. Status 0: done, 1: it cannot be done, and nothing is lost.
    """
    with sentences():
        from gateway.lake import running

        raise typer.Exit(running.cubes(settings_module.load(config_file), on_ray=on_ray))


@lake.command()
def verify(*, config_file: ConfigFile = None, as_json: AsJson = False) -> None:
    """Prove that each fact is in the files once, and that they add up to the ledger. Status 0: it
    is so, 1: it is not, 2: it cannot be read.
    """
    with sentences(trouble=2):
        from gateway.lake import running

        raise typer.Exit(running.verify(settings_module.load(config_file), as_json=as_json))


@lake.command()
def files(
    *,
    config_file: ConfigFile = None,
    cubes: Annotated[bool, typer.Option("--cubes", help="Those of cubes, not of facts.")] = False,
    first: FirstDay = 0,
    last: LastDay = 99_999_999,
    as_json: AsJson = False,
) -> None:
    """List the files that may be read, and up to which position of the books they are complete."""
    with sentences():
        from gateway.lake import running

        settings = settings_module.load(config_file)
        raise typer.Exit(
            running.files(settings, of_cubes=cubes, first=first, last=last, as_json=as_json)
        )


@lake.command()
def ask(
    by: Annotated[
        str,
        typer.Argument(
            help="day, hour, weekday, weekday_hour, product, category, offer, district, site_type "
            "or machine.",
        ),
    ],
    *,
    first: Annotated[int, typer.Option("--from", help="The first local day, such as 20260101.")],
    last: Annotated[int, typer.Option("--to", help="The last local day.")],
    beside: Annotated[
        str, typer.Option(help="What stands beside it: period_before or same_weekdays.")
    ] = "period_before",
    machine: Annotated[
        list[str] | None, typer.Option("--machine", help="Of this machine; may be repeated.")
    ] = None,
    district: Annotated[str, typer.Option(help="Of this district, with all below it.")] = "",
    site_type: Annotated[str, typer.Option(help="Of this type of site.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="A new file, .csv or .parquet; else CSV is printed."),
    ] = None,
    config_file: ConfigFile = None,
) -> None:
    """Answer a question about sales from the files, as GetSales answers it from sums. Status 0:
    answered, 1: it cannot be.
    """
    with sentences():
        from gateway.lake import running

        asked = running.AskedOfLake(
            by=by,
            first=first,
            last=last,
            beside=beside,
            machine_ids=tuple(machine or ()),
            district=district,
            site_type=site_type,
        )
        raise typer.Exit(running.ask(settings_module.load(config_file), asked, out=out))


@lake.command()
def measure(
    *,
    sales: Annotated[
        int, typer.Option(min=1_000, max=100_000_000, help="How many sales are made up.")
    ] = 1_000_000,
    days: Annotated[
        int, typer.Option(min=1, max=336, help="In how many days they were sold.")
    ] = 40,
    only_files: Annotated[
        bool,
        typer.Option(
            help="Make up files alone, not a database: for more sales than a disk has room for."
        ),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Where, on the disk to be measured; it is emptied."),
    ] = None,
    on_ray: OnRay = False,
    config_file: ConfigFile = None,
) -> None:
    """Measure the lake with made-up sales, in a database and a folder of their own: rows a second,
    seconds, and memory. With --only-files nothing is exported: cubes are made and asked.
    """
    with sentences():
        from gateway.lake import measuring
        from storage.lake.made_up import MadeUp

        loaded = settings_module.load(config_file) if on_ray else None
        shape = MadeUp(sales=sales, days=days)
        raise typer.Exit(measuring.measure(shape, folder, ray_of=loaded, only_files=only_files))
