"""The commands ``vendgate hosts``. The parts are imported by the command: "vendgate --help" should
not wait for SQLAlchemy.
"""

import asyncio
import getpass
from functools import partial
from typing import Annotated

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import By, ConfigFile, sentences

hosts = typer.Typer(no_args_is_help=True, help="The hosts, and who holds the machines.")


@hosts.command("list")
def list_hosts(
    *,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show who holds the machines: home, place, partitions, epoch, and whether it beats."""
    with sentences():
        from gateway.books import holders

        print(holders.show(settings_module.load(config_file), as_json=as_json))


@hosts.command()
def takeover(
    home: Annotated[str, typer.Argument(help="Whose hosts shall have them, as they call it.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.")],
    sure: Annotated[
        bool,
        typer.Option("--sure", help="Also from hosts that live: nothing is sold until others are."),
    ] = False,
    by: By = None,
    config_file: ConfigFile = None,
) -> None:
    """Take the machines from whoever holds them, for the hosts of one home. The old ones end at
    their next write or beat; from those that live only with --sure.
    """
    for name, text in (("HOME", home), ("--reason", reason)):
        if not text.strip():  # a script's variable that was not set would close the shop
            raise typer.BadParameter("It is empty: nothing was taken over.", param_hint=name)
    with sentences():
        from gateway.books import holders

        settings = settings_module.load(config_file)
        by = by or getpass.getuser()
        print(holders.take_over(settings, home, by=by, reason=reason, sure=sure))


@hosts.command()
def replace(*, config_file: ConfigFile = None) -> None:
    """Replace the hosts of a Ray cluster one by one, while machines sell: by this program, with the
    settings of today.
    """
    with sentences():
        from gateway.links.hosts import replace_hosts
        from gateway.process import configs, logs

        settings = settings_module.load(config_file)
        logs.set_up(level=settings.logs.level, line_format=settings.logs.format)
        path = settings_module.config_path(config_file)
        made = configs.configs(settings)
        asyncio.run(replace_hosts(settings, made, config_path=path, say=print))


@hosts.command()
def layout(
    count: Annotated[int, typer.Argument(min=1, max=256, help="How many hosts there shall be.")],
    *,
    by: By = None,
    config_file: ConfigFile = None,
) -> None:
    """Write down how many hosts share the machines. Every gateway and host must have ended."""
    with sentences():
        from gateway.books import holders

        print(holders.lay_out(settings_module.load(config_file), count, by=by or getpass.getuser()))


def scale(
    *,
    count: Annotated[int, typer.Option("--hosts", help="How many hosts there shall be.")],
    by: By = None,
    config_file: ConfigFile = None,
) -> None:
    """Have so many hosts share the machines of a Ray cluster, while machines sell. It may be killed
    and given again.
    """
    with sentences():
        from gateway.books.holders import person
        from gateway.links.scaling import scale_hosts
        from gateway.process import configs, logs

        settings = settings_module.load(config_file)
        logs.set_up(level=settings.logs.level, line_format=settings.logs.format)
        made = configs.configs(settings)
        asyncio.run(
            scale_hosts(
                settings,
                made,
                count,
                actor=person(by or getpass.getuser()),
                config_path=settings_module.config_path(config_file),
                say=partial(print, flush=True),
            )
        )
