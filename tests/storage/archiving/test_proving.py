"""The whole history as one: what was archived and what is in the database."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from storage.archiving import archive
from storage.archiving.files import MANIFEST, ArchiveRefused, read_month
from storage.archiving.proving import with_archive
from storage.database.engine import Database
from tests.storage.archiving.books import archived, audited


@pytest.mark.slow_on_postgres
async def test_all_there_ever_was_is_looked_at(books: Database, tmp_path: Path) -> None:
    """As many lines and transfers as before anything was archived."""
    before = await audited(books)
    folder = tmp_path / "archive"
    await archived(books, folder)
    after = await audited(books, with_archive(folder))
    assert () == after.sentences
    more = {
        check.name: check.looked_at - earlier.looked_at
        for check, earlier in zip(after.checks, before.checks, strict=True)
        if check.looked_at != earlier.looked_at
    }
    # The archive's own rows of audit, one for each month.
    assert {"audit_rows_are_as_written": 2, "no_buyer_is_named": 2} == more


@pytest.mark.slow_on_postgres
async def test_a_month_that_is_missing_is_told(books: Database, tmp_path: Path) -> None:
    """Another folder, or one without the last month."""
    await archived(books, tmp_path / "archive")
    (tmp_path / "other").mkdir()
    with pytest.raises(ArchiveRefused, match="its months are 2026-01, 2026-02"):
        await audited(books, with_archive(tmp_path / "other"))
    (tmp_path / "archive" / "2026-02" / MANIFEST).unlink()
    with pytest.raises(ArchiveRefused, match="its months are 2026-01, 2026-02"):
        await audited(books, with_archive(tmp_path / "archive"))


@pytest.mark.slow_on_postgres
async def test_a_folder_that_is_not_there_proves_nothing(sound: Database, tmp_path: Path) -> None:
    """Nor does a file, nor a folder when nothing of these books was ever archived."""
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(ArchiveRefused, match=f"{name} is no folder that is there"):
            with_archive(tmp_path / name)
    with pytest.raises(ArchiveRefused, match="Nothing was archived of this database"):
        await audited(sound, with_archive(tmp_path))


@pytest.mark.slow_on_postgres
async def test_a_month_that_was_written_before_a_kill_counts_once(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines are in the database still, and are proved there."""
    folder = tmp_path / "archive"
    await archived(books, folder, "2026-02")

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(archive, "_begin_behind", killed)
        with pytest.raises(KeyboardInterrupt):
            await archived(books, folder)
    assert (folder / "2026-02" / MANIFEST).exists()
    assert () == (await audited(books, with_archive(folder))).sentences


@pytest.mark.slow_on_postgres
async def test_a_line_that_was_changed_is_found_even_with_new_hashes(
    books: Database, tmp_path: Path
) -> None:
    """Whoever makes the manifests anew as well is found by the hash that the database keeps."""
    folder = tmp_path / "archive"
    await archived(books, folder, "2026-02")
    month = read_month(folder / "2026-01")
    path = month.folder / "transfers.jsonl.gz"
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    lines[0]["amount_minor"] += 1
    path.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in lines).encode()))
    with pytest.raises(ArchiveRefused, match=r"transfers.jsonl.gz was changed"):
        await audited(books, with_archive(folder))
    raw = path.read_bytes()
    manifest = month.folder / MANIFEST
    (was,) = [file for file in month.manifest.files if file.name == path.name]
    new = hashlib.sha256(raw).hexdigest()
    manifest.write_text(manifest.read_text().replace(was.sha256, new))
    with pytest.raises(ArchiveRefused, match="or not as it was"):
        await audited(books, with_archive(folder))
