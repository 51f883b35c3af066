"""Offers in a session: which one a choice gets, what is written down of it, and when it is over.

A session that was paid for first has the offers that its payer's last payment brought. A choice
gets the one that takes the most off, never two. Whoever uses one pays less than was shown, and
never more: an offer that is used up or over leaves the price that stands at the machine.
"""

from collections.abc import Sequence

from actors.machine.decision import Decision
from actors.machine.draft import Draft
from actors.machine.offer import OFFERS_MAX, Offered, OfferRefused, OfferUse, discount_minor
from actors.machine.state import (
    Column,
    MachineState,
    Mode,
    Session,
    Vend,
    VendStatus,
    column_named,
    open_vends,
)
from actors.machine.values import replace

_COUNTED = frozenset({VendStatus.APPROVED, VendStatus.IN_DOUBT, VendStatus.IN_REVIEW})
_NOT_DELIVERED = frozenset({VendStatus.FAILED, VendStatus.VOIDED})


def brought(session: Session, payer_id: str, offers: Sequence[Offered]) -> tuple[Offered, ...]:
    """Return the offers of a session from a payment on: what that payment brought, if its payer is
    known and paid first. What an earlier payment brought may be old by now.
    """
    if not payer_id or session.mode is not Mode.AUTHORIZATION_FIRST:
        return ()
    return tuple(offers[:OFFERS_MAX])


def price_minor(state: MachineState, column: Column, now_ms: int) -> int:
    """Return what the customer who is there pays for a column."""
    best = _best(state, column, now_ms)
    return column.price_minor - (0 if best is None else best[0])


def applied(draft: Draft, vend: Vend) -> Vend:
    """Return a choice that is about to be approved, at the price that its customer pays."""
    column = column_named(draft.state, vend.column)
    best = None if column is None else _best(draft.state, column, draft.now_ms)
    if best is None:
        return vend
    off_minor, offer = best
    _count(draft, offer, -1, -off_minor)
    draft.use(
        OfferUse(
            offer=offer,
            vend_id=vend.vend_id,
            payer_id=draft.session.payer_id,
            discount_minor=off_minor,
        )
    )
    return replace(
        vend, price_minor=vend.price_minor - off_minor, discount_minor=off_minor, offer=offer
    )


def not_delivered(draft: Draft, vend: Vend) -> None:
    """What a vend took of an offer goes back to it: the budget, and the payer's use."""
    if not vend.offer:
        return
    draft.use(
        OfferUse(
            offer=vend.offer,
            vend_id=vend.vend_id,
            payer_id="",
            discount_minor=vend.discount_minor,
            returned=True,
        )
    )
    session = draft.state.session
    if session is not None and session.session_id == vend.session_id:
        _count(draft, vend.offer, 1, vend.discount_minor)


def refused(draft: Draft, event: OfferRefused) -> None:
    """The books did not count a use: from now on the session is without that offer."""
    session = draft.state.session
    if session is None or all(one.offer != event.offer for one in session.offers):
        return
    draft.note(f"offer {event.offer} takes nothing off any more: {event.why}")
    left = tuple(one for one in session.offers if one.offer != event.offer)
    draft.put_session(replace(session, offers=left))


def contradiction(before: MachineState, decision: Decision) -> str:
    """Return what does not hold of the offers in a decision, empty if all does: what is counted is
    what its vends say, once when they are approved and once back when nothing was delivered.
    """
    vends = [
        one
        for one in decision.records
        if isinstance(one, Vend) and (one.offer or one.discount_minor)
    ]
    if not vends and not decision.uses:
        return ""
    was = {one.vend_id for one in open_vends(before) if one.status in _COUNTED}
    expected = {
        (one.vend_id, one.offer, one.discount_minor, one.status in _NOT_DELIVERED)
        for one in vends
        if (one.status in _NOT_DELIVERED if one.vend_id in was else one.status in _COUNTED)
    }
    told = [(one.vend_id, one.offer, one.discount_minor, one.returned) for one in decision.uses]
    if sorted(told) != sorted(expected):
        return f"offers are used as {told}, and their vends say {sorted(expected)}"
    for one in vends:
        if not one.offer or one.discount_minor <= 0 or one.price_minor <= 0:
            return f"vend {one.vend_id} has an offer that takes something off, and is paid for"
    return ""


def _best(state: MachineState, column: Column, now_ms: int) -> tuple[int, str] | None:
    """Return what is taken off, and by which offer; of two alike the one whose name comes first."""
    session = state.session
    if session is None or not session.offers:
        return None
    usable = (
        (off_minor, one.offer)
        for one in session.offers
        if (off_minor := discount_minor(one, column.price_minor)) > 0
        and (one.rest_minor is None or off_minor <= one.rest_minor)
        and one.left > 0
        and now_ms < one.ends_at_ms
        and (one.products is None or column.product in one.products)
    )
    return min(usable, key=lambda one: (-one[0], one[1]), default=None)


def _count(draft: Draft, offer: str, uses: int, rest_minor: int) -> None:
    session = draft.session
    if any(one.offer == offer for one in session.offers):
        offers = tuple(
            _counted(one, uses, rest_minor) if one.offer == offer else one for one in session.offers
        )
        draft.put_session(replace(session, offers=offers))


def _counted(one: Offered, uses: int, rest_minor: int) -> Offered:
    rest = None if one.rest_minor is None else one.rest_minor + rest_minor
    return replace(one, left=one.left + uses, rest_minor=rest)
