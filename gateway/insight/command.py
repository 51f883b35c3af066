"""The commands ``vendgate insight``. The parts are imported by the command: "vendgate --help"
should not wait for SQLAlchemy.
"""

from typing import Annotated

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import ConfigFile, sentences

insight = typer.Typer(no_args_is_help=True, help="What is told of sales, made of the books.")


@insight.command()
def follow(
    *,
    config_file: ConfigFile = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all that is in the books now is told.")
    ] = False,
) -> None:
    """Follow the books beside the gateways, which do so by themselves: until Ctrl-C, or once.
    Status 0: done, 1: somebody else follows them already, or it cannot be done.
    """
    with sentences():
        from gateway.insight import following

        raise typer.Exit(following.follow(settings_module.load(config_file), once=once))


@insight.command()
def rebuild(
    *,
    config_file: ConfigFile = None,
    lose_archived: Annotated[
        bool,
        typer.Option(
            "--lose-archived",
            help="Also if months were archived: their sales are kept, their funnels are lost.",
        ),
    ] = False,
) -> None:
    """Make all that is told of sales again, from the first line of the books; machines sell
    meanwhile. Status 0: done, 1: it cannot be done.
    """
    with sentences():
        from gateway.insight import following

        settings = settings_module.load(config_file)
        raise typer.Exit(following.rebuild(settings, lose_archived=lose_archived))


@insight.command()
def verify(
    *,
    config_file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Prove that what is told of sales is what the ledger says, to the cent. Status 0: it is, 1: it
    is not, 2: it cannot be read.
    """
    with sentences(trouble=2):
        from gateway.insight import following

        raise typer.Exit(following.verify(settings_module.load(config_file), as_json=as_json))
