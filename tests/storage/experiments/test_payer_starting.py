"""Who is in which arm of an offer is written once, under a hash of all that was fixed."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.experiments.content import Arm, State
from storage.experiments.experiments import Experiments
from storage.experiments.history import DaySpan
from storage.experiments.payer_foreseeing import PayerForeseeing, PayerForesight, PayerUnit
from storage.experiments.payer_starting import PayerStarts, fixed_with_payers
from storage.insight import days
from storage.insight.suppression import Gate
from storage.machines.payers import forget
from storage.offers.content import is_held_out
from storage.offers.offers import OfferChange, Offers
from storage.office.deeds import NotPossible
from storage.office.sites import Sites
from storage.tables import experiment_offers, experiment_payers
from tests.storage.experiments.customers import (
    FIRST,
    KEY,
    LAST,
    NOW_MS,
    PERCENT,
    create,
    offer,
    offered,
    start,
    started,
    tried,
    with_customers,
)
from tests.storage.experiments.fleets import OVER, begins
from tests.storage.insight.shop import rows
from tests.storage.office.places import a_site, by, some_districts


async def units_of(db: Database) -> tuple[PayerUnit, ...]:
    """Who is in it, as it is written."""
    return tuple(
        PayerUnit(str(payer), Arm(str(arm)), int(str(before)))
        for _, payer, arm, before in await rows(db, experiment_payers)
    )


async def test_what_is_drawn_stays_drawn(db: Database) -> None:
    """Each payer with the arm that their payments have anyway and with what they spent before; the
    days are those from the offer's begin on; a second start draws nobody.
    """
    view = await started(db)
    assert (State.RUNNING, DaySpan(first=FIRST, last=LAST)) == (view.state, view.span)
    assert view.pre == DaySpan(first=days.moved(OVER, -27), last=OVER)
    units = await units_of(db)
    assert 250 < len(units) <= 260
    for unit in units:
        held_out = is_held_out(KEY, "tea", unit.payer_id, PERCENT)
        assert held_out is (unit.arm is Arm.CONTROL)
        assert unit.before_minor % 500 == 0 < unit.before_minor
    ((experiment, name, terms, version, treated, control),) = await rows(db, experiment_offers)
    assert version is None
    assert ("a", "tea", len(units)) == (experiment, name, int(str(treated)) + int(str(control)))
    view_of = await Offers(db, Gate()).get("tea")
    assert terms == tried(view_of).terms()
    assert view.pre is not None
    assert view.span is not None
    fixed = (offered(), tried(view_of), view.pre, view.span, "a")
    assert view.plan_sha256 == fixed_with_payers(*fixed, units)
    swapped = (units[0]._replace(before_minor=1), *units[1:])
    assert view.plan_sha256 != fixed_with_payers(*fixed, swapped)
    dearer = replace(view_of, content=replace(view_of.content, budget_minor=1))
    assert view.plan_sha256 != fixed_with_payers(fixed[0], tried(dearer), *fixed[2:], units)
    versioned = replace(tried(view_of), tag_version=1)
    assert view.plan_sha256 != fixed_with_payers(fixed[0], versioned, *fixed[2:], units)
    with pytest.raises(NotPossible) as refused:
        await start(db)
    assert "OFFER_TRIED" == refused.value.reason


async def test_an_offer_that_is_tried_does_not_change(db: Database) -> None:
    """But for what people call it. It can always be ended, and the experiment is stopped with it,
    in the same transaction; and not by who ends what is over anyway.
    """
    view = await started(db)
    office = Offers(db, Gate())
    deed = by(action="UpdateOffer", now_ms=NOW_MS + 1)
    for change in (
        OfferChange(budget_minor=5),
        OfferChange(uses_per_payer=9),
        OfferChange(ends_at_ms=begins(20260815), name="x"),
    ):
        with pytest.raises(NotPossible) as refused:
            await office.change("tea", change, deed)
        assert "EXPERIMENT_RUNS" == refused.value.reason
        assert "experiment a tries offer tea" in str(refused.value)
    assert "Tea" == (await office.change("tea", OfferChange(name="Tea"), deed)).content.name
    await office.end("tea", by(action="EndOffer", now_ms=NOW_MS + 2), why="it has run out")
    stopped = await Experiments(db).get("a")
    assert stopped == replace(
        view,
        state=State.STOPPED,
        ended_at_ms=NOW_MS + 2,
        stop_reason="offer tea was ended: it has run out",
    )


@pytest.mark.slow_on_postgres
async def test_who_ends_what_is_over_stops_nothing(db: Database) -> None:
    """The experiment goes on to its own last day."""
    await started(db)
    later = by(action="EndOffer", now_ms=begins(20260801))
    await Offers(db, Gate()).end("tea", later, why="to be sure")
    assert State.RUNNING is (await Experiments(db).get("a")).state


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(("hour", "state"), [(6, State.STOPPED), (9, State.RUNNING)])
async def test_who_ends_an_offer_behind_the_last_day_stops_nothing(
    db: Database, hour: int, state: State
) -> None:
    """All that the answer is made of has been: it waits only to be told. But not before that day is
    over in the west, too.
    """
    await started(db)
    await some_districts(db, ("us", ""))
    pier = a_site("us", "America/Los_Angeles")
    await Sites(db).create("pier", pier, by(action="made"))
    later = begins(days.moved(LAST, 1)) + hour * 3_600_000
    await Offers(db, Gate()).end("tea", by(action="EndOffer", now_ms=later), why="enough")
    assert state is (await Experiments(db).get("a")).state


@pytest.mark.slow_on_postgres
async def test_an_experiment_that_was_stopped_leaves_its_offer(db: Database) -> None:
    """Which can be changed, and tried by another one as long as it has not begun."""
    await started(db)
    await Experiments(db).stop("a", by(now_ms=NOW_MS + 1), reason="rain")
    deed = by(action="UpdateOffer", now_ms=NOW_MS + 2)
    await Offers(db, Gate()).change("tea", OfferChange(budget_minor=5_000), deed)
    await create(db, "b", offered())
    assert State.RUNNING is (await start(db, "b")).state
    with pytest.raises(NotPossible) as refused:
        await PayerStarts(db, Gate()).start(
            "a", await seen(db, "c"), "a", by(action="made", now_ms=NOW_MS)
        )
    assert "EXPERIMENT_ENDED" == refused.value.reason


async def seen(db: Database, name: str) -> PayerForesight:
    """What would be seen of another offer."""
    await offer(db, name)
    return await PayerForeseeing(db, Gate()).foreseen(offered(name), NOW_MS)


async def test_who_was_erased_meanwhile_is_not_written_down(db: Database) -> None:
    """Between the look and the start; nor who is erased later."""
    names = await with_customers(db)
    await offer(db)
    await create(db, "a", offered())
    foresight = await PayerForeseeing(db, Gate()).foreseen(offered(), NOW_MS)
    assert names[7] in {unit.payer_id for unit in foresight.units}
    await db.write(lambda connection: forget(connection, names[7]))
    starts = PayerStarts(db, Gate())
    rehearsal = replace(by(action="made", now_ms=NOW_MS), only_check=True)
    assert State.RUNNING is (await starts.start("a", foresight, "a", rehearsal)).state
    assert () == await units_of(db)
    await starts.start("a", foresight, "a", by(action="made", now_ms=NOW_MS))
    written = [unit.payer_id for unit in await units_of(db)]
    assert [unit.payer_id for unit in foresight.units if unit.payer_id != names[7]] == written
    await db.write(lambda connection: forget(connection, names[8]))
    left = select(experiment_payers.c.payer_id).where(experiment_payers.c.payer_id == names[8])
    assert await db.read(lambda connection: connection.scalar(left)) is None


@pytest.mark.slow_on_postgres
async def test_a_tag_with_another_rule_meanwhile_has_other_payers(db: Database) -> None:
    """Those who were looked up are not those who would get the offer."""
    await with_customers(db)
    await offer(db)
    await create(db, "a", offered())
    foresight = await PayerForeseeing(db, Gate()).foreseen(offered(), NOW_MS)
    of_another = replace(foresight, tried=replace(foresight.tried, tag_version=1))
    with pytest.raises(NotPossible) as refused:
        await PayerStarts(db, Gate()).start("a", of_another, "a", by(action="made", now_ms=NOW_MS))
    assert "NOT_EVALUATED" == refused.value.reason
    assert () == await units_of(db)


async def test_of_two_that_start_with_one_offer_one_does(db: Database) -> None:
    """Both were foreseen while nobody tried it."""
    await with_customers(db)
    await offer(db)
    foresight = await PayerForeseeing(db, Gate()).foreseen(offered(), NOW_MS)
    for name in ("a", "b"):
        await create(db, name, offered())
    starts = PayerStarts(db, Gate())
    came = await asyncio.gather(
        *(
            starts.start(one, foresight, one, by(action="made", now_ms=NOW_MS))
            for one in ("a", "b")
        ),
        return_exceptions=True,
    )
    refused = [one for one in came if isinstance(one, NotPossible)]
    assert ["OFFER_TRIED"] == [one.reason for one in refused]
    assert [len(foresight.units)] == [len(await units_of(db))]


async def test_the_erasure_of_many_leaves_nobody_in_an_arm(db: Database) -> None:
    """If so many are erased between the look and the start that an arm says nothing, it is refused
    as it would have been.
    """
    names = await with_customers(db)
    await offer(db)
    await create(db, "a", offered())
    foresight = await PayerForeseeing(db, Gate()).foreseen(offered(), NOW_MS)
    await db.write(lambda connection: [forget(connection, name) for name in names[:100]])
    with pytest.raises(NotPossible) as refused:
        await PayerStarts(db, Gate()).start("a", foresight, "a", by(action="made", now_ms=NOW_MS))
    assert "TOO_FEW_PAYERS" == refused.value.reason
