"""Evaluates the rules of tags, whole, once for each local day that is over everywhere: who fulfils
a rule now, beside who has its tag. So nobody keeps a tag whose rule they do not fulfil, whatever
made it so, and a rule that fails changes nobody's tag.

An evaluation has one run, and goes through the payers piece by piece, in the order of their
numbers: the database says what differs, and that is written a few rows in a transaction, so that
no sale waits. What a run gives or takes counts when the run is ``finished``, which is one row;
until then all who read (``had_by_now``) see what was there before. Whoever dies on the way leaves
an unfinished run, which the next evaluation of the tag goes on with: what is written by then
does not differ any more.

A payer who was erased meanwhile gets no tag: that their mapping is there is looked at within the
transaction that gives it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from storage.database.reader import in_turns
from storage.insight import days, tag_sums
from storage.insight.lease import Standing
from storage.insight.local_time import local_hour
from storage.insight.places import NOWHERE_ZONE
from storage.insight.tag_features import Among, AsOf, Fifths, fifths_of, payers_of
from storage.insight.tag_rules import QUINTILES, read
from storage.insight.tag_sums import TagSums, TagSumsKept, sums_of
from storage.tables import payer_tags, payers, sites, tag_rules, tag_runs
from storage.tables.tags import UNFINISHED

AT_ONCE = 500
"""So many rows are written in one transaction."""
PAYERS_AT_ONCE = 5_000
"""So many payers are looked at in one read."""
_R, _T, _U = tag_rules.c, payer_tags.c, tag_runs.c


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
class Due:
    """A rule that is to be evaluated as of the end of a day."""

    rule: RuleKept
    d: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRun:
    """An evaluation that was begun: its number, its rule, and as of what it looks."""

    id: int
    rule: RuleKept
    as_of: AsOf
    fifths: Fifths


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A payer who joins, or who departs from the tag that run ``of`` gave them (0: joins)."""

    payer_id: str
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What some payers' evaluation comes to: how many fulfil the rule, and who differs from what is
    written, those who depart first. ``upto`` is the last of them, None if none are behind.
    """

    members: int
    differences: Sequence[MemberChange]
    upto: str | None


def had_by_now(tag: ColumnElement[str] | str) -> ColumnElement[bool]:
    """Return whether a row of ``payer_tags`` of this tag is of who has it: given by a run that is
    finished, and taken by none, or by one that is unfinished.
    """
    return and_(_T.tag == tag, or_(_T.until_d.is_(None), _is_writing(_T.until_run)), given())


def given() -> ColumnElement[bool]:
    """Return whether a row of ``payer_tags`` was given by a run that is finished."""
    return ~_is_writing(_T.run_id)


def told_until() -> ColumnElement[int | None]:
    """Return until which day a row of ``payer_tags`` says that its payer had the tag; null:
    still.
    """
    return case((_is_writing(_T.until_run), null()), else_=_T.until_d)


def _is_writing(run_id: ColumnElement[int] | ColumnElement[int | None]) -> ColumnElement[bool]:
    return run_id.in_(select(_U.id).where(UNFINISHED))


def day_that_is_over(connection: Connection, at_ms: int) -> int:
    """Return the last local day that was over at that time by the clocks of all sites."""
    zones = {NOWHERE_ZONE, *connection.scalars(select(sites.c.time_zone).distinct())}
    return days.moved(min(local_hour(at_ms, zone).d for zone in zones), -1)


def next_due(connection: Connection, standing: Standing) -> Due | None:
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
            select(tag_runs).where(_U.id.in_(select(func.max(_U.id)).group_by(_U.tag)))
        )
    }
    for rule in rules:
        if _is_due(connection, rule, newest.get(rule.tag), d):
            return Due(rule=rule, d=d)
    return None


def _is_due(connection: Connection, rule: RuleKept, done: Row[Any] | None, d: int) -> bool:
    if done is not None and done.unfinished and not done.error:
        return True
    if rule.ended:
        failed = done is not None and done.error != ""
        return failed or _has_any(connection, rule.tag)
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


def readable(due: Due) -> str:
    """Return what is wrong with a rule, empty if it can be evaluated."""
    if due.rule.ended:
        return ""
    as_of = AsOf(d=due.d, currency=due.rule.currency)
    try:
        rule = read(due.rule.rule)
        names: Fifths = {name: {} for name in QUINTILES}
        payers_of(rule, as_of=as_of, purchases_min=due.rule.purchases_min, fifths=names)
    except ValueError as error:
        return f"the rule cannot be read: {error}"
    return ""


def fifths_for(connection: Connection, due: Due, standing: Standing) -> Fifths:
    """Return the borders of the quintiles that its rule asks for."""
    return (
        {} if due.rule.ended else fifths_of(connection, read(due.rule.rule), _as_of(due, standing))
    )


def begin(connection: Connection, due: Due, standing: Standing, fifths: Fifths) -> TagRun:
    """Write that a rule is being evaluated; an unfinished run of its tag is gone on with."""
    now = {"version": due.rule.version, "d": due.d, "position": standing.position, "error": ""}
    run_id = _unfinished(connection, due.rule.tag)
    if run_id is None:
        run_id = (connection.scalar(select(func.max(_U.id))) or 0) + 1
        counts = dict.fromkeys(("at_ms", "members", "joined", "departed"), 0)
        row = {"id": run_id, "tag": due.rule.tag, **now, **counts, "unfinished": True}
        connection.execute(insert(tag_runs), row)
    else:
        connection.execute(update(tag_runs).where(_U.id == run_id).values(**now))
    return TagRun(id=run_id, rule=due.rule, as_of=_as_of(due, standing), fifths=fifths)


def fail(connection: Connection, due: Due, standing: Standing, error: str, *, now_ms: int) -> None:
    """Write that a rule could not be evaluated: nobody's tag changes, and a person is told."""
    now = {
        "version": due.rule.version,
        "d": due.d,
        "position": standing.position,
        "at_ms": now_ms,
        "error": error,
    }
    run_id = _unfinished(connection, due.rule.tag)
    if run_id is None:
        before = select(_U.members).where(_U.tag == due.rule.tag).order_by(_U.id.desc()).limit(1)
        members = connection.scalar(before) or 0
        run_id = (connection.scalar(select(func.max(_U.id))) or 0) + 1
        row = {"id": run_id, "tag": due.rule.tag, "members": members, "joined": 0, "departed": 0}
        connection.execute(insert(tag_runs), {**row, **now})
    else:
        connection.execute(update(tag_runs).where(_U.id == run_id).values(**now))


def _unfinished(connection: Connection, tag: str) -> int | None:
    wanted = select(_U.id).where(_U.tag == tag, UNFINISHED)
    found: int | None = connection.scalar(wanted)
    return found


def _as_of(due: Due, standing: Standing) -> AsOf:
    return AsOf(d=due.d, currency=due.rule.currency, position=standing.position)


def piece_of(connection: Connection, run: TagRun, after: str) -> Piece:
    """Return what the evaluation of the next payers behind a number comes to."""
    wanted = select(payers.c.payer_id).where(payers.c.payer_id > after)
    upto: str | None = connection.scalar(
        wanted.order_by(payers.c.payer_id).offset(PAYERS_AT_ONCE - 1).limit(1)
    )
    rows = connection.execute(_differing(run, Among(after=after, upto=upto)))
    members, differences = 0, list[MemberChange]()
    for row in in_turns(rows, AT_ONCE):
        if row.payer_id is None:
            members = row.number
        else:
            differences.append(MemberChange(row.payer_id, row.number))
    differences.sort(key=lambda one: one.of == 0)
    return Piece(members=members, differences=differences, upto=upto)


def _differing(run: TagRun, among: Among) -> CompoundSelect[Any]:
    """Return the query for how many fulfil the rule (a row of nobody), and who differs."""
    if run.rule.ended:
        nobody = select(payers.c.payer_id).where(false())
        fulfil = nobody.cte("fulfil")
    else:
        fulfil = payers_of(
            read(run.rule.rule),
            as_of=run.as_of,
            purchases_min=run.rule.purchases_min,
            fifths=run.fifths,
            among=among,
        ).cte("fulfil")
    had = (
        select(_T.payer_id, _T.run_id, _T.version)
        .where(_T.tag == run.rule.tag, _T.until_d.is_(None), among.holds(_T.payer_id))
        .cte("had")
    )
    same = had.c.version == run.rule.version
    both = fulfil.c.payer_id == had.c.payer_id
    number = cast(literal(0), BigInteger).label("number")
    counted = select(cast(null(), String).label("payer_id"), func.count().label("number"))
    return union_all(
        counted.select_from(fulfil),
        select(had.c.payer_id, had.c.run_id)
        .select_from(had.outerjoin(fulfil, both))
        .where(or_(fulfil.c.payer_id.is_(None), ~same)),
        select(fulfil.c.payer_id, number)
        .select_from(fulfil.outerjoin(had, and_(both, same)))
        .where(had.c.payer_id.is_(None)),
    )


def write_some(connection: Connection, run: TagRun, some: Sequence[MemberChange]) -> int:
    """Write AT_ONCE differences at most; return how many who join are not known any more."""
    joins = [one.payer_id for one in some if not one.of]
    known = _still_known(connection, joins)
    kept = _given_back(connection, run, known)
    # What this run gave and takes again was never given.
    never = [_named(one) for one in some if one.of == run.id]
    taken = [_named(one) for one in some if one.of not in {0, run.id}]
    this = and_(
        _T.payer_id == bindparam("who"), _T.tag == run.rule.tag, _T.run_id == bindparam("given_by")
    )
    if never:
        connection.execute(delete(payer_tags).where(this), never)
    if taken:
        ended = update(payer_tags).where(this).values(until_d=run.as_of.d, until_run=run.id)
        connection.execute(ended, taken)
    if new := [payer_id for payer_id in known if payer_id not in kept]:
        same = {"tag": run.rule.tag, "run_id": run.id, "version": run.rule.version}
        days_of = {"since_d": run.as_of.d, "until_d": None, "until_run": None}
        rows = [{"payer_id": payer_id, **same, **days_of} for payer_id in new]
        connection.execute(insert(payer_tags), rows)
    connection.execute(
        update(tag_runs)
        .where(_U.id == run.id)
        .values(
            joined=_U.joined + len(new) - len(never),
            departed=_U.departed + len(taken) - len(kept),
        )
    )
    return len(joins) - len(known)


def _given_back(connection: Connection, run: TagRun, payer_ids: Sequence[str]) -> set[str]:
    """Let those keep their tag from whom this run took it on an earlier day and who fulfil the rule
    now: it was never taken. Return who they are.
    """
    ours = and_(_T.tag == run.rule.tag, _T.version == run.rule.version, _T.until_run == run.id)
    back = update(payer_tags).where(_T.payer_id.in_(payer_ids), ours)
    kept = back.values(until_d=None, until_run=None).returning(_T.payer_id)
    return set(connection.scalars(kept))


def _named(of: MemberChange) -> dict[str, Any]:
    return {"who": of.payer_id, "given_by": of.of}


def come_to(connection: Connection, run: TagRun, among: Among) -> TagSums:
    """Return what those of some payers come to who have the tag once this run is finished."""
    has = and_(_T.tag == run.rule.tag, _T.until_d.is_(None))
    return sums_of(connection, has, run.as_of.d, position=run.as_of.position, among=among)


def finish(
    connection: Connection, run: TagRun, *, members: int, sums: TagSums, now_ms: int
) -> None:
    """Let all that a run gave and took count, at once, and what they come to be read."""
    kept = TagSumsKept(run_id=run.id, d=run.as_of.d, sums=sums)
    tag_sums.write(connection, run.rule.tag, kept)
    connection.execute(
        update(tag_runs)
        .where(_U.id == run.id)
        .values(members=members, at_ms=now_ms, unfinished=False)
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
