"""The audit log as lines of JSON."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.books import audit_log
from gateway.process import settings
from storage.books import audit_rows
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from tests.alipay_client.wire import Pair
from tests.support import installed, upgraded


def _made(folder: Path, pair: Pair, *, details: list[str]) -> settings.Settings:
    """Return the settings of a database whose audit log has a row for each of ``details``."""
    made = settings.load(installed.write(folder, installed.good(folder, pair)))
    url = f"sqlite:///{folder}/vendgate.db"
    upgraded.make(url)

    async def acts() -> None:
        database = await Database.open(StorageConfig(url=url))
        for number, detail in enumerate(details):
            who = audit_rows.Actor(name="ann", claimed="ann", proven=f"spiffe://x/{number}")
            await Registry(database).audit(
                actor=who, action="SetStock", machine_id="VM-1", detail=detail, now_ms=number
            )
        await database.close()

    asyncio.run(acts())
    return made


def test_every_row_is_a_line_and_one_can_go_on(
    tmp_path: Path, pair: Pair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All columns by their names, oldest first, whatever the size of a page."""
    monkeypatch.setattr(audit_rows, "ROWS_AT_ONCE", 2)
    made = _made(tmp_path, pair, details=["é"] * 5)
    audit_log.export(made)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [0, 1, 2, 3, 4] == [line["at_ms"] for line in lines]
    assert ("ann", "spiffe://x/4", "DONE", "é") == tuple(
        lines[-1][name] for name in ("claimed", "proven", "outcome", "detail")
    )
    audit_log.export(made, after=lines[2]["id"])
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[3:] == again


def test_a_reason_commands_no_terminal_and_is_told_whole(
    tmp_path: Path, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not seen, turns a line around or moves a cursor is escaped, so that its digest can
    still be counted; other tongues are read as they are.
    """
    said = "退款 \u202e\u200b\x9b31m\x1b[2J\U000e0041 🍫"
    audit_log.export(_made(tmp_path, pair, details=[said]))
    out = capsys.readouterr().out
    assert out.removesuffix("\n").isprintable()
    assert "退款" in out
    assert "🍫" in out
    assert said == json.loads(out)["detail"]
