"""Commands are written with the decision that made them, and read along indexes."""

from typing import Any

import pytest
from sqlalchemy import update

from actors.machine.command import (
    CommandAnswered,
    CommandKind,
    CommandOrdered,
    CommandOutcome,
    MachineReport,
)
from actors.machine.events import Connected, FrameReceived
from actors.machine.ids import BootId, StreamId
from storage.auditing import prove
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.office.commands import Commands, commands_page
from storage.tables import machine_states
from tests.storage.office.plans import goes_along
from tests.storage.owner import START_MS, Owner

BY = "machine_commands_by_"
REPORT = MachineReport(uptime_s=0, firmware="7", door_open=False)


INDEXES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "ordered_at_ms_command_id"),
    ({"kind": "REBOOT"}, "kind_ordered_at_ms_command_id"),
    ({"status": "SENT"}, "status_ordered_at_ms_command_id"),
    ({"machine_id": "VM-1"}, "machine_id_ordered_at_ms_command_id"),
    ({"machine_id": "VM-1", "kind": "REBOOT"}, "machine_id_kind_ordered_at_ms_command_id"),
    ({"machine_id": "VM-1", "status": "SENT"}, "machine_id_status_ordered_at_ms_command_id"),
)


async def test_pages_go_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """Whatever is asked for, at any depth."""
    for wanted, index in INDEXES:
        with subtests.test(wanted=wanted):
            none = {"machine_id": "", "kind": "", "status": ""}
            asked = commands_page(**{**none, **wanted}, after="1700000000000:c7")
            await goes_along(db, asked.limit(10), BY + index)


async def connected(owner: Owner) -> None:
    """The machine is there, and knows commands."""
    hello = Connected(
        stream_id=StreamId("g-VM-1"),
        opened_at_ms=START_MS,
        boot_id=BootId("b1"),
        knows_commands=True,
    )
    await owner.do("VM-1", hello)


def ordered(owner: Owner, command_id: str, kind: CommandKind) -> CommandOrdered:
    """Somebody orders something of the first column."""
    return CommandOrdered(
        command_id=command_id,
        kind=kind,
        version=0,
        ordered_at_ms=owner.now_ms,
        expires_at_ms=owner.now_ms + 60_000,
        column="A1" if kind is CommandKind.TEST_VEND else "",
        actor="ann",
    )


def answered(seq: int, command_id: str, **more: Any) -> FrameReceived:
    """The machine says that it is done."""
    outcome = CommandOutcome.APPLIED
    fact = CommandAnswered(command_id=command_id, outcome=outcome, detail="it said\0so", **more)
    return FrameReceived(stream_id=StreamId("g-VM-1"), seq=seq, fact=fact)


async def test_a_row_is_a_command_from_beginning_to_end(db: Database) -> None:
    """With what the machine said; lists have the newest first, and the audit is clean."""
    owner = await Owner.of(db, "VM-1")
    await connected(owner)
    await owner.do("VM-1", ordered(owner, "c1", CommandKind.REPORT))
    owner.now_ms += 1_000
    await owner.do("VM-1", ordered(owner, "c2", CommandKind.TEST_VEND))
    await owner.do("VM-1", answered(1, "c1", report=REPORT))
    await owner.do("VM-1", answered(2, "c2", evidence="motor=RAN drop=SEEN"))

    made = Commands(db)
    everything: dict[str, Any] = {"machine_id": "", "kind": "", "status": "", "limit": 9}
    newest, oldest = await made.page(after="", **everything)
    assert ("c2", "APPLIED", "A1", True, "motor=RAN drop=SEEN", None) == (
        newest.command_id,
        newest.status,
        newest.column,
        newest.dropped,
        newest.evidence,
        newest.report,
    )
    assert (REPORT, "ann", START_MS, "it said\ufffdso") == (
        oldest.report,
        oldest.ordered_by,
        oldest.ordered_at_ms,
        oldest.detail,
    )
    assert [oldest] == await made.page(after=newest.position, **everything)
    assert [newest] == await made.page(after="", **{**everything, "kind": "TEST_VEND"})
    assert (oldest, None) == (await made.named("c1"), await made.named("c9"))
    assert (await prove(db, now_ms=owner.now_ms)).clean


@pytest.mark.slow_on_postgres
async def test_what_must_be_known_before_an_order_is_read_together(db: Database) -> None:
    """The machine's state, if it has one, and whether the command is there."""
    owner = await Owner.of(db, "VM-1")
    made = Commands(db)
    assert (None, None) == ((seen := await made.seen("VM-9", "c1")).command, seen.state)
    await connected(owner)
    await owner.do("VM-1", ordered(owner, "c1", CommandKind.REPORT))
    seen = await made.seen("VM-1", "c1")
    assert seen.command is not None
    assert seen.state is not None
    assert ("SENT", ["c1"]) == (
        seen.command.status,
        [one.command_id for one in seen.state.commands],
    )


async def test_what_an_open_command_waits_for_is_read_of_its_machine(db: Database) -> None:
    """Beside it; of a state that cannot be read its host has halted the machine."""
    owner = await Owner.of(db, "VM-1")
    made = Commands(db)
    await connected(owner)
    await owner.do("VM-1", ordered(owner, "c1", CommandKind.REPORT))
    assert "ANSWER" == (found.waits_for if (found := await made.named("c1")) else "")
    broken = update(machine_states).values(body="{")
    await db.write(lambda connection: connection.execute(broken))
    assert "HOST" == (found.waits_for if (found := await made.named("c1")) else "")


@pytest.mark.slow_on_postgres
async def test_a_gauge_counts_what_has_not_ended(db: Database) -> None:
    """By status, and since when the oldest waits."""
    owner = await Owner.of(db, "VM-1")
    await connected(owner)
    await owner.do("VM-1", ordered(owner, "c1", CommandKind.TEST_VEND))
    owner.now_ms += 1_000
    await owner.do("VM-1", ordered(owner, "c2", CommandKind.REBOOT))
    gauges = await Queries(db).gauges(now_ms=owner.now_ms)
    open_ones = {
        (one.status, one.count, one.oldest_at_ms)
        for one in gauges
        if one.name == "machine_commands_open"
    }
    assert {("QUEUED", 1, START_MS + 1_000), ("SENT", 1, START_MS)} == open_ones
