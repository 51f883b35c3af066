"""A rule finds those who fulfil it, the same on both databases."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from storage.database.engine import Database
from storage.insight import days
from storage.insight.starters import STARTERS
from storage.insight.tag_features import ALL, Among, AsOf, fifths_of, payers_of
from storage.insight.tag_rules import FEATURES, VALUE_MAX, read
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.tables import sessions, vends
from tests.storage.insight.tagged import TODAY, Purchase, have_bought, several
from tests.storage.office.places import by


async def found(
    db: Database, rule: dict[str, Any], purchases_min: int = 1, among: Among = ALL
) -> list[str]:
    """Who fulfils a rule, by name."""
    node, as_of = read(json.dumps(rule)), AsOf(d=TODAY, currency="HKD")

    def work(connection: Connection) -> list[str]:
        wanted = payers_of(
            node,
            as_of=as_of,
            purchases_min=purchases_min,
            fifths=fifths_of(connection, node, as_of),
            among=among,
        )
        return sorted(str(row.payer_id) for row in connection.execute(wanted))

    return await db.read(work)


async def who_is(db: Database, starter: str) -> list[str]:
    """Who has a starter's tag."""
    return await found(db, STARTERS[starter].rule, STARTERS[starter].purchases_min)


def is_(feature: str, value: int, comparison: str = "at_least", **more: str) -> dict[str, Any]:
    """A comparison."""
    return {"feature": feature, comparison: value, **more}


async def fails(db: Database, payer: str, *agos: int) -> None:
    """Vends of a payer that failed so many days before the end of TODAY."""
    midnight_ms = days.as_date(TODAY).toordinal() - days.as_date(19700101).toordinal() + 1
    for number, ago in enumerate(agos):
        session = {
            **dict.fromkeys(sessions.c.keys(), ""),
            "session_id": f"s-{payer}{number}",
            "payer_id": payer,
            "status": "ENDED",
            "started_at_ms": 1,
            "ended_at_ms": 2,
        }
        vend = {
            **dict.fromkeys(vends.c.keys(), ""),
            "vend_id": f"v-{payer}{number}",
            "session_id": f"s-{payer}{number}",
            "status": "FAILED",
            "price_minor": 5,
            "discount_minor": 0,
            "requested_at_ms": 1,
            "ended_at_ms": (midnight_ms - ago) * 86_400_000,
        }
        await db.write(lambda connection, row=session: connection.execute(insert(sessions), row))  # type: ignore[misc]
        await db.write(lambda connection, row=vend: connection.execute(insert(vends), row))  # type: ignore[misc]


ANN = Purchase(payer="ann")
BOB = Purchase(payer="bob")


async def test_days_and_items_are_counted_in_their_spans(db: Database) -> None:
    """Up to the last day of each, and none behind it."""
    await have_bought(
        db,
        [
            *several(ANN, 1, 1, 7, 28),
            *several(BOB, 8, 29, 90, 91),
            replace(BOB, ago=401, payer="old"),
            replace(BOB, ago=0, payer="late"),
            replace(BOB, payer=""),
            replace(ANN, ago=2, units=0, kind="GOODWILL", minor=-500),
        ],
    )
    for feature, who in (
        (is_("purchases_7", 3, "equals"), ["ann"]),
        (is_("purchase_days_7", 2, "equals"), ["ann"]),
        (is_("purchases_28", 4, "equals"), ["ann"]),
        (is_("purchases_90", 3, "equals"), ["bob"]),
        (is_("purchases_365", 4, "equals"), ["ann", "bob"]),
        (is_("purchase_days_29_56", 1), ["bob"]),
        (is_("money_28", 1_500, "equals"), ["ann"]),
        (is_("days_since_last", 0, "equals"), ["ann"]),
        (is_("days_since_last", 7, "equals"), ["bob"]),
        (is_("days_since_first", 90, "at_least"), ["bob"]),
        (is_("days_since_first", 27, "at_most"), ["ann"]),
        (is_("days_since_first", 9_999), []),
    ):
        assert who == await found(db, feature), feature
    assert ["ann", "bob"] == await found(db, is_("purchases_7", 0))
    assert [] == await found(db, is_("purchases_7", 0), purchases_min=5)
    either = {"any": [is_("purchases_7", 3), is_("purchase_days_29_56", 1)]}
    assert ["ann", "bob"] == await found(db, either)
    assert ["bob"] == await found(db, {"all": [either, {"not": is_("purchases_7", 1)}]})


@pytest.mark.slow_on_postgres
async def test_visits_shares_and_places_are_told(db: Database) -> None:
    """Visits are by machine and hour, parts of the day by the clock of the place."""
    await Products(db).create("cola", ProductContent(category="cold"), by())
    await have_bought(
        db,
        [
            *several(ANN, 1, 1, 2),
            replace(ANN, hour=22, machine="VM-2", district="hill", ago=3),
            replace(ANN, hour=4, product="tea", ago=4),
            replace(BOB, hour=11),
            replace(BOB, hour=11, currency="USD", minor=900),
        ],
    )
    for feature, who in (
        (is_("visits_90", 4, "equals"), ["ann"]),
        (is_("visits_90", 1, "equals"), ["bob"]),
        (is_("money_per_visit_90", 625), ["ann"]),
        (is_("money_per_visit_90", 626), []),
        (is_("share_morning_90", 60), ["ann"]),
        (is_("share_morning_90", 61), []),
        (is_("share_night_90", 40, "equals"), ["ann"]),
        (is_("share_lunch_90", 100), ["bob"]),
        (is_("category_share_90", 80, "equals", of="cold"), ["ann"]),
        (is_("machines_28", 2), ["ann"]),
        (is_("districts_28", 2), ["ann"]),
        (is_("workdays_28", 2, "equals"), ["ann"]),
        (is_("workdays_28", 1, "equals"), ["bob"]),
    ):
        assert who == await found(db, feature), feature


async def test_the_fifth_that_spends_most_is_a_fifth(db: Database) -> None:
    """Of those who came five times."""
    bought = [
        one
        for number in range(10)
        for one in several(Purchase(payer=f"p{number}", minor=100 * number), 1, 2, 3, 4, 5)
    ]
    await have_bought(db, [*bought, Purchase(payer="rich", minor=10**6)])
    assert ["p8", "p9"] == await who_is(db, "BIG_BASKET")
    assert ["p0", "p1"] == await found(db, is_("basket_quintile_90", 1, "equals"))
    assert "rich" in await found(db, is_("basket_quintile_90", 0, "equals"))


async def test_the_fifths_of_a_year_are_of_days_items_and_money(db: Database) -> None:
    """Equal ones are told apart, so that a fifth is a fifth; and pieces of payers come to the same
    as all of them at once.
    """
    bought = [
        one
        for number in range(10)
        for one in several(
            Purchase(payer=f"p{number}", minor=100 + number), *range(20 - number, 25)
        )
    ]
    await have_bought(db, [*bought, Purchase(payer="older", ago=366)])
    assert ["p8", "p9"] == await found(db, is_("recency_quintile_365", 5))
    assert ["p0", "p1"] == await found(db, is_("frequency_quintile_365", 1, "equals"))
    assert ["p6", "p7", "p8", "p9"] == await found(db, is_("money_quintile_365", 4))
    assert ["p6", "p7", "p8", "p9"] == await who_is(db, "CHAMPION")
    assert [] == await who_is(db, "AT_RISK")
    some = Among(after="p6", upto="p8")
    assert ["p7", "p8"] == await found(db, STARTERS["CHAMPION"].rule, among=some)
    await fails(db, "p7", 1, 1, 1)
    await fails(db, "p9", 1, 1, 1)
    assert ["p7"] == await found(db, STARTERS["REFUND_PRONE"].rule, among=some)


async def test_starters_find_whom_they_say(db: Database) -> None:
    """Each with somebody who just is and somebody who just is not."""
    morning = replace(ANN, payer="early")
    await have_bought(
        db,
        [
            *several(replace(ANN, payer="new"), 29),
            *several(replace(ANN, payer="not new"), 30),
            *several(replace(ANN, payer="regular"), 1, 2, 3, 28),
            *several(replace(ANN, payer="lapsed"), 29, 30, 31, 56),
            *several(replace(ANN, payer="rare"), 28, 29, 30, 31),
            *several(morning, 1, 1, 1),
            *several(replace(morning, hour=12), 1, 1),
            *several(replace(ANN, payer="commuter"), 1, 2),
            *several(replace(ANN, payer="commuter", district="hill"), 5, 6),
            *several(replace(ANN, payer="weekender"), 3, 4, 10),
            *several(replace(ANN, payer="weekender", district="hill"), 11),
            Purchase(payer="unlucky"),
        ],
    )
    await fails(db, "unlucky", 1, 45, 90)
    await fails(db, "new", 1, 91)
    assert "new" in await who_is(db, "NEW")
    assert "not new" not in await who_is(db, "NEW")
    assert ["commuter", "regular", "weekender"] == await who_is(db, "REGULAR")
    assert ["lapsed"] == await who_is(db, "LAPSED")
    assert "early" in await who_is(db, "MORNING")
    assert "commuter" not in await who_is(db, "MORNING")
    assert ["commuter"] == await who_is(db, "COMMUTER")
    assert ["unlucky"] == await who_is(db, "REFUND_PRONE")
    assert ["unlucky"] == await found(db, is_("failures_90", 3, "equals"))
    for name in STARTERS:
        await who_is(db, name)


async def test_every_feature_can_be_asked_for(db: Database) -> None:
    """In every way and up to the largest number; of nobody, there is nobody."""
    comparisons: Sequence[str] = ("at_least", "at_most", "equals")
    for feature in FEATURES:
        of = {"of": "cold"} if feature == "category_share_90" else {}
        for comparison in comparisons:
            for value in (1, VALUE_MAX):
                assert [] == await found(db, is_(feature, value, comparison, **of))
    with pytest.raises(ValueError, match="currency"):
        payers_of(read('{"feature":"money_7","at_least":1}'), as_of=AsOf(d=TODAY), purchases_min=1)
