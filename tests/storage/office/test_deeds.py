"""A change of the back office is looked at and made by one plan, with its audit rows and its
claim.
"""

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from storage.books.audit_rows import Outcome
from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked, Claim, RequestInProgress
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere, NotYet, do
from storage.tables import audit, work_item_closings

ASKED = Asked(caller="ann", request_id="r-1", rpc="CreateProduct", content_sha256="a" * 64)
LEASE_MS = 60_000
ROW = {
    "item_id": "i-1",
    "kind": "MACHINE_ALARM",
    "machine_id": "VM-1",
    "actor": "ann",
    "closed_at_ms": 1,
    "reason": "",
}


def a_deed(**changes: Any) -> Deed:
    values: dict[str, Any] = {"actor": "ann", "action": "Act", "now_ms": 7, **changes}
    return Deed(**values)


def a_plan(*details: Detail) -> Any:
    """A plan with one row to write."""
    return lambda _: DeedPlan(
        result="made", writes=((insert(work_item_closings), [ROW]),), details=details
    )


def _again(_: Connection) -> str:
    return "there"


async def written(db: Database) -> tuple[list[str], list[tuple[str, str, str]]]:
    """The rows that a plan wrote, and what the audit log says."""

    def work(connection: Connection) -> tuple[list[str], list[tuple[str, str, str]]]:
        rows = connection.execute(select(*audit.c["action", "machine_id", "detail"]))
        return (
            list(connection.scalars(select(work_item_closings.c.item_id))),
            [tuple(row) for row in rows],
        )

    return await db.read(work)


async def claimed(db: Database, now_ms: int = 1) -> Claim:
    claim = await Answers(db).begin(ASKED, now_ms=now_ms, lease_ms=LEASE_MS)
    assert isinstance(claim, Claim)
    return claim


@pytest.mark.slow_on_postgres
async def test_a_deed_writes_its_rows_and_its_audit_rows(db: Database) -> None:
    """Each detail is a row of the audit log, and names its machine if it has one."""
    plan = a_plan(Detail(said="one"), Detail(said="two", machine_id="VM-1"))
    assert "made" == await do(db, a_deed(), plan, _again)
    assert (["i-1"], [("Act", "", "one"), ("Act", "VM-1", "two")]) == await written(db)


@pytest.mark.slow_on_postgres
async def test_a_deed_that_is_only_checked_writes_nothing(db: Database) -> None:
    """Its plan says what it would come to."""
    assert "made" == await do(db, a_deed(only_check=True), a_plan(Detail(said="one")), _again)
    assert ([], []) == await written(db)


@pytest.mark.slow_on_postgres
async def test_what_is_refused_leaves_nothing(db: Database) -> None:
    """The claim is as it was, too: its id is free for another try."""

    def refuses(_: Connection) -> DeedPlan[str]:
        raise NotThere("product", "cola")

    claim = await claimed(db)
    with pytest.raises(NotThere):
        await do(db, a_deed(claim=claim), refuses, _again)
    assert ([], []) == await written(db)
    assert not (await claimed(db, now_ms=LEASE_MS + 2)).done


@pytest.mark.slow_on_postgres
async def test_a_claim_that_was_done_does_nothing_again(db: Database) -> None:
    """Whoever goes on with a request that was cut off behind its COMMIT finds what is there."""
    await do(db, a_deed(claim=await claimed(db)), a_plan(Detail(said="one")), _again)
    resumed = await claimed(db, now_ms=LEASE_MS + 2)
    assert resumed.done
    assert "there" == await do(db, a_deed(claim=resumed), a_plan(Detail(said="one")), _again)
    assert "" == resumed.kept
    assert (["i-1"], [("Act", "", "one")]) == await written(db)


async def test_a_claim_that_was_done_has_what_was_kept(db: Database) -> None:
    """What an answer said and nothing that is there tells."""
    kept = DeedPlan(result="made", kept="three were new")
    await do(db, a_deed(claim=await claimed(db)), lambda _: kept, _again)
    assert "three were new" == (await claimed(db, now_ms=LEASE_MS + 2)).kept


@pytest.mark.slow_on_postgres
async def test_a_claim_that_ran_out_makes_nothing(db: Database) -> None:
    """Somebody else does it by now: the rows are taken back with the transaction."""
    mine = await claimed(db)
    await claimed(db, now_ms=LEASE_MS + 2)
    with pytest.raises(RequestInProgress):
        await do(db, a_deed(claim=mine), a_plan(Detail(said="one")), _again)
    assert ([], []) == await written(db)


@pytest.mark.slow_on_postgres
async def test_what_another_has_done_by_now_is_no_refusal(db: Database) -> None:
    """Whoever took the claim over has done it, and that is what stands in the way."""
    mine = await claimed(db)
    heir = await claimed(db, now_ms=LEASE_MS + 2)
    await do(db, a_deed(claim=heir), a_plan(Detail(said="one")), _again)

    def finds_it_done(connection: Connection) -> DeedPlan[str]:
        assert "i-1" == connection.scalar(select(work_item_closings.c.item_id))
        raise NotPossible("REQUEST_ID_USED", "it is there")

    with pytest.raises(RequestInProgress):
        await do(db, a_deed(claim=mine), finds_it_done, _again)


async def test_what_another_person_must_want_too_is_written_down_and_refused(db: Database) -> None:
    """What it writes and says is saved; the claim is not done, so that the same request may come
    again.
    """
    claim = await claimed(db)
    details = (Detail(said="proposed", outcome=Outcome.PROPOSED),)

    def plan(_: Connection) -> DeedPlan[str]:
        writes = ((insert(work_item_closings), [ROW]),)
        raise NotYet("SECOND_PERSON_NEEDED", "wait", writes=writes, details=details, offer="tea")

    with pytest.raises(NotPossible, match="wait") as caught:
        await do(db, a_deed(claim=claim), plan, _again)
    assert ("SECOND_PERSON_NEEDED", {"offer": "tea"}) == (caught.value.reason, caught.value.about)
    assert (["i-1"], [("Act", "", "proposed")]) == await written(db)
    outcomes = select(audit.c.outcome)
    assert ["PROPOSED"] == await db.read(lambda connection: list(connection.scalars(outcomes)))
    assert "made" == await do(db, a_deed(claim=claim), lambda _: DeedPlan(result="made"), _again)
