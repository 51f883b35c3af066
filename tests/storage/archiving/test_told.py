"""What was sold is told before its lines leave the books."""

from pathlib import Path

import pytest

from storage.archiving import archive, files
from storage.archiving.archive import Order, run
from storage.archiving.files import ArchiveRefused
from storage.database.engine import Database
from storage.insight.proving import prove_facts
from tests.storage.archiving.books import archived, order
from tests.storage.insight.shop import follower

NOT_TOLD = "What was sold in these months is not told yet"


async def test_what_is_not_told_yet_is_not_archived(books: Database, tmp_path: Path) -> None:
    """Of lines that are gone nobody could tell what was sold; once it is told they go."""
    ours = follower(books, lines_at_once=2)
    await ours.once()
    with pytest.raises(ArchiveRefused, match=NOT_TOLD):
        await archived(books, tmp_path / "archive")
    await ours.catch_up()
    before = await prove_facts(books)
    assert () == before.findings
    await run(books, order(tmp_path / "archive"), lambda _: None)
    for again in (False, True):
        if again:
            await ours.rebuild()
            await ours.catch_up()
        after = await prove_facts(books)
        assert ((), before.told, {}) == (after.findings, after.told, after.untold)


async def test_what_is_made_again_while_a_month_is_exported_is_not_archived(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export takes long; of facts that went meanwhile none would ever come again."""
    ours = follower(books)
    await ours.catch_up()
    before = await prove_facts(books)
    begin_behind = archive._begin_behind

    async def begin(db: Database, month: files.Month, wanted: Order) -> None:
        await ours.rebuild()
        await ours.once()
        await begin_behind(db, month, wanted)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(archive, "_begin_behind", begin)
        with pytest.raises(ArchiveRefused, match=NOT_TOLD):
            await archived(books, tmp_path / "archive")
    await ours.catch_up()
    await archived(books, tmp_path / "archive")
    after = await prove_facts(books)
    assert ((), before.told, {}) == (after.findings, after.told, after.untold)


@pytest.mark.slow_on_postgres
async def test_what_shall_be_made_again_is_not_told(books: Database, tmp_path: Path) -> None:
    """Also while all that was told is still there."""
    ours = follower(books)
    await ours.catch_up()
    await ours.rebuild()
    with pytest.raises(ArchiveRefused, match=NOT_TOLD):
        await archived(books, tmp_path / "archive")
