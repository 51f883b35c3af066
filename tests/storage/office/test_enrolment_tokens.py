"""Tokens with which machines are enrolled: once, for a while, and not by guessing."""

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office.certificates import ENROLLED_MAX, TooOften
from storage.office.deeds import Deed, NotPossible, NotThere
from storage.office.denials import Denials
from storage.office.enrolment_tokens import (
    WRONG_TRIES_MAX,
    EnrolmentTokens,
    TokenRefused,
    TokenView,
)
from storage.tables import audit, enrolment_tokens, machines
from tests.storage.office.enrolled import NOW_MS, SECRET, certificate, enrolled, token
from tests.storage.owner import Owner
from tests.support.keeping import Keeping


@pytest.fixture(autouse=True)
async def _registered(db: Database) -> None:
    await Owner.of(db, "VM-1")


async def _actions(db: Database) -> list[str]:
    return await db.read(lambda connection: list(connection.scalars(select(audit.c.action))))


@pytest.mark.slow_on_postgres
async def test_a_token_enrols_one_machine_once(db: Database) -> None:
    """The same request gets the same answer again; another one gets nothing."""
    tokens = await token(db)
    assert "VM-1" == await tokens.open("T1", SECRET, now_ms=NOW_MS)
    first = certificate("a1")
    assert "chain a1" == await tokens.use("T1", first, now_ms=NOW_MS)
    again = certificate("a9", request_sha256="request a1")
    assert "chain a1" == await tokens.use("T1", again, now_ms=NOW_MS)
    assert TokenRefused.USED is await tokens.use("T1", certificate("a2"), now_ms=NOW_MS)
    assert ["CreateEnrolmentToken", "MachineEnrolled"] == (await _actions(db))[-2:]


@pytest.mark.slow_on_postgres
async def test_a_machine_whose_key_stays_is_enrolled_anew_with_the_same_request(
    db: Database,
) -> None:
    """Each token has its own answer, as often as it is asked for."""
    await enrolled(db, "a1")
    tokens = await token(db, "T2")
    for serial in ("a2", "a9"):
        again = certificate(serial, request_sha256="request a1")
        assert "chain a2" == await tokens.use("T2", again, now_ms=NOW_MS)
    assert TokenRefused.USED is await tokens.use("T2", certificate("a3"), now_ms=NOW_MS)


async def test_the_secret_is_not_kept(db: Database) -> None:
    """Whoever reads the database enrols nothing."""
    await token(db)
    row = await db.read(lambda connection: connection.execute(select(enrolment_tokens)).one())
    assert all(SECRET not in str(value) for value in row)


async def test_five_wrong_secrets_lock_a_token(db: Database) -> None:
    """Then the right one opens nothing either, and nobody hears the difference."""
    tokens = await token(db)
    for _ in range(WRONG_TRIES_MAX):
        assert TokenRefused.WRONG is await tokens.open("T1", "X", now_ms=NOW_MS)
    assert TokenRefused.WRONG is await tokens.open("T1", SECRET, now_ms=NOW_MS)
    assert "EnrolmentTokenLocked" == (await _actions(db))[-1]
    assert 1 == (await _actions(db)).count("EnrolmentTokenLocked")


@pytest.mark.slow_on_postgres
async def test_a_token_ends(db: Database) -> None:
    """Unless it was used in time: who lost the answer may ask for it."""
    tokens = await token(db)
    late = NOW_MS + DAY_MS
    assert TokenRefused.EXPIRED is await tokens.open("T1", SECRET, now_ms=late)
    await tokens.use("T1", certificate("a1"), now_ms=late - 1)
    assert "VM-1" == await tokens.open("T1", SECRET, now_ms=late)


@pytest.mark.slow_on_postgres
async def test_a_newer_token_takes_the_place_of_the_older(db: Database) -> None:
    """A machine has one."""
    tokens = await token(db)
    await token(db, "T2")
    assert TokenRefused.WRONG is await tokens.open("T1", SECRET, now_ms=NOW_MS)
    assert TokenRefused.WRONG is await tokens.use("T1", certificate("a1"), now_ms=NOW_MS)
    assert "VM-1" == await tokens.open("T2", SECRET, now_ms=NOW_MS)


@pytest.mark.slow_on_postgres
async def test_an_enrolment_denies_what_the_machine_had(db: Database) -> None:
    """A person has said which of them is the machine."""
    await enrolled(db)
    await enrolled(db, "b1", now_ms=NOW_MS + 1)
    assert [("CERTIFICATE", "a1", "VM-1")] == await Denials(db).names()


@pytest.mark.slow_on_postgres
async def test_tokens_are_for_machines_of_the_fleet(db: Database) -> None:
    """Not for one that nobody registered, and not for one that was retired."""
    with pytest.raises(NotThere):
        await token(db, machine_id="VM-9")
    retired = machines.update().values(retired_at_ms=1)
    await db.write(lambda connection: connection.execute(retired))
    with pytest.raises(NotPossible, match="retired"):
        await token(db)


@pytest.mark.slow_on_postgres
async def test_a_check_keeps_nothing(db: Database) -> None:
    """And it says what would be."""
    view = TokenView(machine_id="VM-1", token_id="T1", expires_at_ms=1)
    deed = Deed(actor="ann", action="CreateEnrolmentToken", now_ms=0, only_check=True)
    tokens = EnrolmentTokens(db)
    assert view == await tokens.issue(view, SECRET, "", deed, by="ann")
    assert TokenRefused.WRONG is await tokens.open("T1", SECRET, now_ms=0)


@pytest.mark.slow_on_postgres
async def test_a_machine_is_enrolled_a_hundred_times_within_a_life(db: Database) -> None:
    """Whoever makes tokens all day fills no list that every gateway reads; nothing is denied for it
    that is good, and the token is good again when a certificate has ended.
    """
    for number in range(ENROLLED_MAX):
        await enrolled(db, f"a{number}", now_ms=NOW_MS + number)
    late = NOW_MS + 30 * DAY_MS
    tokens = await token(db, "T", now_ms=late)
    sooner = EnrolmentTokens(db, Keeping(late - 1))
    for _ in range(2):
        with pytest.raises(TooOften):
            await sooner.use("T", certificate("b", issued_at_ms=late - 1), now_ms=late - 1)
        assert ENROLLED_MAX - 1 == len(await Denials(db).names())
    assert "chain b" == await tokens.use("T", certificate("b", issued_at_ms=late), now_ms=late)
