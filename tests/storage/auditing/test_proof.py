"""A sound database is clean, and each check is shown to fail, in the test file of its subject."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.auditing import CHECKS, Finding, proof, prove
from storage.auditing.reading import Books
from storage.database.engine import Database, StorageConfig
from storage.fleet.totals_keeper import TotalsKeeper
from storage.tables import machines
from tests.storage.auditing import (
    test_goods,
    test_inbox,
    test_journal,
    test_ledger,
    test_offers,
    test_privacy,
    test_sealing,
    test_states,
    test_trades,
    test_vends,
)
from tests.storage.auditing.books import MACHINES, NOW_MS, audited, write_sound_books
from tests.support.proven import prove_file

DAMAGES = (
    *test_goods.DAMAGES,
    *test_inbox.DAMAGES,
    *test_journal.DAMAGES,
    *test_ledger.DAMAGES,
    *test_offers.DAMAGES,
    *test_privacy.DAMAGES,
    *test_sealing.DAMAGES,
    *test_states.DAMAGES,
    *test_trades.DAMAGES,
    *test_vends.DAMAGES,
)


async def test_sound_books_are_clean(db: Database, url: str) -> None:
    """On SQLite and on PostgreSQL, with customers in the middle of something; each check has looked
    at something.
    """
    await write_sound_books(db)
    await TotalsKeeper(db=db).once()
    audit = await audited(url)
    assert () == audit.sentences
    assert audit.clean
    assert [] == [check.name for check in audit.checks if check.looked_at == 0]
    assert len(CHECKS) == len(audit.checks)
    assert () == audit.warnings


async def test_an_empty_database_is_clean(db: Database, url: str) -> None:
    """Nothing has happened, and nothing is wrong."""
    audit = await audited(url)
    assert audit.clean
    assert () == audit.balances


def test_each_check_is_shown_to_fail() -> None:
    """No check is a decoration: the test file of its subject has a damage for it."""
    assert {look.__name__ for look in CHECKS} == {one.check for one in DAMAGES}


@pytest.mark.slow_on_postgres
async def test_a_check_is_told_in_a_whole_sentence(db: Database, url: str) -> None:
    """However the source is wrapped, nobody reads half of what must be true."""
    assert [] == [
        check.truth
        for check in (await audited(url)).checks
        if not check.truth.endswith(".") or "\n" in check.truth
    ]


async def test_findings_have_a_bound(spoilt: Callable[..., str]) -> None:
    """A file that is wrong in every row is told of in 100 sentences, and the audit says that
    there are more.
    """
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO vends SELECT 'x' || i, machine_id, session_id, request_id, \"column\", "
        "product, price_minor, currency, status,"
        " reason, requested_at_ms, ended_at_ms, evidence, 0, ''"
        " FROM vends, n WHERE vend_id = 'VM-1-v1'"
    )
    (check,) = [
        check
        for check in (await audited(spoilt(many))).checks
        if check.name == "approvals_are_reserved"
    ]
    assert 100 == len(check.findings)
    assert check.more


async def test_the_operators_own_id_is_no_buyers(sound_file: Path) -> None:
    """What looks like a buyer's id and is the partner id may stand in an administrator's words."""
    database = await Database.open(StorageConfig(url=f"sqlite:///{sound_file}", read_only=True))
    audit = await prove(database, now_ms=NOW_MS, own_ids={"2088000000000001"})
    await database.close()
    assert audit.clean


def test_a_file_that_is_served_is_proved_in_one_moment(
    sound_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is saved between two checks is not seen by half of them; tests prove files while hosts
    still save that a machine has left.
    """
    path = Path(shutil.copy(sound_file, tmp_path / "served.db"))
    counted: list[int] = []

    def saves_in_between(books: Books) -> Iterator[int | Finding]:
        """Nothing changes."""
        counted.append(books.count(machines))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("PRAGMA foreign_keys = OFF")
            other.execute("DELETE FROM machines")
        counted.append(books.count(machines))
        yield 0

    monkeypatch.setattr(proof, "CHECKS", (saves_in_between,))
    prove_file(path, now_ms=NOW_MS)

    assert [len(MACHINES)] * 2 == counted
