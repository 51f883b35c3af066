"""The commands ``vendgate ca``. The parts are imported by the commands: "vendgate --help" should
not wait for them.
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.process.endings import sentences

ca = typer.Typer(no_args_is_help=True, help="Certificates of machines, people and gateways.")
Folder = Annotated[Path, typer.Argument(file_okay=False, help="The CA's folder.")]


@ca.command("init")
def init(
    *,
    folder: Folder,
    domain: Annotated[
        str, typer.Option(metavar="NAME", help="The trust domain, such as vending.example.")
    ],
) -> None:
    """Make a CA in a folder: a root, to be kept offline, and one that issues for each of machines,
    administrators and gateways.
    """
    with sentences():
        from gateway.trust import authority_files

        for path in authority_files.make(folder, domain, now=dt.datetime.now(dt.UTC)):
            typer.echo(path)
        typer.echo(
            f"Take {folder / 'root_key.pem'} away from this computer, and keep it where nobody "
            "steals or loses it: it is needed to renew the CAs below it.",
            err=True,
        )


@ca.command("issue")
def issue(
    *,
    folder: Folder,
    profile: Annotated[
        Literal["machine", "administrator", "gateway"], typer.Argument(help="What it is for.")
    ],
    name: Annotated[str, typer.Argument(help="A machine's id, a person, or a gateway.")],
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Where NAME.pem and NAME_key.pem are written.")
    ] = Path(),
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of a gateway: a DNS name or an address of it."),
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(metavar="UNIT", help="Of an administrator: an organisational unit."),
    ] = None,
    request: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A CSR; its key alone is taken from it."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=1_825, help="For how long it is good.")
    ] = None,
) -> None:
    """Issue a certificate, with a new key or for that of a request."""
    with sentences():
        from gateway.trust import authority_files
        from gateway.trust.authority import DAYS, Profile

        kind = Profile(profile)
        for path in authority_files.issue(
            authority_files.issuer_of(folder, kind),
            out,
            profile=kind,
            name=name,
            days=days or DAYS[kind],
            names=tuple(host or ()),
            units=tuple(unit or ()),
            request=request,
            now=dt.datetime.now(dt.UTC),
        ):
            typer.echo(path)
