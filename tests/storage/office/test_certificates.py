"""The generations of machines' certificates, and what is found when an old one is used again."""

import pytest
from sqlalchemy import func, select

from storage.database.engine import Database
from storage.office.certificates import LIVE_MAX, Certificates, TooMany
from storage.office.denials import Denials
from storage.tables import audit, machine_certificates
from tests.storage.office.enrolled import (
    DAY_MS,
    NOW_MS,
    came,
    certificate,
    doubled,
    enrolled,
)
from tests.storage.owner import Owner


@pytest.fixture(autouse=True)
async def _registered(db: Database) -> None:
    await Owner.of(db, "VM-1")


async def _renewed(certificates: Certificates, name: str, by: str) -> int:
    made = await certificates.renew(certificate(name), certificate(by), now_ms=NOW_MS)
    return made.generation


async def test_a_renewal_is_the_next_generation(db: Database) -> None:
    """The same request again has the same answer, and is no further one."""
    certificates = await enrolled(db)
    assert 2 == await _renewed(certificates, "a2", by="a1")
    again = certificate("other", request_sha256="request a2")
    made = await certificates.renew(again, certificate("a1"), now_ms=NOW_MS)
    assert ("a2", 2) == (made.serial, made.generation)
    assert made == await certificates.kept("VM-1", "request a2")
    assert ["a2", "a1"] == [one.serial for one in await certificates.of("VM-1")]


async def test_a_machine_may_use_what_it_used_last_and_what_is_newest(db: Database) -> None:
    """An answer that was lost, and a new request with another key, are nobody's fault."""
    certificates = await enrolled(db)
    assert [] == await certificates.came([came("a1")], now_ms=NOW_MS)
    await _renewed(certificates, "a2", by="a1")  # the answer is lost, and the key with it
    assert [] == await certificates.came([came("a1")], now_ms=NOW_MS)
    await _renewed(certificates, "a3", by="a1")
    assert [] == await certificates.came([came("a3")], now_ms=NOW_MS)
    used = [one.used_at_ms is not None for one in await certificates.of("VM-1")]
    assert [True, False, True] == used


async def test_an_old_generation_denies_both_and_is_told_to_people(db: Database) -> None:
    """Every certificate of the machine, with a row in the audit log; and only once."""
    await doubled(db)
    assert [("CERTIFICATE", "a1"), ("CERTIFICATE", "a2")] == sorted(await Denials(db).names())
    asked = select(audit.c.actor, audit.c.machine_id, audit.c.detail)
    asked = asked.where(audit.c.action == "MachineDoubled")
    rows = await db.read(lambda connection: connection.execute(asked).all())
    assert [
        (
            "vendgate",
            "VM-1",
            (
                "certificate a1 of generation 1 was used from ipv4:10.0.0.9 after generation 2, of "
                "2: two have keys of this machine, and both are denied"
            ),
        )
    ] == [tuple(row) for row in rows]
    assert [] == await Certificates(db).came([came("a1"), came("a2")], now_ms=NOW_MS + 1)


async def test_a_copy_that_renewed_first_is_found_by_the_machine_itself(db: Database) -> None:
    """The thief has the newest one and used it; the machine comes with the one before."""
    certificates = await enrolled(db)
    await certificates.came([came("a1")], now_ms=NOW_MS)
    await _renewed(certificates, "stolen", by="a1")
    assert [] == await certificates.came([came("stolen")], now_ms=NOW_MS)
    assert ["VM-1"] == await certificates.came([came("a1")], now_ms=NOW_MS)


async def test_a_certificate_that_was_passed_over_is_found_at_its_first_use(db: Database) -> None:
    """The thief renewed, and the machine did after them: what the thief got was never used."""
    certificates = await enrolled(db)
    await certificates.came([came("a1")], now_ms=NOW_MS)
    await _renewed(certificates, "stolen", by="a1")
    await _renewed(certificates, "a3", by="a1")
    assert ["VM-1"] == await certificates.came([came("stolen")], now_ms=NOW_MS)


async def test_whoever_enrols_anew_begins_anew(db: Database) -> None:
    """After a theft, too: what was there before is denied, and is no double any more."""
    await doubled(db)
    certificates = await enrolled(db, "b1", now_ms=NOW_MS + 1)
    assert [] == await certificates.came([came("b1")], now_ms=NOW_MS + 2)
    assert [] == await certificates.came([came("a1"), came("a2")], now_ms=NOW_MS + 2)
    shown = [(one.serial, one.denied) for one in await certificates.of("VM-1")]
    assert [("b1", False), ("a2", True), ("a1", True)] == shown


async def test_one_that_a_person_issued_joins_at_its_renewal(db: Database) -> None:
    """Until then nobody keeps it, and it is left alone."""
    certificates = Certificates(db)
    assert [] == await certificates.came([came("hand")], now_ms=NOW_MS)
    by_hand = certificate("hand", request_sha256="", chain="")
    made = await certificates.renew(certificate("a2"), by_hand, now_ms=NOW_MS)
    assert 2 == made.generation
    assert [] == await certificates.came([came("hand")], now_ms=NOW_MS)
    assert [] == await certificates.came([came("a2")], now_ms=NOW_MS)
    assert ["VM-1"] == await certificates.came([came("hand")], now_ms=NOW_MS)


async def test_a_machine_has_a_few_certificates_at_most(db: Database) -> None:
    """Those that have ended make room, and the newest of them is kept, for its number."""
    certificates = await enrolled(db)
    for number in range(2, LIVE_MAX + 1):
        await _renewed(certificates, f"a{number}", by="a1")
    with pytest.raises(TooMany):
        await _renewed(certificates, "more", by="a1")
    later = NOW_MS + 31 * DAY_MS
    late = certificate("late", issued_at_ms=later, not_after_ms=later + DAY_MS)
    made = await certificates.renew(late, certificate("a1"), now_ms=later)
    assert LIVE_MAX + 2 >= made.generation > LIVE_MAX
    rows = select(func.count()).select_from(machine_certificates)
    assert 3 >= (await db.read(lambda connection: connection.scalar(rows)) or 0)


async def test_denials_of_certificates_that_have_ended_are_forgotten(db: Database) -> None:
    """At the next enrolment: they take no room for ever."""
    await doubled(db)
    await enrolled(db, "b1", now_ms=NOW_MS + 31 * DAY_MS)
    assert [] == await Denials(db).names()
