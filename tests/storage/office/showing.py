"""Assets, playlists and plans that tests share."""

from hashlib import sha256

from storage.database.engine import Database
from storage.office.assets import AssetContent, Assets, AssetView
from storage.office.playlists import PlaylistContent, PlaylistItem, Playlists, PlaylistView
from storage.office.screen_plans import PlanContent, PlanView, ScreenPlans
from storage.office.selectors import Selector
from tests.storage.office.places import NOON_MS, by

A, B = (sha256(name.encode()).hexdigest() for name in "ab")
LATER_MS = NOON_MS + 1_000_000


def content(name: str, size: int = 10) -> AssetContent:
    """What was found in a file that is called so."""
    return AssetContent(
        sha256=sha256(name.encode()).hexdigest(),
        media_type="image/png",
        size=size,
        width=4,
        height=3,
    )


def items(*hashes: str, duration_ms: int = 8_000) -> PlaylistContent:
    """A playlist of these."""
    shown = tuple(PlaylistItem(sha256=one, duration_ms=duration_ms) for one in hashes)
    return PlaylistContent(name="Some", items=shown)


def plan(playlist: str = "all", **more: object) -> PlanContent:
    """A plan for all machines, all day."""
    said = {
        "selector": Selector(all=True),
        "playlist": playlist,
        "days": 127,
        "from_minute": 0,
        "to_minute": 1_440,
        "priority": 0,
        "not_after_ms": LATER_MS,
    }
    return PlanContent(**(said | more))  # type: ignore[arg-type]


async def some_assets(db: Database, *names: str) -> list[AssetView]:
    """Take files in."""
    return [await Assets(db).add(content(name), name, by(action="made")) for name in names]


async def shown_by_all(db: Database) -> tuple[PlaylistView, PlanView]:
    """Let every machine show two files."""
    await some_assets(db, "a", "b")
    playlist = await Playlists(db).create("all", items(A, B), by(action="made"))
    return playlist, await ScreenPlans(db).create("p1", plan(), by(action="made"))
