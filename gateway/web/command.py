"""The command ``vendgate console login``. The parts are imported by the command: "vendgate --help"
should not wait for SQLAlchemy.
"""

import asyncio
import getpass
from typing import Annotated

import typer

from gateway.process import settings as settings_module
from gateway.process.endings import ConfigFile, sentences
from gateway.process.refusals import SettingsRefused

console = typer.Typer(no_args_is_help=True, help="The pages for people.")

OFF = (
    "console.enabled is false: the gateway serves no pages. Set it to true in [console] and start "
    "the gateway again."
)
BAD_NAME = (
    "The name must have 1 to 64 printable characters, no bracket and not the word certificate: it "
    "stands in the audit log."
)
BAD_ROLE = "The role must be viewer, technician, operator, finance or owner (docs/api.md)."
FULL = "Twenty links wait to be used already: use one, or wait ten minutes until they have run out."


@console.command()
def login(
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Who shall be signed in; else who is logged in here."),
    ] = None,
    role: Annotated[
        str,
        typer.Option("--role", help="viewer, technician, operator, finance or owner."),
    ] = "viewer",
    config_file: ConfigFile = None,
) -> None:
    """Print a link that signs one person in, once, within ten minutes, to do at the console what
    the role allows. Acts stand in the audit log under that name. Whoever can run this can give
    any role.
    """
    with sentences():
        from gateway.fleet.caller import may_be_claimed
        from gateway.rpc.roles import Role

        person = (name if name is not None else getpass.getuser()).strip()
        if not person or not may_be_claimed(person):
            raise SettingsRefused((BAD_NAME,))
        if role not in set(Role):
            raise SettingsRefused((BAD_ROLE,))
        settings = settings_module.load(config_file)
        if not settings.console.enabled:
            raise SettingsRefused((OFF,))
        print(asyncio.run(_issued(settings, person, role)))


async def _issued(settings: settings_module.Settings, person: str, role: str) -> str:
    from gateway.process import configs
    from gateway.process.clock import SystemClock
    from gateway.web.people import new_secret
    from storage.database.engine import Database
    from storage.fleet.logins import Logins, TooManyLinks

    link = new_secret()
    database = await Database.open(configs.storage_config(settings))
    try:
        await Logins(database).issue(person, link, role=role, now_ms=SystemClock().now_ms())
    except TooManyLinks:
        raise SettingsRefused((FULL,)) from None
    finally:
        await database.close()
    return f"{address(settings)}/login/{link}"


def address(settings: settings_module.Settings) -> str:
    """Return where people reach the console: under its first name, or where it listens."""
    section = settings.console
    host = section.names[0] if section.names else str(section.address)
    return f"http{'s' if section.has_tls else ''}://{host}"
