"""The database holds no plan that never holds, and no file without content."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import assets, playlists, plays, screen_plans
from tests.storage.tables.refused import refused, taken

ASSET: dict[str, Any] = {
    "sha256": "a" * 64,
    "media_type": "image/png",
    "size": 1,
    "width": 1,
    "height": 1,
    "name": "",
    "added_by": "ann",
    "added_at_ms": 1,
    "recalled_by": "",
    "recall_reason": "",
}
PLAYLIST: dict[str, Any] = {
    "playlist": "summer",
    "revision": 1,
    "name": "Summer",
    "created_at_ms": 1,
    "updated_at_ms": 1,
    "items": "[]",
}
PLAN: dict[str, Any] = {
    "plan": "p",
    "playlist": "summer",
    "days": 127,
    "from_minute": 0,
    "to_minute": 1440,
    "priority": 0,
    "not_after_ms": 1,
    "created_by": "ann",
    "created_at_ms": 1,
    "selector": "{}",
}


@pytest.mark.slow_on_postgres
async def test_what_cannot_be_is_refused(db: Database) -> None:
    """An empty file, a plan of no day or of no time, a plan of a list that nobody knows."""
    await refused(db, assets, {**ASSET, "size": 0})
    await taken(db, assets, ASSET)
    await refused(db, screen_plans, PLAN)
    await taken(db, playlists, PLAYLIST)
    for wrong in (
        {"days": 0},
        {"days": 128},
        {"from_minute": 5, "to_minute": 5},
        {"to_minute": 1441},
    ):
        await refused(db, screen_plans, {**PLAN, **wrong})
    await taken(db, screen_plans, PLAN)
    play = {"machine_id": "VM-1", "day": 1, "hour": 0, "manifest": "m", "item": 0}
    await refused(db, plays, {**play, "times": 1, "shown_ms": 1})
