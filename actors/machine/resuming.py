"""What becomes of a machine's deadlines when its host listens again: after it started, after a time
in which nothing could be saved or decided.

Flows in: a state whose deadlines were set before, perhaps by another computer's clock. Flows out:
the same state, in which no vend ends before the machine had time to report it
(``Policy.report_wait_ms``), and in which no wait is longer than its own span: a clock that stood
ahead when the wait began must not make it longer. Nor does anything that payments are compared with
lie ahead: who pays from now on pays after it. A call about the code that is under way may have
been made by somebody else before, so that what is wanted is ordered once more later.
"""

from actors.machine import code_calls, codes, ordering
from actors.machine.code import Code, CodeStatus
from actors.machine.draft import Draft
from actors.machine.hearing import UNHEARD
from actors.machine.policy import Policy
from actors.machine.state import (
    Link,
    MachineState,
    Refund,
    Session,
    Vend,
    VendStatus,
)
from actors.machine.values import replace

PUT_OFF_MAX = 10
"""By so many report waits, all together, a vend's end is put off. A database that is slow for days
must not hold a customer's money for days; a host that starts every few seconds must not use up in a
minute what its machine has to report in.
"""


def resume(draft: Draft) -> None:
    """Set the deadlines right."""
    before, after = draft.state, resumed(draft.state, draft.now_ms, draft.policy)
    if after == before:
        return
    draft.update(
        late_watch_until_ms=after.late_watch_until_ms,
        session_ended_at_ms=after.session_ended_at_ms,
        code=after.code,
        link=after.link,
        commands=after.commands,
    )
    if after.session is not None and after.session != before.session:
        draft.put_session(after.session)
        if after.session.vend is not None:
            draft.record_vend(after.session.vend)
    for vend in after.doubts:
        if vend not in before.doubts:
            draft.record_vend(vend)
    draft.update(doubts=after.doubts)
    for refund in after.refunds:
        if refund not in before.refunds:
            draft.put_refund(refund)


def resumes(state: MachineState, now_ms: int, policy: Policy) -> bool:
    """Tell whether ``Resumed`` would change something."""
    return resumed(state, now_ms, policy) != state


def resumed(state: MachineState, now_ms: int, policy: Policy) -> MachineState:
    """Return the state with its deadlines as they must be for a host that listens again at
    ``now_ms``; the same state if they are so already.
    """
    return replace(
        state,
        session=None if state.session is None else _session(state.session, now_ms, policy),
        doubts=tuple(_vend(vend, now_ms, policy) for vend in state.doubts),
        refunds=tuple(_refund(refund, now_ms, policy) for refund in state.refunds),
        code=_code(state.code, now_ms, policy),
        link=_link(state.link, now_ms),
        commands=tuple(ordering.resumed(one, now_ms, policy) for one in state.commands),
        late_watch_until_ms=min(state.late_watch_until_ms, now_ms + policy.late_watch_ms),
        session_ended_at_ms=min(state.session_ended_at_ms, now_ms),
    )


def _session(session: Session, now_ms: int, policy: Policy) -> Session:
    since_ms = session.unavailable_since_ms
    return replace(
        session,
        started_at_ms=min(session.started_at_ms, now_ms),
        last_operation_at_ms=min(session.last_operation_at_ms, now_ms),
        money_at_ms=min(session.money_at_ms, now_ms),
        uncovered_at_ms=min(session.uncovered_at_ms, now_ms),
        unavailable_since_ms=None if since_ms is None else min(since_ms, now_ms),
        vend=None if session.vend is None else _vend(session.vend, now_ms, policy),
    )


def _link(link: Link, now_ms: int) -> Link:
    """What is paid from now on was not paid before a stranger came, whatever that clock said."""
    strangers_at_ms = tuple(min(at_ms, now_ms) for at_ms in link.strangers_at_ms)
    return replace(link, strangers_at_ms=strangers_at_ms)


def _vend(vend: Vend, now_ms: int, policy: Policy) -> Vend:
    span_ms = {
        VendStatus.AWAITING_PAYMENT: policy.payment_wait_ms,
        VendStatus.APPROVED: policy.vend_result_ms,
        VendStatus.IN_DOUBT: policy.doubt_window_ms,
    }.get(vend.status)
    if span_ms is None:
        return vend
    deadline_at_ms = min(vend.deadline_at_ms, now_ms + span_ms)
    least_ms = now_ms + policy.report_wait_ms
    if (
        vend.status in UNHEARD
        and deadline_at_ms < least_ms
        and vend.put_off_ms < PUT_OFF_MAX * policy.report_wait_ms
    ):
        return replace(
            vend,
            deadline_at_ms=least_ms,
            heard_from_ms=now_ms,
            put_off_ms=vend.put_off_ms + _cost_ms(deadline_at_ms, least_ms, policy),
        )
    return replace(vend, deadline_at_ms=deadline_at_ms)


def _cost_ms(deadline_at_ms: int, least_ms: int, policy: Policy) -> int:
    """Return how much of what a vend may be put off by this time takes: what it gains; one wait, if
    it was over long ago.
    """
    return min(least_ms - deadline_at_ms, policy.report_wait_ms)


def _refund(refund: Refund, now_ms: int, policy: Policy) -> Refund:
    if refund.next_attempt_at_ms is None:
        return refund
    longest_ms = max(*policy.refund_retry_ms, policy.short_of_funds_retry_ms)
    return replace(refund, next_attempt_at_ms=min(refund.next_attempt_at_ms, now_ms + longest_ms))


def _code(code: Code, now_ms: int, policy: Policy) -> Code:
    if code.next_attempt_at_ms is not None:
        latest_ms = now_ms + max(policy.code_retry_ms)
        code = replace(code, next_attempt_at_ms=min(code.next_attempt_at_ms, latest_ms))
    if code.again_at_ms is not None:
        latest_ms = now_ms + max(policy.code_again_ms)
        code = replace(code, again_at_ms=min(code.again_at_ms, latest_ms))
    if (at_ms := code.saying.next_attempt_at_ms) is not None:
        latest_ms = now_ms + max(*policy.code_retry_ms, *policy.code_again_ms)
        saying = replace(code.saying, next_attempt_at_ms=min(at_ms, latest_ms))
        code = replace(code, saying=saying)
    if code.offline_stop_at_ms is not None and policy.code_offline_stop_ms is not None:
        latest_ms = now_ms + policy.code_offline_stop_ms
        code = replace(code, offline_stop_at_ms=min(code.offline_stop_at_ms, latest_ms))
    if code.qr_payload and code_calls.under_way(code):
        # Whoever made that call before may be standing still with it, and be late at Alipay.
        return codes.order_again(code, now_ms, policy, anew=True)
    if code.asked is not None and code.status is CodeStatus.PENDING:
        # An earlier host may have made the code, so that a refusal now does not tell that there is
        # none, and another store is not to be had before this one's code is stopped.
        return replace(code, status=CodeStatus.UNKNOWN)
    return code
