"""Tags of payers: their rules, which people write, and how many have them, through the gate.

Nothing here names a payer. What is asked of one payer is in ``storage.insight.payer``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, tuple_, update

from storage.database import dialects
from storage.database.engine import Database
from storage.insight.experimenting import check_tag_untried
from storage.insight.suppression import Cells, Gate
from storage.insight.tag_sales import TagSales, sales_of
from storage.insight.tag_sums import TagSums, kept_of, sums_of
from storage.insight.tagging import had_by_now
from storage.office import deeds
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    DeedPlan,
    Detail,
    EtagOutdated,
    NotPossible,
    NotThere,
)
from storage.tables import tag_rules, tag_runs
from storage.tables.tags import UNFINISHED

TAGS_MAX = 100
VERSIONS_MAX = 1_000
_R, _U = tag_rules.c, tag_runs.c
_ENDED = or_(~UNFINISHED, _U.error != "")
"""Whether a run is told of: it was finished, or it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContent:
    """What a version of a rule says; ``rule`` is its one text (``tag_rules.written``)."""

    rule: str
    purchases_min: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagVersion:
    """A version of a tag's rule. ``ended_at_ms``: the tag was retired."""

    tag: str
    version: int
    content: RuleContent
    author: str
    reason: str
    created_at_ms: int
    ended_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRunView:
    """What became of a rule as of a day. Numbers of payers are told through the gate, None: too few
    to be told.
    """

    id: int
    tag: str
    version: int
    d: int
    position: int
    at_ms: int
    members: int | None
    joined: int | None
    departed: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagView:
    """A tag: its newest version and its newest run, None if it was never evaluated."""

    newest: TagVersion
    run: TagRunView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """How many have a tag, by the district in which each bought most (28 days up to the newest run
    that was finished, '' of those who bought in none), through the gate.
    """

    run: TagRunView
    by_district: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersBought:
    """What those with a tag bought in the 28 days up to ``last_d``, through the gate: the day of
    the newest run that was finished, which another one that failed since may follow.
    """

    run: TagRunView
    last_d: int
    by_currency: Sequence[TagSales]


class Tags:
    """The tags of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database, gate: Gate) -> None:
        self._db = db
        self._gate = gate

    async def create(
        self, tag: str, content: RuleContent, deed: Deed, *, by: str, reason: str
    ) -> TagVersion:
        """Take a tag in. Again with the same content: what is there. Raises AlreadyThere,
        NotPossible (TOO_MANY_TAGS, TAG_RETIRED).
        """

        def plan(connection: Connection) -> DeedPlan[TagVersion]:
            _alone(connection, deed)
            there = _newest(connection, tag)
            if there is not None:
                _check_alive(there)
                if there.content != content:
                    raise AlreadyThere("tag", tag, "its rule is another one: UpdateTag changes it")
                return DeedPlan(result=there)
            if (connection.scalar(select(func.count(_R.tag.distinct()))) or 0) >= TAGS_MAX:
                raise NotPossible("TOO_MANY_TAGS", f"there are {TAGS_MAX} tags, which is the most")
            return _made(tag, 1, content, deed, by=by, reason=reason)

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, tag))

    async def change(
        self, tag: str, version: int, content: RuleContent, deed: Deed, *, by: str, reason: str
    ) -> TagVersion:
        """Let the tag have another rule, under the next version; ``version`` is the one that was
        seen. Raises NotThere, EtagOutdated, NotPossible (TAG_RETIRED, TOO_MANY_VERSIONS,
        EXPERIMENT_RUNS).
        """

        def plan(connection: Connection) -> DeedPlan[TagVersion]:
            _alone(connection, deed)
            there = _there(connection, tag)
            _check_alive(there)
            if there.version != version:
                raise EtagOutdated("tag", tag, str(there.version))
            if there.content == content:
                return DeedPlan(result=there)
            check_tag_untried(connection, tag)
            if there.version >= VERSIONS_MAX:
                raise NotPossible(
                    "TOO_MANY_VERSIONS", f"a tag has {VERSIONS_MAX} versions at most: make another"
                )
            return _made(tag, version + 1, content, deed, by=by, reason=reason)

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, tag))

    async def retire(self, tag: str, deed: Deed, *, reason: str) -> TagVersion:
        """Let nobody have it any more, for ever. Raises NotThere, NotPossible (EXPERIMENT_RUNS)."""

        def plan(connection: Connection) -> DeedPlan[TagVersion]:
            _alone(connection, deed)
            there = _there(connection, tag)
            if there.ended_at_ms is not None:
                return DeedPlan(result=there)
            check_tag_untried(connection, tag)
            ended = (
                update(tag_rules)
                .where(_R.tag == tag, _R.version == there.version)
                .values(ended_at_ms=deed.now_ms)
            )
            return DeedPlan(
                result=TagVersion(
                    tag=tag,
                    version=there.version,
                    content=there.content,
                    author=there.author,
                    reason=there.reason,
                    created_at_ms=there.created_at_ms,
                    ended_at_ms=deed.now_ms,
                ),
                writes=((ended, ()),),
                details=(Detail(said=f"tag {tag} is retired: {reason}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, tag))

    async def page(self, *, after: str, limit: int) -> list[TagView]:
        """Return the next tags behind a name, in the order of their names."""

        def work(connection: Connection) -> list[TagView]:
            newest = select(_R.tag, func.max(_R.version)).group_by(_R.tag)
            wanted = select(tag_rules).where(tuple_(_R.tag, _R.version).in_(newest), _R.tag > after)
            rows = connection.execute(wanted.order_by(_R.tag).limit(limit)).all()
            return [
                TagView(newest=_version(row), run=self._newest_run(connection, row.tag))
                for row in rows
            ]

        return await self._db.read(work)

    async def versions(self, tag: str) -> Sequence[TagVersion]:
        """Return the versions of a tag's rule, the newest first, 100 at most. Raises NotThere."""

        def work(connection: Connection) -> list[TagVersion]:
            wanted = select(tag_rules).where(_R.tag == tag).order_by(_R.version.desc()).limit(100)
            found = [_version(row) for row in connection.execute(wanted)]
            if not found:
                raise NotThere("tag", tag)
            return found

        return await self._db.read(work)

    async def runs(self, tag: str, *, before: int | None, limit: int) -> list[TagRunView]:
        """Return a tag's runs, the newest first, those before the run of this id."""
        wanted = select(tag_runs).where(_U.tag == tag, _ENDED)
        if before is not None:
            wanted = wanted.where(_U.id < before)
        wanted = wanted.order_by(_U.id.desc()).limit(limit)
        return await self._db.read(
            lambda connection: [self._run(row) for row in connection.execute(wanted)]
        )

    async def members(self, tag: str) -> Members:
        """Return how many have a tag, as of its newest run. Raises NotThere, NotPossible
        (NOT_EVALUATED).
        """

        def work(connection: Connection) -> Members:
            run = self._evaluated(connection, tag)
            _, sums = _come_to(connection, tag, run)
            return Members(run=run, by_district=self._gate.cells(sums.districts))

        return await self._db.read(work)

    async def bought(self, tag: str) -> MembersBought:
        """Return what those who have a tag bought, as of its newest run. Raises NotThere,
        NotPossible (NOT_EVALUATED).
        """

        def work(connection: Connection) -> MembersBought:
            run = self._evaluated(connection, tag)
            d, sums = _come_to(connection, tag, run)
            return MembersBought(run=run, last_d=d, by_currency=sales_of(sums, self._gate))

        return await self._db.read(work)

    def _evaluated(self, connection: Connection, tag: str) -> TagRunView:
        _there(connection, tag)
        run = self._newest_run(connection, tag)
        if run is None:
            raise NotPossible(
                "NOT_EVALUATED", f"tag {tag} is evaluated for the first time within a minute"
            )
        return run

    def _newest_run(self, connection: Connection, tag: str) -> TagRunView | None:
        wanted = select(tag_runs).where(_U.tag == tag, _ENDED).order_by(_U.id.desc()).limit(1)
        row = connection.execute(wanted).one_or_none()
        return None if row is None else self._run(row)

    def _run(self, row: Row[Any]) -> TagRunView:
        return TagRunView(
            id=row.id,
            tag=row.tag,
            version=row.version,
            d=row.d,
            position=row.position,
            at_ms=row.at_ms,
            members=self._gate.count(row.members),
            joined=self._gate.count(0 if row.error else row.joined),
            departed=self._gate.count(0 if row.error else row.departed),
            error=row.error,
        )


def _come_to(connection: Connection, tag: str, newest: TagRunView) -> tuple[int, TagSums]:
    """Return what those with a tag come to, and as of which day: as the newest finished run has
    written it. One of a program of before has not; it is counted again then.
    """
    finished = select(_U.id, _U.d, _U.position).where(_U.tag == tag, ~UNFINISHED, _U.error == "")
    run = connection.execute(finished.order_by(_U.id.desc()).limit(1)).one_or_none()
    kept = kept_of(connection, tag)
    if kept is not None and (run is None or run.id <= kept.run_id):
        return kept.d, kept.sums
    d, position = (newest.d, newest.position) if run is None else (run.d, run.position)
    return d, sums_of(connection, had_by_now(tag), d, position=position)


def _alone(connection: Connection, deed: Deed) -> None:
    if deed.locks:
        dialects.office_alone(connection)


def _check_alive(version: TagVersion) -> None:
    if version.ended_at_ms is not None:
        raise NotPossible(
            "TAG_RETIRED",
            f"tag {version.tag} was retired, and its name means for ever what it meant: make "
            "another tag",
            tag=version.tag,
        )


def _made(
    tag: str, version: int, content: RuleContent, deed: Deed, *, by: str, reason: str
) -> DeedPlan[TagVersion]:
    made = TagVersion(
        tag=tag,
        version=version,
        content=content,
        author=by,
        reason=reason,
        created_at_ms=deed.now_ms,
    )
    row = {
        "tag": tag,
        "version": version,
        "rule": content.rule,
        "purchases_min": content.purchases_min,
        "currency": content.currency,
        "author": by,
        "reason": reason,
        "created_at_ms": deed.now_ms,
        "ended_at_ms": None,
    }
    said = (
        f"tag {tag} version {version}: {content.rule}, {content.purchases_min} purchases: {reason}"
    )
    return DeedPlan(result=made, writes=((insert(tag_rules), [row]),), details=(Detail(said=said),))


def _newest(connection: Connection, tag: str) -> TagVersion | None:
    wanted = select(tag_rules).where(_R.tag == tag).order_by(_R.version.desc()).limit(1)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _version(row)


def _there(connection: Connection, tag: str) -> TagVersion:
    there = _newest(connection, tag)
    if there is None:
        raise NotThere("tag", tag)
    return there


def _version(row: Row[Any]) -> TagVersion:
    content = RuleContent(rule=row.rule, purchases_min=row.purchases_min, currency=row.currency)
    return TagVersion(
        tag=row.tag,
        version=row.version,
        content=content,
        author=row.author,
        reason=row.reason,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
    )
