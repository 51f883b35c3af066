"""A playlist has one content at a time, of files that may be shown."""

import pytest

from storage.database.engine import Database
from storage.office import playlists as module
from storage.office.assets import Assets
from storage.office.deeds import AlreadyThere, EtagOutdated, NotPossible, NotThere
from storage.office.playlists import Playlists
from tests.storage.office.places import by, details
from tests.storage.office.showing import A, B, items, some_assets


async def test_a_playlist_is_changed_under_its_etag(db: Database) -> None:
    """The same again is the same; who has not seen the newest is told."""
    await some_assets(db, "a", "b")
    playlists = Playlists(db)
    one = await playlists.create("all", items(A), by())
    assert one == await playlists.create("all", items(A), by())
    with pytest.raises(AlreadyThere):
        await playlists.create("all", items(B), by())
    two = await playlists.update("all", items(B, A), by(), etag="1")
    assert two == await playlists.update("all", items(B, A), by())
    assert (2, two, [two]) == (
        two.revision,
        await playlists.get("all"),
        await playlists.page(limit=9),
    )
    with pytest.raises(EtagOutdated):
        await playlists.update("all", items(A), by(), etag="1")
    with pytest.raises(NotThere):
        await playlists.get("none")
    assert 2 == len(await details(db))


@pytest.mark.slow_on_postgres
async def test_what_is_recalled_or_unknown_is_in_no_new_list(db: Database) -> None:
    """Neither in a new one nor in a changed one."""
    await some_assets(db, "a", "b")
    playlists = Playlists(db)
    await playlists.create("all", items(A), by())
    await Assets(db).recall(B, "wrong", by(action="made"))
    for act in (playlists.create("new", items(B), by()), playlists.update("all", items(B), by())):
        with pytest.raises(NotPossible, match="was recalled"):
            await act
    with pytest.raises(NotThere):
        await playlists.create("new", items("f" * 64), by())


async def test_what_was_recalled_is_taken_out_one_after_the_other(db: Database) -> None:
    """However many of a list were recalled, and however often it has them: none locks it."""
    await some_assets(db, "a", "b")
    playlists = Playlists(db)
    await playlists.create("all", items(A, B, A), by())
    for one in (A, B):
        await Assets(db).recall(one, "wrong", by(action="made"))
    for left in ((B, A), (A,), ()):
        assert items(*left) == (await playlists.update("all", items(*left), by())).content
    with pytest.raises(NotPossible, match="was recalled"):
        await playlists.update("all", items(A), by())


@pytest.mark.slow_on_postgres
async def test_there_is_an_end_of_playlists(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused."""
    monkeypatch.setattr(module, "PLAYLISTS_MAX", 0)
    with pytest.raises(NotPossible, match="which is the most"):
        await Playlists(db).create("all", items(), by())
