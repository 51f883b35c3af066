"""A layout that a call asks for is written once."""

from typing import Any

import pytest
from sqlalchemy import select

from actors.ports import StoreError
from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked, Claim, RequestInProgress
from storage.fleet.layouts import Layouts, LayoutView
from storage.machines.layout import Layout
from storage.tables import audit

ANN = Actor(name="ann", claimed="ann")
ASKED = Asked(caller="ann", request_id="r1", rpc="ScaleHosts", content_sha256="c")


async def begin(db: Database, now_ms: int) -> Claim:
    """Begin the request, or go on with it once its first claim has run out."""
    claim = await Answers(db).begin(ASKED, machine_id="", now_ms=now_ms, lease_ms=10)
    assert isinstance(claim, Claim)
    return claim


async def audited(db: Database) -> list[tuple[Any, ...]]:
    """What the audit log has of layouts."""
    chosen = (
        select(*audit.c["actor", "detail"]).where(audit.c.action == "layout").order_by(audit.c.id)
    )
    return await db.read(lambda connection: list(map(tuple, connection.execute(chosen))))


@pytest.mark.slow_on_postgres
async def test_without_a_layout_there_is_nothing_to_change(db: Database) -> None:
    """The first gateway writes one."""
    for refused in (Layouts(db).now(), Layouts(db).scale(2, actor=ANN, now_ms=1)):
        with pytest.raises(StoreError, match="Nothing has served this database yet"):
            await refused


async def test_a_change_tells_what_was_before(db: Database) -> None:
    """The same number again is none, and leaves no row."""
    await Layout(db).agree(1, by="gw", now_ms=1)
    changed = LayoutView(hosts=4, version=2, before=1)
    assert changed == await Layouts(db).scale(4, actor=ANN, now_ms=2)
    again = LayoutView(hosts=4, version=2, before=4)
    assert again == await Layouts(db).scale(4, actor=ANN, now_ms=3)
    assert again == await Layouts(db).now()
    assert [("ann", "1 to 4 hosts, version 2")] == await audited(db)


async def test_a_call_that_is_repeated_does_not_undo_what_came_since(db: Database) -> None:
    """Its answer was lost, somebody scaled again, and it comes once more."""
    await Layout(db).agree(1, by="gw", now_ms=1)
    first = await begin(db, 10)
    did = await Layouts(db).scale(4, actor=ANN, now_ms=11, claim=first)
    await Layouts(db).scale(2, actor=ANN, now_ms=12)
    second = await begin(db, 100)
    assert second.done
    assert did == await Layouts(db).scale(4, actor=ANN, now_ms=101, claim=second)
    assert LayoutView(hosts=2, version=3, before=2) == await Layouts(db).now()


async def test_a_claim_that_ran_out_changes_nothing(db: Database) -> None:
    """Another gateway goes on with the request."""
    await Layout(db).agree(1, by="gw", now_ms=1)
    first = await begin(db, 10)
    await begin(db, 100)
    with pytest.raises(RequestInProgress):
        await Layouts(db).scale(4, actor=ANN, now_ms=101, claim=first)
    assert (1, []) == ((await Layouts(db).now()).hosts, await audited(db))
