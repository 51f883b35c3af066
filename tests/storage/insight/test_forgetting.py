"""What grows for ever is kept for so many days of the books, and asking for earlier ones is told
so.
"""

import pytest
from sqlalchemy import func, insert, select

from storage.database.engine import Database
from storage.insight import forgetting
from storage.insight.follower import lag_of
from storage.insight.forgetting import Keeps
from storage.insight.hot import HotBooks, HotWanted
from storage.insight.lease import keep_hours_from, read_standing
from storage.insight.proving import prove_facts
from storage.insight.rollups import Sums, save
from storage.insight.sales import By, SalesWanted
from storage.insight.sellable import SellableBooks
from storage.office.deeds import NotPossible
from storage.tables import (
    experiment_payers,
    experiments,
    machine_hours,
    payer_tags,
    tag_runs,
    voucher_redemptions,
)
from tests.storage.experiments.fleets import experiment_row
from tests.storage.insight.shop import LATER_MS, follower, sold
from tests.storage.insight.tagged import tag

OLD, KEPT = 20231022, 20231025


def run(number: int, d: int, **more: object) -> dict[str, object]:
    """A run of a tag."""
    counts = dict.fromkeys(("position", "at_ms", "members", "joined", "departed"), 0)
    return {
        "id": number,
        "tag": "SOME",
        "version": 1,
        "d": d,
        "error": "",
        "unfinished": False,
        **counts,
        **more,
    }


def had(payer: str, run_id: int, until_d: int | None, until_run: int | None) -> dict[str, object]:
    """A payer's tag."""
    kept = {"tag": "SOME", "version": 1, "since_d": 20240101}
    return {"payer_id": payer, "run_id": run_id, "until_d": until_d, "until_run": until_run} | kept


async def test_what_is_old_goes_in_small_parts(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing else; once an hour, and again after all was made again."""
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)
    monkeypatch.setattr(forgetting, "MACHINES_AT_ONCE", 1)
    await sold(db, "VM-1", "VM-2", times=1)
    sums = Sums()
    for machine_id in ("VM-1", "VM-2"):
        for d, hour in ((OLD, 1), (OLD, 2), (OLD, 3), (KEPT, 1)):
            sums.add(machine_hours, (machine_id, d, hour), (9, 0, 0, 0, 0, 0))
    await db.write(lambda connection: save(connection, sums.rows()))
    await tag(db)
    runs = [run(1, 20241101), run(2, 20241127), run(3, 20241128), run(4, 20251231)]
    tags = [
        *(had("a", 1, 20241127, 2), had("b", 1, 20241127, 2), had("c", 1, 20241127, 2)),
        *(had("d", 1, 20241128, 3), had("e", 1, None, None)),
    ]
    await db.write(lambda connection: connection.execute(insert(tag_runs), runs))
    await db.write(lambda connection: connection.execute(insert(payer_tags), tags))
    ours = follower(db)
    ours.keeps = Keeps(hours_days=800, tag_days=399)
    ours.__post_init__()
    await ours.catch_up()
    steps = 0
    while await ours.once():
        steps += 1
    assert steps > 6
    old = select(func.count()).select_from(machine_hours).where(machine_hours.c.d < KEPT)
    assert 0 == await db.read(lambda connection: connection.scalar(old))
    kept = select(func.count()).select_from(machine_hours).where(machine_hours.c.d == KEPT)
    assert 2 == await db.read(lambda connection: connection.scalar(kept))
    left = select(payer_tags.c.payer_id).order_by(payer_tags.c.payer_id)
    assert ["d", "e"] == await db.read(lambda connection: connection.scalars(left).all())
    ids = select(tag_runs.c.id).where(tag_runs.c.id < 5).order_by(tag_runs.c.id)
    assert [3, 4] == await db.read(lambda connection: connection.scalars(ids).all())
    assert 20231024 == (await lag_of(db)).hours_from_d
    assert not await ours.once()


async def test_who_was_in_an_experiment_is_forgotten_after_its_end(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some at a time; who is in one that runs, or ended lately, stays."""
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)
    ended_at_ms = {"old": 1, "new": LATER_MS, "runs": None}
    trials = [{**experiment_row(name), "ended_at_ms": at} for name, at in ended_at_ms.items()]
    drawn = [
        {"experiment": name, "payer_id": payer, "arm": "CONTROL", "before_minor": 5}
        for name in ended_at_ms
        for payer in "abc"
    ]
    await db.write(lambda connection: connection.execute(insert(experiments), trials))
    await db.write(lambda connection: connection.execute(insert(experiment_payers), drawn))
    await sold(db, "VM-1", times=1)
    ours = follower(db)
    await ours.catch_up()
    while await ours.once():
        pass
    left = select(experiment_payers.c.experiment).distinct().order_by("experiment")
    assert ["new", "runs"] == await db.read(lambda connection: connection.scalars(left).all())


async def test_vouchers_go_some_time_after_their_payment(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some at a time; those of no payment of ours after they were taken in."""
    monkeypatch.setattr(forgetting, "AT_ONCE", 2)
    words = {"kind": "REDEEMED", "template": "T", "machine_id": "", "currency": "HKD"}
    of = {**words, "trade_id": "", "order_minor": 9, "voucher_minor": 5}
    told = [
        *({**of, "key": f"old {one}", "d": 20241126, "taken_at_ms": LATER_MS} for one in "abc"),
        *({**of, "key": f"lost {one}", "d": 0, "taken_at_ms": 0} for one in "abc"),
        {**of, "key": "kept", "d": 20250301, "taken_at_ms": 1},
        {**of, "key": "waits", "d": 0, "taken_at_ms": LATER_MS},
    ]
    await db.write(lambda connection: connection.execute(insert(voucher_redemptions), told))
    await sold(db, "VM-1", times=1)
    ours = follower(db)
    await ours.catch_up()
    while await ours.once():
        pass
    left = select(voucher_redemptions.c.key).order_by("key")
    assert ["kept", "waits"] == await db.read(lambda connection: connection.scalars(left).all())


async def test_who_asks_for_what_is_forgotten_is_told(db: Database) -> None:
    """For single machines, and for districts that are judged by their machines; not for sums."""
    await sold(db, "VM-1", times=1)
    ours = follower(db)
    await ours.catch_up()
    held = await db.read(lambda connection: read_standing(connection, "sales"))
    await db.write(lambda connection: keep_hours_from(connection, held.name, 20260101))
    books = SellableBooks(db)
    alone = SalesWanted(first=20251231, last=20260101, by=By.DAY, machine_ids=("VM-1",))
    with pytest.raises(NotPossible, match="kept from 20260101 on"):
        await books.sellable(alone)
    wanted = HotWanted(first=20251231, last=20260101, currency="HKD")
    with pytest.raises(NotPossible, match="kept from 20260101 on"):
        await HotBooks(db).hot(wanted)
    assert (await books.sellable(SalesWanted(first=20251231, last=20260101, by=By.DAY))).lines
    assert () == (await prove_facts(db)).findings
