"""Offers as people make, change and end them. What is used of them machines write."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, not_, select, update

from storage.database import dialects
from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.insight import days
from storage.insight.follower import Lag, read_lag
from storage.insight.local_time import local_hour
from storage.insight.places import NOWHERE_ZONE
from storage.insight.rollups import ScopeKind
from storage.insight.suppression import Gate
from storage.insight.tagging import had_by_now
from storage.offers import proposals, trials
from storage.offers.content import OfferContent, OfferDay, OfferState, OfferView, kept, view_of
from storage.offers.proposals import CHANGED, OfferProposal, OfferWish
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
from storage.office.prices import check_products
from storage.office.selectors import check_known
from storage.tables import (
    offer_spending,
    offers,
    payer_tags,
    products,
    scope_offers,
    tag_rules,
    tag_runs,
)
from storage.tables.tags import UNFINISHED

LIVE_MAX = 20
"""So many are not over: each payment looks at all of them."""
DAYS_MAX = 400
"""An offer lasts 366 at most; a price is given back later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferChange:
    """What of an offer is to be another; None: as it is."""

    name: str | None = None
    ends_at_ms: int | None = None
    budget_minor: int | None = None
    uses_per_payer: int | None = None


class Offers:
    """The offers of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(
        self, db: Database, gate: Gate, *, second_person_above_minor: int | None = None
    ) -> None:
        """A budget above ``second_person_above_minor`` takes two people; None: one suffices."""
        self._db = db
        self._gate = gate
        self._limit_minor = second_person_above_minor

    async def create(
        self,
        offer: str,
        content: OfferContent,
        deed: Deed,
        *,
        holdout_key: str,
        begins_now: bool = False,
        proposal: str = "",
    ) -> OfferView:
        """Make an offer. Again with the same content: what is there; one that ``begins_now`` began
        then. Raises AlreadyThere, NotThere of what it names, NotPossible (TOO_MANY_OFFERS,
        UNKNOWN_PRODUCTS, NOT_EVALUATED, AUDIENCE_TOO_SMALL), and, where it takes two people, what
        ``proposals.wanted_before`` does; ``proposal`` names the wish then.
        """

        def plan(connection: Connection) -> DeedPlan[OfferView]:
            _alone(connection, deed)
            found = _found(connection, offer, lock=deed.locks)
            if found is not None:
                begins_at_ms = found.content.begins_at_ms if begins_now else content.begins_at_ms
                if found.content != replace(content, begins_at_ms=begins_at_ms):
                    raise AlreadyThere("offer", offer, "something else is given")
                return DeedPlan(result=found)
            self._check(connection, content, deed.now_ms)
            wish = OfferWish(offer=offer, there=None, content=content, begins_now=begins_now)
            second = self._second(connection, wish, deed, proposal)
            void = "" if second else proposals.made_void(connection, offer, deed.now_ms)
            return _to_make(offer, content, deed, holdout_key, second=second, beside=void)

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, offer))

    async def change(
        self, offer: str, wanted: OfferChange, deed: Deed, *, etag: str = "", proposal: str = ""
    ) -> OfferView:
        """Change an offer that is not over; while an experiment tries it, its name alone. Raises
        NotThere, EtagOutdated, NotPossible (OFFER_ENDED, EXPERIMENT_RUNS), and, where it takes two
        people, what ``create`` does.
        """

        def plan(connection: Connection) -> DeedPlan[OfferView]:
            _alone(connection, deed)
            before = _for_change(connection, offer, etag=etag, lock=deed.locks)
            if before.state(deed.now_ms) is OfferState.ENDED:
                raise NotPossible(
                    "OFFER_ENDED",
                    f"offer {offer} is over and is not changed any more: CreateOffer makes another",
                    offer=offer,
                )
            new = {
                name: value
                for name in CHANGED
                if (value := getattr(wanted, name)) is not None
                and value != getattr(before.content, name)
            }
            if not new:
                return DeedPlan(result=before)
            if new.keys() - {"name"}:
                trials.check_untried(connection, offer)
            content = replace(before.content, **new)
            wish = OfferWish(offer=offer, there=before, content=content)
            second = self._second(connection, wish, deed, proposal)
            void = "" if second else proposals.made_void(connection, offer, deed.now_ms)
            return _to_change(before, content, deed, second=second, beside=void)

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, offer))

    async def confirm(
        self, offer: str, proposal: str, deed: Deed, *, holdout_key: str
    ) -> OfferView:
        """Do what another person proposed. Raises NotThere, NotPossible (EXPERIMENT_RUNS), what
        ``OfferProposal.confirmed`` and ``create`` do.
        """

        def plan(connection: Connection) -> DeedPlan[OfferView]:
            _alone(connection, deed)
            found = _found(connection, offer, lock=deed.locks)
            one = proposals.named(connection, offer, proposal)
            content = one.confirmed(deed)
            if found is not None:
                trials.check_untried(connection, offer)
                return _to_change(found, content, deed, second=one.actor)
            content = replace(content, begins_at_ms=content.begins_at_ms or deed.now_ms)
            self._check(connection, content, deed.now_ms)
            return _to_make(offer, content, deed, holdout_key, second=one.actor)

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, offer))

    async def decline(self, offer: str, proposal: str, deed: Deed, *, why: str) -> None:
        """Let what somebody proposed wait no longer. Raises NotThere."""

        def plan(connection: Connection) -> DeedPlan[None]:
            _alone(connection, deed)
            one = proposals.named(connection, offer, proposal)
            said = f"offer {offer}: proposal {proposal} of {one.actor} declined; {why}"
            return DeedPlan(
                result=None, writes=(proposals.used_up(offer),), details=(Detail(said=said),)
            )

        return await deeds.do(self._db, deed, plan, lambda _: None)

    async def end(self, offer: str, deed: Deed, *, etag: str = "", why: str) -> OfferView:
        """End an offer for ever, and stop the experiment that tries it, unless its last day is
        over. Raises NotThere, EtagOutdated.
        """

        def plan(connection: Connection) -> DeedPlan[OfferView]:
            _alone(connection, deed)
            before = _for_change(connection, offer, etag=etag, lock=deed.locks)
            if before.ended_at_ms is not None:
                return DeedPlan(result=before)
            after = _next(replace(before, ended_at_ms=deed.now_ms), deed)
            void = proposals.made_void(connection, offer, deed.now_ms)
            writes: list[deeds.Write] = [(_written(after, {"ended_at_ms": deed.now_ms}), ())]
            details = [Detail(said=f"offer {offer}: ended{void}; {why}")]
            experiment = trials.cut_short(connection, offer, deed.now_ms)
            if experiment is not None and before.state(deed.now_ms) is not OfferState.ENDED:
                reason = f"offer {offer} was ended: {why}"
                writes.append((trials.stopping(experiment, deed.now_ms, reason), ()))
                details.append(Detail(said=f"experiment {experiment}: stopped; {reason}"))
            return DeedPlan(result=after, writes=tuple(writes), details=tuple(details))

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, offer))

    async def get(self, offer: str) -> OfferView:
        """Return an offer. Raises NotThere."""
        return await self._db.read(lambda connection: there(connection, offer))

    async def told(self, offer: str) -> tuple[OfferView, Sequence[OfferDay], Lag]:
        """Return an offer with what was sold with it by day, the oldest of DAYS_MAX first, and how
        complete that is; of one moment. Raises NotThere.
        """

        def work(connection: Connection) -> tuple[OfferView, Sequence[OfferDay], Lag]:
            view = there(connection, offer)
            # A day before it began in Greenwich it may have begun elsewhere.
            first = days.moved(local_hour(view.content.begins_at_ms, NOWHERE_ZONE).d, -1)
            c = scope_offers.c
            rows = connection.execute(
                select(c.d, c.units, c.sales_minor, c.discount_minor)
                .where(c.scope == ScopeKind.FLEET.value, c.name == "", c.d >= first)
                .where(c.offer == offer, c.currency == view.content.currency)
                .order_by(c.d.desc())
                .limit(DAYS_MAX)
            ).all()
            told = [
                OfferDay(
                    d=row.d,
                    uses=row.units,
                    sales_minor=row.sales_minor,
                    discount_minor=row.discount_minor,
                )
                for row in reversed(rows)
            ]
            return view, told, read_lag(connection)

        return await self._db.read(work)

    async def page(
        self, *, after: str = "", limit: int, over: bool | None = None, now_ms: int = 0
    ) -> Sequence[OfferView]:
        """Return the first ``limit`` offers behind the code ``after``; those alone that are
        ``over`` at ``now_ms``, or are not, if that is said.
        """
        rows = _read().where(offers.c.offer > after).order_by(offers.c.offer).limit(limit)
        if over is not None:
            live = and_(offers.c.ends_at_ms > now_ms, offers.c.ended_at_ms.is_(None))
            rows = rows.where(not_(live) if over else live)
        return await self._db.read(
            lambda connection: [view_of(row) for row in connection.execute(rows)]
        )

    async def waiting(self, now_ms: int, *, after: str = "", limit: int) -> Sequence[OfferProposal]:
        """Return the first ``limit`` proposals that another person can confirm, behind the offer
        ``after``.
        """
        return await self._db.read(
            lambda connection: proposals.waiting(connection, now_ms, after=after, limit=limit)
        )

    def _second(self, connection: Connection, wish: OfferWish, deed: Deed, proposal: str) -> str:
        """Return who wanted the same before; '' where one person suffices."""
        limit = self._limit_minor
        if limit is None or not wish.takes_two(limit):
            return ""
        return proposals.wanted_before(connection, wish, deed, limit_minor=limit, proposal=proposal)

    def _check(self, connection: Connection, content: OfferContent, now_ms: int) -> None:
        live = select(func.count()).where(
            offers.c.ends_at_ms > now_ms, offers.c.ended_at_ms.is_(None)
        )
        count = connection.scalar(live) or 0
        if count >= LIVE_MAX:
            raise NotPossible(
                "TOO_MANY_OFFERS",
                f"{count} offers are not over, which is the most: EndOffer those that nobody needs",
            )
        check_known(connection, content.selector)
        if content.product:
            check_products(connection, [content.product])
        if content.category:
            known = select(products.c.product).where(products.c.category == content.category)
            if connection.scalar(known.limit(1)) is None:
                raise NotThere("category", content.category)
        if content.tag:
            self._check_tag(connection, content.tag)

    def _check_tag(self, connection: Connection, tag: str) -> None:
        rule = select(tag_rules.c.tag).where(tag_rules.c.tag == tag).limit(1)
        if connection.scalar(rule) is None:
            raise NotThere("tag", tag)
        finished = select(tag_runs.c.id).where(tag_runs.c.tag == tag, ~UNFINISHED).limit(1)
        if connection.scalar(finished) is None:
            raise NotPossible(
                "NOT_EVALUATED", f"tag {tag} is evaluated for the first time soon: wait"
            )
        have = select(func.count(payer_tags.c.payer_id.distinct())).where(had_by_now(tag))
        if self._gate.count(connection.scalar(have) or 0) is None:
            raise NotPossible(
                "AUDIENCE_TOO_SMALL",
                f"fewer than {self._gate.least} payers have tag {tag}: who stands at a machine "
                "while it is used would be known by it; choose a tag that more have",
                tag=tag,
            )


def _alone(connection: Connection, deed: Deed) -> None:
    """Let nobody else change offers and what waits until the deed is done: who makes another one at
    this moment would count as many that are not over, and two who confirm would both be the second.
    """
    if deed.locks:
        dialects.office_alone(connection)


def _to_make(
    offer: str,
    content: OfferContent,
    deed: Deed,
    holdout_key: str,
    *,
    second: str,
    beside: str = "",
) -> DeedPlan[OfferView]:
    """Return how it is made; ``second``: who proposed it, '' if one person suffices; ``beside``:
    what the audit row says, too.
    """
    made = OfferView(
        offer=offer,
        content=content,
        revision=1,
        created_at_ms=deed.now_ms,
        updated_at_ms=deed.now_ms,
        ended_at_ms=None,
        spent_minor=0,
        uses=0,
    )
    row = {
        **kept(content),
        "offer": offer,
        "revision": 1,
        "holdout_key": holdout_key,
        "created_at_ms": deed.now_ms,
        "updated_at_ms": deed.now_ms,
        "ended_at_ms": None,
    }
    spending = {"offer": offer, "spent_minor": 0, "uses": 0}
    said = f"offer {offer}: {proposals.differs(None, content)}{beside}"
    return DeedPlan(
        result=made,
        writes=(
            (insert(offers), [row]),
            (insert(offer_spending), [spending]),
            *((proposals.used_up(offer),) if second else ()),
        ),
        details=(Detail(said=_by_two(said, second)),),
    )


def _to_change(
    before: OfferView, content: OfferContent, deed: Deed, *, second: str, beside: str = ""
) -> DeedPlan[OfferView]:
    """Return how what can be changed of it becomes as in ``content``; ``second`` as above."""
    new = {
        name: value
        for name in CHANGED
        if (value := getattr(content, name)) != getattr(before.content, name)
    }
    content = replace(before.content, **new)
    after = _next(replace(before, content=content), deed)
    said = f"offer {before.offer}: {proposals.differs(before.content, content)}{beside}"
    return DeedPlan(
        result=after,
        writes=(
            (_written(after, new), ()),
            *((proposals.used_up(before.offer),) if second else ()),
        ),
        details=(Detail(said=_by_two(said, second)),),
    )


def _by_two(said: str, second: str) -> str:
    return f"{said}; proposed by {second}" if second else said


def _read() -> Select[Any]:
    spent = offer_spending.c
    return select(offers, spent.spent_minor, spent.uses).join(
        offer_spending, spent.offer == offers.c.offer
    )


def _found(connection: Connection, offer: str, *, lock: bool = False) -> OfferView | None:
    rows = _read().where(offers.c.offer == offer)
    # Not what is spent: no COMMIT of a machine waits for the office.
    found = connection.execute(rows.with_for_update(of=offers) if lock else rows).one_or_none()
    return None if found is None else view_of(found)


def there(connection: Connection, offer: str, *, lock: bool = False) -> OfferView:
    """Return an offer. Raises NotThere."""
    found = _found(connection, offer, lock=lock)
    if found is None:
        raise NotThere("offer", offer)
    return found


def _for_change(connection: Connection, offer: str, *, etag: str, lock: bool) -> OfferView:
    found = there(connection, offer, lock=lock)
    if etag and etag != etag_of(found.revision):
        raise EtagOutdated("offer", offer, etag_of(found.revision))
    return found


def _next(view: OfferView, deed: Deed) -> OfferView:
    return replace(view, revision=view.revision + 1, updated_at_ms=deed.now_ms)


def _written(view: OfferView, new: dict[str, Any]) -> Any:
    return (
        update(offers)
        .where(offers.c.offer == view.offer)
        .values(revision=view.revision, updated_at_ms=view.updated_at_ms, **new)
    )
