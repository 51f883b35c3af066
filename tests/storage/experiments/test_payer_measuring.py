"""What an offer changed is told once, of all to whom it was given, through the gate."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from storage.database.engine import Database
from storage.experiments.content import Result, State
from storage.experiments.experiments import Experiments, ExperimentView
from storage.experiments.measuring import Measuring
from storage.experiments.offered import terms_of
from storage.experiments.payer_measuring import payers_drawn, why_another
from storage.insight import days, lease
from storage.insight.follower import NAME
from storage.insight.suppression import Gate
from storage.machines.payers import forget
from storage.offers.offers import Offers
from storage.tables import (
    experiment_offers,
    experiment_payers,
    followers,
    offer_spending,
    offers,
    sale_facts,
    scope_offers,
    tag_rules,
)
from tests.storage.experiments.customers import FIRST, LAST, buy, people, started
from tests.storage.experiments.fleets import noon, told_until


async def arms(db: Database) -> dict[str, str]:
    """Who is in which."""
    c = experiment_payers.c
    rows = select(c.payer_id, c.arm)
    return {
        row.payer_id: row.arm
        for row in await db.read(lambda connection: connection.execute(rows).all())
    }


async def lived(db: Database, lift: float, gone: Sequence[str] = ()) -> ExperimentView:
    """An experiment whose last day is over; those who were offered something bought so much more,
    and some were erased.
    """
    view = await started(db)
    drawn = await arms(db)
    more = {payer: 1 + lift for payer, arm in drawn.items() if arm == "TREATMENT"}
    names = [name for name in people(260) if name not in gone]
    await buy(db, names, FIRST, LAST, factor=lambda one, _d: more.get(one, 1.0), version=1_000_000)
    await db.write(lambda connection: [forget(connection, name) for name in gone])
    sums = [
        {"d": d, "offer": name, "currency": currency, "sales_minor": 1, "discount_minor": minor}
        for d, name, currency, minor in (
            (FIRST, "tea", "HKD", 100),
            (LAST, "tea", "HKD", 20),
            (days.moved(LAST, 1), "tea", "HKD", 7),
            (FIRST, "other", "HKD", 7),
            (FIRST, "tea", "CNY", 7),
        )
    ]
    whole = {"scope": "FLEET", "name": "", "units": 1}
    rows = [{**whole, **one} for one in sums]
    await db.write(lambda connection: connection.execute(insert(scope_offers), rows))
    await told_until(db, LAST)
    return view


async def measured(db: Database, gate: Gate | None = None) -> Result:
    """What came of it."""
    measuring = Measuring(db, gate or Gate())
    (due,) = await measuring.due()
    view = await measuring.measure(due, 99)
    assert (State.ENDED, 99) == (view.state, view.ended_at_ms)
    assert view == await Experiments(db).get("a")
    assert view == await measuring.measure(due, 100)
    assert not await measuring.due()
    assert view.result is not None
    return view.result


@pytest.mark.slow_on_postgres
async def test_a_lift_is_told_with_what_it_cost(db: Database) -> None:
    """Not before the last day is told; of whoever is left, in whole steps; and the result stays
    when somebody is erased later.
    """
    gone = people(260)[:12]
    await lived(db, 0.9, gone)
    drawn = await arms(db)
    assert not drawn.keys() & set(gone)
    await told_until(db, days.moved(LAST, -1))
    assert not await Measuring(db).due()
    await told_until(db, LAST)
    result = await measured(db)
    assert result.lift_permille is not None
    assert 450 < result.lift_permille < 1_400
    assert result.low_permille < 900 < result.high_permille
    assert result.significant
    assert (120, "HKD", False, 0) == (
        result.cost_minor,
        result.cost_currency,
        result.used_up,
        result.blocks,
    )
    count = [list(drawn.values()).count(arm) // 10 * 10 for arm in ("TREATMENT", "CONTROL")]
    assert [*count, 10] == [result.treated_payers, result.control_payers, result.erased_payers]
    assert {} == result.excluded
    await db.write(lambda connection: forget(connection, people(260)[20]))
    assert result == (await Experiments(db).get("a")).result


@pytest.mark.slow_on_postgres
async def test_what_is_told_again_meanwhile_is_no_answer(db: Database) -> None:
    """Somebody has all that is told of sales made again while it is read: half of it is nobody's
    result. It is due again once all is there.
    """
    await lived(db, 0.9)
    measuring = Measuring(db, Gate())
    (due,) = await measuring.due()
    c = sale_facts.c

    def begin_again(connection: Connection) -> None:
        lease.take_over(connection, NAME, "rebuild", now_ms=1)
        connection.execute(delete(sale_facts).where(c.payer_id < people(260)[130]))

    await db.write(begin_again)
    view = await measuring.measure(due, 99)
    assert (State.RUNNING, None) == (view.state, view.result)
    done = update(followers).where(followers.c.name == NAME).values(stage=lease.FOLLOWING)
    await db.write(lambda connection: connection.execute(done))
    assert State.RUNNING is (await measuring.measure(due, 99)).state
    (later,) = await measuring.due()
    assert State.ENDED is (await measuring.measure(later, 99)).state


@pytest.mark.slow_on_postgres
async def test_chance_is_no_effect(db: Database) -> None:
    """And a budget of which no use is left is said; few who were erased are not told."""
    await lived(db, 0.0, people(260)[:3])
    spent = update(offer_spending).values(spent_minor=99_999, uses=2_000)
    await db.write(lambda connection: connection.execute(spent))
    result = await measured(db)
    assert (False, True, None) == (result.significant, result.used_up, result.erased_payers)
    assert result.low_permille < 0 < result.high_permille


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("values", [{"ended_at_ms": 7}, {"budget_minor": 7}])
async def test_what_an_older_gateway_changed_has_no_result(
    db: Database, values: dict[str, int]
) -> None:
    """It knows of no experiment with an offer, lets the offer be changed and ended, and stops
    nothing: an answer would be of something else than what was fixed.
    """
    await lived(db, 0.9)
    await db.write(lambda connection: connection.execute(update(offers).values(**values)))
    (due,) = await Measuring(db).due()
    view = await Measuring(db).measure(due, 99)
    assert (State.STOPPED, 99, None) == (view.state, view.ended_at_ms, view.result)
    assert "offer tea" in view.stop_reason
    assert "release before" in view.stop_reason
    assert view == await Experiments(db).get("a")
    assert not await Measuring(db).due()


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(("ends_d", "ended_d"), [(FIRST, 20260704), (20260801, 20260731)])
async def test_who_ended_an_offer_that_was_over_took_no_answer_away(
    db: Database, ends_d: int, ended_d: int
) -> None:
    """Over by itself, while its experiment went on; or behind the experiment's last day."""
    await lived(db, 0.9)
    content = (await Offers(db, Gate()).get("tea")).content
    shorter = replace(content, ends_at_ms=noon(ends_d))
    over = {"ends_at_ms": noon(ends_d), "ended_at_ms": noon(ended_d)}

    def end(connection: Connection) -> None:
        connection.execute(update(offers).values(**over))
        connection.execute(update(experiment_offers).values(terms=terms_of(shorter)))

    await db.write(end)
    assert (await measured(db)).significant


def rule(version: int, created_at_ms: int, **more: int) -> dict[str, object]:
    """A row of a tag's rule."""
    tag = {"tag": "T", "rule": "{}", "purchases_min": 1, "currency": ""}
    said = {"author": "", "reason": "", "ended_at_ms": None}
    return {**tag, **said, "version": version, "created_at_ms": created_at_ms, **more}


async def with_tag(db: Database, version: int | None) -> ExperimentView:
    """An experiment that is over, and began with this version of its offer's tag."""
    view = await lived(db, 0.9)
    of = replace((await Offers(db, Gate()).get("tea")).content, tag="T")
    fixed = {"terms": terms_of(of), "tag_version": version}

    def write(connection: Connection) -> None:
        connection.execute(update(offers).values(tag="T"))
        connection.execute(update(experiment_offers).values(**fixed))

    await db.write(write)
    return view


async def why(db: Database, view: ExperimentView, *rules: dict[str, object]) -> str:
    """Why it has no answer, with these rules."""

    def work(connection: Connection) -> str:
        connection.execute(delete(tag_rules))
        connection.execute(insert(tag_rules), rules)
        return why_another(connection, view)

    return await db.write(work)


@pytest.mark.slow_on_postgres
async def test_a_tag_that_an_older_gateway_changed_has_no_result(db: Database) -> None:
    """The offer is given to others since; whatever times the gateways' clocks gave the rules: the
    one that made it may be ahead of the one that started, or behind it.
    """
    view = await with_tag(db, 2)
    at_ms = view.started_at_ms
    assert at_ms is not None
    assert "" == await why(db, view, rule(1, at_ms - 9), rule(2, at_ms + 60_000))
    early = rule(3, at_ms - 1)
    assert "its tag" in await why(db, view, rule(1, at_ms - 9), rule(2, at_ms - 8), early)
    retired = rule(2, at_ms - 8, ended_at_ms=at_ms + 1)
    assert "its tag" in await why(db, view, rule(1, at_ms - 9), retired)


@pytest.mark.slow_on_postgres
async def test_a_start_that_did_not_write_the_version_is_judged_by_times(db: Database) -> None:
    """Which is all that there is of what a gateway of the release before started."""
    view = await with_tag(db, None)
    at_ms = view.started_at_ms
    assert at_ms is not None
    assert "" == await why(db, view, rule(1, at_ms))
    assert "its tag" in await why(db, view, rule(1, at_ms), rule(2, at_ms + 1))


@pytest.mark.slow_on_postgres
async def test_of_too_few_nothing_is_told(db: Database) -> None:
    """If so many were erased that an arm is below what is told anywhere, there is no result."""
    await lived(db, 0.5)
    result = await measured(db, Gate(200))
    assert (None, False, None) == (
        result.lift_permille,
        result.significant,
        result.treated_payers,
    )


@pytest.mark.slow_on_postgres
async def test_how_many_were_drawn_is_told_in_steps(db: Database) -> None:
    """Of one that was started."""
    assert (None, None) == await payers_drawn(db, "a", Gate())
    await started(db)
    counts = list((await arms(db)).values())
    told = [counts.count(arm) // 10 * 10 for arm in ("TREATMENT", "CONTROL")]
    assert tuple(told) == await payers_drawn(db, "a", Gate())
    assert (None, None) == await payers_drawn(db, "a", Gate(200))
