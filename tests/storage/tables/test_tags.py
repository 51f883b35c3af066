"""The database holds no rule that cannot be, and no tag twice."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import payer_tags, tag_districts, tag_rules, tag_sales, tag_sums
from tests.storage.tables.refused import refused, taken

RULE: dict[str, Any] = {
    "tag": "NEW",
    "version": 1,
    "rule": "{}",
    "purchases_min": 1,
    "currency": "",
    "author": "ann",
    "reason": "x",
    "created_at_ms": 1,
}
HAD = {"payer_id": "p1", "tag": "NEW", "run_id": 1, "version": 1, "since_d": 20260101}


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("change", [{"version": 0}, {"purchases_min": 0}], ids=str)
async def test_a_rule_has_a_version_and_evidence(db: Database, change: dict[str, int]) -> None:
    """And each version stands once."""
    await refused(db, tag_rules, RULE | change)
    await taken(db, tag_rules, RULE)
    await refused(db, tag_rules, RULE)


@pytest.mark.slow_on_postgres
async def test_a_run_gives_a_tag_once(db: Database) -> None:
    """Another run may give it again."""
    await taken(db, payer_tags, HAD)
    await refused(db, payer_tags, HAD)
    await taken(db, payer_tags, HAD | {"run_id": 2})


@pytest.mark.slow_on_postgres
async def test_a_tag_comes_to_one_thing(db: Database) -> None:
    """Each district and each currency is there once."""
    amounts = dict.fromkeys(("payers", "units", "sales_minor", "units_step", "sales_step"), 10)
    for table, row in (
        (tag_sums, {"tag": "NEW", "run_id": 1, "d": 20260101}),
        (tag_districts, {"tag": "NEW", "district": "", "payers": 10}),
        (tag_sales, {"tag": "NEW", "currency": "HKD", **amounts}),
    ):
        await taken(db, table, row)
        await refused(db, table, row)
