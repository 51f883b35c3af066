"""An asset is known by its hash, and a recall of one is for ever."""

from dataclasses import replace

import pytest

from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.office import assets as module
from storage.office.assets import Assets
from storage.office.deeds import NotPossible, NotThere
from tests.storage.office.places import by, details
from tests.storage.office.showing import A, B, content, some_assets


async def test_the_same_file_is_one_asset(db: Database) -> None:
    """Whoever adds it again finds it as it was; who only asks leaves nothing."""
    assets = Assets(db)
    await assets.add(content("a"), "Poster", by(check=True))
    assert [] == await assets.page(recalled=False, limit=9)
    made = await assets.add(content("a"), "Poster", by())
    assert made == await assets.add(content("a"), "Other", by())
    assert made == await assets.get(A)
    assert [f"asset {A}: image/png, 10 bytes, 'Poster'"] == await details(db)
    with pytest.raises(NotThere):
        await assets.get(B)


async def test_a_recall_is_for_ever(db: Database) -> None:
    """It is not taken in again, and is among the newest recalls."""
    assets = Assets(db)
    await some_assets(db, "a", "b")
    assert [] == await assets.recalled()
    gone = await assets.recall(A, "wrong price", by())
    assert gone == await assets.recall(A, "again", by())
    assert ("ann", "wrong price") == (gone.recalled_by, gone.recall_reason)
    assert [A] == await assets.recalled()
    assert [gone] == await assets.page(recalled=True, limit=9)
    with pytest.raises(NotPossible, match="was recalled"):
        await assets.add(content("a"), "Poster", by())
    with pytest.raises(NotThere):
        await assets.recall("f" * 64, "why", by())
    assert [f"asset {A} is recalled: wrong price"] == await details(db)


@pytest.mark.slow_on_postgres
async def test_who_did_it_is_named_as_people_read_it(db: Database) -> None:
    """And not with all that is known of them, as the audit log has it."""
    ann = replace(by(), actor=Actor(name="ann (certificate)", proven="ann"))
    made = await Assets(db).add(content("a"), "Poster", ann)
    gone = await Assets(db).recall(A, "wrong price", ann)
    assert ["ann (certificate)"] * 2 == [made.added_by, gone.recalled_by]


@pytest.mark.slow_on_postgres
async def test_there_is_an_end_of_assets(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused."""
    monkeypatch.setattr(module, "ASSETS_MAX", 1)
    await some_assets(db, "a")
    with pytest.raises(NotPossible, match="which is the most"):
        await some_assets(db, "b")
