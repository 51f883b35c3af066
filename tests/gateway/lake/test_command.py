"""``vendgate lake``: what an operator sees, and what scripts may rely on."""

import asyncio
import importlib.util
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from storage.database.engine import Database, StorageConfig
from storage.lake import compacting
from storage.lake.duck import LakeError
from tests.alipay_client.wire import Pair
from tests.storage.insight.shop import follower, sold
from tests.support import installed, upgraded

pytest.importorskip("duckdb")


@pytest.fixture
def config(tmp_path: Path, pair: Pair) -> str:
    """A configuration whose database has two machines that sold for 10.00 each, which is told."""
    path = tmp_path / "vendgate.db"
    upgraded.make(f"sqlite:///{path}", partition_count=8)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await sold(database, "VM-1", "VM-2")
        await follower(database).catch_up()
        await database.close()

    asyncio.run(write())
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]
    tables["lake"] = {"folder": str(tmp_path / "lake")}
    return installed.write(tmp_path, tables)


def run(config: str, *arguments: str) -> Result:
    """Call it."""
    command = ["lake", *arguments, "--config", config]
    return CliRunner().invoke(cli.app, command, env={"COLUMNS": "140"})


def _sql(config: str, statement: str) -> None:
    with sqlite3.connect(Path(config).parent / "vendgate.db") as connection:
        connection.execute(statement)
    connection.close()


def test_a_day_of_whoever_keeps_a_lake(config: str, tmp_path: Path) -> None:
    """Export, compact, cubes, verify, and a question; a second time nothing is to be done."""
    exported = run(config, "export")
    assert "4 facts were written; the lake is at position 26." in exported.stdout
    assert "0 facts were written" in run(config, "export").stdout
    assert "0 days were written anew" in run(config, "compact").stdout
    assert "cubes of 1 days" in run(config, "cubes").stdout
    verified = run(config, "verify")
    assert (0, "Each fact is there once, and they add up to the ledger.") == (
        verified.exit_code,
        verified.stdout.splitlines()[-1],
    )
    listed = json.loads(run(config, "files", "--json").stdout)
    assert (26, 4) == (listed["position"], listed["files"][0]["rows"])
    assert listed["files"][0]["path"] == run(config, "files").stdout.strip()
    days = ("--from", "20260101", "--to", "20260101")
    answer = run(config, "ask", "product", *days)
    head, line = answer.stdout.splitlines()
    assert head.startswith("key,currency,units,sales_minor,units_before,sales_minor_before,")
    assert "cola,HKD,4,2000,0,0" + 8 * ",0" == line
    assert "complete up to position 26" in answer.stderr
    assert 0 == run(config, "ask", "day", *days, "--out", str(tmp_path / "a.csv")).exit_code
    assert "20260101,HKD,4,2000,0,0" in (tmp_path / "a.csv").read_text()


def test_what_is_wrong_is_a_sentence_and_a_status(config: str) -> None:
    """Files that went, words that are none, days that are none; and it can be mended."""
    assert 0 == run(config, "export").exit_code
    path = Path(run(config, "files").stdout.strip())
    path.unlink()
    wrong = run(config, "verify")
    assert (1, True) == (wrong.exit_code, "is not there" in wrong.stdout)
    days = ("--from", "20260101", "--to", "20260101")
    for arguments, said in (
        (("colour", *days), "'colour' is none of day, hour"),
        (("day", "--from", "20260230", "--to", "20260301"), "write days like 20260131"),
        (("day", *days, "--district", "pire"), "There is no district 'pire'."),
        (("day", *days), "DuckDB cannot do it"),
    ):
        refused = run(config, "ask", *arguments)
        assert (1, True) == (refused.exit_code, said in refused.stderr), refused.stderr
    assert 0 == run(config, "export", "--again").exit_code
    assert 0 == run(config, "verify").exit_code
    _sql(config, "UPDATE followers SET made_until = 99 WHERE name = 'sales'")
    assert 2 == run(config, "verify").exit_code


def test_a_full_disk_gets_room_before_it_is_written_on(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody reads any more goes, although nothing can be compacted."""

    async def full(*_: object, **__: object) -> int:
        raise LakeError("no space left on the disk")

    assert 0 == run(config, "export").exit_code
    (old,) = (tmp_path / "lake" / "sales").rglob("*.parquet")
    assert 0 == run(config, "export", "--again").exit_code
    monkeypatch.setattr(compacting, "compact", full)
    assert 1 == run(config, "compact", "--keep-minutes", "0").exit_code
    assert not old.exists()
    assert 0 == run(config, "verify").exit_code


def test_without_duckdb_it_says_what_to_install(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else of the program needs it."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "duckdb" else found(name)
    )
    refused = run(config, "export")
    assert 1 == refused.exit_code
    assert "pip install 'vendgate[lake]'" in refused.stderr
