"""Whether selectors hold one machine, as the query for all their machines tells it."""

import pytest
from sqlalchemy import Connection

from storage.database.engine import Database
from storage.office.matching import known_of
from storage.office.selectors import Selector, machines_of
from tests.storage.office.places import NOON_MS
from tests.storage.office.selected import NAMES, fleet

SELECTORS = (
    Selector(),
    Selector(all=True),
    Selector(machine_ids=("VM-1", "VM-6")),
    Selector(machine_ids=("VM-1", "VM-2"), site="hall"),
    Selector(district="hk"),
    Selector(district="kln"),
    Selector(district="nt"),
    Selector(site="pier"),
    Selector(site_type="SHOP"),
    Selector(site_type="SHOP", district="nt"),
    Selector(model="Snack 40"),
    Selector(labels={"route": "7"}),
    Selector(labels={"route": "8"}, site="hall"),
    Selector(labels={"route": "7", "floor": "2"}),
    Selector(model="Snack 40", site="pier", labels={"route": "7"}),
)


async def test_a_machine_is_held_by_what_the_query_would_find_it_by(db: Database) -> None:
    """Before, while and after one of them moves; who is retired or unknown is held by none."""
    await fleet(db)

    def work(connection: Connection) -> int:
        held = 0
        for now_ms in (NOON_MS - 10**10, NOON_MS, NOON_MS + 10**10):
            for selector in SELECTORS:
                wanted: set[str] = {*connection.scalars(machines_of(selector, now_ms))}
                known = {one: known_of(connection, one, now_ms) for one in (*NAMES, "VM-99")}
                found = {one for one, of in known.items() if of and of.is_held_by(selector)}
                assert wanted == found, (selector, now_ms)
                held += len(found)
        return held

    assert await db.read(work) > len(SELECTORS)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("selector", SELECTORS[2:])
async def test_what_holds_some_does_not_hold_all(db: Database, selector: Selector) -> None:
    """No condition is left out: each of these leaves out somebody who is there."""
    await fleet(db)

    def work(connection: Connection) -> list[bool]:
        known = [known_of(connection, one, NOON_MS) for one in NAMES[:5]]
        return [of is not None and of.is_held_by(selector) for of in known]

    assert not all(await db.read(work))
