"""The command ``vendgate trust token``."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.machine.ids import Currency, MachineId
from actors.machine.policy import Policy
from gateway.cli import app
from gateway.trust import installation, token_command
from gateway.trust.enrolment_tokens import EnrolmentToken
from storage.database.engine import Database, StorageConfig
from storage.fleet.joining import NewMachine
from storage.fleet.registry import Registry
from storage.office.enrolment_tokens import EnrolmentTokens
from tests.support import upgraded
from tests.support.site import COLUMNS


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A developer's installation with VM-1 in it."""
    path, _ = installation.make(tmp_path, now=dt.datetime.now(dt.UTC))
    url = f"sqlite:///{tmp_path / 'vendgate.db'}"
    upgraded.make(url, partition_count=8)
    new = NewMachine(
        machine_id=MachineId("VM-1"),
        store_name="Lobby",
        currency=Currency("HKD"),
        country_code="HK",
        address="1 Queen's Road",
        columns=COLUMNS,
    )

    async def register() -> None:
        database = await Database.open(StorageConfig(url=url))
        await Registry(database, Policy()).register(new, actor="test", now_ms=1)
        await database.close()

    asyncio.run(register())
    return path


def test_it_prints_what_the_technician_takes_along(config: Path) -> None:
    """As text; the code is drawn on a terminal alone. A file with it is its owner's."""
    out = config.parent / "VM-1.token"
    out.write_text("of yesterday")
    call = ["trust", "token", "VM-1", "--config", str(config), "--by", "ann", "--out", str(out)]
    said = CliRunner().invoke(app, call)
    assert 0 == said.exit_code, said.stderr
    told = dict(line.split(maxsplit=1) for line in said.stdout.splitlines())
    assert {"machine": "VM-1", "address": "127.0.0.1:7446"} == {
        name: told[name] for name in ("machine", "address")
    }
    token = EnrolmentToken.read(told["token"])
    assert token is not None
    assert f"{told['token']}\n" == out.read_text()
    assert 0o600 == out.stat().st_mode & 0o777

    async def opened() -> str:
        url = f"sqlite:///{config.parent / 'vendgate.db'}"
        database = await Database.open(StorageConfig(url=url))
        try:
            return await EnrolmentTokens(database).open(token.token_id, token.secret, now_ms=1)
        finally:
            await database.close()

    assert "VM-1" == asyncio.run(opened())


def test_it_says_why_not(config: Path) -> None:
    """For a machine that is not there, and where nobody would take the token."""
    call = ["trust", "token", "VM-9", "--config", str(config)]
    said = CliRunner().invoke(app, call)
    assert (2, True) == (said.exit_code, "There is no machine VM-9" in said.stderr)
    config.write_text(config.read_text().replace("enabled = true", "enabled = false"))
    said = CliRunner().invoke(app, call)
    assert (2, True) == (said.exit_code, token_command.OFF in said.stderr)
