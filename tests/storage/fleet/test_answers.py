"""A request with an id is done once, and answered as often as it comes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from storage.database.engine import Database, StorageConfig
from storage.fleet.answers import (
    KEPT_MS,
    WRONG_MS,
    Answers,
    Asked,
    Claim,
    RequestInProgress,
    RequestReused,
    mark_done,
)
from storage.tables import answers
from tests.storage.owner import START_MS, Owner
from tests.support.keeping import Keeping
from tests.support.patience import HANGS_AFTER_S

ASKED = Asked(caller="ann", request_id="r-1", rpc="SetStock", content_sha256="a" * 64)
LEASE_MS = 60_000


async def _begun(
    db: Database, asked: Asked = ASKED, *, now_ms: int = START_MS, machine_id: str = ""
) -> Claim:
    claim = await Answers(db).begin(asked, now_ms=now_ms, lease_ms=LEASE_MS, machine_id=machine_id)
    assert isinstance(claim, Claim)
    return claim


async def _count(db: Database) -> int:
    return (
        await db.read(
            lambda connection: connection.scalar(select(func.count()).select_from(answers))
        )
        or 0
    )


@pytest.mark.slow_on_postgres
async def test_the_first_answer_is_kept(db: Database) -> None:
    """The same request hears it again, also from another process."""
    claim = await _begun(db)
    assert not claim.resumed
    await Answers(db).finish(claim, b"seven")
    assert b"seven" == await Answers(db).begin(ASKED, now_ms=START_MS + 1, lease_ms=LEASE_MS)


@pytest.mark.slow_on_postgres
async def test_an_id_belongs_to_its_caller(db: Database) -> None:
    """Two people may choose the same id."""
    await Answers(db).finish(await _begun(db), b"ann's")
    bobs = await _begun(db, replace(ASKED, caller="bob", content_sha256="b" * 64))
    assert not bobs.resumed


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("other", [{"rpc": "EnableMachine"}, {"content_sha256": "b" * 64}])
@pytest.mark.parametrize("answered", [True, False])
async def test_an_id_stands_for_one_request(
    db: Database, other: dict[str, Any], answered: bool
) -> None:
    """Another call, or other content, is refused under it, while the first runs and afterwards."""
    claim = await _begun(db)
    if answered:
        await Answers(db).finish(claim, b"seven")
    with pytest.raises(RequestReused):
        await _begun(db, replace(ASKED, **other))


@pytest.mark.slow_on_postgres
async def test_one_of_two_at_once_does_it(db: Database, url: str) -> None:
    """Two gateways ask in the same moment; one gets the claim, the other hears that it runs."""
    async with asyncio.timeout(HANGS_AFTER_S):
        other = await Database.open(StorageConfig(url=url))
        outcomes = await asyncio.gather(
            *(_begun(one) for one in (db, other) * 4), return_exceptions=True
        )
        await other.close()
    assert 1 == sum(isinstance(one, Claim) for one in outcomes)
    assert 7 == sum(isinstance(one, RequestInProgress) for one in outcomes)


@pytest.mark.slow_on_postgres
async def test_a_claim_of_the_dead_runs_out(db: Database) -> None:
    """Then the next caller goes on, knows it, and what the first would say is not kept."""
    await Owner.of(db, "VM-1")
    dead = await _begun(db, machine_id="VM-1")
    with pytest.raises(RequestInProgress):
        await _begun(db, now_ms=START_MS + LEASE_MS - 1)
    heir = await _begun(db, now_ms=START_MS + LEASE_MS)
    assert (True, False, dead.machine_version) == (heir.resumed, heir.done, heir.machine_version)
    assert heir.machine_version > 0
    await Answers(db).finish(dead, b"too late")
    with pytest.raises(RequestInProgress):
        await _begun(db, now_ms=START_MS + LEASE_MS + 1)
    await Answers(db).finish(heir, b"heir's")
    assert b"heir's" == await Answers(db).begin(ASKED, now_ms=START_MS, lease_ms=LEASE_MS)


@pytest.mark.slow_on_postgres
async def test_a_claim_from_a_clock_that_ran_ahead_is_no_claim(db: Database) -> None:
    """A gateway whose clock was wrong by a day blocks nobody for a day."""
    await _begun(db, now_ms=START_MS + 86_400_000)
    assert (await _begun(db)).resumed


@pytest.mark.slow_on_postgres
async def test_a_clock_a_little_behind_takes_no_claim(db: Database) -> None:
    """Two gateways' clocks differ by some milliseconds, or seconds: the claim stays whose it is."""
    await _begun(db)
    for behind_ms in (1, 5_000, LEASE_MS):
        with pytest.raises(RequestInProgress):
            await _begun(db, now_ms=START_MS - behind_ms)


@pytest.mark.slow_on_postgres
async def test_what_is_refused_frees_its_id(db: Database) -> None:
    """Nothing came of it, so the id may be used for what was meant."""
    await Answers(db).give_up(await _begun(db), refused=True)
    assert not (await _begun(db, replace(ASKED, content_sha256="b" * 64))).resumed


@pytest.mark.slow_on_postgres
async def test_what_was_cut_off_keeps_its_id(db: Database) -> None:
    """Nobody knows what came of it: the same request goes on at once, another is refused."""
    await Answers(db).give_up(await _begun(db), refused=False)
    with pytest.raises(RequestReused):
        await _begun(db, replace(ASKED, content_sha256="b" * 64))
    assert (await _begun(db)).resumed


@pytest.mark.slow_on_postgres
async def test_a_change_that_is_made_is_known_to_the_heir(db: Database) -> None:
    """Also if it was refused afterwards: its id is not free again."""
    claim = await _begun(db)
    await db.write(lambda connection: mark_done(connection, claim))
    await Answers(db).give_up(claim, refused=True)
    heir = await _begun(db)
    assert (True, True) == (heir.resumed, heir.done)


@pytest.mark.slow_on_postgres
async def test_a_claim_that_ran_out_changes_nothing_any_more(db: Database) -> None:
    """Its transaction fails as a whole."""
    dead = await _begun(db)
    await _begun(db, now_ms=START_MS + LEASE_MS)
    with pytest.raises(RequestInProgress):
        await db.write(lambda connection: mark_done(connection, dead))


async def test_answers_go_after_a_week(db: Database) -> None:
    """A later request takes them away, once somebody is sure that it is; a younger one stays."""
    keeping = Keeping(START_MS)
    kept = Answers(db, keeping=keeping)
    await Answers(db).finish(await _begun(db), b"old")
    counts = []
    for number, (passed_ms, sure) in enumerate(
        ((KEPT_MS, True), (KEPT_MS + 1, False), (KEPT_MS + 1, True))
    ):
        keeping.at_ms, keeping.sure = START_MS + passed_ms, sure
        asked = replace(ASKED, request_id=f"later-{number}")
        await kept.begin(asked, now_ms=keeping.at_ms, lease_ms=LEASE_MS)
        counts.append(await _count(db))
    assert [2, 3, 3] == counts


@pytest.mark.parametrize("wrong_ms", [500 * WRONG_MS, -500 * WRONG_MS])
@pytest.mark.slow_on_postgres
async def test_a_gateway_whose_clock_is_wrong_forgets_nobodys_answer(
    db: Database, wrong_ms: int
) -> None:
    """Nor do others forget what it did, or go on with what it is at: it would be done twice."""
    keeping = Keeping(START_MS)
    kept = Answers(db, keeping=keeping)
    clocks = {"right": 0, "wrong": wrong_ms}
    for name, off_ms in clocks.items():
        asked = replace(ASKED, request_id=name)
        claim = await kept.begin(asked, now_ms=START_MS + off_ms, lease_ms=LEASE_MS)
        assert isinstance(claim, Claim)
        for other_ms in clocks.values():
            with pytest.raises(RequestInProgress):
                await kept.begin(asked, now_ms=START_MS + other_ms, lease_ms=LEASE_MS)
        await kept.finish(claim, name.encode())
    for off_ms in clocks.values():
        for name in clocks:
            asked = replace(ASKED, request_id=name)
            now_ms = START_MS + off_ms
            assert name.encode() == await kept.begin(asked, now_ms=now_ms, lease_ms=LEASE_MS)
            another = replace(ASKED, request_id=f"{name} {off_ms}")
            await kept.begin(another, now_ms=now_ms, lease_ms=LEASE_MS)


async def test_a_caller_has_so_many_answers_at_most(db: Database) -> None:
    """The oldest go; those of others stay."""
    few = Answers(db, kept_of_caller=3)
    for number in range(6):
        asked = replace(ASKED, request_id=f"r-{number}")
        await few.begin(asked, now_ms=START_MS + number, lease_ms=LEASE_MS)
        await few.begin(replace(asked, caller="bob"), now_ms=START_MS + number, lease_ms=LEASE_MS)
    rows = await db.read(
        lambda connection: connection.execute(
            select(answers.c.request_id).where(answers.c.caller == "ann").order_by("request_id")
        ).all()
    )
    assert ["r-3", "r-4", "r-5"] == [row.request_id for row in rows]
    assert 6 == await _count(db)


@pytest.mark.slow_on_postgres
async def test_what_a_clock_far_ahead_dated_crowds_nobody_out(db: Database) -> None:
    """A caller has all that they may of dates that are not yet: what they ask now is begun, changes
    the registry and is answered again, and what is dated so is bounded too.
    """
    few = Answers(db, keeping=Keeping(START_MS), kept_of_caller=2)
    ahead = Answers(db, kept_of_caller=2)
    for number in range(3):
        asked = replace(ASKED, request_id=f"ahead-{number}")
        far_ms = START_MS + 400 * WRONG_MS + number
        claim = await ahead.begin(asked, now_ms=far_ms, lease_ms=LEASE_MS)
        assert isinstance(claim, Claim)
        await ahead.finish(claim, b"ahead")
    claim = await few.begin(ASKED, now_ms=START_MS, lease_ms=LEASE_MS)
    assert isinstance(claim, Claim)
    await db.write(lambda connection: mark_done(connection, claim))
    await few.finish(claim, b"seven")
    assert b"seven" == await few.begin(ASKED, now_ms=START_MS, lease_ms=LEASE_MS)
    assert 3 == await _count(db)
