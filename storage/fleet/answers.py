"""What became of requests that carry an id of their caller's choice: done once, answered as often
as they come.

Flows in: who asks what under which id. Flows out: the answer of the first time, or a claim with
which one caller goes on and all others wait. A claim that nobody gave back (its gateway died) runs
out; whoever asks then goes on with it and knows that something may have been done. A change of the
registry marks its claim in its own transaction (``mark_done``), so that it is never made twice.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, select, tuple_, update

from actors.machine.events import Event
from actors.machine.state import Column
from storage import codec
from storage.database import dialects
from storage.database.engine import Database
from storage.tables import answers, journal, machine_states

_COLUMNS = msgspec.json.Decoder(tuple[Column, ...])
KEPT_MS = 7 * 86_400_000
"""An answer is kept this long."""
WRONG_MS = 86_400_000
"""A clock that is further off than this counts for nothing."""
KEPT_OF_CALLER = 5_000
"""Of one caller at most this many; the oldest go first, however young."""
SWEPT_MAX = 500
"""Each new request takes away at most this many rows that are too old or too many."""


class RequestReused(Exception):
    """The caller has used the id for something else."""


class RequestInProgress(Exception):
    """Somebody is at it just now: another call under the same id, perhaps at another gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: ``request_id`` is unique for its ``caller``; ``rpc`` and ``content_sha256`` say
    what it is.
    """

    caller: str
    request_id: str
    rpc: str
    content_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to do what was asked. ``resumed``: an earlier call began it and was cut off.
    ``done``: its change of the registry is saved, and ``gone`` are the columns out of which it
    removes goods; their ``stock`` is how many. ``kept`` is what else it knew and what is there does
    not tell any more, in words of its own. ``machine_version`` is what the machine's state had when
    it was first begun.
    """

    asked: Asked
    token: str
    resumed: bool = False
    done: bool = False
    machine_version: int = 0
    gone: tuple[Column, ...] = ()
    kept: str = ""


class KeepingClock(Protocol):
    """The time by which something is kept, in milliseconds since 1970 UTC. Raises StoreError."""

    async def now_ms(self) -> int | None:
        """Return a time that is surely over; None: nobody is sure what time it is."""
        ...

    async def likely_ms(self) -> int:
        """Return the time as well as it is known."""
        ...


class Answers:
    """The answers of an installation. Raises StoreError when the database does not answer.

    They are dated and deleted by ``keeping``, not by the clock of whoever asks: what a gateway
    wrote whose clock is wrong would be too old for all others at once, or everybody's for it, and
    a call that comes again would be carried out again. Without one none is ever too old.
    """

    def __init__(
        self,
        db: Database,
        *,
        keeping: KeepingClock | None = None,
        kept_of_caller: int = KEPT_OF_CALLER,
    ) -> None:
        self._db = db
        self._keeping = keeping
        self._kept_of_caller = kept_of_caller

    async def begin(
        self, asked: Asked, *, machine_id: str = "", now_ms: int, lease_ms: int
    ) -> Claim | bytes:
        """Return the stored answer, or a claim that nobody else gets for ``lease_ms``. Raises
        RequestReused or RequestInProgress.
        """
        token = secrets.token_hex(16)
        due_ms, now_ms = await self._times(now_ms)

        def work(connection: Connection) -> Claim | bytes:
            version = connection.scalar(
                select(machine_states.c.version).where(machine_states.c.machine_id == machine_id)
            )
            claim = Claim(asked=asked, token=token, machine_version=version or 0)
            if _inserted(connection, claim, now_ms, lease_ms):
                self._sweep(connection, asked.caller, due_ms, now_ms)
                return claim
            return _taken_over(connection, claim, now_ms, lease_ms)

        return await self._db.write(work)

    async def decided(self, claim: Claim, machine_id: str, event: Event) -> bool:
        """Return whether the machine's actor has decided on this very event since the claim's
        request first came.
        """
        return event in await self.decided_since(claim, machine_id, event)

    async def decided_since(self, claim: Claim, machine_id: str, like: Event) -> list[Event]:
        """Return the events of the same kind on which the machine's actor has decided since the
        claim's request first came.
        """
        since = (
            select(*journal.c["kind", "body"])
            .where(
                journal.c.machine_id == machine_id,
                journal.c.version > claim.machine_version,
                journal.c.kind == codec.event_kind(like),
            )
            .order_by(journal.c.version)
        )
        lines = await self._db.read(lambda connection: connection.execute(since).all())
        return [codec.decode_body(line.kind, line.body) for line in lines]

    async def finish(self, claim: Claim, answer: bytes) -> None:
        """Store the answer. If the claim has run out and is another's, that one stores its own."""
        await self._db.write(
            lambda connection: connection.execute(
                update(answers).where(_mine(claim)).values(answer=answer, until_ms=0)
            )
        )

    async def give_up(self, claim: Claim, *, refused: bool) -> None:
        """Let the next caller go on at once. ``refused``: nothing came of it, so the id is free
        again, unless the registry was changed.
        """

        def work(connection: Connection) -> None:
            if refused:
                connection.execute(delete(answers).where(_mine(claim), answers.c.done.is_(False)))
            connection.execute(update(answers).where(_mine(claim)).values(until_ms=0))

        await self._db.write(work)

    async def _times(self, now_ms: int) -> tuple[int | None, int]:
        """Return the time by which answers are too old, if anybody is sure of it, and the one by
        which a claim is kept and runs out: ours, which other rows have too, unless it is wrong.
        """
        if self._keeping is None:
            return None, now_ms
        due_ms, likely_ms = await self._keeping.now_ms(), await self._keeping.likely_ms()
        return due_ms, now_ms if abs(likely_ms - now_ms) < WRONG_MS else likely_ms

    def _sweep(self, connection: Connection, caller: str, due_ms: int | None, now_ms: int) -> None:
        """Take away what is too old, or too much. What is dated as nobody may date it yet is
        counted by itself: as the newest it would have what is asked now taken away at once. Rows
        that another sweep has locked are left to it, so that no two wait for each other.
        """
        c = answers.c
        rows = select(c.caller, c.request_id)
        before_ms = 0 if due_ms is None else due_ms - KEPT_MS
        mine = rows.where(c.caller == caller).order_by(c.at_ms.desc()).offset(self._kept_of_caller)
        too_many = (
            mine.where(c.at_ms <= now_ms + WRONG_MS),
            mine.where(c.at_ms > now_ms + WRONG_MS),
        )
        for these in (rows.where(c.at_ms < before_ms), *too_many):
            due = these.limit(SWEPT_MAX).with_for_update(skip_locked=True)
            if keys := [tuple(row) for row in connection.execute(due)]:
                connection.execute(delete(answers).where(tuple_(c.caller, c.request_id).in_(keys)))


def mark_done(
    connection: Connection, claim: Claim, gone: Sequence[Column] = (), *, kept: str = ""
) -> None:
    """Say, within the transaction that changes the registry, that the claim's change is made, out
    of which columns it removes goods, and what else its answer needs. Raises RequestInProgress if
    the claim has run out and is another's, so that nothing is made twice.
    """
    marked = connection.execute(
        update(answers)
        .where(_mine(claim))
        .values(done=True, gone=msgspec.json.encode(gone).decode() if gone else "", kept=kept)
        .returning(answers.c.token)
    ).one_or_none()
    if marked is None:
        raise RequestInProgress


def is_anothers(connection: Connection, claim: Claim) -> bool:
    """Tell whether the claim has run out and is another's."""
    return connection.scalar(select(answers.c.token).where(_mine(claim))) is None


def first_asked_at_ms(connection: Connection, claim: Claim) -> int | None:
    """Return when the claim's request first came; None if nobody knows any more."""
    return connection.scalar(select(answers.c.at_ms).where(_mine(claim)))


def _inserted(connection: Connection, claim: Claim, now_ms: int, lease_ms: int) -> bool:
    asked = claim.asked
    statement = (
        dialects.insert_or_ignore(connection.dialect.name, answers, ("caller", "request_id"))
        .values(
            caller=asked.caller,
            request_id=asked.request_id,
            rpc=asked.rpc,
            content_sha256=asked.content_sha256,
            at_ms=now_ms,
            token=claim.token,
            until_ms=now_ms + lease_ms,
            done=False,
            machine_version=claim.machine_version,
        )
        .returning(answers.c.token)
    )
    return connection.scalar(statement) is not None


def _taken_over(connection: Connection, claim: Claim, now_ms: int, lease_ms: int) -> Claim | bytes:
    """Return what the row that is there allows."""
    asked = claim.asked
    row = connection.execute(
        select(answers)
        .where(answers.c.caller == asked.caller, answers.c.request_id == asked.request_id)
        .with_for_update()
    ).one_or_none()
    if row is None:  # it was refused in this moment, and its id is free again
        raise RequestInProgress
    if (row.rpc, row.content_sha256) != (asked.rpc, asked.content_sha256):
        raise RequestReused
    if row.answer is not None:
        return bytes(row.answer)
    # The other gateway's clock may be a little ahead of ours; one that was set back must not make
    # a claim last for ever.
    if now_ms < row.until_ms <= now_ms + 2 * lease_ms:
        raise RequestInProgress
    taken = Claim(
        asked=asked,
        token=claim.token,
        resumed=True,
        done=row.done,
        machine_version=row.machine_version,
        gone=_COLUMNS.decode(row.gone) if row.gone else (),
        kept=row.kept,
    )
    connection.execute(
        update(answers)
        .where(answers.c.caller == asked.caller, answers.c.request_id == asked.request_id)
        .values(token=taken.token, until_ms=now_ms + lease_ms)
    )
    return taken


def _mine(claim: Claim) -> ColumnElement[bool]:
    return and_(
        answers.c.caller == claim.asked.caller,
        answers.c.request_id == claim.asked.request_id,
        answers.c.token == claim.token,
    )
