"""Tokens with which machines are enrolled: each lets one machine have one certificate, once.

Flows in: a token's id and the hash of its secret. Flows out: the machine that it is for, or why it
opens nothing. What is kept opens nothing: the secret itself is with the technician. A machine has
one token at most, which ends by itself, and which five wrong secrets lock.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection, Row, delete, insert, select, update

from storage.books.audit_rows import Actor, write_audit_row
from storage.database.engine import Database
from storage.fleet.answers import KeepingClock
from storage.office.certificates import Certificate, add, due_by, end_older
from storage.office.deeds import Deed, DeedPlan, Detail, NotThere, check_in_fleet, do
from storage.tables import enrolment_tokens, machine_certificates, machines

WRONG_TRIES_MAX = 5
_C = enrolment_tokens.c


class TokenRefused(StrEnum):
    """Why a token opens nothing. WRONG: its id or its secret, or it is locked; whoever does not
    have the secret hears nothing else.
    """

    WRONG = "WRONG"
    EXPIRED = "EXPIRED"
    USED = "USED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token as it is kept, without its secret."""

    machine_id: str
    token_id: str
    expires_at_ms: int


def hash_of(secret: str) -> str:
    """Return under what a secret is kept. It is random and long enough that this needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


class EnrolmentTokens:
    """The tokens of an installation. Which certificates have ended goes by ``keeping``, as that of
    ``storage.office.certificates.Certificates``. Raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database, keeping: KeepingClock | None = None) -> None:
        self._db, self._keeping = db, keeping

    async def issue(
        self, view: TokenView, secret: str, reason: str, deed: Deed, *, by: str
    ) -> TokenView:
        """Keep a token in place of the machine's last one. Raises NotThere (machine), NotPossible
        (MACHINE_RETIRED), RequestInProgress.
        """

        def plan(connection: Connection) -> DeedPlan[TokenView]:
            known = select(machines.c.machine_id).where(machines.c.machine_id == view.machine_id)
            if connection.scalar(known) is None:
                raise NotThere("machine", view.machine_id)
            check_in_fleet(connection, view.machine_id)
            row = {
                "machine_id": view.machine_id,
                "token_id": view.token_id,
                "secret_sha256": hash_of(secret),
                "issued_by": by,
                "issued_at_ms": deed.now_ms,
                "expires_at_ms": view.expires_at_ms,
                "wrong_tries": 0,
                "serial": None,
            }
            gone = delete(enrolment_tokens).where(_C.machine_id == view.machine_id)
            said = f"token {view.token_id}: {reason}" if reason else f"token {view.token_id}"
            return DeedPlan(
                result=view,
                writes=((gone, ()), (insert(enrolment_tokens), [row])),
                details=(Detail(said=said, machine_id=view.machine_id),),
            )

        def again(connection: Connection) -> TokenView:
            row = connection.execute(
                select(enrolment_tokens).where(_C.machine_id == view.machine_id)
            ).one_or_none()
            if row is None:
                raise NotThere("enrolment_token", view.machine_id)
            return TokenView(
                machine_id=row.machine_id, token_id=row.token_id, expires_at_ms=row.expires_at_ms
            )

        return await do(self._db, deed, plan, again)

    async def open(self, token_id: str, secret: str, *, now_ms: int) -> str | TokenRefused:
        """Return the machine that the token is for, whether it was used or not, or why it opens
        nothing. A wrong secret is counted; whoever knows no token's id has nothing written.
        """
        known = select(_C.machine_id).where(_C.token_id == token_id)
        if await self._db.read(lambda connection: connection.scalar(known)) is None:
            return TokenRefused.WRONG
        return await self._db.write(lambda connection: _open(connection, token_id, secret, now_ms))

    async def use(
        self, token_id: str, certificate: Certificate, *, now_ms: int
    ) -> str | TokenRefused:
        """Keep the certificate that a token was used for, deny those that the machine had before,
        and return its chain. The same request again, after a lost answer, gets the chain that it
        got before; another one USED. Of two at once one is first. Raises NotInFleet,
        TooOften.
        """
        due_ms = await due_by(self._keeping)
        return await self._db.write(
            lambda connection: _use(connection, token_id, certificate, now_ms, due_ms)
        )


def _row(connection: Connection, token_id: str) -> Row[tuple[object, ...]] | None:
    asked = select(enrolment_tokens).where(_C.token_id == token_id).with_for_update()
    return connection.execute(asked).one_or_none()


def _open(connection: Connection, token_id: str, secret: str, now_ms: int) -> str | TokenRefused:
    row = _row(connection, token_id)
    if row is None or row.wrong_tries >= WRONG_TRIES_MAX:
        return TokenRefused.WRONG
    if not hmac.compare_digest(row.secret_sha256, hash_of(secret)):
        tries = row.wrong_tries + 1
        connection.execute(
            update(enrolment_tokens).where(_C.token_id == token_id).values(wrong_tries=tries)
        )
        if tries == WRONG_TRIES_MAX:
            _audit(connection, row.machine_id, "EnrolmentTokenLocked", f"token {token_id}", now_ms)
        return TokenRefused.WRONG
    # A machine whose answer was lost may come back a little later than it should.
    if now_ms >= row.expires_at_ms and row.serial is None:
        return TokenRefused.EXPIRED
    return str(row.machine_id)


def _use(
    connection: Connection,
    token_id: str,
    certificate: Certificate,
    now_ms: int,
    due_ms: int | None,
) -> str | TokenRefused:
    row = _row(connection, token_id)
    if row is None:
        return TokenRefused.WRONG
    if row.serial is not None:
        of = machine_certificates.c
        answer = select(of.chain).where(
            of.serial == row.serial,
            of.machine_id == certificate.machine_id,
            of.request_sha256 == certificate.request_sha256,
        )
        chain: str | None = connection.scalar(answer)
        return TokenRefused.USED if chain is None else chain
    said = f"token {token_id} by {row.issued_by}, certificate {certificate.serial}"
    ended = end_older(connection, certificate.machine_id, now_ms=now_ms, due_ms=due_ms)
    # As the certificate is dated, not by our clock: what a person made before is turned away.
    enrolled = replace(certificate, enrolled_at_ms=certificate.issued_at_ms)
    add(connection, enrolled, due_ms=due_ms)
    connection.execute(
        update(enrolment_tokens).where(_C.token_id == token_id).values(serial=certificate.serial)
    )
    said += f"; {ended} older ones are denied" if ended else ""
    _audit(connection, certificate.machine_id, "MachineEnrolled", said, now_ms)
    return certificate.chain


def _audit(connection: Connection, machine_id: str, action: str, said: str, now_ms: int) -> None:
    write_audit_row(
        connection,
        at_ms=now_ms,
        actor=Actor(name=f"machine {machine_id}", claimed=machine_id),
        action=action,
        machine_id=machine_id,
        detail=said,
    )
