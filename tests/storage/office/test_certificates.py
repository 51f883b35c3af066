"""The generations of machines' certificates, and what is found when an old one is used again."""

import asyncio

import pytest
from sqlalchemy import func, make_url, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office.certificates import (
    BACKDATED_MS,
    LIVE_MAX,
    Certificates,
    Denied,
    TooMany,
    _renew,
)
from storage.office.denials import Denials
from storage.office.enrolment_tokens import EnrolmentTokens
from storage.tables import audit, denials, machine_certificates
from tests.storage.office.enrolled import NOW_MS, came, certificate, doubled, enrolled, token
from tests.storage.owner import Owner
from tests.support.keeping import Keeping
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S

FAR_MS = NOW_MS + 500 * DAY_MS


@pytest.fixture(autouse=True)
async def _registered(db: Database) -> None:
    await Owner.of(db, "VM-1")


async def _denied(db: Database) -> list[tuple[str, str]]:
    """The numbers that are denied, each with the machine whose alone it is."""
    return sorted((name, machine_id) for _, name, machine_id in await Denials(db).names())


async def _renewed(certificates: Certificates, name: str, by: str) -> int:
    made = await certificates.renew(certificate(name), certificate(by), now_ms=NOW_MS)
    return made.generation


@pytest.mark.slow_on_postgres
async def test_a_renewal_is_the_next_generation(db: Database) -> None:
    """The same request again has the same answer, and is no further one."""
    certificates = await enrolled(db)
    assert 2 == await _renewed(certificates, "a2", by="a1")
    again = certificate("other", request_sha256="request a2")
    made = await certificates.renew(again, certificate("a1"), now_ms=NOW_MS)
    assert ("a2", 2) == (made.serial, made.generation)
    assert made == await certificates.answered("VM-1", "request a2", shown="a1")
    assert ["a2", "a1"] == [one.serial for one in await certificates.of("VM-1")]


@pytest.mark.slow_on_postgres
async def test_a_machine_whose_key_stays_renews_with_the_same_request(db: Database) -> None:
    """Its requests are the same bytes each time; who shows the answer to one has heard it."""
    certificates = await enrolled(db)
    shown = "a1"
    for number in (2, 3, 4):
        made = [
            await certificates.renew(
                certificate(f"a{number}{tried}", request_sha256="request a1"),
                certificate(shown),
                now_ms=NOW_MS,
            )
            for tried in "xy"  # the answer is lost at first
        ]
        assert [number, number] == [one.generation for one in made]
        shown = made[0].serial
        assert [] == await certificates.came([came(shown)], now_ms=NOW_MS)
    assert ["a4x", "a3x", "a2x", "a1"] == [one.serial for one in await certificates.of("VM-1")]


@pytest.mark.slow_on_postgres
async def test_no_older_certificate_is_the_answer_to_a_renewal(db: Database) -> None:
    """A machine that has two keys in turn would be sent back to what it has left, as a copy is."""
    certificates = await enrolled(db)
    assert 2 == await _renewed(certificates, "a2", by="a1")
    made = await certificates.renew(
        certificate("a3", request_sha256="request a1"), certificate("a2"), now_ms=NOW_MS
    )
    assert ("a3", 3) == (made.serial, made.generation)


@pytest.mark.slow_on_postgres
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
    assert [("a1", "VM-1"), ("a2", "VM-1")] == await _denied(db)
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


@pytest.mark.slow_on_postgres
async def test_a_copy_that_renewed_first_is_found_by_the_machine_itself(db: Database) -> None:
    """The thief has the newest one and used it; the machine comes with the one before."""
    certificates = await enrolled(db)
    await certificates.came([came("a1")], now_ms=NOW_MS)
    await _renewed(certificates, "stolen", by="a1")
    assert [] == await certificates.came([came("stolen")], now_ms=NOW_MS)
    assert ["VM-1"] == await certificates.came([came("a1")], now_ms=NOW_MS)


@pytest.mark.slow_on_postgres
async def test_a_certificate_that_was_passed_over_is_found_at_its_first_use(db: Database) -> None:
    """The thief renewed, and the machine did after them: what the thief got was never used."""
    certificates = await enrolled(db)
    await certificates.came([came("a1")], now_ms=NOW_MS)
    await _renewed(certificates, "stolen", by="a1")
    await _renewed(certificates, "a3", by="a1")
    assert ["VM-1"] == await certificates.came([came("stolen")], now_ms=NOW_MS)


@pytest.mark.slow_on_postgres
async def test_who_is_heard_of_late_is_judged_by_when_they_came(db: Database) -> None:
    """A gateway without SQL hears a machine, which renews at another and goes on from there."""
    certificates = await enrolled(db)
    await certificates.came([came("a1")], now_ms=NOW_MS)
    waits = came("a1", at_ms=NOW_MS + 1)
    await _renewed(certificates, "a2", by="a1")
    gone_on, heard = NOW_MS + 60_000, NOW_MS + 3_600_000
    assert [] == await certificates.came([came("a2", at_ms=gone_on)], now_ms=gone_on)
    assert [] == await certificates.came([waits], now_ms=heard)
    assert ["VM-1"] == await certificates.came([came("a1", at_ms=gone_on + 1)], now_ms=heard)


@pytest.mark.slow_on_postgres
async def test_two_cas_may_have_given_the_same_number(db: Database) -> None:
    """Whose certificate it is the machine's id says, too: nobody is taken for another."""
    certificates = await enrolled(db)
    await _renewed(certificates, "a2", by="a1")
    await certificates.came([came("a2")], now_ms=NOW_MS)
    await Owner.of(db, "VM-2")
    namesake = certificate("a1", machine_id="VM-2", chain="")
    assert [] == await certificates.came([came("a1", machine_id="VM-2")], now_ms=NOW_MS)
    of_two = certificate("b2", machine_id="VM-2")
    assert 1 == (await certificates.renew(of_two, namesake, now_ms=NOW_MS)).generation
    assert ["VM-1"] == await certificates.came(
        [came("a1", machine_id="VM-2"), came("a1")], now_ms=NOW_MS
    )
    assert ["b2"] == [one.serial for one in await certificates.of("VM-2")]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("name", [("CERTIFICATE", "a1"), ("MACHINE", "VM-1")])
async def test_who_is_denied_renews_nothing_though_no_gateway_knows_yet(
    db: Database, name: tuple[str, str]
) -> None:
    """A certificate that was renewed in those seconds would outlive the denial."""
    certificates = await enrolled(db)
    kind, whose = name
    row = {"kind": kind, "name": whose, "denied_by": "ann", "denied_at_ms": 0, "reason": ""}
    await db.write(lambda connection: connection.execute(denials.insert(), [row]))
    with pytest.raises(Denied):
        await _renewed(certificates, "a2", by="a1")
    assert ["a1"] == [one.serial for one in await certificates.of("VM-1")]


@pytest.mark.slow_on_postgres
async def test_a_copy_that_renews_while_it_is_found_gets_away_with_nothing(
    db: Database, url: str
) -> None:
    """On PostgreSQL one gateway renews while another one finds two: it waits, and denies what was
    renewed as well. SQLite has one writer at a time.
    """
    if db.dialect.name != "postgresql":
        pytest.skip("of PostgreSQL")
    certificates = await enrolled(db)
    await _renewed(certificates, "a2", by="a1")
    await certificates.came([came("a2")], now_ms=NOW_MS)
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with engine.connect() as first:
        await first.run_sync(_renew, certificate("a3"), certificate("a2"), NOW_MS, NOW_MS)
        second = asyncio.create_task(certificates.came([came("a1")], now_ms=NOW_MS))
        async with asyncio.timeout(HANGS_AFTER_S):
            while not await db.read(lambda connection: connection.scalar(waiting)):
                await asyncio.sleep(LOOK_EVERY_S)
        assert not second.done()
        await first.commit()
        assert ["VM-1"] == await second
    await engine.dispose()
    assert [True] * 3 == [one.denied for one in await certificates.of("VM-1")]


@pytest.mark.slow_on_postgres
async def test_a_copy_that_renews_while_its_machine_enrols_is_denied(
    db: Database, url: str
) -> None:
    """On PostgreSQL the enrolment waits for the renewal, and denies what came of it as well; else
    the copy would be one of two, and stop the machine.
    """
    if db.dialect.name != "postgresql":
        pytest.skip("of PostgreSQL")
    certificates = await enrolled(db)
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with engine.connect() as first:
        await first.run_sync(_renew, certificate("a2"), certificate("a1"), NOW_MS, NOW_MS)
        second = asyncio.create_task(enrolled(db, "b1"))
        async with asyncio.timeout(HANGS_AFTER_S):
            while not await db.read(lambda connection: connection.scalar(waiting)):
                await asyncio.sleep(LOOK_EVERY_S)
        await first.commit()
        await second
    await engine.dispose()
    shown = [(one.serial, one.denied) for one in await certificates.of("VM-1")]
    assert [("b1", False), ("a2", True), ("a1", True)] == shown
    assert [] == await certificates.came([came("a2")], now_ms=NOW_MS)


@pytest.mark.slow_on_postgres
async def test_whoever_enrols_anew_begins_anew(db: Database) -> None:
    """After a theft, too: what was there before is denied, and is no double any more."""
    await doubled(db)
    certificates = await enrolled(db, "b1", now_ms=NOW_MS + 1)
    assert [] == await certificates.came([came("b1")], now_ms=NOW_MS + 2)
    assert [] == await certificates.came([came("a1"), came("a2")], now_ms=NOW_MS + 2)
    shown = [(one.serial, one.denied) for one in await certificates.of("VM-1")]
    assert [("b1", False), ("a2", True), ("a1", True)] == shown


@pytest.mark.slow_on_postgres
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
    in_time = Certificates(db, Keeping(later))
    made = await in_time.renew(late, certificate("a1"), now_ms=later)
    assert LIVE_MAX + 2 >= made.generation > LIVE_MAX
    rows = select(func.count()).select_from(machine_certificates)
    assert 3 >= (await db.read(lambda connection: connection.scalar(rows)) or 0)


@pytest.mark.slow_on_postgres
async def test_a_machine_renews_on_while_nobody_knows_what_time_it_is(db: Database) -> None:
    """Before anybody ever paid, or after months without a customer: what has ended by the clock of
    whoever issues is kept, and takes no room from what is issued, enrolments among it.
    """
    await enrolled(db)
    unsure, shown = Keeping(0, sure=False), "a1"
    for number in range(2, LIVE_MAX + 4):
        now_ms = NOW_MS + number * 20 * DAY_MS
        made = certificate(f"a{number}", issued_at_ms=now_ms, not_after_ms=now_ms + 30 * DAY_MS)
        await Certificates(db, unsure).renew(made, certificate(shown), now_ms=now_ms)
        shown = made.serial
    kept = await Certificates(db).of("VM-1")
    assert LIVE_MAX + 3 == len(kept)


@pytest.mark.slow_on_postgres
async def test_when_a_machine_was_enrolled_is_dated_as_its_certificate_is(db: Database) -> None:
    """By whatever clock the gateway has: what a person makes for it afterwards is newer."""
    tokens = await token(db, "T1", now_ms=FAR_MS)
    await tokens.use("T1", certificate("a1"), now_ms=FAR_MS)
    hour = NOW_MS + BACKDATED_MS
    by_hand = came("hand", not_before_ms=hour, not_after_ms=hour + DAY_MS)
    assert [] == await Certificates(db).came([by_hand], now_ms=hour)
    assert [] == await _denied(db)


@pytest.mark.slow_on_postgres
async def test_a_renewal_forgets_denials_of_certificates_that_have_ended(db: Database) -> None:
    """Nobody would find them behind it: it forgets those certificates."""
    await enrolled(db)
    await enrolled(db, "b1", now_ms=NOW_MS + 1)
    assert [("a1", "VM-1")] == await _denied(db)
    for name, by, day in (("b2", "b1", 20), ("b3", "b2", 40)):
        now_ms = NOW_MS + day * DAY_MS
        made = certificate(name, issued_at_ms=now_ms, not_after_ms=now_ms + 30 * DAY_MS)
        await Certificates(db, Keeping(now_ms)).renew(made, certificate(by), now_ms=now_ms)
    assert ["b3", "b2"] == [one.serial for one in await Certificates(db).of("VM-1")]
    assert [] == await Denials(db).names()


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("keeping", [Keeping(NOW_MS + 2), Keeping(FAR_MS, sure=False)])
async def test_a_gateway_whose_clock_is_far_ahead_lets_no_copy_in(
    db: Database, keeping: Keeping
) -> None:
    """It denies what the machine had, though that has ended by its own clock, and forgets no denial
    of it: everywhere else the certificate is good.
    """
    certificates = await enrolled(db)
    await token(db, "T2", now_ms=FAR_MS)
    tokens = EnrolmentTokens(db, keeping)
    made = certificate("b1", issued_at_ms=FAR_MS, not_after_ms=FAR_MS + 30 * DAY_MS)
    await tokens.use("T2", made, now_ms=FAR_MS)
    assert [("a1", "VM-1")] == await _denied(db)
    after = certificate("b2", issued_at_ms=FAR_MS + 1, not_after_ms=FAR_MS + 30 * DAY_MS)
    await Certificates(db, keeping).renew(after, made, now_ms=FAR_MS + 1)
    assert [("a1", "VM-1")] == await _denied(db)
    assert ["b2", "b1", "a1"] == [one.serial for one in await certificates.of("VM-1")]


@pytest.mark.slow_on_postgres
async def test_denials_of_certificates_that_have_ended_are_forgotten(db: Database) -> None:
    """At the next enrolment: they take no room for ever."""
    await doubled(db)
    await enrolled(db, "b1", now_ms=NOW_MS + 31 * DAY_MS)
    assert [] == await Denials(db).names()


@pytest.mark.slow_on_postgres
async def test_what_was_made_by_hand_before_an_enrolment_is_turned_away(db: Database) -> None:
    """By itself, and told in the audit log; what the machine was given since sells on, through its
    renewals too. It is forgotten when it has ended.
    """
    ends_ms = NOW_MS + 90 * DAY_MS
    before = NOW_MS - BACKDATED_MS - 1
    by_hand = came("hand", not_before_ms=before, not_after_ms=ends_ms)
    assert [] == await Certificates(db).came([by_hand], now_ms=NOW_MS)  # it is not enrolled yet
    certificates = await enrolled(db)
    await _renewed(certificates, "a2", by="a1")
    assert ["VM-1"] == await certificates.came([by_hand, came("a1")], now_ms=NOW_MS)
    assert [] == await certificates.came([by_hand], now_ms=NOW_MS)
    views = await certificates.of("VM-1")
    assert [("a2", 2, False), ("a1", 1, False), ("hand", 0, True)] == [
        (one.serial, one.generation, one.denied) for one in views
    ]
    another = came("hand2", not_before_ms=before, not_after_ms=ends_ms)
    assert ["VM-1"] == await certificates.came([another], now_ms=NOW_MS)
    assert -1 == (await certificates.of("VM-1"))[-1].generation
    said = select(audit.c.detail).where(audit.c.action == "OldCertificateDenied")
    told = await db.read(lambda connection: connection.scalars(said.order_by(audit.c.id)).all())
    assert "certificate hand was used from ipv4:10.0.0.9: it was made by hand before" in told[0]
    late = certificate("a3", issued_at_ms=ends_ms, not_after_ms=ends_ms + DAY_MS)
    in_time = Certificates(db, Keeping(ends_ms))
    await in_time.renew(late, certificate("a2"), now_ms=ends_ms)
    assert ["a3", "a2"] == [one.serial for one in await certificates.of("VM-1")]
    assert [] == await Denials(db).names()


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("not_before_ms", [NOW_MS - BACKDATED_MS, NOW_MS + 1, None])
async def test_what_is_newer_than_the_enrolment_is_believed(
    db: Database, not_before_ms: int | None
) -> None:
    """A person made it knowingly; or an older copy of the database was put back, which has
    forgotten what machines were given since.
    """
    certificates = await enrolled(db)
    unknown = came("other", not_before_ms=not_before_ms, not_after_ms=NOW_MS + DAY_MS)
    assert [] == await certificates.came([unknown], now_ms=NOW_MS)
    assert ["a1"] == [one.serial for one in await certificates.of("VM-1")]
