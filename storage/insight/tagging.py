"""Evaluates the rules of tags, whole, once for each local day that is over everywhere: who fulfils
a rule now, beside who has its tag. What differs is written in one transaction, with the run that
says of which day and up to which position it is; so nobody keeps a tag whose rule they do not
fulfil, whatever made it so, and a rule that fails changes nobody's tag.

A payer who was erased meanwhile gets no tag: that their mapping is there is looked at within that
transaction.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, tuple_, update

from storage.insight import days
from storage.insight.lease import Standing
from storage.insight.local_time import local_hour
from storage.insight.places import NOWHERE_ZONE
from storage.insight.tag_features import AsOf, payers_of
from storage.insight.tag_rules import read
from storage.tables import payer_tags, payers, sites, tag_rules, tag_runs

MEMBERS_MAX = 2_000_000
AT_ONCE = 500
_R, _T = tag_rules.c, payer_tags.c


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleKept:
    """The newest version of a tag's rule."""

    tag: str
    version: int
    rule: str
    purchases_min: int
    currency: str
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRun:
    """What one evaluation comes to: who joins, and the rows (payer, run) that end. ``error``:
    nothing changes, and a person is told.
    """

    rule: RuleKept
    d: int
    members: int = 0
    joined: Sequence[str] = ()
    departed: Sequence[tuple[str, int]] = ()
    error: str = ""


def day_that_is_over(connection: Connection, at_ms: int) -> int:
    """Return the last local day that was over at that time by the clocks of all sites."""
    zones = {NOWHERE_ZONE, *connection.scalars(select(sites.c.time_zone).distinct())}
    return days.moved(min(local_hour(at_ms, zone).d for zone in zones), -1)


def next_run(connection: Connection, standing: Standing) -> TagRun | None:
    """Return the next evaluation that is due where the follower is, None if none is: there is no
    rule, or each was evaluated as of that day; or all is being made again.
    """
    if standing.making_again or not standing.at_ms:
        return None
    rules = _newest_rules(connection)
    if not rules:
        return None
    d = day_that_is_over(connection, standing.at_ms)
    newest = {
        row.tag: row
        for row in connection.execute(
            select(tag_runs).where(
                tag_runs.c.id.in_(select(func.max(tag_runs.c.id)).group_by(tag_runs.c.tag))
            )
        )
    }
    for rule in rules:
        done = newest.get(rule.tag)
        if _is_due(connection, rule, done, d):
            return _run(connection, rule, d)
    return None


def _is_due(connection: Connection, rule: RuleKept, done: Row[Any] | None, d: int) -> bool:
    if rule.ended:
        return _has_any(connection, rule.tag) or (done is not None and done.error != "")
    return done is None or done.version != rule.version or done.d < d


def _newest_rules(connection: Connection) -> list[RuleKept]:
    newest = select(_R.tag, func.max(_R.version)).group_by(_R.tag)
    rows = connection.execute(
        select(tag_rules).where(tuple_(_R.tag, _R.version).in_(newest)).order_by(_R.tag)
    )
    return [
        RuleKept(
            tag=row.tag,
            version=row.version,
            rule=row.rule,
            purchases_min=row.purchases_min,
            currency=row.currency,
            ended=row.ended_at_ms is not None,
        )
        for row in rows
    ]


def _has_any(connection: Connection, tag: str) -> bool:
    there = select(_T.payer_id).where(_T.tag == tag, _T.until_d.is_(None)).limit(1)
    return connection.execute(there).first() is not None


def _run(connection: Connection, rule: RuleKept, d: int) -> TagRun:
    had = {
        row.payer_id: (row.version, row.run_id)
        for row in connection.execute(
            select(_T.payer_id, _T.version, _T.run_id).where(
                _T.tag == rule.tag, _T.until_d.is_(None)
            )
        )
    }
    if rule.ended:
        gone = [(payer_id, run_id) for payer_id, (_, run_id) in sorted(had.items())]
        return TagRun(rule=rule, d=d, departed=gone)
    try:
        wanted = payers_of(
            read(rule.rule),
            as_of=AsOf(d=d, currency=rule.currency),
            purchases_min=rule.purchases_min,
        )
    except ValueError as error:
        return TagRun(rule=rule, d=d, members=len(had), error=f"the rule cannot be read: {error}")
    found = connection.execute(wanted.limit(MEMBERS_MAX + 1))
    fulfil: set[str] = {row.payer_id for row in found}
    if len(fulfil) > MEMBERS_MAX:
        said = f"more than {MEMBERS_MAX} payers fulfil it: make the rule narrower"
        return TagRun(rule=rule, d=d, members=len(had), error=said)
    stay = {one for one in fulfil if had.get(one, (0, 0))[0] == rule.version}
    return TagRun(
        rule=rule,
        d=d,
        members=len(fulfil),
        joined=sorted(fulfil - stay),
        departed=[(one, run_id) for one, (_, run_id) in sorted(had.items()) if one not in stay],
    )


def save_run(connection: Connection, run: TagRun, standing: Standing, *, now_ms: int) -> None:
    """Write what a run changes, and the run last of all."""
    joined = [one for some in _pieces(run.joined) for one in _still_known(connection, some)]
    run_id = (connection.scalar(select(func.max(tag_runs.c.id))) or 0) + 1
    for some in _pieces(run.departed):
        ended = or_(*(and_(_T.payer_id == payer, _T.run_id == of) for payer, of in some))
        connection.execute(
            update(payer_tags).where(_T.tag == run.rule.tag, ended).values(until_d=run.d)
        )
    rows = [
        {
            "payer_id": payer_id,
            "tag": run.rule.tag,
            "run_id": run_id,
            "version": run.rule.version,
            "since_d": run.d,
            "until_d": None,
        }
        for payer_id in joined
    ]
    if rows:
        connection.execute(insert(payer_tags), rows)
    connection.execute(
        insert(tag_runs),
        {
            "id": run_id,
            "tag": run.rule.tag,
            "version": run.rule.version,
            "d": run.d,
            "position": standing.position,
            "at_ms": now_ms,
            "members": run.members - (len(run.joined) - len(joined)),
            "joined": len(joined),
            "departed": len(run.departed),
            "error": run.error,
        },
    )


def still_known(connection: Connection, payer_ids: Collection[str]) -> set[str]:
    """Return which of these payers are known, and keep it so until the transaction ends: who is
    erased meanwhile waits for it, and then finds what it wrote.
    """
    known: set[str] = set()
    for some in _pieces(sorted(set(payer_ids) - {""})):
        known |= set(_still_known(connection, some))
    return known


def _still_known(connection: Connection, payer_ids: Sequence[str]) -> list[str]:
    wanted = select(payers.c.payer_id).where(payers.c.payer_id.in_(payer_ids))
    known = set(connection.scalars(wanted.with_for_update(read=True, key_share=True)))
    return [one for one in payer_ids if one in known]


def _pieces(of: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(of), AT_ONCE):
        yield of[start : start + AT_ONCE]
