"""Puts together what a gateway has of screens.

Flows in: settings, the database and clocks. Flows out: the folder of files, and, where machines are
given some, who tells them what to show and who gives it to them.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette

from actors.ports import Clock
from gateway.process.configs import Configs
from gateway.rpc.denylist import Denylist
from gateway.screens.desk import ScreenDesk
from gateway.screens.files import AssetFiles
from gateway.screens.folder import AssetFolder
from gateway.screens.unnamed import UnnamedFiles
from storage.database.engine import Database
from storage.fleet.answers import KeepingClock
from storage.office.assets import Assets
from storage.office.screens import Screens


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenParts:
    """What a gateway has of screens. ``unnamed`` are the files of the folder that may be deleted,
    ``desk`` tells machines what to show, and ``files`` gives it to them; all three are None where
    machines are given no files.
    """

    folder: AssetFolder
    unnamed: UnnamedFiles | None
    desk: ScreenDesk | None
    files: Starlette | None


def screens_of(
    made: Configs,
    database: Database,
    clock: Clock,
    keeping: KeepingClock,
    monotonic: Callable[[], float],
    url: str,
    denied: Denylist,
) -> ScreenParts:
    """Return what keeps the screens. ``url``: where machines fetch files; empty: nowhere."""
    folder = AssetFolder(made.screens.folder)
    if not url:
        return ScreenParts(folder=folder, unnamed=None, desk=None, files=None)
    key = made.screens_key or secrets.token_bytes(32)
    screens, assets = Screens(database), Assets(database)
    desk = ScreenDesk(
        screens=screens,
        assets=assets,
        clock=clock,
        keeping=keeping,
        key=key,
        url=url,
        monotonic=monotonic,
    )
    files = AssetFiles(
        folder=folder,
        assets=assets,
        screens=screens,
        key=key,
        now_s=lambda: clock.now_ms() // 1_000,
        denied=denied,
    )
    return ScreenParts(
        folder=folder, unnamed=UnnamedFiles(folder, assets), desk=desk, files=files.app()
    )
