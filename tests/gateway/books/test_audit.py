"""``vendgate audit``: what operators and scripts see, and what they may rely on."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from storage.books import chain
from storage.database.engine import Database, StorageConfig
from tests.alipay_client.wire import Pair
from tests.storage.auditing.books import damage, write_sound_books
from tests.support import installed, upgraded


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with sound books, to be copied."""
    path = tmp_path_factory.mktemp("books") / "vendgate.db"
    upgraded.make(f"sqlite:///{path}", partition_count=8)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await write_sound_books(database)
        await database.close()

    asyncio.run(write())
    return path


@pytest.fixture
def config(tmp_path: Path, pair: Pair, sound_file: Path) -> str:
    """A configuration whose database is a copy of it; nothing but the database's settings has to be
    right.
    """
    shutil.copy(sound_file, tmp_path / "vendgate.db")
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]
    return installed.write(tmp_path, tables)


def _audit(config: str, *options: str) -> Result:
    return CliRunner().invoke(
        cli.app, ["audit", "--config", config, *options], env={"COLUMNS": "140"}
    )


def test_clean_books_are_a_table_and_status_0(config: str) -> None:
    """Each check is a line with its sentence and how much it looked at; the balances are told; the
    last line says it all.
    """
    result = _audit(config)
    assert 0 == result.exit_code, result.output
    # Whoever forgets --config sees it.
    assert result.stdout.splitlines()[0].startswith("The books in sqlite:///")
    assert "The balances of each machine, day and account are what its transfers" in result.stdout
    assert (
        "HKD: in 6700 = sold 1450 + refunded 2550 + held 1000 + due back 1000 + refunds written "
        "off 700 - goods written off 0 (minor units)"
    ) in result.stdout
    assert result.stdout.endswith("The books are clean: 35 checks hold.\n")


def test_findings_are_sentences_and_status_1(config: str, tmp_path: Path) -> None:
    """One line each, with the name of its check; what stands in the database is printed as it
    is.
    """
    damage(
        tmp_path / "vendgate.db",
        "UPDATE vends SET price_minor = 600, reason = '[red]x' WHERE vend_id = 'VM-1-v1'",
    )
    result = _audit(config)
    assert 1 == result.exit_code
    assert (
        "approvals_are_reserved: vend VM-1-v1 of 600 HKD is SUCCEEDED [red]x; the ledger "
        "reserved 500 for it (machine VM-1)"
    ) in result.stdout.splitlines()
    assert result.stdout.endswith("1 of 35 checks found something.\n")


def test_warnings_are_no_findings(config: str) -> None:
    """The refund of long ago is told of, and the status is 0."""
    result = _audit(config)
    assert 0 == result.exit_code
    assert "refund VM-1-t3R1_1000 of 1000 HKD has been open for" in result.stdout


def test_json_is_one_object(config: str, tmp_path: Path) -> None:
    """For scripts; the status says the same."""
    assert json.loads(_audit(config, "--json").stdout)["clean"]
    damage(tmp_path / "vendgate.db", "DELETE FROM vends WHERE vend_id = 'VM-1-v3'")
    result = _audit(config, "--json")
    told = json.loads(result.stdout)
    assert (1, False) == (result.exit_code, told["clean"])
    assert ["nothing_was_taken_out"] == [
        check["name"] for check in told["checks"] if not check["holds"]
    ]


def test_rows_without_digests_are_counted(config: str, tmp_path: Path) -> None:
    """Those from before there were digests are no finding; how many there are is told."""
    assert {"journal_lines": 0, "audit_rows": 0} == json.loads(_audit(config, "--json").stdout)[
        "unsealed"
    ]
    damage(
        tmp_path / "vendgate.db",
        *(f"UPDATE {table} SET digest = ''" for table in ("journal", "machine_states", "audit")),
    )
    damage(tmp_path / "vendgate.db", "UPDATE installation SET audit_digest = ''")
    result = _audit(config)
    assert 0 == result.exit_code, result.output
    assert (
        "Not sealed, because from before there were digests: 55 lines of journals, 6 rows of "
        "audit\n"
    ) in result.stdout


def test_seals_are_written_once_and_checked(config: str, tmp_path: Path) -> None:
    """A file of them, one line each; it is never overwritten, and what was sealed is checked as one
    more check.
    """
    path = tmp_path / "seals"
    written = _audit(config, "--write-seals", str(path))
    assert 0 == written.exit_code, written.output
    assert f"5 seals are in {path}: keep it on another machine.\n" == written.stderr
    assert ["vendgate", "machine", "machine", "machine", "machine", "audit"] == [
        line.split()[0] for line in path.read_text().splitlines()
    ]
    before = path.read_text()
    again = _audit(config, "--write-seals", str(path))
    assert (2, f"{path} exists, and seals are never overwritten: name another file.\n") == (
        again.exit_code,
        again.stderr,
    )
    assert before == path.read_text()
    checked = _audit(config, "--check-seals", str(path))
    assert 0 == checked.exit_code, checked.output
    assert checked.stdout.endswith("The books are clean: 35 checks hold.\n")


def test_an_audit_begins_behind_the_last_seals(config: str, tmp_path: Path) -> None:
    """It says since when, and looks at all there is if it is told to; an audit that found anything
    leaves no seals.
    """
    said = "Looked at all that is in the database."
    assert said in _audit(config).stdout
    assert 0 == _audit(config, "--write-seals", str(tmp_path / "seals")).exit_code
    since = _audit(config)
    assert "Looked at what is behind the seals of 20" in since.stdout
    assert since.stdout.endswith("The books are clean: 34 checks hold.\n")
    assert said in _audit(config, "--whole").stdout
    looked = [
        sum(check["looked_at"] for check in json.loads(_audit(config, *how).stdout)["checks"])
        for how in (["--json"], ["--json", "--whole"])
    ]
    assert looked[0] < looked[1] / 2


def test_a_seal_that_was_changed_is_found_and_taken_anew(config: str, tmp_path: Path) -> None:
    """By a clean audit of all there is, as the finding says."""
    assert 0 == _audit(config, "--write-seals", str(tmp_path / "seals")).exit_code
    damage(tmp_path / "vendgate.db", "UPDATE seals SET digest = 'aa' WHERE machine_id = 'VM-1'")
    said = _audit(config)
    assert 1 == said.exit_code
    assert "the seal that the database keeps of line 20 of machine VM-1 was changed" in said.stdout
    assert said.stdout.endswith("1 of 34 checks found something.\n")
    assert 0 == _audit(config, "--whole", "--write-seals", str(tmp_path / "anew")).exit_code
    again = _audit(config)
    assert "Looked at what is behind the seals of 20" in again.stdout
    assert 0 == again.exit_code


def test_books_with_findings_are_not_remembered_as_whole(config: str, tmp_path: Path) -> None:
    """The file of seals is written, because the chains hold; the next audit looks at all again."""
    damage(tmp_path / "vendgate.db", "DELETE FROM vends WHERE vend_id = 'VM-1-v3'")
    assert 1 == _audit(config, "--write-seals", str(tmp_path / "seals")).exit_code
    assert None is json.loads(_audit(config, "--json").stdout)["since_ms"]


def test_a_broken_seal_is_a_finding(config: str, tmp_path: Path) -> None:
    """Whoever has made the digests of audit anew is found, and no new seals are given for it."""
    path, newer = tmp_path / "seals", tmp_path / "newer"
    assert 0 == _audit(config, "--write-seals", str(path)).exit_code
    digest = chain.digest("", chain.audit_content((1, "eve", "enable", "VM-1", "")))
    act = (
        "INSERT INTO audit (at_ms, actor, action, machine_id, detail, digest) VALUES (1, 'eve', "
        f"'enable', 'VM-1', '', '{digest}')"
    )
    damage(
        tmp_path / "vendgate.db",
        "DELETE FROM audit",
        act,
        f"UPDATE installation SET audit_digest = '{digest}'",
    )
    assert 0 == _audit(config, "--whole").exit_code
    seals = ("--check-seals", str(path), "--write-seals", str(newer))
    result = _audit(config, "--json", "--whole", *seals)
    assert (1, f"{newer} was not written: a chain is broken.\n") == (
        result.exit_code,
        result.stderr,
    )
    assert not newer.exists()
    (check,) = [check for check in json.loads(result.stdout)["checks"] if not check["holds"]]
    assert "sealed_digests_stand" == check["name"]
    assert "row 6 of audit was sealed with digest" in check["findings"][0]["sentence"]


def test_a_file_that_holds_no_seals_is_status_2(config: str, tmp_path: Path) -> None:
    """Before anything is read from the database."""
    result = _audit(config, "--check-seals", str(tmp_path / "none"))
    assert (2, "") == (result.exit_code, result.stdout)
    assert "cannot be read" in result.stderr
    nowhere = _audit(config, "--write-seals", str(tmp_path / "no" / "where"))
    assert 2 == nowhere.exit_code
    assert "cannot be written" in nowhere.stderr
    assert "The books are clean" in nowhere.stdout


def test_a_database_that_cannot_be_read_is_a_sentence_and_status_2(
    config: str, tmp_path: Path
) -> None:
    """None there, none of ours, none at all; and no file is made."""
    path = tmp_path / "vendgate.db"
    path.unlink()
    missing = _audit(config)
    assert (2, False) == (missing.exit_code, path.exists())
    assert f"There is no database {path}" in missing.stderr
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE t (x)")
    assert "vendgate db upgrade" in _audit(config).stderr
    path.write_bytes(b"this is no database" * 100)
    broken = _audit(config)
    assert (2, "") == (broken.exit_code, broken.stdout)
    assert "not a database" in broken.stderr


def test_the_file_is_not_written(config: str, tmp_path: Path) -> None:
    """Not even its header: a restored file keeps its journal mode and every byte."""
    path = tmp_path / "vendgate.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    assert 0 == _audit(config).exit_code
    assert before == path.read_bytes()


def test_a_live_database_is_audited_as_it_is_now(config: str, tmp_path: Path) -> None:
    """A writer in the middle of its transaction is not waited for, and what it has not committed is
    not seen.
    """
    with closing(sqlite3.connect(tmp_path / "vendgate.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM vends")
        assert 0 == _audit(config).exit_code
        writer.execute("ROLLBACK")
