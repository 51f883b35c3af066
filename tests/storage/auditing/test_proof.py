"""A sound database is clean, and no single statement can spoil it unseen: each check is shown to
fail, alone where that is possible.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.auditing import CHECKS, prove
from storage.database.engine import Database, StorageConfig
from tests.storage.auditing.books import NOW_MS, audited, broken, damage, write_sound_books
from tests.storage.auditing.damages import DAMAGES, Damage


@pytest.fixture(scope="module")
def sound_file(upgraded_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with sound books, to be copied."""
    path = tmp_path_factory.mktemp("sound") / "vendgate.db"
    shutil.copy(upgraded_file, path)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await write_sound_books(database)
        await database.close()

    asyncio.run(write())
    return path


@pytest.fixture
def spoilt(sound_file: Path, tmp_path: Path) -> Callable[..., str]:
    """Copy the sound file, damage the copy, and return its URL."""

    def spoil(*statements: str) -> str:
        path = tmp_path / "spoilt.db"
        shutil.copy(sound_file, path)
        damage(path, *statements)
        return f"sqlite:///{path}"

    return spoil


async def test_sound_books_are_clean(db: Database, url: str) -> None:
    """On SQLite and on PostgreSQL, with customers in the middle of something; each check has looked
    at something.
    """
    await write_sound_books(db)
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


@pytest.mark.parametrize(
    "one", DAMAGES, ids=[f"{one.check}-{number}" for number, one in enumerate(DAMAGES)]
)
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """Whoever changes the file by one statement is seen by the check that it is for, and the
    sentence says what and how much.
    """
    audit = await audited(spoilt(one.sql))
    assert one.seen_by == set(broken(audit)), audit.sentences
    assert [
        said
        for said in audit.sentences
        if said.startswith(f"{one.check}: ") and one.sentence in said
    ], audit.sentences


def test_each_check_is_shown_to_fail() -> None:
    """No check is a decoration."""
    assert {look.__name__ for look in CHECKS} == {one.check for one in DAMAGES}


async def test_what_takes_too_long_is_a_warning(spoilt: Callable[..., str]) -> None:
    """A refund open for a day, a notification that waits for a minute, a doubt past its deadline:
    told, and not a finding.
    """
    statement = (
        "UPDATE inbox SET taken_at_ms = NULL, taken_version = NULL WHERE cause = 'refund:VM-2-t2R1'"
    )
    audit = await audited(spoilt(statement), now_ms=NOW_MS + 24 * 3_600_000)
    assert audit.clean, audit.sentences
    first, second = (warning.sentence for warning in audit.warnings)
    assert first.startswith(
        "refund VM-1-t3R1 of 1000 HKD has been open for 25 hours: UNKNOWN time-out"
    )
    assert second.startswith("notification refund:VM-2-t2R1 of machine VM-2 has waited for")


async def test_findings_have_a_bound(spoilt: Callable[..., str]) -> None:
    """A file that is wrong in every row is told of in 100 sentences, and the audit says that
    there are more.
    """
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO vends SELECT 'x' || i, machine_id, session_id, request_id, \"column\", "
        "product, price_minor, currency, status,"
        " reason, requested_at_ms, ended_at_ms, evidence FROM vends, n WHERE vend_id = 'VM-1-v1'"
    )
    (check,) = [
        check
        for check in (await audited(spoilt(many))).checks
        if check.name == "approvals_are_reserved"
    ]
    assert 100 == len(check.findings)
    assert check.more


async def test_the_audit_is_one_json_object(spoilt: Callable[..., str]) -> None:
    """Findings name what they are about and the amounts; what is not known is left out."""
    audit = await audited(spoilt("UPDATE vends SET price_minor = 600 WHERE vend_id = 'VM-1-v1'"))
    told = json.loads(json.dumps(audit.as_json()))
    (finding,) = [finding for check in told["checks"] for finding in check["findings"]]
    assert not told["clean"]
    assert ("VM-1", "VM-1-v1", "HKD") == (
        finding["machine_id"],
        finding["vend_id"],
        finding["currency"],
    )
    assert {"price_minor": 600, "reserved_minor": 500} == finding["amounts"]
    assert "refund_id" not in finding
    assert ["HKD", "JPY"] == [balance["currency"] for balance in told["balances"]]


async def test_the_operators_own_id_is_no_buyers(sound_file: Path) -> None:
    """What looks like a buyer's id and is the partner id may stand in an administrator's words."""
    database = await Database.open(StorageConfig(url=f"sqlite:///{sound_file}", read_only=True))
    audit = await prove(database, now_ms=NOW_MS, own_ids={"2088000000000001"})
    await database.close()
    assert audit.clean
