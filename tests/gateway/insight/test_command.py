"""``vendgate insight``: what an operator sees, and what scripts may rely on."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from storage.database.engine import Database, StorageConfig
from tests.alipay_client.wire import Pair
from tests.storage.insight.shop import sold
from tests.support import installed, upgraded


@pytest.fixture
def config(tmp_path: Path, pair: Pair) -> str:
    """A configuration whose database has two machines that sold for 10.00 each."""
    path = tmp_path / "vendgate.db"
    upgraded.make(f"sqlite:///{path}", partition_count=8)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await sold(database, "VM-1", "VM-2")
        await database.close()

    asyncio.run(write())
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]
    return installed.write(tmp_path, tables)


def run(config: str, *arguments: str) -> Result:
    """Call it."""
    command = ["insight", arguments[0], "--config", config, *arguments[1:]]
    return CliRunner().invoke(cli.app, command, env={"COLUMNS": "140"})


def _sql(config: str, statement: str) -> None:
    with sqlite3.connect(Path(config).parent / "vendgate.db") as connection:
        connection.execute(statement)
    connection.close()


def test_the_books_are_followed_proved_and_made_again(config: str) -> None:
    """Before anybody followed nothing is told and nothing is wrong; afterwards all is."""
    before = run(config, "verify")
    assert (0, "0 facts, up to position 0.") == (before.exit_code, before.stdout.splitlines()[0])
    followed = run(config, "follow", "--once")
    assert 0 == followed.exit_code, followed.output
    assert "All is told up to position 26." in followed.stdout
    for again in (False, True):
        if again:
            assert 0 == run(config, "rebuild").exit_code
        proved = run(config, "verify")
        assert (
            0,
            (
                "4 facts, up to position 26.\nHKD: 2000 minor units of sales.\nWhat is told is "
                "what the ledger says.\n"
            ),
        ) == (proved.exit_code, proved.stdout)
    told = json.loads(run(config, "verify", "--json").stdout)
    assert (26, {"HKD": 2000}, []) == (told["position"], told["told"], told["findings"])


def test_a_cent_that_is_wrong_is_told_with_what_to_do(config: str) -> None:
    """And rebuilding mends it."""
    run(config, "follow", "--once")
    _sql(config, "UPDATE sale_facts SET sales_minor = 499 WHERE machine_id = 'VM-2' AND line = 0")
    wrong = run(config, "verify")
    assert 1 == wrong.exit_code
    assert "WRONG: machine VM-2 has sold for 1000 HKD minor units by the ledger" in wrong.stdout
    assert "'vendgate insight rebuild' mends it." in wrong.stdout
    assert 0 == run(config, "rebuild").exit_code
    assert 0 == run(config, "verify").exit_code


def test_who_follows_already_is_named(config: str) -> None:
    """It goes on, and nothing is to be done."""
    run(config, "follow", "--once")
    _sql(config, "UPDATE followers SET holder = 'gw-7'")
    refused = run(config, "follow", "--once")
    assert 1 == refused.exit_code
    assert "gw-7 follows the books already, and is at position 26, 0 lines" in refused.stdout


def test_what_cannot_be_made_again_is_not_lost_unasked(config: str) -> None:
    """Archived months have no lines to make funnels of."""
    run(config, "follow", "--once")
    _sql(config, "INSERT INTO starts VALUES ('VM-1', 2, '', 1, 0, '{}', '{}')")
    refused = run(config, "rebuild")
    assert 1 == refused.exit_code
    assert "Months of 1 machines were archived" in refused.stdout
    assert 0 == run(config, "rebuild", "--lose-archived").exit_code
