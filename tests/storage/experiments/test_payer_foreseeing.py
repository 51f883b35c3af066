"""What payers would show is told before an offer begins, from their own past, and of enough."""

import pytest

from storage.database.engine import Database
from storage.experiments.content import Arm
from storage.experiments.offered import BEGINS_WITHIN_DAYS
from storage.experiments.payer_foreseeing import (
    SEEN_WITHIN_DAYS,
    STEP_PERMILLE,
    PayerForeseeing,
    PayerForesight,
)
from storage.insight import days
from storage.insight.suppression import Gate
from storage.office.deeds import NotPossible
from tests.storage.experiments.customers import (
    NOW_MS,
    are_known,
    buy,
    offer,
    offered,
    people,
    with_customers,
)
from tests.storage.experiments.fleets import OVER, told_until


async def foreseen(db: Database, gate: Gate | None = None, name: str = "tea") -> PayerForesight:
    """What it would be."""
    return await PayerForeseeing(db, gate or Gate()).foreseen(offered(name), NOW_MS)


@pytest.mark.slow_on_postgres
async def test_what_can_be_seen_is_told_in_steps(db: Database) -> None:
    """As is how many payers there are; and whoever bought nothing in these days is not there."""
    await with_customers(db)
    await are_known(db, ["nobody"])
    await offer(db)
    found = await foreseen(db)
    units = found.units
    assert 250 < len(units) <= 260
    assert "nobody" not in {unit.payer_id for unit in units}
    assert len(units) // 10 * 10 == found.payers
    assert 100 < found.number(Arm.CONTROL) < found.number(Arm.TREATMENT)
    assert found.number(Arm.CONTROL) + found.number(Arm.TREATMENT) == len(units)
    smallest = found.detectable_permille
    assert smallest is not None
    assert 100 < smallest < 500
    assert not smallest % STEP_PERMILLE
    assert found.pre.last == OVER
    assert 28 == found.pre.days


@pytest.mark.slow_on_postgres
async def test_payers_are_kept_for_as_long_as_it_takes(db: Database) -> None:
    """Of whom all who stay away are forgotten, nothing is told but what the others do."""
    await with_customers(db)
    await offer(db)
    enough = 28 + BEGINS_WITHIN_DAYS + 28 + SEEN_WITHIN_DAYS
    kept = PayerForeseeing(db, Gate(), unused_days=enough)
    assert await foreseen(db) == await kept.foreseen(offered(), NOW_MS)
    with pytest.raises(NotPossible) as refused:
        await PayerForeseeing(db, Gate(), unused_days=enough - 1).foreseen(offered(), NOW_MS)
    assert "PAYERS_FORGOTTEN" == refused.value.reason


@pytest.mark.slow_on_postgres
async def test_what_is_not_told_yet_is_waited_for(db: Database) -> None:
    """Nobody guesses."""
    await offer(db)
    with pytest.raises(NotPossible) as refused:
        await foreseen(db)
    assert "NOT_TOLD_YET" == refused.value.reason


@pytest.mark.slow_on_postgres
async def test_few_payers_say_nothing(db: Database) -> None:
    """Nor do many, if few of them are held out, or if the gate lets fewer than so many be told
    nowhere.
    """
    await with_customers(db)
    await offer(db)
    await offer(db, "few", holdout_percent=20)
    for gate, name in ((Gate(), "few"), (Gate(150), "tea")):
        with pytest.raises(NotPossible) as refused:
            await foreseen(db, gate, name)
        assert "TOO_FEW_PAYERS" == refused.value.reason


@pytest.mark.slow_on_postgres
async def test_too_short_a_past_says_nothing(db: Database) -> None:
    """Payers are there, and nobody knows how much they differ without anything tried."""
    names = people(260)
    await are_known(db, names)
    await buy(db, names, days.moved(OVER, -27), OVER)
    await told_until(db, OVER)
    await offer(db)
    found = await foreseen(db)
    assert found.detectable_permille is None
    assert 260 == found.payers
