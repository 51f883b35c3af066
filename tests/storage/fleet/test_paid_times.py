"""The last time that Alipay named is told from the newest notifications."""

from typing import Any

from sqlalchemy import insert

from actors.machine.events import TopUpPaid
from actors.machine.ids import Currency, TradeId
from storage import codec
from storage.database.engine import Database
from storage.fleet import paid_times
from storage.fleet.paid_times import newest_paid_ms
from storage.tables import inbox

YEAR_MS = 365 * 86_400_000


def _row(number: int, event: Any) -> dict[str, Any]:
    return {
        "cause": f"c{number}",
        "kind": "PAID",
        "machine_id": "VM-1",
        "partition": 0,
        "trade_id": f"t{number}",
        "told_sha256": "",
        # By the clock of a gateway that is a year ahead.
        "received_at_ms": number + YEAR_MS,
        "event": event,
        "fields": "[]",
    }


def _paid(at_ms: int | None) -> Any:
    return codec.encode_event(
        TopUpPaid(
            trade_id=TradeId("t"),
            partner_trans_id="p",
            amount_minor=5,
            currency=Currency("HKD"),
            paid_at_ms=at_ms,
        )
    )


async def test_it_is_told_by_no_clock_of_ours(db: Database) -> None:
    """Not when a notification came; nor one that says no time, is for nobody, or cannot be read."""
    assert await newest_paid_ms(db) is None
    events = [_paid(500), _paid(700), _paid(600), _paid(None), None, '["OfANewerProgram"]']
    rows = [_row(number, event) for number, event in enumerate(events)]
    await db.write(lambda connection: connection.execute(insert(inbox), rows))
    assert 700 == await newest_paid_ms(db)


async def test_few_are_looked_at(db: Database, monkeypatch: Any) -> None:
    """The newest ones, along their ids."""
    monkeypatch.setattr(paid_times, "_NEWEST", paid_times._NEWEST.limit(2))
    rows = [_row(number, _paid(at_ms)) for number, at_ms in enumerate([900, 500, None])]
    await db.write(lambda connection: connection.execute(insert(inbox), rows))
    assert 500 == await newest_paid_ms(db)
