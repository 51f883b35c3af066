"""The judges of a customer's stay. Pure: what was seen in, a verdict out.

Each has the name of its play in ``plays_of_sessions``.
"""

from gateway.certify.moments import (
    MomentKind,
    NotSeen,
    Recording,
    RuleVerdict,
    broken,
    kept,
    last,
    untried,
)


def session_complete(seen: Recording) -> RuleVerdict:
    """It names the session."""
    began = last(seen.said("begin_session"))
    told = seen.after(began).heard("session_complete")
    if not told:
        return broken("the customer asked for the rest, and no SessionComplete came", began)
    session_id = began.said_by_us.begin_session.session_id
    if told[0].said_by_machine.session_complete.session_id != session_id:
        return broken(f"SessionComplete is not of session {session_id}", began, told[0])
    return kept("the customer's end was told", began, told[0])


def session_over(seen: Recording) -> RuleVerdict:
    """Nobody's rest is asked for: each time the button is pressed, the session is over."""
    pressed = seen.of(MomentKind.HAND)
    if len(pressed) < 2:
        raise NotSeen
    for each in pressed:
        after = seen.after(each)
        begun = after.said("begin_session")
        told = (after.before(begun[0]) if begun else after).heard("session_complete")
        if told:
            return broken("SessionComplete was said when the session was over", each, *told)
    return kept("nothing was left of a session that was over", *pressed)


def session_resumed(seen: Recording) -> RuleVerdict:
    """The rest is asked for as if nothing had been cut."""
    began = last(seen.said("begin_session"))
    welcome = last(seen.after(began).said("welcome"))
    told = seen.after(welcome).heard("session_complete")
    session_id = began.said_by_us.begin_session.session_id
    if not told:
        if not any(each.payload == "session_complete" for each in seen.all_of(MomentKind.HEARD)):
            return untried("nobody was ever heard to ask for the rest", welcome)
        return broken("Welcome named the session, and no SessionComplete came for it", welcome)
    if told[0].said_by_machine.session_complete.session_id != session_id:
        return broken(f"SessionComplete is not of session {session_id}", welcome, told[0])
    return kept("the session went on behind the cut", welcome, told[0])


def answer_lost(seen: Recording) -> RuleVerdict:
    """Somebody can choose again: the answer was lost with the old stream."""
    welcome = last(seen.said("welcome"))
    waited = last(seen.before(welcome).heard("vend_request"))
    request_id = waited.said_by_machine.vend_request.request_id
    cancels = seen.after(welcome).cancels(request_id)
    again = [
        each
        for each in seen.after(welcome).heard("vend_request")
        if each.said_by_machine.vend_request.request_id != request_id
    ]
    if not again or (cancels and cancels[0].number < again[0].number):
        return broken(
            "Welcome named no session, and the request that was acknowledged was waited for still",
            waited,
            welcome,
            *cancels,
        )
    return kept("somebody could choose again", waited, welcome, again[0])
