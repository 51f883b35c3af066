"""The commands ``vendgate trust``. The parts are imported by the commands: "vendgate --help" should
not wait for them.
"""

import asyncio
import datetime as dt
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import By, ConfigFile, sentences
from gateway.process.refusals import SettingsRefused

if TYPE_CHECKING:
    from gateway.trust.enrolment_tokens import EnrolmentToken
    from storage.office.enrolment_tokens import TokenView

trust = typer.Typer(no_args_is_help=True, help="Who machines are.")

OFF = (
    "enrolment.enabled is false: nobody would take the token. Set [enrolment] and start the "
    "gateways again, or issue a certificate by hand with 'vendgate ca issue'."
)


@trust.command()
def token(
    machine: Annotated[str, typer.Argument(help="The machine's id.")],
    *,
    valid_hours: Annotated[
        int, typer.Option(min=1, max=720, help="For how many hours it is good.")
    ] = 24,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Also write it into this file, for a machine on this computer."
        ),
    ] = None,
    by: By = None,
    config_file: ConfigFile = None,
) -> None:
    """Make a token with which a technician enrols a machine, once, and print it as a QR code and as
    text. The machine's last token is good no longer; once this one is used, every certificate
    that the machine had before is denied.
    """
    with sentences():
        from gateway.simulator.picture import for_terminal
        from gateway.trust.enrolment_tokens import payload

        settings = settings_module.load(config_file)
        section = settings.enrolment
        if not section.enabled:
            raise SettingsRefused((OFF,))
        person = by or getpass.getuser()
        made, view = asyncio.run(_issued(settings, machine, valid_hours, reason, person))
        address = section.public_address or section.listen
        if sys.stdout.isatty():
            print(for_terminal(payload(machine, made, address)))
        if out is not None:
            write(out, made)
        until = dt.datetime.fromtimestamp(view.expires_at_ms / 1_000, dt.UTC)
        print(
            f"machine  {machine}\ntoken    {made.text()}\naddress  {address}\n"
            f"until    {until:%Y-%m-%d %H:%M} UTC"
        )


def write(path: Path, token: "EnrolmentToken") -> None:
    """Write a token into a file that its owner alone may read. Raises OSError."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token.text()}\n")


async def _issued(
    settings: settings_module.Settings, machine_id: str, hours: int, reason: str, person: str
) -> "tuple[EnrolmentToken, TokenView]":
    from gateway.process import configs
    from gateway.process.clock import SystemClock
    from gateway.trust.enrolment_tokens import EnrolmentToken
    from storage.books.audit_rows import Actor
    from storage.database.engine import Database
    from storage.office.deeds import Deed, NotPossible, NotThere
    from storage.office.enrolment_tokens import EnrolmentTokens, TokenView

    made, now_ms = EnrolmentToken.made(), SystemClock().now_ms()
    view = TokenView(
        machine_id=machine_id,
        token_id=made.token_id,
        expires_at_ms=now_ms + hours * 3_600_000,
    )
    who = Actor(name=person, claimed=person)
    deed = Deed(actor=who, action="CreateEnrolmentToken", now_ms=now_ms)
    database = await Database.open(configs.storage_config(settings))
    try:
        tokens = EnrolmentTokens(database)
        return made, await tokens.issue(view, made.secret, reason, deed, by=person)
    except NotThere:
        raise SettingsRefused((f"There is no machine {machine_id}: register it first.",)) from None
    except NotPossible as error:
        raise SettingsRefused((f"{error.sentence}.",)) from None
    finally:
        await database.close()
