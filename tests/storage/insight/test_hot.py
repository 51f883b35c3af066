"""Districts are judged by their machines, each by what it sold while it could sell."""

import asyncio
import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import insert, update

from storage.database.engine import Database
from storage.insight import cells, hot
from storage.insight.hot import MINOR_MAX, Hot, HotBooks, HotWanted
from storage.insight.rollups import Sums, save
from storage.office.deeds import NotPossible
from storage.tables import machine_hours, machine_sites, machines, sales_hours, sites
from tests.storage.office.places import some_districts, some_machines

DAY_S = 86_400
FIRST, LAST = 20260101, 20260128
WANTED = HotWanted(first=FIRST, last=LAST, currency="HKD")
SITE = {
    "revision": 1,
    "name": "x",
    "site_type": "STATION",
    "type_word": "",
    "time_zone": "UTC",
    **dict.fromkeys(("contact_name", "contact_phone", "contact_email", "address_lines"), ""),
    "created_at_ms": 1,
    "updated_at_ms": 1,
}


async def stand(
    db: Database,
    places: dict[str, str],
    from_day: str = "2025-01-01",
    positions: Mapping[str, tuple[int, int]] = MappingProxyType({}),
) -> None:
    """Let machines stand at a site of a district each, since a day; some sites have a position."""
    made = [
        {
            **SITE,
            "site": f"s-{machine_id}",
            "district": district,
            "latitude_e6": positions[machine_id][0] if machine_id in positions else None,
            "longitude_e6": positions[machine_id][1] if machine_id in positions else None,
        }
        for machine_id, district in places.items()
    ]
    stays = [
        {"machine_id": machine_id, "site": f"s-{machine_id}", "from_day": from_day, "from_at_ms": 1}
        for machine_id in places
    ]
    await db.write(lambda connection: connection.execute(insert(sites), made))
    await db.write(lambda connection: connection.execute(insert(machine_sites), stays))


@pytest.mark.slow_on_postgres
async def test_estimates_wait_for_one_another(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask at once, one thread computes: the others are left to who sells, and to names
    that are looked up.
    """
    threads = []
    made = hot._hot

    def noted(*args: Any) -> Hot:
        threads.append(threading.current_thread().name)
        return made(*args)

    monkeypatch.setattr(hot, "_hot", noted)
    books = HotBooks(db)
    await asyncio.gather(*(books.hot(WANTED) for _ in range(4)))
    assert 4 == len(threads)
    assert {"estimates_0"} == set(threads)


async def test_a_district_that_sells_more_is_hot(db: Database) -> None:
    """By sellable day: half the time and the same sales is twice as much."""
    names = ("hill", "pier", "city", "dock")
    await some_districts(db, *((name, "") for name in names))
    places = {f"VM-{number}": names[number % 4] for number in range(20)}
    await some_machines(db, *places, "VM-new")
    await stand(db, places)
    await stand(db, {"VM-new": "hill"}, from_day="2026-01-15")
    rng, sums = Random(1), Sums()
    for machine_id, district in places.items():
        usual = math.exp(rng.gauss(math.log(10_000), 0.2)) * (8 if district == "hill" else 1)
        seconds = 14 * DAY_S if machine_id == "VM-1" else 28 * DAY_S
        for table, key, values in (
            (machine_hours, (FIRST, 9), (seconds, seconds, seconds, seconds, 0, 0)),
            (sales_hours, (LAST, 9, "HKD"), (28, round(usual * 28))),
        ):
            sums.add(table, (machine_id, *key), values)
    await db.write(lambda connection: save(connection, sums.rows()))
    told = await HotBooks(db).hot(WANTED)
    assert 1 == told.left_out
    by_name = {one.district: one for one in told.districts}
    assert {"city", "dock", "hill", "pier"} == by_name.keys()
    hill = by_name["hill"]
    assert ("HOT", 5, 140) == (hill.label, hill.machines, hill.sellable_days)
    assert hill.low_minor < hill.mean_minor < hill.high_minor
    assert hill.new_low_minor < hill.low_minor
    assert hill.high_minor < hill.new_high_minor
    assert by_name["pier"].raw_minor > 10_000
    assert told.elsewhere is not None
    assert told.elsewhere[1] < told.fleet_minor < told.elsewhere[2]
    office = HotWanted(first=FIRST, last=LAST, currency="HKD", site_type="OFFICE")
    assert [] == list((await HotBooks(db).hot(office)).districts)
    with pytest.raises(NotPossible):
        await HotBooks(db).hot(HotWanted(first=FIRST, last=LAST, currency=""))


async def test_a_machine_of_another_currency_says_nothing(db: Database) -> None:
    """It has not sold nothing: nobody can pay it so."""
    names = ("hill", "pier", "city", "macao")
    await some_districts(db, *((name, "") for name in names))
    places = {f"VM-{number}": names[number % 4] for number in range(20)}
    await some_machines(db, *places)
    await stand(db, places)
    foreign = [machine_id for machine_id, district in places.items() if district == "macao"]
    paid = update(machines).where(machines.c.machine_id.in_(foreign)).values(currency="MOP")
    await db.write(lambda connection: connection.execute(paid))
    sums = Sums()
    for number, (machine_id, district) in enumerate(places.items()):
        currency, minor = ("MOP" if district == "macao" else "HKD"), 280_000 + 1_000 * number
        sums.add(machine_hours, (machine_id, FIRST, 9), (28 * DAY_S,) * 4 + (0, 0))
        sums.add(sales_hours, (machine_id, LAST, 9, currency), (28, minor))
    await db.write(lambda connection: save(connection, sums.rows()))
    told = await HotBooks(db).hot(WANTED)
    assert [("city", 5), ("hill", 5), ("pier", 5)] == [
        (one.district, one.machines) for one in told.districts
    ]
    assert 10_000 < told.fleet_minor < 11_000
    assert 0 == told.left_out


async def test_machines_that_are_very_unlike_are_told_all_the_same(db: Database) -> None:
    """The end of such an interval is more than there is money, and more than 64 bits hold."""
    places = {f"VM-{number}": ("hill", "pier", "city")[number % 3] for number in range(6)}
    await some_districts(db, *((name, "") for name in ("hill", "pier", "city")))
    await some_machines(db, *places)
    await stand(db, places)
    sums = Sums()
    for number, machine_id in enumerate(places):
        sums.add(machine_hours, (machine_id, FIRST, 9), (DAY_S, DAY_S, DAY_S, DAY_S, 0, 0))
        minor = 10**9 if number < 3 else 1
        sums.add(sales_hours, (machine_id, FIRST, 9, "HKD"), (minor, minor))
    await db.write(lambda connection: save(connection, sums.rows()))
    told = await HotBooks(db).hot(WANTED)
    assert MINOR_MAX == max(one.new_high_minor for one in told.districts)


AROUND = (22_281_234, 114_158_123)
APART = 100_000
"""A tenth of a degree: another cell of resolution 7 in any case."""


async def in_one_district(db: Database) -> None:
    """Five machines each at four spots of one district, those at the first of which sell much; two
    at sites without a position.
    """
    places = {f"VM-{number}": "hk" for number in range(22)}
    await some_districts(db, ("hk", ""))
    await some_machines(db, *places)
    positions = {
        f"VM-{number}": (AROUND[0] + number // 4, AROUND[1] + number % 4 * APART)
        for number in range(20)
    }
    await stand(db, places, positions=positions)
    rng, sums = Random(1), Sums()
    for number, machine_id in enumerate(places):
        minor = round(math.exp(rng.gauss(math.log(10_000), 0.2)) * (1 if number % 4 else 8))
        sums.add(machine_hours, (machine_id, FIRST, 9), (28 * DAY_S,) * 4 + (0, 0))
        sums.add(sales_hours, (machine_id, LAST, 9, "HKD"), (28, 28 * minor))
    await db.write(lambda connection: save(connection, sums.rows()))


@pytest.mark.slow_on_postgres
async def test_where_districts_are_too_few_cells_are_told(db: Database) -> None:
    """By the positions of sites; who has none is counted, and is in no cell."""
    pytest.importorskip("h3", reason="the extra places is not installed")
    await in_one_district(db)
    assert [] == list((await HotBooks(db).hot(WANTED)).districts)
    told = await HotBooks(db).hot(replace(WANTED, cell_resolution=7))
    assert (2, 0) == (told.unplaced, told.left_out)
    assert [5] * 4 == [one.machines for one in told.districts]
    here = cells.cells_of({"": AROUND}, 7)[""]
    assert "HOT" == next(one.label for one in told.districts if one.district == here)
    assert "HOT" not in {one.label for one in told.districts if one.district != here}
    # Larger than the district: one cell says nothing of how cells differ.
    assert [] == list((await HotBooks(db).hot(replace(WANTED, cell_resolution=4))).districts)


@pytest.mark.slow_on_postgres
async def test_more_cells_than_are_told_are_refused(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to ask instead: who gets a part of them takes it for all."""
    pytest.importorskip("h3", reason="the extra places is not installed")
    await in_one_district(db)
    monkeypatch.setattr(hot, "CELLS_MAX", 3)
    with pytest.raises(NotPossible) as refused:
        await HotBooks(db).hot(replace(WANTED, cell_resolution=7))
    assert "TOO_MANY_CELLS" == refused.value.reason
    with pytest.raises(NotPossible) as refused:
        await HotBooks(db).hot(replace(WANTED, cell_resolution=10))
    assert "NO_SUCH_RESOLUTION" == refused.value.reason
