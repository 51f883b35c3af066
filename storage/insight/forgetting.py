"""What is told of sales and grows for ever is kept for so long and no longer: the time of single
machines (24 rows a day each), the history of tags, which payers were in an experiment that has
ended, and which voucher a payment took. The sums of districts, types of sites and the fleet stay,
and so do facts, which are proved against the ledger.

Flows in: the day that the follower has reached, so that no one computer's clock deletes anything.
Flows out: a few rows at a time, in small transactions of the follower's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, select

from storage.database.engine import Database
from storage.insight import days, lease
from storage.insight.evaluating import Write
from storage.insight.lease import Standing
from storage.insight.local_time import local_hour
from storage.insight.places import NOWHERE_ZONE
from storage.machines.rows import DAY_MS
from storage.tables import (
    experiment_payers,
    experiments,
    machine_exposures,
    machine_hours,
    payer_tags,
    tag_runs,
    voucher_redemptions,
)
from storage.tables.tags import UNFINISHED

AT_ONCE = 500
MACHINES_AT_ONCE = 50
HOURS_DAYS = 800
TAG_DAYS = 400
_H, _T, _U, _V = machine_hours.c, payer_tags.c, tag_runs.c, voucher_redemptions.c
_NEWEST = select(func.max(_U.id)).group_by(_U.tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """For how many days up to the follower's own the time of single machines is kept, and which
    payer had which tag when, with the runs that said so, was in which arm of an experiment, or took
    a voucher.
    """

    hours_days: int = HOURS_DAYS
    tag_days: int = TAG_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    """Rows of a table by their keys. ``after`` is the machine to go on behind, None if no machine's
    rows are behind it.
    """

    table: Table
    keys: Sequence[Mapping[str, Any]]
    after: str | None


@dataclass(slots=True, kw_only=True)
class Forgetting:
    """One sweep after the other, a step at a time. Raises StoreError and FollowerLost."""

    db: Database
    write: Write
    keeps: Keeps
    _after: str | None = ""

    async def step(self, held: Standing) -> Standing | None:
        """Delete some rows that are too old; return how the follower stands then, None if the sweep
        is over.
        """
        if held.making_again or not held.at_ms:
            return None
        today = local_hour(held.at_ms, NOWHERE_ZONE).d
        hours_from_d = days.moved(today, -self.keeps.hours_days)
        tags_from_d = days.moved(today, -self.keeps.tag_days)
        after = self._after

        def read(connection: Connection) -> _Old:
            if after is not None:
                return _old_hours(connection, after, hours_from_d)
            before_ms = held.at_ms - self.keeps.tag_days * DAY_MS
            old = _old_tags(connection, tags_from_d)
            old = old if old.keys else _old_arms(connection, before_ms)
            return old if old.keys else _old_vouchers(connection, tags_from_d, before_ms)

        old = await self.db.read(read)
        if not old.keys and after is None:
            self._after = ""
            return None

        def forget(connection: Connection) -> None:
            if old.table is machine_hours and old.keys:
                lease.keep_hours_from(connection, held.name, hours_from_d)
            _delete(connection, old)

        standing = await self.write(held, forget) if old.keys else held
        self._after = old.after
        return standing


def _old_hours(connection: Connection, after: str, from_d: int) -> _Old:
    c = machine_exposures.c.machine_id
    page = connection.scalars(select(c).where(c > after).order_by(c).limit(MACHINES_AT_ONCE)).all()
    wanted = select(*machine_hours.primary_key).where(_H.machine_id.in_(page), _H.d < from_d)
    keys = connection.execute(wanted.limit(AT_ONCE)).mappings().all()
    if len(keys) == AT_ONCE:
        following: str | None = after
    else:
        following = page[-1] if len(page) == MACHINES_AT_ONCE else None
    return _Old(table=machine_hours, keys=[dict(one) for one in keys], after=following)


def _old_tags(connection: Connection, from_d: int) -> _Old:
    """Return rows of tags that were taken before a day; if there are none, runs of before it that
    are not the newest of their tag.
    """
    last = connection.scalar(select(func.max(_U.id)).where(_U.d < from_d)) or 0
    taken = and_(_T.until_run <= last, _T.until_d < from_d)
    wanted = select(*payer_tags.primary_key).where(taken).limit(AT_ONCE)
    if keys := connection.execute(wanted).mappings().all():
        return _Old(table=payer_tags, keys=[dict(one) for one in keys], after=None)
    runs = select(_U.id).where(_U.id <= last, _U.d < from_d, ~UNFINISHED, _U.id.not_in(_NEWEST))
    ids = connection.scalars(runs.limit(AT_ONCE)).all()
    return _Old(table=tag_runs, keys=[{"id": one} for one in ids], after=None)


def _old_arms(connection: Connection, ended_before_ms: int) -> _Old:
    """Return payers of an experiment that ended before then."""
    e, p = experiments.c, experiment_payers.c
    drawn = select(p.payer_id).where(p.experiment == e.experiment).exists()
    ended = select(e.experiment).where(e.ended_at_ms < ended_before_ms, drawn).limit(1)
    of = p.experiment == ended.scalar_subquery()
    keys = connection.execute(select(*experiment_payers.primary_key).where(of).limit(AT_ONCE))
    rows = [dict(one) for one in keys.mappings()]
    return _Old(table=experiment_payers, keys=rows, after=None)


def _old_vouchers(connection: Connection, from_d: int, before_ms: int) -> _Old:
    """Return vouchers of payments of before a day, and those that were taken in before then and
    have found no payment.
    """
    first = select(_V.key).where(_V.d.between(1, from_d - 1)).limit(AT_ONCE)
    keys = connection.scalars(first).all()
    if not keys:
        lost = select(_V.key).where(_V.d == 0, _V.taken_at_ms < before_ms).limit(AT_ONCE)
        keys = connection.scalars(lost).all()
    return _Old(table=voucher_redemptions, keys=[{"key": one} for one in keys], after=None)


def _delete(connection: Connection, old: _Old) -> None:
    here = and_(*(column == bindparam(f"of_{column.name}") for column in old.table.primary_key))
    named = [{f"of_{name}": value for name, value in key.items()} for key in old.keys]
    connection.execute(delete(old.table).where(here), named)
