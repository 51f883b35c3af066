"""A link signs one person in once, and a session ends."""

import pytest
from sqlalchemy import select

from storage.database.engine import Database
from storage.fleet import logins
from storage.fleet.logins import Logins, TooManyLinks
from storage.tables import audit, console_logins

NOW_MS = 1_000_000


async def _kept(db: Database) -> str:
    return str(await db.read(lambda connection: connection.execute(select(console_logins)).all()))


@pytest.mark.slow_on_postgres
async def test_a_link_signs_in_once(db: Database) -> None:
    """Whoever has it second has nothing."""
    await Logins(db).issue("ann", "the-link", role="owner", now_ms=NOW_MS)
    first = await Logins(db).redeem("the-link", "one", now_ms=NOW_MS + 1)
    assert first is not None
    assert None is await Logins(db).redeem("the-link", "two", now_ms=NOW_MS + 2)
    assert first == await Logins(db).signed_in("one", now_ms=NOW_MS + 2)
    assert None is await Logins(db).signed_in("two", now_ms=NOW_MS + 2)
    assert "ann" == first.person


@pytest.mark.slow_on_postgres
async def test_a_link_is_no_session(db: Database) -> None:
    """What stands in an address bar lets nobody in by itself, nor does a session make another."""
    await Logins(db).issue("ann", "the-link", role="owner", now_ms=NOW_MS)
    assert None is await Logins(db).signed_in("the-link", now_ms=NOW_MS)
    await Logins(db).redeem("the-link", "one", now_ms=NOW_MS)
    assert None is await Logins(db).redeem("one", "two", now_ms=NOW_MS)


@pytest.mark.slow_on_postgres
async def test_a_link_and_a_session_run_out(db: Database) -> None:
    """To the millisecond."""
    await Logins(db).issue("ann", "late", role="owner", now_ms=NOW_MS)
    end_ms = NOW_MS + logins.LINK_VALID_MS
    assert None is await Logins(db).redeem("late", "one", now_ms=end_ms)
    login = await Logins(db).redeem("late", "one", now_ms=end_ms - 1)
    assert login is not None
    last_ms = login.expires_at_ms - 1
    assert login == await Logins(db).signed_in("one", now_ms=last_ms)
    assert None is await Logins(db).signed_in("one", now_ms=last_ms + 1)


async def test_who_signed_out_is_out(db: Database) -> None:
    """Each step stands in the audit log, under the person's name."""
    await Logins(db).issue("ann", "the-link", role="owner", now_ms=NOW_MS)
    await Logins(db).redeem("the-link", "one", now_ms=NOW_MS)
    await Logins(db).end("one", now_ms=NOW_MS)
    await Logins(db).end("one", now_ms=NOW_MS)
    assert None is await Logins(db).signed_in("one", now_ms=NOW_MS)
    rows = await db.read(lambda c: c.execute(select(audit.c.action, audit.c.actor)).all())
    assert [
        ("ConsoleLoginIssued", "ann"),
        ("ConsoleSignedIn", "ann"),
        ("ConsoleSignedOut", "ann"),
    ] == [tuple(row) for row in rows]


@pytest.mark.slow_on_postgres
async def test_secrets_are_kept_as_hashes(db: Database) -> None:
    """Whoever reads the table can sign in as nobody."""
    await Logins(db).issue("ann", "the-link", role="owner", now_ms=NOW_MS)
    await Logins(db).issue("ann", "another", role="owner", now_ms=NOW_MS)
    await Logins(db).redeem("the-link", "my-session", now_ms=NOW_MS)
    kept = await _kept(db)
    assert "ann" in kept
    assert not any(secret in kept for secret in ("the-link", "another", "my-session"))


async def test_there_are_never_many(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of links one more is refused; of sessions the oldest goes; what ran out makes room."""
    monkeypatch.setattr(logins, "LINKS_MAX", 2)
    monkeypatch.setattr(logins, "SESSIONS_MAX", 2)
    for number in range(3):
        await Logins(db).issue("ann", f"l{number}", role="owner", now_ms=NOW_MS + number)
        await Logins(db).redeem(f"l{number}", f"s{number}", now_ms=NOW_MS + number)
    there = [await Logins(db).signed_in(f"s{n}", now_ms=NOW_MS + 9) for n in range(3)]
    assert [False, True, True] == [one is not None for one in there]
    await Logins(db).issue("ann", "a", role="owner", now_ms=NOW_MS)
    await Logins(db).issue("ann", "b", role="owner", now_ms=NOW_MS)
    with pytest.raises(TooManyLinks):
        await Logins(db).issue("ann", "c", role="owner", now_ms=NOW_MS)
    await Logins(db).issue("ann", "c", role="owner", now_ms=NOW_MS + logins.LINK_VALID_MS)
