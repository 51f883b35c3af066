"""What of an offer takes two people: one gives little, or less than before; above a limit another
person must want the same.

Flows in: a wish, and who has it. Flows out: who had it before, if that is another person; otherwise
the wish is written down, and the deed is refused (``NotYet``). One wish waits for each offer, for a
bounded time, and for the offer as it was seen: whatever else is changed of it makes it void. The
row of a void one stays until somebody proposes something, so that whoever confirms it hears why it
is not done.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from storage.books.audit_rows import Outcome, actor_of
from storage.offers.content import OfferContent, OfferState, OfferView, kept, selector_of, view_of
from storage.office.deeds import Deed, Detail, NotPossible, NotThere, NotYet, Write
from storage.office.prices import moment_text
from storage.office.screen_plans import said_selector
from storage.tables import offer_proposals, offer_spending, offers

WAITS_MS = 7 * 86_400_000
PROPOSALS_MAX = 20
"""So many wait at once."""
LIMIT = "offers.budget_second_person_above_minor"
CHANGED = ("name", "ends_at_ms", "budget_minor", "uses_per_payer")
"""What of an offer can be another."""
_MORE = ("budget_minor", "uses_per_payer", "ends_at_ms")
"""What lets more of a budget be given, if it grows."""
_C = offer_proposals.c


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWish:
    """What somebody wants: that the offer which is ``there`` (None: none is) be as ``content``
    says; ``begins_now``: from when it is made.
    """

    offer: str
    there: OfferView | None
    content: OfferContent
    begins_now: bool = False

    @property
    def revision(self) -> int:
        """Of what they saw; 0: it is to be made."""
        return 0 if self.there is None else self.there.revision

    @property
    def text(self) -> str:
        """The one text of the wish, by which two are the same. Of an offer that is there it has
        what can be changed alone: a gateway that does not know all of its selector would say
        another one.
        """
        said = kept(self.content)
        if self.there is not None:
            return json.dumps({name: said[name] for name in CHANGED}, ensure_ascii=False)
        if self.begins_now:
            del said["begins_at_ms"]
        return json.dumps(said, ensure_ascii=False, sort_keys=True)

    def takes_two(self, limit_minor: int | None) -> bool:
        """Tell whether it lets more be given than one person decides. A budget bounds all that an
        offer gives, whatever its uses and its end are.
        """
        if limit_minor is None or self.content.budget_minor <= limit_minor:
            return False
        there = self.there
        return there is None or any(
            getattr(self.content, name) > getattr(there.content, name) for name in _MORE
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferProposal:
    """What waits for another person. ``content``: the offer as it would be, ``begins_at_ms`` 0 if
    it begins when it is confirmed; None with ``not_understood``: a newer program wrote it.
    ``there``: the offer as it is; None: it would be made.
    """

    offer: str
    proposal: str
    revision: int
    content: OfferContent | None
    not_understood: str
    there: OfferView | None
    actor: str
    person: str
    at_ms: int
    expires_at_ms: int

    def why_not(self, now_ms: int) -> NotPossible | None:
        """Return why nobody can confirm it at a moment; None: another person can."""
        there = self.there
        revision = 0 if there is None else there.revision
        is_over = there is not None and there.state(now_ms) is OfferState.ENDED
        if revision != self.revision or is_over:
            return NotPossible(
                "PROPOSAL_VOID",
                f"offer {self.offer} was made, changed or ended since {self.actor} proposed this, "
                "and is left as it is: look at it with GetOffer, and propose it again if it is "
                "still wanted",
                **self._about,
            )
        if now_ms >= self.expires_at_ms:
            return NotPossible(
                "PROPOSAL_EXPIRED",
                f"what {self.actor} proposed for offer {self.offer} has run out, and nothing was "
                "done: propose it again if it is still wanted",
                **self._about,
            )
        return None

    def confirmed(self, deed: Deed) -> OfferContent:
        """Return what another person may have done of it. Raises NotPossible and NotYet."""
        if (refused := self.why_not(deed.now_ms)) is not None:
            raise refused
        check_proven(deed, f"to confirm what {self.actor} proposed for offer {self.offer}")
        check_comparable(self, deed)
        if self.person == person_of(deed):
            said = f"offer {self.offer}: not confirmed, proposal {self.proposal} is their own"
            sentence = (
                f"you proposed this for offer {self.offer} yourself, and it takes two people: "
                "another person must ConfirmOffer it, under their own name and certificate"
            )
            if deed.only_check:
                raise NotPossible("SECOND_PERSON_NEEDED", sentence, **self._about)
            details = (Detail(said=said, outcome=Outcome.REFUSED),)
            raise NotYet(
                "SECOND_PERSON_NEEDED",
                sentence,
                details=details,
                offer=self.offer,
                proposal=self.proposal,
            )
        if self.content is None:
            raise NotPossible(
                "PROPOSAL_NOT_UNDERSTOOD",
                f"{self.not_understood}: ConfirmOffer it at a gateway of that release",
                **self._about,
            )
        return self.content

    @property
    def _about(self) -> dict[str, str]:
        return {"offer": self.offer, "proposal": self.proposal}


def person_of(deed: Deed) -> str:
    """Return who does it, so that two people are two, behind what tells that."""
    return f"{deed.told_by}:{deed.person or actor_of(deed.actor).name.casefold()}"


def check_comparable(one: OfferProposal, deed: Deed) -> None:
    """Raise NotPossible (PROOFS_DIFFER) if the one is told by a certificate and the other by a
    token: nobody knows which name in one is which in the other, so one person would be two.
    """
    first = one.person.partition(":")[0]
    if first != deed.told_by:
        raise NotPossible(
            "PROOFS_DIFFER",
            f"{one.actor} proposed this for offer {one.offer} with a {first}, and you show a "
            f"{deed.told_by}: nobody can tell whether that is another person; ConfirmOffer it with "
            f"a {first}, or DeclineOffer it and propose it anew",
            offer=one.offer,
            proposal=one.proposal,
        )


def check_proven(deed: Deed, what: str) -> None:
    """Raise NotPossible (IDENTITIES_NOT_PROVEN) if somebody says who they are and proves nothing:
    under two names they would be two people.
    """
    if not actor_of(deed.actor).proven:
        raise NotPossible(
            "IDENTITIES_NOT_PROVEN",
            f"it takes two people {what}, and you do not prove who you are: call with a "
            "certificate (admin.client_ca_file, at the console console.client_ca_file) or with a "
            "token ([admin.tokens])",
        )


def wanted_before(
    connection: Connection, wish: OfferWish, deed: Deed, *, limit_minor: int, proposal: str
) -> str:
    """Return who wanted the same before, if that is another person and it still waits; '' if the
    deed is only checked. Raises NotYet, with the wish written down under the name ``proposal``, or
    NotPossible (IDENTITIES_NOT_PROVEN, PROOFS_DIFFER, TOO_MANY_OFFER_PROPOSALS).
    """
    gives = f"offer {wish.offer} give {wish.content.budget_minor} minor units and more"
    check_proven(deed, f"to let {gives} than {LIMIT}")
    if deed.only_check:
        return ""
    there = [_view(row) for row in connection.execute(_read())]
    waiting = [one for one in there if one.why_not(deed.now_ms) is None]
    before = next((one for one in waiting if one.offer == wish.offer), None)
    texts = select(_C.wanted).where(_C.offer == wish.offer)
    is_same = before is not None and connection.scalar(texts) == wish.text
    if before is not None and is_same:
        check_comparable(before, deed)
        if before.person != person_of(deed):
            return before.actor
        raise _not_yet(wish, deed, before.proposal, before.expires_at_ms, limit_minor)
    if before is None and len(waiting) >= PROPOSALS_MAX:
        raise NotPossible(
            "TOO_MANY_OFFER_PROPOSALS",
            f"{len(waiting)} proposals wait for a second person, which is the most: ConfirmOffer "
            "or DeclineOffer some",
        )
    gone = [one for one in there if one not in waiting]
    ends = [wish.content] if wish.there is None else [wish.content, wish.there.content]
    expires_at_ms = min(deed.now_ms + WAITS_MS, *(one.ends_at_ms for one in ends))
    row = {
        "offer": wish.offer,
        "proposal": proposal,
        "revision": wish.revision,
        "actor": actor_of(deed.actor).name,
        "person": person_of(deed),
        "at_ms": deed.now_ms,
        "expires_at_ms": expires_at_ms,
        "wanted": wish.text,
    }
    off = [wish.offer, *(one.offer for one in gone)]
    raise _not_yet(
        wish,
        deed,
        proposal,
        expires_at_ms,
        limit_minor,
        writes=((delete(offer_proposals).where(_C.offer.in_(off)), ()), _added(row)),
        beside=[
            f"offer {one.offer}: proposal {one.proposal} of {one.actor} is forgotten, which nobody "
            "can confirm any more"
            for one in gone
        ],
        instead="" if before is None else f", instead of what {before.actor} proposed",
    )


def _added(row: dict[str, Any]) -> Write:
    return insert(offer_proposals), [row]


def _not_yet(
    wish: OfferWish,
    deed: Deed,
    proposal: str,
    expires_at_ms: int,
    limit_minor: int,
    *,
    writes: tuple[Write, ...] = (),
    beside: Sequence[str] = (),
    instead: str = "",
) -> NotYet:
    wanted = replace(wish.content, begins_at_ms=0) if wish.begins_now else wish.content
    difference = differs(None if wish.there is None else wish.there.content, wanted)
    said = (
        f"offer {wish.offer}: {difference}; proposal {proposal}{instead}; nothing is changed "
        "before another person wants it too"
    )
    days = -(-(expires_at_ms - deed.now_ms) // 86_400_000)
    return NotYet(
        "SECOND_PERSON_NEEDED",
        f"offer {wish.offer} could give {wish.content.budget_minor} minor units, more than {LIMIT} "
        f"({limit_minor}), which takes two people: nothing was changed, and your wish is written "
        f"down as proposal {proposal}; another person must ConfirmOffer it, or make the same call, "
        f"within {days} day{'' if days == 1 else 's'} and before the offer is changed otherwise",
        writes=writes,
        details=(
            *(Detail(said=one) for one in beside),
            Detail(said=said, outcome=Outcome.PROPOSED),
        ),
        offer=wish.offer,
        proposal=proposal,
    )


def differs(before: OfferContent | None, after: OfferContent) -> str:
    """Return in words what an offer would be, or what of it would be another. What a person wrote
    stands in quotes: it is not to read as words of ours, such as who proposed it.
    """
    if before is None:
        off = (
            f"{after.discount_minor} {after.currency} off"
            if after.discount_minor
            else f"{after.basis_points} basis points off"
        )
        for_whom = after.tag or "every known payer"
        said = [
            f"named {after.name!r}",
            after.product and f"for product {after.product!r}",
            after.category and f"for category {after.category!r}",
            f"at {said_selector(after.selector)}",
            after.holdout_percent and f"{after.holdout_percent} % held out",
            after.begins_at_ms and f"from {moment_text(after.begins_at_ms)}",
            f"until {moment_text(after.ends_at_ms)}",
            f"{after.uses_per_payer} of each payer",
        ]
        budget = f"budget {after.budget_minor} {after.currency}"
        return ", ".join([f"made, {off} for {for_whom}", *map(str, filter(None, said)), budget])
    changes = [
        f"{name} {getattr(before, name)!r} -> {getattr(after, name)!r}"
        for name in OfferContent.__dataclass_fields__
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(changes)


def used_up(offer: str) -> Write:
    """Return what takes the offer's proposal away: it is confirmed, or declined."""
    return delete(offer_proposals).where(_C.offer == offer), ()


def made_void(connection: Connection, offer: str, now_ms: int) -> str:
    """Return, for the audit row of a change that one person makes, whose wish it makes void."""
    row = connection.execute(_read().where(_C.offer == offer)).one_or_none()
    if row is None or (one := _view(row)).why_not(now_ms) is not None:
        return ""
    return f"; proposal {one.proposal} of {one.actor} is void"


def named(connection: Connection, offer: str, proposal: str) -> OfferProposal:
    """Return what somebody proposed, whether it still waits or not. Raises NotThere."""
    wanted = _read().where(_C.offer == offer, _C.proposal == proposal)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotThere("offer_proposal", proposal)
    return _view(row)


def waiting(
    connection: Connection, now_ms: int, *, after: str, limit: int
) -> Sequence[OfferProposal]:
    """Return the first ``limit`` that can be confirmed, behind the offer ``after``."""
    rows = connection.execute(_read().where(_C.offer > after))
    found = [one for one in map(_view, rows) if one.why_not(now_ms) is None]
    return found[:limit]


def _read() -> Select[Any]:
    """Return what reads the wishes with the offers that they are about; there are few."""
    wishes = [column.label(f"proposed_{column.name}") for column in _C]
    spent = offer_spending.c
    made = offer_proposals.outerjoin(offers, offers.c.offer == _C.offer)
    used = made.outerjoin(offer_spending, spent.offer == _C.offer)
    columns = (*wishes, *offers.c, spent.spent_minor, spent.uses)
    return select(*columns).select_from(used).order_by(_C.offer)


def _view(row: Row[Any]) -> OfferProposal:
    said = {column.name: getattr(row, f"proposed_{column.name}") for column in _C}
    there = None if row.revision is None else view_of(row)
    try:
        content, not_understood = _content(said.pop("wanted"), there), ""
    except ValueError as error:
        content, not_understood = None, str(error)
    return OfferProposal(content=content, not_understood=not_understood, there=there, **said)


def _content(text: str, there: OfferView | None) -> OfferContent:
    """Return what is wanted. Raises ValueError if a program of another release wrote it."""
    as_it_is = {"begins_at_ms": 0} if there is None else kept(there.content)
    said, known = as_it_is | json.loads(text), OfferContent.__dataclass_fields__.keys()
    if unknown := said.keys() - known:
        raise ValueError(f"a newer program wrote an offer with {', '.join(sorted(unknown))}")
    if missing := known - said.keys():
        raise ValueError(f"an older program wrote an offer without {', '.join(sorted(missing))}")
    return OfferContent(**{**said, "selector": selector_of(said["selector"])})
