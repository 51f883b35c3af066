"""An offer as what an experiment tries: whether it can be, and what of it is fixed.

It has not begun yet, so that nobody's past is its work, and it holds some out. Who is held out its
own keyed hash says, for good: nobody is drawn a second time, and no payment looks anything up that
it did not before.
"""

import json
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from storage.experiments.content import Arm, State
from storage.insight import days
from storage.insight.local_time import local_hour
from storage.insight.places import NOWHERE_ZONE
from storage.offers import offers as office
from storage.offers.content import OfferContent, OfferState, is_held_out, kept
from storage.office.deeds import NotPossible
from storage.tables import experiment_offers, experiments, offers, sites, tag_rules, tag_runs
from storage.tables.tags import UNFINISHED

BEGINS_WITHIN_DAYS = 14
"""What payers spent before is no measure of what they would spend much later."""
_E, _O = experiments.c, experiment_offers.c


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedOffer:
    """An offer that is to begin. ``key`` draws who is held out, and leaves this process never.
    ``tag_version``: the one of its tag's rule, None if everybody gets it.
    """

    offer: str
    content: OfferContent
    tag_version: int | None = None
    key: str = field(repr=False)

    def arm(self, payer_id: str) -> Arm:
        """Return in which arm a payer is."""
        percent = self.content.holdout_percent
        return (
            Arm.CONTROL if is_held_out(self.key, self.offer, payer_id, percent) else Arm.TREATMENT
        )

    def terms(self) -> str:
        """Return what is fixed while it is tried."""
        return terms_of(self.content)


def terms_of(content: OfferContent) -> str:
    """Return what of an offer is fixed while it is tried, as one text: all but its name for
    people.
    """
    said = {name: of for name, of in kept(content).items() if name != "name"}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def to_be_tried(
    connection: Connection, offer: str, now_ms: int, *, lock: bool = False
) -> TriedOffer:
    """Return an offer that an experiment can try. Raises NotThere, NotPossible (OFFER_ENDED,
    OFFER_HAS_BEGUN, OFFER_WITHOUT_HOLDOUT, OFFER_TRIED, TAG_RETIRED, NOT_EVALUATED).
    """
    view = office.there(connection, offer, lock=lock)
    state, content = view.state(now_ms), view.content
    if state is OfferState.ENDED:
        raise NotPossible(
            "OFFER_ENDED", f"offer {offer} is over: CreateOffer makes another", offer=offer
        )
    # Whatever the time is here: a gateway whose clock is behind gets to know by what was used.
    if state is not OfferState.WAITING or view.uses:
        raise NotPossible(
            "OFFER_HAS_BEGUN",
            f"offer {offer} has begun, and nobody knows any more what its payers would have spent "
            "without it: make another one that begins later, and start before it does",
            offer=offer,
        )
    if not content.holdout_percent:
        raise NotPossible(
            "OFFER_WITHOUT_HOLDOUT",
            f"offer {offer} holds nobody out, so there is nobody to compare with: make another one "
            "with holdout_percent",
            offer=offer,
        )
    tried = (
        select(_E.experiment)
        .join_from(experiments, experiment_offers, _O.experiment == _E.experiment)
        .where(_O.offer == offer, _E.state.in_([State.RUNNING.value, State.ENDED.value]))
    )
    other = connection.scalar(tried.limit(1))
    if other is not None:
        raise NotPossible(
            "OFFER_TRIED",
            f"experiment {other} tries offer {offer}, and one answer of an offer is all there is: "
            "make another offer",
            offer=offer,
            experiment=other,
        )
    key = connection.scalar(select(offers.c.holdout_key).where(offers.c.offer == offer))
    assert key is not None
    version = evaluated_version(connection, content.tag) if content.tag else None
    return TriedOffer(offer=offer, content=content, tag_version=version, key=key)


def evaluated_version(connection: Connection, tag: str) -> int:
    """Return the newest version of a tag's rule, by which its payers have it. Raises NotPossible
    (TAG_RETIRED, NOT_EVALUATED): others would be compared than get what is tried.
    """
    r, u = tag_rules.c, tag_runs.c
    newest = select(r.version, r.ended_at_ms).where(r.tag == tag).order_by(r.version.desc())
    rule = connection.execute(newest.limit(1)).one()
    if rule.ended_at_ms is not None:
        raise NotPossible(
            "TAG_RETIRED", f"tag {tag} was retired, and nobody has it any more", tag=tag
        )
    finished = select(u.version).where(u.tag == tag, ~UNFINISHED, u.error == "")
    if rule.version != connection.scalar(finished.order_by(u.id.desc()).limit(1)):
        raise NotPossible(
            "NOT_EVALUATED",
            f"tag {tag} has another rule since, by which nobody has it yet: wait until ListTagRuns "
            "tells of a run of it",
            tag=tag,
        )
    version: int = rule.version
    return version


def first_day(connection: Connection, tried: TriedOffer, now_ms: int) -> int:
    """Return the day (yyyymmdd) on which an offer begins, where it does so first. Raises
    NotPossible (OFFER_BEGINS_LATER).
    """
    zones = {NOWHERE_ZONE, *connection.scalars(select(sites.c.time_zone).distinct())}
    begins_at_ms = tried.content.begins_at_ms
    first = min(local_hour(begins_at_ms, zone).d for zone in zones)
    soon = days.moved(local_hour(now_ms, NOWHERE_ZONE).d, BEGINS_WITHIN_DAYS)
    if first > soon:
        raise NotPossible(
            "OFFER_BEGINS_LATER",
            f"offer {tried.offer} begins more than {BEGINS_WITHIN_DAYS} days from now, and what "
            "its payers spend until then would not be known: start the experiment later",
            offer=tried.offer,
        )
    return first
