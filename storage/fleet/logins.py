"""Who is signed in at the console: links by which a person signs in once, and the sessions that
come of them.

Flows in: a secret's hash, a name and the time. Flows out: the person, or nothing. What is kept lets
nobody in: the secret itself is in the link, or in the browser. All of it ends by itself, there are
never more than a few of it, and each step has an audit row.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from storage.books.audit_rows import Actor, write_audit_row
from storage.database.engine import Database
from storage.tables import console_logins

LINKS_MAX = 20
"""So many links may wait to be used."""
SESSIONS_MAX = 100
"""With so many people signed in, whoever was signed in first goes when another one comes."""
LINK_VALID_MS = 600_000
SESSION_VALID_MS = 12 * 3_600_000
"""A working day; then a new link is wanted."""

_LINK = "LINK"
_SESSION = "SESSION"
_C = console_logins.c


class TooManyLinks(Exception):
    """As many links wait as may: use one of them, or wait until they have run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody is signed in until ``expires_at_ms``, and trusted with ``role``."""

    person: str
    role: str
    expires_at_ms: int


def hash_of(secret: str) -> str:
    """Return under what a secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Logins:
    """The logins of an installation. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def issue(
        self, person: str, link: str, *, role: str, now_ms: int, valid_ms: int = LINK_VALID_MS
    ) -> None:
        """Let whoever has the link sign in once, as this person with this role. Raises
        TooManyLinks.
        """
        of = Login(person=person, role=role, expires_at_ms=now_ms + valid_ms)
        await self._db.write(lambda connection: _issue(connection, of, link, now_ms))

    async def redeem(self, link: str, session: str, *, now_ms: int) -> Login | None:
        """Make a session of a link, which is used up by it; None if it is none, or none any
        more.
        """
        return await self._db.write(lambda connection: _redeem(connection, link, session, now_ms))

    async def signed_in(self, session: str, *, now_ms: int) -> Login | None:
        """Return whose session it is; None if it is none, or over."""
        found = select(_C.person, _C.role, _C.expires_at_ms).where(
            _C.secret_sha256 == hash_of(session), _C.kind == _SESSION, _C.expires_at_ms > now_ms
        )

        def work(connection: Connection) -> Login | None:
            row = connection.execute(found).mappings().one_or_none()
            return None if row is None else Login(**row)

        return await self._db.read(work)

    async def end(self, session: str, *, now_ms: int) -> None:
        """Sign out; who is not signed in stays so."""
        await self._db.write(lambda connection: _end(connection, session, now_ms))


def _issue(connection: Connection, of: Login, link: str, now_ms: int) -> None:
    connection.execute(delete(console_logins).where(_C.expires_at_ms <= now_ms))
    waiting = select(func.count()).select_from(console_logins).where(_C.kind == _LINK)
    if (connection.scalar(waiting) or 0) >= LINKS_MAX:
        raise TooManyLinks
    _write(connection, _LINK, of, link, now_ms)
    _audit(connection, of.person, "ConsoleLoginIssued", now_ms, f"role {of.role}")


def _redeem(connection: Connection, link: str, session: str, now_ms: int) -> Login | None:
    used_up = (
        delete(console_logins)
        .where(_C.secret_sha256 == hash_of(link), _C.kind == _LINK, _C.expires_at_ms > now_ms)
        .returning(_C.person, _C.role)
    )
    found = connection.execute(used_up).one_or_none()
    if found is None:
        return None
    connection.execute(delete(console_logins).where(_C.expires_at_ms <= now_ms))
    older = (
        select(_C.secret_sha256)
        .where(_C.kind == _SESSION)
        .order_by(_C.issued_at_ms.desc(), _C.secret_sha256)
        .offset(SESSIONS_MAX - 1)
        .limit(SESSIONS_MAX)
    )
    if too_many := connection.scalars(older).all():
        connection.execute(delete(console_logins).where(_C.secret_sha256.in_(too_many)))
    of = Login(person=found.person, role=found.role, expires_at_ms=now_ms + SESSION_VALID_MS)
    _write(connection, _SESSION, of, session, now_ms)
    _audit(connection, of.person, "ConsoleSignedIn", now_ms, f"role {of.role}")
    return of


def _end(connection: Connection, session: str, now_ms: int) -> None:
    ended = (
        delete(console_logins)
        .where(_C.secret_sha256 == hash_of(session), _C.kind == _SESSION)
        .returning(_C.person)
    )
    if (person := connection.scalar(ended)) is not None:
        _audit(connection, person, "ConsoleSignedOut", now_ms)


def _write(connection: Connection, kind: str, of: Login, secret: str, now_ms: int) -> None:
    row = {
        "secret_sha256": hash_of(secret),
        "kind": kind,
        "person": of.person,
        "role": of.role,
        "issued_at_ms": now_ms,
        "expires_at_ms": of.expires_at_ms,
    }
    connection.execute(insert(console_logins).values(row))


def _audit(connection: Connection, person: str, action: str, now_ms: int, detail: str = "") -> None:
    write_audit_row(
        connection,
        at_ms=now_ms,
        actor=Actor(name=person, claimed=person),
        action=action,
        machine_id="",
        detail=detail,
    )
