"""The last time that Alipay named is told from the newest notifications."""

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.fleet import paid_times
from storage.fleet.paid_times import newest_paid_ms
from storage.tables import inbox
from tests.support.told_payments import paid, told_payment

YEAR_MS = 365 * 86_400_000


async def test_it_is_told_by_no_clock_of_ours(db: Database) -> None:
    """Not when a notification came, to a gateway that is a year ahead; nor by one that says no
    time, is for nobody, or cannot be read.
    """
    assert await newest_paid_ms(db) is None
    events = [paid(500), paid(700), paid(600), paid(None), None, '["OfANewerProgram"]']
    rows = [told_payment(number, event, YEAR_MS) for number, event in enumerate(events)]
    await db.write(lambda connection: connection.execute(insert(inbox), rows))
    assert 700 == await newest_paid_ms(db)


async def test_few_are_looked_at(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest ones, along their ids."""
    monkeypatch.setattr(paid_times, "_NEWEST", paid_times._NEWEST.limit(2))
    rows = [told_payment(number, paid(at_ms)) for number, at_ms in enumerate([900, 500, None])]
    await db.write(lambda connection: connection.execute(insert(inbox), rows))
    assert 500 == await newest_paid_ms(db)
