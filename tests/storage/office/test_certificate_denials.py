"""Certificates that are denied as one machine's."""

import pytest
from sqlalchemy import insert, select

from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office.certificate_denials import deny, forget_ended, is_turned_away
from storage.office.certificates import BACKDATED_MS, Denied
from storage.office.deeds import Deed
from storage.office.denials import Denials
from storage.tables import audit, denials
from tests.storage.office.enrolled import NOW_MS, came, certificate, enrolled, token
from tests.storage.owner import Owner

ENDS_MS = NOW_MS + 90 * DAY_MS


async def _denied(db: Database) -> set[tuple[str, str]]:
    return {(name, machine_id) for _, name, machine_id in await Denials(db).names()}


async def _another_enrolled(db: Database) -> None:
    """Enrol VM-2, beside VM-1."""
    await Owner.of(db, "VM-2")
    tokens = await token(db, "T2", machine_id="VM-2")
    await tokens.use("T2", certificate("b1", machine_id="VM-2"), now_ms=NOW_MS)


@pytest.mark.slow_on_postgres
async def test_a_number_that_a_clumsy_hand_gave_to_all_is_denied_machine_by_machine(
    db: Database,
) -> None:
    """Whoever made certificates with -set_serial 1 gave it to every machine: of one that is denied
    for it the others sell on, and renew.
    """
    await Owner.of(db, "VM-1")
    certificates = await enrolled(db)
    before = NOW_MS - BACKDATED_MS - 1
    theirs = came("1", not_before_ms=before, not_after_ms=ENDS_MS)
    assert ["VM-1"] == await certificates.came([theirs], now_ms=NOW_MS)
    assert {("1", "VM-1")} == await _denied(db)
    await Owner.of(db, "VM-2")
    by_hand = certificate("1", machine_id="VM-2", request_sha256="", chain="")
    of_two = certificate("b2", machine_id="VM-2")
    assert "b2" == (await certificates.renew(of_two, by_hand, now_ms=NOW_MS)).serial
    again = certificate("1", request_sha256="", chain="")
    with pytest.raises(Denied):
        await certificates.renew(certificate("a9"), again, now_ms=NOW_MS)


async def test_several_are_denied_for_one_number_and_each_is_told_once(db: Database) -> None:
    """None is left out because another one was first; and it goes when it has ended, whichever of
    them has the row of that number.
    """
    await Owner.of(db, "VM-1")
    certificates = await enrolled(db)
    await _another_enrolled(db)
    before = NOW_MS - BACKDATED_MS - 1
    both = [
        came("1", machine_id=machine_id, not_before_ms=before, not_after_ms=ENDS_MS)
        for machine_id in ("VM-1", "VM-2")
    ]
    assert ["VM-1", "VM-2"] == await certificates.came(both, now_ms=NOW_MS)
    assert [] == await certificates.came(both, now_ms=NOW_MS + 1)
    assert {("1", "VM-1"), ("1", "VM-2")} == await _denied(db)
    asked = select(audit.c.machine_id).where(audit.c.action == "OldCertificateDenied")
    told = await db.read(lambda connection: connection.scalars(asked).all())
    assert ["VM-1", "VM-2"] == sorted(told)
    for machine_id in ("VM-1", "VM-2"):
        await _forget_ended(db, machine_id)
    assert set() == await _denied(db)


@pytest.mark.slow_on_postgres
async def test_what_a_program_of_before_denies_counts_for_everybody_until_it_has_ended(
    db: Database,
) -> None:
    """It knows no machines; and its own are forgotten as it forgot them."""
    await Owner.of(db, "VM-1")
    await enrolled(db)
    row = {"kind": "CERTIFICATE", "name": "a1", "denied_by": "vendgate", "denied_at_ms": 1}
    await db.write(lambda connection: connection.execute(insert(denials), [{**row, "reason": ""}]))
    assert {("a1", "")} == await _denied(db)
    assert [True, True] == [await _is_turned_away(db, one) for one in ("VM-1", "VM-2")]
    await _forget_ended(db, "VM-1")
    assert set() == await _denied(db)


@pytest.mark.slow_on_postgres
async def test_what_a_person_denied_by_its_number_is_denied_as_the_machines_too(
    db: Database,
) -> None:
    """So that it stays denied when that person allows the number again; twice is once."""
    deed = Deed(actor="ann", action="DenyAccess", now_ms=NOW_MS)
    await Denials(db).deny("CERTIFICATE", "1", "lost", deed, by="ann")
    for _ in range(2):
        await db.write(
            lambda connection: deny(connection, "VM-1", [("1", ENDS_MS)], "old", now_ms=NOW_MS)
        )
    assert {("1", ""), ("1", "VM-1")} == await _denied(db)
    await Denials(db).allow("CERTIFICATE", "1", "found", deed)
    assert {("1", "VM-1")} == await _denied(db)


async def _forget_ended(db: Database, machine_id: str) -> None:
    await db.write(lambda connection: forget_ended(connection, machine_id, due_ms=ENDS_MS))


async def _is_turned_away(db: Database, machine_id: str) -> bool:
    return await db.read(lambda connection: is_turned_away(connection, machine_id, "a1"))
