"""Certificates, machines and people that are turned away."""

from typing import Any

import pytest
from sqlalchemy import insert, select

from storage.database.engine import Database
from storage.fleet.positions import InvalidPosition
from storage.office.deeds import Deed, NotPossible, NotThere
from storage.office.denials import DENIALS_MAX, Denials, DenialView
from storage.tables import audit, denials


def by(*, now_ms: int = 7, **more: Any) -> Deed:
    return Deed(actor="ann", action="DenyAccess", now_ms=now_ms, **more)


async def test_the_first_denial_counts_and_is_written_down_once(db: Database) -> None:
    """Whoever denies again changes nothing."""
    kept = Denials(db)
    first = DenialView(
        kind="MACHINE", name="VM-1", denied_by="ann", denied_at_ms=7, reason="stolen"
    )
    assert first == await kept.deny("MACHINE", "VM-1", "stolen", by(), by="ann")
    assert first == await kept.deny("MACHINE", "VM-1", "again", by(now_ms=8), by="bob")
    assert [("MACHINE", "VM-1", "")] == await kept.names()
    rows = await db.read(
        lambda connection: connection.execute(select(audit.c.machine_id, audit.c.detail)).all()
    )
    assert [("VM-1", "machine VM-1: stolen")] == [tuple(row) for row in rows]


@pytest.mark.slow_on_postgres
async def test_what_is_allowed_is_denied_no_more(db: Database) -> None:
    """It returns what was; what was not denied cannot be allowed."""
    kept = Denials(db)
    await kept.deny("PERSON", "ann", "left", by(), by="bob")
    assert "left" == (await kept.allow("PERSON", "ann", "is back", by())).reason
    assert [] == await kept.names()
    with pytest.raises(NotThere):
        await kept.allow("PERSON", "ann", "is back", by())


@pytest.mark.slow_on_postgres
async def test_a_check_writes_nothing(db: Database) -> None:
    """Neither way."""
    kept = Denials(db)
    await kept.deny("PERSON", "ann", "left", by(only_check=True), by="bob")
    assert [] == await kept.names()
    await kept.deny("PERSON", "ann", "left", by(), by="bob")
    await kept.allow("PERSON", "ann", "back", by(only_check=True))
    assert 1 == len(await kept.names())


@pytest.mark.slow_on_postgres
async def test_pages_go_on_where_the_last_one_ended(db: Database) -> None:
    """By kind and name, whatever colons stand in a name."""
    kept = Denials(db)
    names = ["a", "spiffe://x/admin/ann", "z"]
    for name in names:
        await kept.deny("PERSON", name, "left", by(), by="bob")
    await kept.deny("MACHINE", "VM-1", "stolen", by(), by="bob")
    found, after = [], ""
    while rows := await kept.page(after=after, limit=1):
        found += [row.name for row in rows]
        after = rows[-1].position
    assert ["VM-1", *names] == found
    with pytest.raises(InvalidPosition):
        await kept.page(after="nonsense", limit=1)


async def test_a_number_is_denied_as_one_machines_or_as_anybodys(db: Database) -> None:
    """Each is a denial of its own, whichever comes first; and each can be ended by itself."""
    kept = Denials(db)
    for machine_id in ("VM-2", "", "VM-1"):
        view = await kept.deny("CERTIFICATE", "1", "lost", by(), by="ann", machine_id=machine_id)
        assert ("1", machine_id) == (view.name, view.machine_id)
    again = await kept.deny("CERTIFICATE", "1", "x", by(), by="bob", machine_id="VM-2")
    assert ("lost", "ann") == (again.reason, again.denied_by)
    names = {(name, machine_id) for _, name, machine_id in await kept.names()}
    assert {("1", ""), ("1", "VM-1"), ("1", "VM-2")} == names
    found, after = [], ""
    while rows := await kept.page(after=after, limit=1):
        found.append((rows[0].name, rows[0].machine_id))
        after = rows[0].position
    assert [("1", ""), ("1", "VM-1"), ("1", "VM-2")] == found
    assert ["VM-1", "VM-2"] == await kept.hit("1")
    await kept.allow("CERTIFICATE", "1", "was mine", by())
    with pytest.raises(NotPossible, match="that of 2 machines"):
        await kept.allow("CERTIFICATE", "1", "which?", by())
    await kept.allow("CERTIFICATE", "1", "found", by(), machine_id="VM-2")
    assert "VM-1" == (await kept.allow("CERTIFICATE", "1", "the last", by())).machine_id
    with pytest.raises(NotThere):
        await kept.allow("CERTIFICATE", "1", "again", by(), machine_id="VM-1")
    assert [] == await kept.names()


async def test_a_program_of_before_goes_by_the_name_of_who_denies_everybody(db: Database) -> None:
    """It reads no more than kinds and names, and would overlook another name."""
    kept = Denials(db)
    for machine_id in ("VM-2", ""):
        await kept.deny("CERTIFICATE", "1", "lost", by(), by="ann", machine_id=machine_id)
    asked = select(denials.c.machine_id).where(denials.c.name == "1")
    assert [""] == await db.read(lambda connection: connection.scalars(asked).all())


@pytest.mark.slow_on_postgres
async def test_there_are_no_more_than_gateways_can_hold(db: Database) -> None:
    """Of those that people made; the sentence says which may go. What was denied because machines
    were enrolled anew keeps nobody from denying a thief.
    """
    row = {"kind": "CERTIFICATE", "denied_at_ms": 1, "reason": ""}
    rows = [
        {**row, "name": f"{person}{n:x}", "denied_by": person}
        for person, few in (("vendgate", DENIALS_MAX), ("a", DENIALS_MAX - 1))
        for n in range(few)
    ]
    await db.write(lambda connection: connection.execute(insert(denials), rows))
    await Denials(db).deny("MACHINE", "VM-2", "stolen", by(), by="ann")
    with pytest.raises(NotPossible, match="certificates that have ended"):
        await Denials(db).deny("MACHINE", "VM-1", "stolen", by(), by="ann")
