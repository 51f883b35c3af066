"""Incidents are read along indexes, and what a machine sells is summed."""

from typing import Any

import pytest

from actors.machine.events import FrameReceived
from actors.machine.ids import StreamId
from actors.machine.incident import FaultReported, IncidentClosed
from storage.books.audit_rows import AuditRow, Outcome, write_audit_rows
from storage.database.engine import Database
from storage.office.incidents import Incidents, incidents_page
from tests.storage.auditing.books import pays
from tests.storage.office.plans import goes_along
from tests.storage.owner import START_MS, Owner

INDEXES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"machine_id": ""}, "incidents_by_opened_at_ms_incident_id"),
    ({"machine_id": "VM-1"}, "incidents_by_machine_id_opened_at_ms_incident_id"),
    ({"machine_id": "", "only_open": True}, "incidents_open"),
    ({"machine_id": "VM-1", "only_open": True}, "incidents_open_of_machine"),
)


async def test_pages_go_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """Whatever is asked for, at any depth."""
    for wanted, index in INDEXES:
        with subtests.test(wanted=wanted):
            asked = incidents_page(**{"only_open": False, **wanted}, after="1700000000000:VM-1-i7")
            await goes_along(db, asked.limit(10), index)


async def test_a_row_is_an_incident_from_beginning_to_end(db: Database) -> None:
    """However often it is told; lists have the newest first."""
    owner = await Owner.of(db, "VM-1")
    for seq, (code, column) in enumerate((("EJB", "A1"), ("EGS", ""), ("EJB", "A1")), 1):
        owner.now_ms += 1_000
        fault = FaultReported(code=code, column=column, detail="it said\0so")
        await owner.do("VM-1", FrameReceived(stream_id=StreamId("g-VM-1"), seq=seq, fact=fault))
    await owner.do("VM-1", IncidentClosed(incident_id="VM-1-i2", reason="shut", actor="ann"))

    made = Incidents(db)
    newest, oldest = await made.page(machine_id="", only_open=False, after="", limit=9)
    assert ("EGS", "CLOSED", "ann", "shut") == (
        newest.code,
        newest.ending,
        newest.ended_by,
        newest.reason,
    )
    assert ("EJB", "A1", 2, None, "") == (
        oldest.code,
        oldest.column,
        oldest.times,
        oldest.ended_at_ms,
        oldest.ending,
    )
    assert "\0" not in oldest.detail
    behind = {"machine_id": "VM-1", "after": newest.position, "limit": 9}
    assert [oldest] == await made.page(only_open=False, **behind)  # type: ignore[arg-type]  # each as it is named
    assert [oldest] == await made.page(machine_id="VM-1", only_open=True, after="", limit=9)
    assert (oldest, None) == (await made.named("VM-1-i1"), await made.named("VM-1-i9"))


async def test_what_a_machine_sells_is_summed_by_column(db: Database) -> None:
    """Within the time that was asked for, and only what was sold."""
    owner = await Owner.of(db, "VM-1")
    for number in (1, 2):
        first, *rest = owner.purchase("VM-1", number)
        await pays(db, owner, "VM-1", first.trade_id)  # type: ignore[union-attr]  # a payment
        for event in rest:
            await owner.do("VM-1", event)
    hour = 3_600_000
    made = Incidents(db)
    takings = await made.takings("VM-1", since_ms=START_MS, now_ms=START_MS + hour)
    assert hour == takings.span_ms
    ((column, minor),) = takings.by_column.items()
    assert ("A1", 2 * 500) == (column, minor)
    later = await made.takings("VM-1", since_ms=START_MS + hour, now_ms=START_MS + 2 * hour)
    assert {} == later.by_column


async def test_a_machine_is_disabled_since_somebody_did_it(db: Database) -> None:
    """Since the first time after it was enabled last; who was refused did nothing."""
    made = Incidents(db)
    assert await made.disabled_at_ms("VM-1") is None

    async def done(at_ms: int, action: str, outcome: Outcome = Outcome.DONE) -> int | None:
        row = AuditRow(
            at_ms=at_ms,
            actor="ann",
            action=action,
            machine_id="VM-1",
            detail="",
            outcome=outcome,
        )
        await db.write(lambda connection: write_audit_rows(connection, [row]))
        return await made.disabled_at_ms("VM-1")

    assert await done(1, "DisableMachine", Outcome.REFUSED) is None
    assert 2 == await done(2, "DisableMachine")
    assert 2 == await done(3, "DisableMachine")
    assert await done(4, "EnableMachine") is None
    assert 5 == await done(5, "DisableMachine")
