"""Whether a new stream is of the same machine as the one before it, and what becomes of the
customer's money if it cannot show that.

A machine returns the token of its last Welcome. Until a frame shows that it has the newest one, the
older ones count too: a Welcome may be lost on its way. Firmware that knows no tokens is known by
its boot id, which it keeps between power cuts only.
"""

from actors.machine import alarms, events, paying, vending
from actors.machine.draft import Draft
from actors.machine.state import AlarmKind, EndReason, Link, VendStatus
from actors.machine.values import replace

TOKENS_KEPT = 8
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
STRANGERS_BORNE = 2
"""So many times an hour firmware without tokens may come back, after a power cut that nobody saw,
before a person is told.
"""


def proves(link: Link, event: events.Connected) -> bool:
    """Return whether the stream shows that it is of the machine that had the last one."""
    if event.returned_token:
        return event.returned_token in link.tokens
    return event.boot_id == link.boot_id and not link.keeps_token


def remembers(link: Link, event: events.Connected) -> bool:
    """Return whether the stream returns no token that our books do not know: a double's, or of a
    Welcome that they forgot when a backup was put back.
    """
    return not event.returned_token or event.returned_token in link.tokens


def is_stranger(link: Link, event: events.Connected) -> bool:
    """Return whether the money of the machine's customer must not go on with this stream: it takes
    over from one that lives, or from a machine that keeps tokens, and shows none.
    """
    if event.stream_id == link.stream_id or not link.boot_id:
        return False
    return (link.online or link.keeps_token) and not proves(link, event)


def too_many(draft: Draft, event: events.Connected) -> bool:
    """Return whether this stream must not take over from one that lives, because others did a
    moment ago: two devices fight for one identity. Counts it if it may.
    """
    link = draft.state.link
    recent = _within(link.takeovers_at_ms, draft.now_ms, MINUTE_MS)
    most = draft.policy.takeovers_a_minute_max
    if len(recent) >= most:
        alarms.ring(
            draft,
            AlarmKind.DOUBLE,
            f"{most} streams took over within a minute; stream {event.stream_id} may not: two "
            "devices use the identity of this machine, or its line is very bad",
        )
        return True
    draft.update(link=replace(link, takeovers_at_ms=(*recent, draft.now_ms)))
    return False


def received(link: Link, event: events.Connected) -> Link:
    """Return the link once the stream is welcome, and its token is on its way.

    A machine that has kept tokens once keeps them: whoever says that it does not any more may be
    another device, and must not open the door for the next one.
    """
    tokens = link.tokens
    if event.token and event.token not in tokens:
        tokens = (*tokens, event.token)[-TOKENS_KEPT:]
    return replace(link, tokens=tokens, keeps_token=link.keeps_token or event.keeps_token)


def spoke(link: Link) -> Link:
    """Return the link once a frame shows that Welcome, and the token in it, arrived."""
    return replace(link, tokens=link.tokens[-1:]) if len(link.tokens) > 1 else link


def tell_person(draft: Draft, event: events.Connected) -> None:
    """Ring for a stream that could not show whose it is: at once, if its machine could have."""
    link = draft.state.link
    recent = (*_within(link.strangers_at_ms, draft.now_ms, HOUR_MS), draft.now_ms)
    draft.update(link=replace(link, strangers_at_ms=recent[-STRANGERS_BORNE - 1 :]))
    said = "returned a token of no such stream" if event.returned_token else "returned no token"
    came = "took over" if link.online else "came after the last one had ended"
    what = f"stream {event.stream_id} of boot {event.boot_id} {came} and {said}"
    if link.keeps_token or event.returned_token or len(recent) > STRANGERS_BORNE:
        alarms.ring(draft, AlarmKind.DOUBLE, f"{what}: another device may use this identity")
    else:
        draft.note(f"{what}: a power cut that nobody saw, or another device")


def keep_money_back(draft: Draft) -> None:
    """Let the customer's money go back rather than on: the session ends, and what was approved on
    the older stream is in doubt, until its machine or a person tells.
    """
    session = draft.state.session
    if session is not None:
        vend = session.vend
        if vend is not None and vend.status is VendStatus.AWAITING_PAYMENT:
            vending.out_of_service(draft)
        else:
            if vend is not None and vend.status is VendStatus.APPROVED:
                vending.doubt(draft)
            paying.end_session(draft, EndReason.UNAVAILABLE)
    draft.update(doubts=tuple(replace(vend, taken_over=True) for vend in draft.state.doubts))


def _within(times_ms: tuple[int, ...], now_ms: int, span_ms: int) -> tuple[int, ...]:
    return tuple(at_ms for at_ms in times_ms if abs(now_ms - at_ms) < span_ms)
