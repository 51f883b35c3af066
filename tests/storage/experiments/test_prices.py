"""A tried price goes to the machines of its arm and comes back, and what others want stays."""

from dataclasses import replace
from functools import partial
from random import Random

import pytest
from sqlalchemy import select, update

from actors.machine import values
from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.experiments.arms import Arms, tried_now
from storage.experiments.content import Arm, Design
from storage.experiments.experiments import Experiments
from storage.experiments.prices import PriceWish
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.insight import days
from storage.insight.local_time import HOUR_MS
from storage.machines.loading import read_columns, removal_agreed
from storage.tables import experiment_own_prices, experiment_prices, machines
from tests.storage.experiments.fleets import (
    NOW_MS,
    OVER,
    begins,
    carry_out,
    noon,
    priced,
    started,
    wishes,
    with_a_past,
)
from tests.storage.office.places import by
from tests.storage.owner import Owner, hears


async def price_of(db: Database, machine_id: str) -> int:
    """What the first column of a machine costs."""
    columns = await db.read(lambda connection: read_columns(connection, [machine_id]))
    return columns[machine_id][0].price_minor


async def set_prices(db: Database, machine_id: str, price_minor: int) -> None:
    """As somebody does who knows of no experiment."""
    columns = (await db.read(lambda c: read_columns(c, [machine_id])))[machine_id]
    change = MachineChange(
        columns=tuple(values.replace(one, price_minor=price_minor) for one in columns)
    )
    await Registry(db).change(
        MachineId(machine_id), change, actor="bob", action="SetPlanogram", now_ms=NOW_MS
    )


@pytest.mark.slow_on_postgres
async def test_prices_come_and_go_with_the_arm(db: Database) -> None:
    """Once; a second gateway with the same wishes changes nothing; and the tried price is gone the
    day after the last.
    """
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    span = view.span
    assert span is not None
    assert [] == await wishes(db, NOW_MS)
    wanted = await wishes(db, noon(span.first))
    assert (6, {True}) == (len(wanted), {one.tried for one in wanted})
    await carry_out(db, wanted)
    await carry_out(db, wanted)
    assert [] == await wishes(db, noon(span.last))
    (now,) = await Arms(db).now(noon(span.first))
    assert {400} == {await price_of(db, one) for one in now.of(Arm.TREATMENT)}
    assert {500} == {await price_of(db, one) for one in now.of(Arm.CONTROL)}
    back = await wishes(db, noon(days.moved(span.last, 1)))
    assert ({one.machine_id for one in wanted}, {False}) == (
        {one.machine_id for one in back},
        {one.tried for one in back},
    )
    await carry_out(db, back)
    await carry_out(db, back)
    assert [] == await wishes(db, noon(days.moved(span.last, 1)))
    assert {500} == {await price_of(db, one) for one in now.units}


@pytest.mark.slow_on_postgres
async def test_what_somebody_priced_meanwhile_stays(db: Database) -> None:
    """Also when the experiment is stopped, which gives the others their price back at once; and a
    machine that was retired keeps nobody busy.
    """
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    await carry_out(db, await wishes(db, noon(view.span.first)))
    (now,) = await Arms(db).now(noon(view.span.first))
    own, gone, *others = now.of(Arm.TREATMENT)
    await set_prices(db, own, 700)
    retired = update(machines).where(machines.c.machine_id == gone).values(retired_at_ms=1)
    await db.write(lambda connection: connection.execute(retired))
    await Experiments(db).stop("a", by(now_ms=NOW_MS), reason="it rains")
    back = await wishes(db, noon(view.span.first))
    assert {own, *others} == {one.machine_id for one in back}
    await carry_out(db, back)
    assert 700 == await price_of(db, own)
    assert {500} == {await price_of(db, one) for one in others}
    rows = select(experiment_prices.c.machine_id).where(
        experiment_prices.c.restored_at_ms.is_(None)
    )
    assert [gone] == list(await db.read(lambda c: c.scalars(rows).all()))


@pytest.mark.slow_on_postgres
async def test_a_price_that_is_tried_again_knows_its_own(db: Database) -> None:
    """On the next day of its arm the column's price of then is what comes back."""
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    (wish, *_) = await wishes(db, noon(view.span.first))
    await carry_out(db, [wish])
    await carry_out(db, [replace(wish, tried=False)])
    await set_prices(db, wish.machine_id, 600)
    await carry_out(db, [wish])
    assert 400 == await price_of(db, wish.machine_id)
    await carry_out(db, [replace(wish, tried=False)])
    assert 600 == await price_of(db, wish.machine_id)
    rows = select(experiment_own_prices.c.price_minor).order_by(experiment_own_prices.c.set_at_ms)
    assert [500, 600] == list(await db.read(lambda c: c.scalars(rows).all()))


@pytest.mark.slow_on_postgres
async def test_two_clocks_do_not_make_a_price_go_to_and_fro(db: Database) -> None:
    """Around midnight one gateway is in the new day already: the other leaves what it has done, by
    day and after the last one; a stop waits for no clock.
    """
    await with_a_past(db, OVER, 6)
    view = await started(db, "a", priced(design=Design.SWITCHBACK, days=14), NOW_MS)
    assert view.span is not None
    behind_ms = begins(view.span.first) - 1
    for _ in range(14):
        ahead_ms = behind_ms + HOUR_MS
        await carry_out(db, await wishes(db, ahead_ms), ahead_ms)
        assert [] == await wishes(db, behind_ms)
        assert [] == await wishes(db, ahead_ms)
        behind_ms += 24 * HOUR_MS
    await Experiments(db).stop("a", by(now_ms=NOW_MS), reason="it rains")
    on = await db.read(lambda connection: tried_now(connection, "a"))
    assert on == {one.machine_id for one in await wishes(db, NOW_MS)} != set()


async def test_the_price_of_another_experiment_is_never_taken_for_a_machines_own(
    db: Database,
) -> None:
    """A machine that has not its own price back yet, because its host was away or goods had no
    place, waits for it; and when both are over every machine costs what it did.
    """
    await with_a_past(db, OVER, 12)
    first = (await started(db, "a", priced(), NOW_MS)).span
    assert first is not None
    await carry_out(db, await wishes(db, noon(first.first)))
    await Experiments(db).stop("a", by(now_ms=NOW_MS), reason="it rains")
    await started(db, "b", priced(300), NOW_MS)
    (now,) = await Arms(db).now(noon(first.first))
    for prices in ({300, 400, 500}, {300, 500}):
        await carry_out(db, await wishes(db, noon(first.first)))
        assert prices >= {await price_of(db, one) for one in now.units}
    assert {300} == {await price_of(db, one) for one in now.of(Arm.TREATMENT)}
    await Experiments(db).stop("b", by(now_ms=NOW_MS), reason="it rains still")
    await carry_out(db, await wishes(db, noon(first.first)))
    assert {500} == {await price_of(db, one) for one in now.units}


@pytest.mark.slow_on_postgres
async def test_a_price_comes_back_while_another_planogram_waits(db: Database) -> None:
    """One that takes goods out, as somebody agreed to, which a machine without the net has not yet:
    the price is no other's matter, and what was agreed stays so.
    """
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    (wish, *_) = await wishes(db, noon(view.span.first))
    owner = await Owner.claim(db, wish.machine_id, holder="h1")
    await owner.start(wish.machine_id)
    await carry_out(db, [wish])
    columns = (await db.read(lambda c: read_columns(c, [wish.machine_id])))[wish.machine_id]
    fewer = MachineChange(columns=columns[:1], goods_may_be_removed=True)
    await Registry(db).change(
        MachineId(wish.machine_id), fewer, actor="bob", action="SetPlanogram", now_ms=NOW_MS
    )
    await carry_out(db, [replace(wish, tried=False)])
    assert 500 == await price_of(db, wish.machine_id)
    assert await db.read(lambda connection: removal_agreed(connection, [wish.machine_id]))


@pytest.mark.slow_on_postgres
async def test_a_product_that_was_moved_has_its_own_price_again(db: Database) -> None:
    """Whoever moved it took its price from the machine, as it was then; one that was moved and
    priced stays as it was priced.
    """
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    wish, other, *_ = await wishes(db, noon(view.span.first))
    await carry_out(db, [wish, other])
    for machine_id, price_minor in ((wish.machine_id, 400), (other.machine_id, 410)):
        await hears(db, machine_id)
        cola, tea = (await db.read(partial(read_columns, machine_ids=[machine_id])))[machine_id]
        moved = (
            values.replace(tea, column="A1"),
            values.replace(cola, column="A2", price_minor=price_minor),
            values.replace(cola, column="A3", price_minor=price_minor, stock=0),
        )
        change = MachineChange(columns=moved, goods_may_be_removed=True)
        await Registry(db).change(
            MachineId(machine_id), change, actor="bob", action="SetPlanogram", now_ms=NOW_MS
        )
    await carry_out(db, [replace(one, tried=False) for one in (wish, other)])
    found = await db.read(partial(read_columns, machine_ids=[wish.machine_id, other.machine_id]))
    assert [300, 500, 500] == [one.price_minor for one in found[wish.machine_id]]
    assert [300, 410, 410] == [one.price_minor for one in found[other.machine_id]]


@pytest.mark.slow_on_postgres
async def test_nothing_is_tried_after_a_stop(db: Database) -> None:
    """Not by a gateway either that had made up its mind before, and was slow."""
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    wanted = await wishes(db, noon(view.span.first))
    await Experiments(db).stop("a", by(now_ms=NOW_MS), reason="it rains")
    await carry_out(db, wanted)
    assert {500} == {await price_of(db, one.machine_id) for one in wanted}
    assert [] == await wishes(db, noon(view.span.first))


@pytest.mark.slow_on_postgres
async def test_a_machine_that_sells_it_no_more_keeps_nobody_busy(db: Database) -> None:
    """Nor is it forgotten what its items cost on the days before, which the result needs."""
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    assert view.span is not None
    wish, other, *_ = await wishes(db, noon(view.span.first))
    await carry_out(db, [wish, replace(wish, tried=False)])
    for one in (wish.machine_id, other.machine_id):
        await hears(db, one)
        columns = (await db.read(partial(read_columns, machine_ids=[one])))[one]
        change = MachineChange(
            columns=tuple(values.replace(each, product="tea", stock=0) for each in columns),
            goods_may_be_removed=True,
        )
        await Registry(db).change(
            MachineId(one), change, actor="bob", action="SetPlanogram", now_ms=NOW_MS
        )
    wanted = {one.machine_id for one in await wishes(db, noon(view.span.first))}
    assert (4, set()) == (len(wanted), wanted & {wish.machine_id, other.machine_id})
    await carry_out(db, [wish])
    rows = select(experiment_prices.c.price_minor)
    assert [500] == list(await db.read(lambda c: c.scalars(rows).all()))


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))]
)
async def test_whatever_comes_in_between_every_price_comes_back(db: Database, seed: int) -> None:
    """Two gateways whose clocks differ do at any time what they made up their minds to at another,
    experiments follow one another, and people price machines: in the end each costs what it did, or
    what was last said.
    """
    rng, own = Random(seed), dict.fromkeys(await with_a_past(db, OVER, 8), 500)
    experiments, now_ms, number = Experiments(db), NOW_MS, 0
    minds: list[PriceWish] = []
    for _ in range(60):
        now_ms += rng.choice([0, HOUR_MS, 12 * HOUR_MS])
        match rng.randrange(8):
            case 0 if not await experiments.page(limit=1) or rng.random() < 0.5:
                for one in await experiments.page(limit=50):
                    await experiments.stop(one.experiment, by(now_ms=now_ms), reason="it rains")
                number += 1
                of = priced(500 - 10 * number, design=Design.SWITCHBACK, days=14)
                await started(db, f"e{number}", of, now_ms)
            case 1:
                machine_id = rng.choice(sorted(own))
                own[machine_id] = rng.randrange(1_000, 2_000)
                await set_prices(db, machine_id, own[machine_id])
            case 2 | 3 | 4:
                minds += await wishes(db, now_ms + rng.choice([0, HOUR_MS]))
            case _:
                rng.shuffle(minds)
                some, minds = minds[:6], minds[6:]
                await carry_out(db, some, now_ms)
    for one in await experiments.page(limit=50):
        await experiments.stop(one.experiment, by(now_ms=now_ms), reason="it rains")
    rng.shuffle(minds)
    await carry_out(db, minds, now_ms)
    await carry_out(db, await wishes(db, now_ms), now_ms)
    assert [] == await wishes(db, now_ms)
    assert own == {one: await price_of(db, one) for one in own}
