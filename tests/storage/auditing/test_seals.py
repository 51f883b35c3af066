"""Whoever rewrites the books with all their digests is found by a seal that was kept elsewhere."""

import pytest
from sqlalchemy import Connection, select, update

from storage.auditing import Seal, prove
from storage.books import chain
from storage.database.engine import Database
from storage.tables import audit, installation, journal, machine_states, transfers
from tests.storage.auditing.books import NOW_MS, found
from tests.storage.owner import Owner
from tests.storage.unlocked import unlock


def forge(connection: Connection) -> None:
    """Change money of VM-1, make its digests again from the first to the last, and the last one of
    audit too.
    """
    unlock(connection, "UPDATE transfers")
    line, transfer = journal.c, transfers.c
    connection.execute(
        update(transfers)
        .where(transfer.machine_id == "VM-1")
        .values(amount_minor=transfer.amount_minor * 2)
    )
    head = ""
    lines = (
        select(*line[chain.LINE_COLUMNS]).where(line.machine_id == "VM-1").order_by(line.version)
    )
    for values in connection.execute(lines).all():
        own = (
            select(*transfer[chain.TRANSFER_COLUMNS])
            .where(transfer.machine_id == "VM-1", transfer.version == values[1])
            .order_by(transfer.line)
        )
        head = chain.digest(
            head, chain.line_content(values, [tuple(one) for one in connection.execute(own).all()])
        )
        connection.execute(
            update(journal)
            .where(line.machine_id == "VM-1", line.version == values[1])
            .values(digest=head)
        )
    connection.execute(
        update(machine_states).where(machine_states.c.machine_id == "VM-1").values(digest=head)
    )
    connection.execute(update(audit).where(audit.c.id == 6).values(digest="f" * 64))
    connection.execute(update(installation).values(audit_digest="f" * 64))


async def test_a_chain_that_was_written_again_is_found_by_a_seal(sound: Database) -> None:
    """Nothing in the database tells of it; a seal that was kept elsewhere does, and one behind
    whose row nothing was touched stands.
    """
    seals = (await prove(sound, now_ms=NOW_MS)).seals
    assert ["VM-1", "VM-2", "VM-3", "VM-4", ""] == [seal.machine_id for seal in seals]
    assert (await prove(sound, now_ms=NOW_MS, seals=seals)).chains_hold

    await sound.write(forge)
    result = await prove(sound, now_ms=NOW_MS, seals=seals)
    assert [] == found(result)
    first, second = found(result, "sealed_digests_stand")
    assert first.startswith(
        f"line 20 of machine VM-1 was sealed with digest {seals[0].digest} and has digest "
    )
    assert second.startswith(
        f"row 6 of audit was sealed with digest {seals[-1].digest} and has digest {'f' * 64} now"
    )
    assert not result.chains_hold


async def test_a_seal_whose_row_is_gone_is_found(sound: Database) -> None:
    """Also of a machine that is not there at all."""
    seals = [
        Seal(machine_id="VM-1", version=99, digest="a" * 64),
        Seal(machine_id="VM-9", version=1, digest="b" * 64),
    ]
    said = found(await prove(sound, now_ms=NOW_MS, seals=seals), "sealed_digests_stand")
    assert [
        (
            f"line 99 of machine VM-1 was sealed with digest {'a' * 64} and is gone: its chain was "
            "written again"
        ),
        (
            f"line 1 of machine VM-9 was sealed with digest {'b' * 64} and is gone: its chain was "
            "written again"
        ),
    ] == said


@pytest.mark.slow_on_postgres
async def test_an_older_seal_stands_when_more_is_written(sound: Database) -> None:
    """A chain that has grown still holds what was sealed."""
    seals = (await prove(sound, now_ms=NOW_MS)).seals
    owner = await Owner.claim(sound, "VM-1", holder="h3")
    await owner.start("VM-1")
    newer = await prove(sound, now_ms=NOW_MS, seals=seals)
    assert newer.chains_hold
    assert newer.seals[0].version > seals[0].version
