"""Money that goes back: one refund for each cause, with one id and one amount, tried until Alipay
has done it or a person must look.

due -> sent -> succeeded | unknown (the same id again, then query) | short of funds (the same id,
hours later) | accepted (Alipay does it by itself; asked after) | refused (a person's work) |
unresolved (a person's too: within its bound nobody learnt what became of it). "Sent" needs no state
of its own: a refund that is saved as due may have been sent, and sending it again under its id is
harmless (docs/alipay.md 5.4).

A no to a request says nothing of the requests before it, and may be their echo. So it is always
asked what became of the refund before a person is troubled.
"""

from typing import assert_never

from actors.machine import events, ledger
from actors.machine.draft import Draft
from actors.machine.effects import ProviderCall, QueryRefund, SendRefund
from actors.machine.ids import Currency, RefundId, refund_id
from actors.machine.state import (
    Refund,
    RefundCause,
    RefundStatus,
    Trade,
    WriteOffProposal,
)
from actors.machine.values import replace
from actors.machine.with_a_person import WITH_A_PERSON


def order_of(refund: Refund, currency: Currency) -> ProviderCall:
    """Return the call that the refund's present try consists of."""
    if refund.query_next or refund.asked_by_person:
        return question_about(refund)
    return SendRefund(
        refund_id=refund.refund_id,
        trade_id=refund.trade_id,
        partner_trans_id=refund.partner_trans_id,
        amount_minor=refund.amount_minor,
        currency=currency,
        synchronous=not refund.asynchronous,
    )


def question_about(refund: Refund) -> QueryRefund:
    """Return the call that asks what became of the refund."""
    return QueryRefund(refund_id=refund.refund_id, partner_trans_id=refund.partner_trans_id)


def under_way(refund: Refund) -> bool:
    """Tell whether a call for the refund was ordered and has not been answered."""
    if refund.status in WITH_A_PERSON:
        return refund.asked_by_person
    return refund.next_attempt_at_ms is None


def make(draft: Draft, trade: Trade, amount_minor: int, cause: RefundCause) -> None:
    """Give ``amount_minor`` of the trade's free funds back: as one refund, or in as few pieces as
    Alipay takes.
    """
    while amount_minor > 0:
        piece_minor = min(amount_minor, draft.policy.refund_piece_minor_max)
        _make_piece(draft, draft.trade(trade.trade_id), piece_minor, cause)
        amount_minor -= piece_minor


def _make_piece(draft: Draft, trade: Trade, amount_minor: int, cause: RefundCause) -> None:
    number = trade.refunds_made + 1
    refund = Refund(
        refund_id=refund_id(trade.trade_id, number, amount_minor),
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
        asked_by_person=False,
        error="",
    )
    draft.put_refund(done)
    # The trade's row is written, and the timeline of its session shows it, although none of its
    # sums changes.
    draft.put_trade(draft.trade(refund.trade_id))
    draft.move(ledger.refund_confirmed(refund.refund_id, refund.trade_id, refund.amount_minor))


Answer = (
    events.RefundAccepted
    | events.RefundUnknown
    | events.RefundNotFound
    | events.RefundShortOfFunds
    | events.RefundRefused
)


def answered(draft: Draft, event: Answer) -> None:
    """Take an answer other than "done", or the lack of one that can be believed."""
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    if not (isinstance(event, events.RefundRefused) and event.detail == refund.error):
        # The person who proposed to give it up did not know of this answer.
        refund = _without_proposal(draft, refund)
    if refund.status in WITH_A_PERSON:
        later = _answer_to_a_person(draft, refund, event)
    else:
        later = _answer(draft, refund, event)
    if later is refund:
        return
    draft.put_refund(later)
    draft.put_trade(draft.trade(refund.trade_id))


def _answer(draft: Draft, refund: Refund, event: Answer) -> Refund:
    """Return what an answer makes of a refund that goes on by itself."""
    match event:
        case events.RefundAccepted():
            return _accepted(draft, refund)
        case events.RefundUnknown():
            return _unknown(draft, refund, event)
        case events.RefundNotFound() if refund.accepted_at_ms is not None:
            return _not_found_though_accepted(draft, refund)
        case events.RefundNotFound() if refund.refusal and refund.query_next:
            # Refused, and nothing was done by any earlier try: now the no is certain. Not if there
            # was a later request, of which a host that started anew asks before it is answered.
            return _refused(refund, refund.refusal)
        case events.RefundNotFound():
            # Now it is known that nothing was done: as if it had never been sent.
            return replace(
                refund,
                status=RefundStatus.DUE,
                query_next=False,
                refusal="",
                next_attempt_at_ms=_wait(draft, refund),
            )
        case events.RefundShortOfFunds(detail=detail):
            return _short(draft, refund, detail)
        case events.RefundRefused(detail=detail, source="query"):
            return _refused(refund, detail)
        case events.RefundRefused(detail=detail):
            # An earlier try may have been done, and be the very reason of this no.
            return replace(
                refund,
                status=RefundStatus.UNKNOWN,
                query_next=True,
                refusal=detail,
                error=detail,
                next_attempt_at_ms=_wait(draft, refund),
            )
        case _:
            assert_never(event)


def _answer_to_a_person(draft: Draft, refund: Refund, event: Answer) -> Refund:
    """Return what an answer makes of a refund that is a person's. Only what answers their own
    question may set it going again.
    """
    asked, refund_id = refund.asked_by_person, refund.refund_id
    still = replace(refund, asked_by_person=False) if asked else refund
    match event:
        case events.RefundRefused(detail=detail) if (
            refund.status is RefundStatus.REFUSED or event.source == "query"
        ):
            return _refused(still, detail)
        case events.RefundAccepted() if asked:
            return _accepted(draft, still)
        case events.RefundShortOfFunds(detail=detail) if asked:
            return _short(draft, still, detail)
        case events.RefundNotFound() if asked:
            draft.note(f"Alipay was asked for a person and never heard of refund {refund_id}")
            return still
        case events.RefundUnknown(detail=detail) if asked:
            draft.note(f"Alipay was asked for a person about refund {refund_id}: {detail}")
            return still
        case _:
            draft.note(
                f"refund {refund_id} waits for a person; {type(event).__name__} changes nothing"
            )
            return still


def _accepted(draft: Draft, refund: Refund) -> Refund:
    """Alipay does it by itself, in its own time; when that is over it is a person's."""
    since_ms = draft.now_ms if refund.accepted_at_ms is None else refund.accepted_at_ms
    accepted = replace(refund, accepted_at_ms=since_ms, refusal="")
    if _waited_too_long(draft, accepted):
        return _unresolved(accepted, "Alipay accepted it and has not told its end")
    return replace(
        accepted,
        status=RefundStatus.ACCEPTED,
        query_next=True,
        next_attempt_at_ms=_wait(draft, refund),
    )


def _not_found_though_accepted(draft: Draft, refund: Refund) -> Refund:
    """Alipay takes back its word that it does it, and a night later may do it all the same: it is
    sent again, under its id, and no sooner a person's than what is accepted.
    """
    if _waited_too_long(draft, refund):
        return _unresolved(refund, "Alipay accepted it, and does not know of it now")
    return replace(
        refund,
        status=RefundStatus.DUE,
        query_next=False,
        refusal="",
        next_attempt_at_ms=_wait(draft, refund),
    )


def _unknown(draft: Draft, refund: Refund, event: events.RefundUnknown) -> Refund:
    """Try again, or hand it to a person. Twice the same request, then a question, then the request
    again, and so on; a question first if the answer may be the echo of our own success.
    """
    # A no is certain when a question shows that nothing was done; not if there was a later request.
    refusal = refund.refusal if refund.query_next else ""
    if not _is_asked_before_a_retry(refund) and _nobody_will_know(draft, refund):
        return _unresolved(refund, f"{refusal}; {event.detail}" if refusal else event.detail)
    return replace(
        refund,
        status=RefundStatus.UNKNOWN,
        refusal=refusal,
        query_next=event.ask_first or (refund.attempts >= 2 and not refund.query_next),
        error=event.detail,
        next_attempt_at_ms=_wait(draft, refund),
    )


def _refused(refund: Refund, detail: str) -> Refund:
    """Alipay's no is certain: a person's."""
    return replace(
        refund,
        status=RefundStatus.REFUSED,
        query_next=False,
        refusal="",
        accepted_at_ms=None,
        error=detail,
        next_attempt_at_ms=None,
    )


def _unresolved(refund: Refund, detail: str) -> Refund:
    """The bound is reached and nobody knows: a person's."""
    return replace(
        refund,
        status=RefundStatus.UNRESOLVED,
        query_next=False,
        error=detail,
        next_attempt_at_ms=None,
    )


def _is_asked_before_a_retry(refund: Refund) -> bool:
    """Tell whether nothing was heard since a person had an UNRESOLVED refund tried again. If nobody
    can say what became of it, it is sent once, under its id, before it is theirs again: a contract
    that holds no such question must not keep the money here for ever.
    """
    return refund.status is RefundStatus.UNKNOWN and refund.query_next and not refund.error


def _nobody_will_know(draft: Draft, refund: Refund) -> bool:
    if refund.accepted_at_ms is not None:
        return _waited_too_long(draft, refund)  # Alipay may still do it by itself
    limits = draft.policy
    return (
        refund.attempts >= limits.refund_unresolved_tries
        and draft.now_ms - refund.due_at_ms >= limits.refund_unresolved_ms
    )


def _waited_too_long(draft: Draft, refund: Refund) -> bool:
    since_ms = refund.due_at_ms if refund.accepted_at_ms is None else refund.accepted_at_ms
    return draft.now_ms - since_ms >= draft.policy.refund_waiting_ms


def _short(draft: Draft, refund: Refund, detail: str) -> Refund:
    """Wait for settlement funds; after some tries leave it to Alipay, which then tries each night
    by itself; in the end it is a person's.
    """
    if _waited_too_long(draft, refund):
        return _unresolved(refund, detail)
    answers = refund.short_answers + 1
    leave = not refund.asynchronous and answers >= draft.policy.short_of_funds_sync_tries
    return replace(
        refund,
        status=RefundStatus.SHORT_OF_FUNDS,
        query_next=False,
        refusal="",
        error=detail,
        short_answers=answers,
        asynchronous=refund.asynchronous or leave,
        next_attempt_at_ms=draft.now_ms
        + (draft.policy.refund_retry_ms[0] if leave else draft.policy.short_of_funds_retry_ms),
    )


def by_person(
    draft: Draft,
    event: events.RefundRetryAsked | events.RefundQueryAsked | events.RefundWrittenOff,
) -> None:
    """Do what an administrator wants of a refund."""
    match event:
        case events.RefundRetryAsked():
            retry(draft, event)
        case events.RefundQueryAsked():
            ask(draft, event)
        case events.RefundWrittenOff():
            give_up(draft, event)
        case _:
            assert_never(event)


def give_up(draft: Draft, event: events.RefundWrittenOff) -> None:
    """Give up a refund for a person. Only one that is a person's: the money of any other may still
    go back by itself.

    Above the limit it takes two people: the first proposes it, the second gives it up.
    """
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    if refund.status not in WITH_A_PERSON:
        draft.note(
            f"refund {refund.refund_id} is {refund.status}: only a REFUSED or UNRESOLVED one can "
            "be written off"
        )
        return
    if refund.asked_by_person:
        draft.note(f"Alipay is being asked about refund {refund.refund_id}: wait for its answer")
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
    match refund.status:
        case RefundStatus.REFUSED:
            refund = replace(refund, status=RefundStatus.DUE)
        case RefundStatus.UNRESOLVED:
            # Nobody knows what became of the tries before: first it is asked.
            refund = replace(
                refund,
                status=RefundStatus.UNKNOWN,
                query_next=True,
                refusal="",
                accepted_at_ms=None,
                error="",
            )
        case RefundStatus.UNKNOWN if refund.refusal:
            # The no was of before they mended its cause: what was not done is to be sent again.
            refund = replace(refund, query_next=True, refusal="")
        case _:
            pass
    _try(draft, refund)


def ask(draft: Draft, event: events.RefundQueryAsked) -> None:
    """Ask Alipay now what became of the refund, because a person wants to know. A refund that is a
    person's stays theirs unless the answer says that Alipay does it.
    """
    refund = _open(draft, event.refund_id)
    if refund is None:
        return
    if under_way(refund):
        draft.note(f"refund {refund.refund_id} is being tried already")
        return
    draft.note(
        f"{event.actor} wanted Alipay to be asked about refund {refund.refund_id}: "
        f"{event.reason or 'no reason given'}"
    )
    persons = refund.status in WITH_A_PERSON
    _try(draft, replace(refund, query_next=not persons, asked_by_person=persons))
