"""The database holds no redemption twice, and none of nothing."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import voucher_redemptions
from tests.storage.tables.refused import refused, taken

REDEEMED: dict[str, Any] = {
    "key": "1" * 64,
    "kind": "REDEEMED",
    "template": "T1",
    "trade_id": "",
    "machine_id": "",
    "d": 0,
    "currency": "HKD",
    "order_minor": 0,
    "voucher_minor": 1,
}


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    "change", [{"kind": "LOST"}, {"order_minor": -1}, {"voucher_minor": 0}], ids=str
)
async def test_a_redemption_is_of_something(db: Database, change: dict[str, Any]) -> None:
    """And stands once."""
    await refused(db, voucher_redemptions, REDEEMED | change)
    await taken(db, voucher_redemptions, REDEEMED)
    await refused(db, voucher_redemptions, REDEEMED)
