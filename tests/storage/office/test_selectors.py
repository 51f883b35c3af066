"""Which machines a selector holds, and what a page of them costs."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, text

from actors.machine.policy import PolicyOverrides
from storage import codec
from storage.database import dialects
from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office.selectors import Selector, Selectors, looked_at, machines_of
from storage.tables import (
    district_paths,
    districts,
    machine_labels,
    machine_profiles,
    machine_sites,
    machines,
    sites,
)
from tests.storage.office.places import NOON_MS
from tests.storage.office.selected import fleet

CASES: tuple[tuple[Selector, int, set[str]], ...] = (
    (Selector(), 0, set()),
    (Selector(all=True), 0, {"VM-1", "VM-2", "VM-3", "VM-4", "VM-5"}),
    (Selector(machine_ids=("VM-2", "VM-6")), 0, {"VM-2"}),
    (Selector(site="pier"), 0, {"VM-1", "VM-3"}),
    (Selector(site="pier"), 5, {"VM-1", "VM-3", "VM-4"}),
    (Selector(site="pier"), -5, set()),
    (Selector(district="hk"), 0, {"VM-1", "VM-2", "VM-3", "VM-4"}),
    (Selector(district="nt"), 0, {"VM-2", "VM-4"}),
    (Selector(district="nt"), 5, {"VM-2"}),
    (Selector(site_type="STATION"), 0, {"VM-1", "VM-2", "VM-3"}),
    (Selector(site_type="SHOP", district="hk"), 0, {"VM-4"}),
    (Selector(site_type="SHOP", district="kln"), 0, set()),
    (Selector(model="Snack 40"), 0, {"VM-1", "VM-5"}),
    (Selector(labels={"route": "7"}), 0, {"VM-1", "VM-5"}),
    (Selector(labels={"route": "7", "floor": "1"}), 0, set()),
    (Selector(labels={"route": "7"}, model="Snack 40", district="kln", all=True), 0, {"VM-1"}),
    (Selector(labels={"route": "7"}, machine_ids=("VM-2", "VM-5")), 0, {"VM-5"}),
)


async def test_all_that_is_given_must_hold(db: Database) -> None:
    """Asked whole and page by page it is the same; where a machine stands is asked for the
    moment; retired ones are in none, and nothing is meant if nothing is given.
    """
    await fleet(db)
    for selector, days, expected in CASES:
        now_ms = NOON_MS + days * DAY_MS
        whole = machines_of(selector, now_ms)
        assert expected == {row[0] for row in await db.read(partial(_rows, whole))}
        for limit in (1, 2, 100):
            found: list[str] = []
            position = ""
            while True:
                held = await Selectors(db).page(selector, now_ms, position=position, limit=limit)
                assert len(held.machine_ids) <= limit
                found += held.machine_ids
                position = held.position
                if not position:
                    break
            assert len(found) == len(set(found))
            assert (selector, expected) == (selector, set(found))


MANY = 12_000
SITES = 1_200


def _many(connection: Connection) -> None:
    """Fill a fleet of many machines: ten at each site, a hundred sites in each district, and all of
    them of one model, with one label.
    """
    columns = dict.fromkeys(("store_name", "country_code", "address", "overrides"), "")
    of_machines: list[dict[str, Any]] = [
        {
            **columns,
            "machine_id": f"VM-{number:06}",
            "partition": number % 8,
            "revision": 1,
            "currency": "HKD",
            "notify_token": f"token-{number}",
            "enabled": True,
            "mode": "BOTH",
            "planogram_version": 0,
            "registered_at_ms": 1,
            "overrides": codec.encode_overrides(PolicyOverrides()),
        }
        for number in range(MANY)
    ]
    connection.execute(insert(machines), of_machines)
    named = ["hk", *(f"d{number:02}" for number in range(SITES // 100))]
    times = {"revision": 1, "created_at_ms": 1, "updated_at_ms": 1}
    connection.execute(
        insert(districts),
        [
            {**times, "district": one, "name": one, "parent": None if one == "hk" else "hk"}
            for one in named
        ],
    )
    paths = [{"ancestor": one, "district": one, "depth": 0} for one in named]
    paths += [{"ancestor": "hk", "district": one, "depth": 1} for one in named[1:]]
    connection.execute(insert(district_paths), paths)
    texts = ("name", "type_word", "contact_name", "contact_phone", "contact_email", "address_lines")
    connection.execute(
        insert(sites),
        [
            {
                **times,
                **dict.fromkeys(texts, ""),
                "site": f"s{number:05}",
                "district": f"d{number // 100:02}",
                "site_type": "SHOP",
                "time_zone": "UTC",
            }
            for number in range(SITES)
        ],
    )
    connection.execute(
        insert(machine_sites),
        [
            {
                "machine_id": f"VM-{number:06}",
                "from_day": "2024-01-01",
                "site": f"s{number // 10:05}",
                "from_at_ms": 1,
                "until_at_ms": None,
            }
            for number in range(MANY)
        ],
    )
    names = [f"VM-{number:06}" for number in range(MANY)]
    labels = [{"machine_id": one, "label": "route", "value": "7"} for one in names]
    connection.execute(insert(machine_labels), labels)
    profile = {
        **dict.fromkeys(("serial", "set_by", "reason"), ""),
        "revision": 1,
        "model": "Snack 40",
        "maintenance": "IN_SERVICE",
        "was_enabled": False,
        "since_at_ms": None,
        "updated_at_ms": 1,
    }
    connection.execute(insert(machine_profiles), [{**profile, "machine_id": one} for one in names])


DEEP = (
    (Selector(all=True), "VM-006000"),
    (Selector(labels={"route": "7"}), "VM-006000"),
    (Selector(model="Snack 40"), "VM-006000"),
    (Selector(district="hk"), "d06 s00600 VM-006000"),
    (Selector(site_type="SHOP"), "s00600 VM-006000"),
    (Selector(site="s00600"), "VM-006000"),
    (Selector(district="hk", site_type="OFFICE", labels={"route": "7"}), "VM-006000"),
)
READ_WHOLE = tuple(
    f"{step} {table.name}"
    for table in (machines, machine_sites, sites, machine_labels, machine_profiles)
    for step in ("SCAN", "Seq Scan on")
)


async def test_a_page_costs_the_same_in_a_large_fleet(db: Database) -> None:
    """In the middle of it every selector goes along an index, and what it reads is bounded: no
    table is read whole, whatever the database. The plans are those of a fleet of 12,000, which are
    those of any larger one.
    """
    await db.write(_many)
    if db.dialect.name == dialects.POSTGRESQL:
        await db.write(lambda connection: connection.execute(text("ANALYZE")))
    for selector, position in DEEP:
        lines = await db.read(partial(_plan, looked_at(selector, NOON_MS, position, 50)))
        whole = [line for line in lines if line.startswith(READ_WHOLE)]
        assert (position, []) == (position, whole), lines


def _rows(wanted: Select[Any], connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(wanted).all()


def _plan(wanted: Select[Any], connection: Connection) -> list[str]:
    """Return the steps by which the database reads, without what it says of their costs."""
    dialect = connection.dialect
    sql = wanted.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN" if dialect.name == dialects.POSTGRESQL else "EXPLAIN QUERY PLAN"
    rows = connection.exec_driver_sql(f"{explain} {sql}")
    return [str(row[-1]).strip().removeprefix("->").strip() for row in rows]


async def test_a_page_of_what_is_rare_is_short_and_goes_on(db: Database) -> None:
    """A selector of which nothing holds looks at so many machines each time, shows none of them,
    and comes to an end.
    """
    await db.write(_many)
    rare = Selector(labels={"route": "7"}, machine_ids=())
    other = Selector(model="Snack 40", site_type="OFFICE")
    for selector, expected in ((rare, MANY), (other, 0)):
        found, pages, position = 0, 0, ""
        while True:
            held = await Selectors(db).page(selector, NOON_MS, position=position, limit=500)
            found, pages, position = found + len(held.machine_ids), pages + 1, held.position
            if not position:
                break
        assert expected == found
        assert MANY // 1_000 <= pages <= MANY // 500 + 1
