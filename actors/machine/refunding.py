"""Money that goes back: one refund for each cause, with one id and one amount, tried until Alipay
has done it or a person must look.

due -> sent -> succeeded | unknown (the same id again, then query) | short of funds (the same id,
hours later) | accepted (Alipay does it by itself; asked after) | refused (a person's work). "Sent"
needs no state of its own: a refund that is saved as due may have been sent, and sending it again
under its id is harmless (docs/alipay.md 5.4).
"""

from dataclasses import replace
from typing import assert_never

from actors.machine import events, ledger
from actors.machine.draft import Draft
from actors.machine.effects import ProviderCall, QueryRefund, SendRefund
from actors.machine.ids import Currency, RefundId, refund_id
from actors.machine.state import Refund, RefundCause, RefundStatus, Trade, WriteOffProposal


def order_of(refund: Refund, currency: Currency) -> ProviderCall:
    """Return the call that the refund's present try consists of."""
    if refund.query_next:
        return QueryRefund(refund_id=refund.refund_id, partner_trans_id=refund.partner_trans_id)
    return SendRefund(
        refund_id=refund.refund_id,
        trade_id=refund.trade_id,
        partner_trans_id=refund.partner_trans_id,
        amount_minor=refund.amount_minor,
        currency=currency,
        synchronous=not refund.asynchronous,
    )


def under_way(refund: Refund) -> bool:
    """Tell whether a call for the refund was ordered and has not been answered."""
    return refund.next_attempt_at_ms is None and refund.status is not RefundStatus.REFUSED


def make(draft: Draft, trade: Trade, amount_minor: int, cause: RefundCause) -> None:
    """Give ``amount_minor`` of the trade's free funds back."""
    number = trade.refunds_made + 1
    refund = Refund(
        refund_id=refund_id(trade.trade_id, number),
        trade_id=trade.trade_id,
        partner_trans_id=trade.partner_trans_id,
        amount_minor=amount_minor,
        cause=cause,
        status=RefundStatus.DUE,
        due_at_ms=draft.now_ms,
        attempts=1,
    )
    draft.put_trade(
        replace(
            trade,
            funds_minor=trade.funds_minor - amount_minor,
            refunded_minor=trade.refunded_minor + amount_minor,
            refunds_made=number,
        )
    )
    draft.put_refund(refund)
    draft.move(ledger.refund_asked(refund.refund_id, trade.trade_id, amount_minor))
    draft.call(order_of(refund, draft.state.currency))


def send_due(draft: Draft) -> None:
    """Try every refund again whose time has come."""
    for refund in draft.state.refunds:
        if refund.next_attempt_at_ms is not None and refund.next_attempt_at_ms <= draft.now_ms:
            _try(draft, refund)


def _try(draft: Draft, refund: Refund) -> None:
    refund = replace(refund, attempts=refund.attempts + 1, next_attempt_at_ms=None)
    draft.put_refund(refund)
    draft.call(order_of(refund, draft.state.currency))


def _open(draft: Draft, wanted: RefundId) -> Refund | None:
    refund = draft.refund(wanted)
    if refund is None:
        draft.note(f"refund {wanted} is not open: done before, or not ours")
    return refund


def _wait(draft: Draft, refund: Refund) -> int:
    waits = draft.policy.refund_retry_ms
    return draft.now_ms + waits[min(refund.attempts, len(waits)) - 1]


def succeeded(draft: Draft, event: events.RefundSucceeded) -> None:
    """The money went back."""
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    refund = _without_proposal(draft, refund)
    done = replace(
        refund,
        status=RefundStatus.SUCCEEDED,
        ended_at_ms=draft.now_ms,
        next_attempt_at_ms=None,
        error="",
    )
    draft.put_refund(done)
    # The trade's row is written, and the timeline of its session shows it, although none of its
    # sums changes.
    draft.put_trade(draft.trade(refund.trade_id))
    draft.move(ledger.refund_confirmed(refund.refund_id, refund.trade_id, refund.amount_minor))


def answered(
    draft: Draft,
    event: events.RefundAccepted
    | events.RefundUnknown
    | events.RefundNotFound
    | events.RefundShortOfFunds
    | events.RefundRefused,
) -> None:
    """Take an answer other than "done", or the lack of one that can be believed."""
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    if not (isinstance(event, events.RefundRefused) and event.detail == refund.error):
        # The person who proposed to give it up did not know of this answer.
        refund = _without_proposal(draft, refund)
    if refund.status is RefundStatus.REFUSED and not isinstance(event, events.RefundRefused):
        draft.note(
            f"refund {refund.refund_id} waits for a person; {type(event).__name__} changes nothing"
        )
        return
    match event:
        case events.RefundAccepted():
            later = replace(
                refund,
                status=RefundStatus.ACCEPTED,
                query_next=True,
                next_attempt_at_ms=_wait(draft, refund),
            )
        case events.RefundUnknown(detail=detail):
            # Twice the same request, then a question, then the request again, and so on.
            query = refund.attempts >= 2 and not refund.query_next
            later = replace(
                refund,
                status=RefundStatus.UNKNOWN,
                query_next=query,
                error=detail,
                next_attempt_at_ms=_wait(draft, refund),
            )
        case events.RefundNotFound():
            # Now it is known that nothing was done: as if it had never been sent.
            later = replace(
                refund,
                status=RefundStatus.DUE,
                query_next=False,
                next_attempt_at_ms=_wait(draft, refund),
            )
        case events.RefundShortOfFunds(detail=detail):
            later = _short(draft, refund, detail)
        case events.RefundRefused(detail=detail) if (
            refund.status is RefundStatus.UNKNOWN and not refund.query_next
        ):
            # An earlier try may have been done, and be the very reason of this no: ask before a
            # person is troubled.
            later = replace(
                refund, query_next=True, error=detail, next_attempt_at_ms=_wait(draft, refund)
            )
        case events.RefundRefused(detail=detail):
            later = replace(
                refund,
                status=RefundStatus.REFUSED,
                query_next=False,
                error=detail,
                next_attempt_at_ms=None,
            )
        case _:
            assert_never(event)
    draft.put_refund(later)
    draft.put_trade(draft.trade(refund.trade_id))


def _short(draft: Draft, refund: Refund, detail: str) -> Refund:
    """Wait for settlement funds; after some tries leave it to Alipay, which then tries each night
    by itself.
    """
    answers = refund.short_answers + 1
    leave = not refund.asynchronous and answers >= draft.policy.short_of_funds_sync_tries
    return replace(
        refund,
        status=RefundStatus.SHORT_OF_FUNDS,
        query_next=False,
        error=detail,
        short_answers=answers,
        asynchronous=refund.asynchronous or leave,
        next_attempt_at_ms=draft.now_ms
        + (draft.policy.refund_retry_ms[0] if leave else draft.policy.short_of_funds_retry_ms),
    )


def give_up(draft: Draft, event: events.RefundWrittenOff) -> None:
    """Give up a refund for a person. Only one that Alipay refused: the money of any other may still
    go back, or be back already.

    Above the limit it takes two people: the first proposes it, the second gives it up.
    """
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    if refund.status is not RefundStatus.REFUSED:
        draft.note(
            f"refund {refund.refund_id} is {refund.status}, not REFUSED: only a refused refund "
            "can be written off"
        )
        return
    limit = draft.policy.write_off_second_person_above_minor
    if limit is not None and refund.amount_minor > limit and not confirms(draft, refund, event):
        return
    draft.note(f"{event.actor} wrote off refund {refund.refund_id}: {event.reason}")
    draft.put_refund(replace(refund, status=RefundStatus.WRITTEN_OFF, ended_at_ms=draft.now_ms))
    trade = draft.trade(refund.trade_id)
    draft.put_trade(
        replace(
            trade,
            refunded_minor=trade.refunded_minor - refund.amount_minor,
            written_off_minor=trade.written_off_minor + refund.amount_minor,
        )
    )
    draft.move(ledger.refund_given_up(refund.refund_id, refund.trade_id, refund.amount_minor))


def confirms(draft: Draft, refund: Refund, event: events.RefundWrittenOff) -> bool:
    """Tell whether another person proposed it before; if there is no proposal, this is one."""
    person, proposal = event.person or event.actor, refund.proposal
    if proposal is None:
        draft.note(
            f"{event.actor} proposed to write off refund {refund.refund_id}: {event.reason}; "
            "another person must confirm it"
        )
        draft.put_refund(
            replace(
                refund,
                proposal=WriteOffProposal(
                    actor=event.actor, person=person, reason=event.reason, at_ms=draft.now_ms
                ),
            )
        )
        return False
    if proposal.person == person:
        draft.note(
            f"{proposal.actor} proposed to write off refund {refund.refund_id} already; "
            "another person must confirm it"
        )
        return False
    draft.note(
        f"{proposal.actor} had proposed to write off refund {refund.refund_id}: {proposal.reason}"
    )
    return True


def _without_proposal(draft: Draft, refund: Refund) -> Refund:
    """Drop a proposal that something has overtaken."""
    if refund.proposal is None:
        return refund
    draft.note(
        f"the proposal of {refund.proposal.actor} to write off refund {refund.refund_id} is dropped"
    )
    dropped = replace(refund, proposal=None)
    draft.put_refund(dropped)
    return dropped


def retry(draft: Draft, event: events.RefundRetryAsked) -> None:
    """Try the refund now, because a person asked for it."""
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    if under_way(refund):
        draft.note(f"refund {refund.refund_id} is being tried already")
        return
    draft.note(
        f"{event.actor} asked for refund {refund.refund_id} to be tried again: "
        f"{event.reason or 'no reason given'}"
    )
    refund = _without_proposal(draft, refund)
    _try(
        draft,
        replace(
            refund,
            status=RefundStatus.DUE if refund.status is RefundStatus.REFUSED else refund.status,
        ),
    )
