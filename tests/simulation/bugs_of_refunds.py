"""The bugs of refunds, of codes and of what takes two people; see ``bugs``."""

import asyncio
from typing import Any
from unittest.mock import patch

from actors import performer
from actors.machine import (
    codes,
    events,
    goodwill,
    refunding,
)
from actors.machine.effects import ProviderCall, SendRefund
from actors.machine.ids import RefundId
from actors.machine.state import RefundStatus
from actors.machine.values import replace
from alipay_client import amounts, answers
from alipay_client.errors import Refused, Unlisted
from alipay_client.messages import RefundState
from storage.fleet import limits
from tests.simulation.bugs import both


def goodwill_of_old_rows() -> Any:
    refund_vend = goodwill.refund_vend

    def bug(draft: Any, event: events.VendRefundAsked) -> None:
        refund_vend(draft, replace(event, version=draft.before.version))

    return patch.object(goodwill, "refund_vend", bug)


def goodwill_of_the_whole_payment() -> Any:
    refund_vend = goodwill.refund_vend

    def bug(draft: Any, event: events.VendRefundAsked) -> None:
        parts = tuple(replace(part, amount_minor=part.trade.sold_minor) for part in event.parts)
        refund_vend(draft, replace(event, parts=parts))

    return patch.object(goodwill, "refund_vend", bug)


def new_id_on_retry() -> Any:
    order_of = refunding.order_of

    def bug(refund: Any, currency: Any) -> ProviderCall:
        order = order_of(refund, currency)
        if isinstance(order, SendRefund) and refund.attempts > 1:
            return replace(order, refund_id=RefundId(f"{order.refund_id}x{refund.attempts}"))
        return order

    return patch.object(refunding, "order_of", bug)


def unknown_is_refused() -> Any:
    def bug(call: Any, detail: str) -> Any:
        return (
            events.RefundRefused(refund_id=call.refund_id, detail=detail)
            if hasattr(call, "refund_id")
            else _no_code(detail)
        )

    return patch.object(performer, "unknown", bug)


def _no_code(detail: str) -> events.CodeFailed:
    return events.CodeFailed(final=False, detail=detail)


def unknown_is_another_refund() -> Any:
    answered = refunding.answered

    def bug(turn: Any, event: Any) -> None:
        answered(turn, event)
        if (
            isinstance(event, events.RefundUnknown)
            and (refund := turn.refund(event.refund_id)) is not None
        ):
            renamed = replace(refund, refund_id=RefundId(f"{refund.refund_id}n"))
            turn.update(
                refunds=tuple(renamed if other is refund else other for other in turn.state.refunds)
            )

    return patch.object(refunding, "answered", bug)


def unknown_is_done() -> Any:
    def bug(call: Any, detail: str) -> Any:
        return (
            events.RefundSucceeded(refund_id=call.refund_id)
            if hasattr(call, "refund_id")
            else _no_code(detail)
        )

    return patch.object(performer, "unknown", bug)


def cents_everywhere() -> Any:
    return patch.object(amounts, "exponent", lambda _currency: 2)


def any_fail_is_final() -> Any:
    """A code that nobody knows is taken for a definite no."""
    failed = answers._refund_failed

    def bug(fields: Any) -> Any:
        try:
            failed(fields)
        except Unlisted as error:
            raise Refused(error.code, error.detail) from None

    return patch.object(answers, "_refund_failed", bug)


def no_is_not_asked_after() -> Any:
    """The first no is taken for the truth about all tries."""
    answer = refunding._answer

    def bug(turn: Any, refund: Any, event: Any) -> Any:
        if isinstance(event, events.RefundRefused):
            return refunding._refused(refund, event.detail)
        return answer(turn, refund, event)

    return patch.object(refunding, "_answer", bug)


def first_person_suffices() -> Any:
    return patch.object(refunding, "confirms", lambda *_: True)


def accepted_is_done() -> Any:
    query_answered = performer.query_answered

    def bug(refund_id: RefundId, answer: Any) -> Any:
        if answer.state is RefundState.ACCEPTED:
            return events.RefundSucceeded(refund_id=refund_id, source="query")
        return query_answered(refund_id, answer)

    return both(
        patch.object(performer, "query_answered", bug),
        patch.object(
            performer,
            "refund_answered",
            lambda refund_id, _: events.RefundSucceeded(refund_id=refund_id),
        ),
    )


def whole_payment_goes_back() -> Any:
    make = refunding.make

    def bug(turn: Any, trade: Any, amount_minor: int, cause: Any) -> None:
        del amount_minor
        make(turn, trade, trade.paid_minor, cause)

    return patch.object(refunding, "make", bug)


def refund_never_tried_again() -> Any:
    return patch.object(refunding, "send_due", lambda _turn: None)


def done_is_unknown_again() -> Any:
    """A late time-out opens a refund that is done, and a question closes it again: the books agree
    in the end, as if nothing had been.
    """
    answered, succeeded = refunding.answered, refunding.succeeded
    done: dict[tuple[object, RefundId], Any] = {}
    reopened: set[tuple[object, RefundId]] = set()

    def late(turn: Any, event: Any) -> None:
        key = asyncio.get_running_loop(), event.refund_id  # each world has a loop of its own
        if (
            isinstance(event, events.RefundUnknown)
            and turn.refund(event.refund_id) is None
            and key in done
        ):
            reopened.add(key)
            turn.put_refund(
                replace(
                    done[key],
                    status=RefundStatus.UNKNOWN,
                    query_next=True,
                    next_attempt_at_ms=turn.now_ms + 1,
                )
            )
        else:
            answered(turn, event)

    def again(turn: Any, event: Any) -> None:
        key = asyncio.get_running_loop(), event.refund_id
        refund = turn.refund(event.refund_id)
        if refund is not None and key in reopened:
            turn.put_refund(
                replace(
                    refund,
                    status=RefundStatus.SUCCEEDED,
                    ended_at_ms=turn.now_ms,
                    next_attempt_at_ms=None,
                )
            )
            return
        succeeded(turn, event)
        if refund is not None:
            done[key] = refund

    return both(
        patch.object(refunding, "answered", late), patch.object(refunding, "succeeded", again)
    )


# --- codes ---


def stop_forgotten() -> Any:
    """A call that fails after somebody changed their mind is never taken for over."""
    code_failed = codes.failed

    def bug(turn: Any, event: events.CodeFailed) -> None:
        code = turn.state.code
        if event.final or code.status is not code.wanted:
            code_failed(turn, event)

    return patch.object(codes, "failed", bug)


def unknown_code_is_as_before() -> Any:
    """An unknown answer about a code is taken for none: it is what it was."""

    def bug(turn: Any, code: Any) -> None:
        turn.update(code=code)

    return patch.object(codes, "_doubt", bug)


def one_person_raises() -> Any:
    """Whoever wants a limit raised is the second person, too."""
    return patch.object(limits, "confirmed_by_another", lambda *_, actor, **__: actor)
