"""Which one of many follows: a lease by beats, and an epoch that each transaction proves.

Nobody compares clocks (docs/decisions/0020). Who follows raises its beat; who wants to follow has
watched the same beat for a whole lease, by a clock of its own that does not jump. A lease only
decides who may try: what keeps a frozen follower from writing is the epoch.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Update, select, update

from storage.database import dialects
from storage.tables import followers

LEASE_MS = 6_000
BEATS_IN_A_LEASE = 3
FOLLOWING, CLEARING = "FOLLOWING", "CLEARING"
_C = followers.c


class FollowerLost(Exception):
    """Somebody else follows by now: nothing was written, and nothing may be until the next
    claim.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A follower as its row has it."""

    name: str
    position: int = 0
    at_ms: int = 0
    holder: str = ""
    epoch: int = 0
    beat: int = 0
    made_until: int = 0
    stage: str = FOLLOWING
    updated_at_ms: int = 0
    hours_from_d: int = 0

    @property
    def making_again(self) -> bool:
        """What was followed once is being made again, and is not all there."""
        return self.stage != FOLLOWING or self.position < self.made_until


class LeaseWatch:
    """What one process saw of the beat of whoever follows."""

    def __init__(self, lease_s: float = LEASE_MS / 1_000) -> None:
        self._lease_s = lease_s
        self._seen: tuple[str, int, int] | None = None
        self._since_s = self._looked_s = 0.0

    def may_claim(self, standing: Standing, now_s: float) -> bool:
        """Look, by a clock that does not jump; return whether it is free, or its beat has stood
        still for a lease. Who did not look for longer than a beat takes begins again.
        """
        if not standing.holder:
            return True
        seen = (standing.holder, standing.epoch, standing.beat)
        if seen != self._seen or now_s - self._looked_s > self._lease_s / BEATS_IN_A_LEASE:
            self._seen, self._since_s = seen, now_s
        self._looked_s = now_s
        return now_s - self._since_s >= self._lease_s


def read_standing(connection: Connection, name: str) -> Standing:
    """Return how a follower stands; at the beginning, held by nobody, if nobody ever followed."""
    row = connection.execute(select(followers).where(_C.name == name)).mappings().one_or_none()
    return Standing(name=name) if row is None else _standing(row)


def claim(
    connection: Connection, seen: Standing, holder: str, *, now_ms: int, stage: str | None = None
) -> Standing:
    """Let ``holder`` follow under the next epoch, if all is as it was ``seen``, and in this stage,
    if one is given. Raises FollowerLost.
    """
    if seen.epoch == 0:
        first = {**_row(Standing(name=seen.name)), "updated_at_ms": now_ms}
        connection.execute(
            dialects.insert_or_ignore(connection.dialect.name, followers, ["name"]), first
        )
    return _write(
        connection,
        update(followers).where(
            _C.name == seen.name,
            _C.holder == seen.holder,
            _C.epoch == seen.epoch,
            _C.beat == seen.beat,
        ),
        holder=holder,
        epoch=seen.epoch + 1,
        updated_at_ms=now_ms,
        **({} if stage is None else {"stage": stage}),
    )


def take_over(connection: Connection, name: str, holder: str, *, now_ms: int) -> Standing:
    """Let ``holder`` follow, whoever does, and have all made again: a person's order."""
    seen = read_standing(connection, name)
    return claim(connection, seen, holder, now_ms=now_ms, stage=CLEARING)


def prove(connection: Connection, held: Standing, *, now_ms: int, **changed: object) -> Standing:
    """Prove that ``held`` is how it still stands, keep it so until the transaction ends, and write
    what has ``changed`` with one more beat. Raises FollowerLost.
    """
    return _write(
        connection,
        update(followers).where(
            _C.name == held.name,
            _C.holder == held.holder,
            _C.epoch == held.epoch,
            _C.position == held.position,
        ),
        updated_at_ms=now_ms,
        **changed,
    )


def keep_hours_from(connection: Connection, name: str, d: int) -> None:
    """Write that the time of single machines before a day is being forgotten."""
    older = (_C.name == name, _C.hours_from_d < d)
    connection.execute(update(followers).where(*older).values(hours_from_d=d))


def _write(connection: Connection, wanted: Update, **changed: object) -> Standing:
    row = (
        connection.execute(wanted.values(beat=_C.beat + 1, **changed).returning(*_C))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise FollowerLost("Somebody else follows the journal by now.")
    return _standing(row)


def _standing(row: RowMapping) -> Standing:
    return Standing(**row)


def _row(standing: Standing) -> dict[str, object]:
    return {column.name: getattr(standing, column.name) for column in _C}
