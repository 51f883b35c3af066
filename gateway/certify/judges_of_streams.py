"""The judges of streams, numbers and waits. Pure: what was seen in, a verdict out.

Each has the name of its play in ``plays_of_streams``. Waits that are drawn at random are judged so
that a sound machine hardly ever fails: none of 200 000 drawn runs did.
"""

import itertools
from collections.abc import Iterable, Sequence

from gateway.certify.moments import (
    MachineMoment,
    MomentKind,
    NotSeen,
    Recording,
    RuleVerdict,
    broken,
    first,
    kept,
    last,
    same_words,
    untried,
)
from gateway.certify.times import (
    ACKS_DUE,
    BEAT_MS,
    CASH_SALES,
    DIAL_MS,
    EARLY_MS,
    INITIAL_MS,
    LONG_WAIT_MAX_MS,
    LONG_WAIT_MS,
    MAX_MS,
    MOVE_FROM_MS,
    MOVE_UNTIL_MS,
    PING_LEAST_MS,
    RETRY_AFTER_MS,
    SLACK_MS,
    SLOW_DIAL_MS,
    TRIES,
    WIDE_MS,
)

UNACKED_MAX = 32
"""So many numbered frames may wait for an acknowledgement."""
ALIKE_LEAST, HARDLY = 7, 0.03
"""Nobody draws so small a share of the range so often."""
RESETS_LEAST = 3
"""Fewer waits behind good sessions say too little."""


def many_frames(seen: Recording) -> RuleVerdict:
    """Some frame of the machine acknowledges them, without being asked for."""
    due = last(seen.said("service_update"))
    least = due.said_by_us.seq - ACKS_DUE
    told = seen.first(
        lambda each: each.kind is MomentKind.HEARD and each.said_by_machine.ack >= least
    )
    if told is None:
        return broken(f"more than {ACKS_DUE} frames were told, and no ack came by itself", due)
    return kept("the acknowledgement came by itself", due, told)


def idle(seen: Recording) -> RuleVerdict:
    """No two pings come closer than the gateway allows."""
    pings = seen.of(MomentKind.PINGED)
    close = [each for each in pings if each.text.isdigit() and int(each.text) < PING_LEAST_MS]
    if close:
        return broken(
            f"HTTP/2 pings came {close[0].text} ms apart; closer than {PING_LEAST_MS} the gateway "
            "ends the connection (too_many_pings)",
            *close,
        )
    if not seen.all_of(MomentKind.TAPPED):
        return untried("HTTP/2 pings cannot be seen through TLS")
    return kept(f"{len(pings)} HTTP/2 pings were seen, none too close", *pings)


def many_sales(seen: Recording) -> RuleVerdict:
    """All are told in the end, and before that no more than may wait."""
    sales = seen.heard("cash_sale")
    acked = 0
    for each in seen.of(MomentKind.HEARD, MomentKind.SAID):
        acked = max(acked, each.said_by_us.ack)
        if acked and each.said_by_machine.seq > acked + UNACKED_MAX:
            return broken(f"more than {UNACKED_MAX} frames waited for an acknowledgement", each)
    told = {each.said_by_machine.seq for each in sales}
    if len(told) < CASH_SALES:
        return broken(f"{CASH_SALES} sales were made and {len(told)} were told", *sales[-1:])
    return kept(f"all {len(told)} sales were told", sales[0], sales[-1])


def _unsaved(seen: Recording) -> tuple[list[MachineMoment], list[MachineMoment]]:
    """Return the numbered frames of the first stream, and those of the streams behind it."""
    numbered = [each for each in seen.heard() if each.said_by_machine.seq]
    stream = first(numbered).stream
    return (
        [each for each in numbered if each.stream == stream],
        [each for each in numbered if each.stream != stream],
    )


def cut_unacknowledged(seen: Recording) -> RuleVerdict:
    """The same frames come again, with their old numbers, in order."""
    before, again = _unsaved(seen)
    if not again:
        return broken("what was not acknowledged was not sent again", *before)
    unsaved = before[-2:]
    for old, new in zip(unsaved, again, strict=False):
        if not same_words(old, new):
            return broken("sent again under another number, or with other content", old, new)
    if len(again) < len(unsaved):
        return broken("only some of what was not acknowledged was sent again", *unsaved, *again)
    return kept("both frames came again under their old numbers", *unsaved, *again[:2])


def cut_unheard(seen: Recording) -> RuleVerdict:
    """What ``Welcome.last_seq`` covers does not come again."""
    welcome = last(seen.said("welcome"))
    saved = welcome.said_by_us.welcome.last_seq
    again = [
        each
        for each in seen.after(welcome).heard()
        if each.stream == welcome.stream and 0 < each.said_by_machine.seq <= saved
    ]
    if again:
        return broken(f"sent again although Welcome.last_seq is {saved}", welcome, *again)
    return kept(f"nothing up to last_seq {saved} was sent again", welcome)


def last_seq_goes_back(seen: Recording) -> RuleVerdict:
    """Another boot comes back, at the latest when its next frame was refused."""
    welcome = _forgetful(seen)
    later = seen.after(welcome).hellos()
    if not later:
        return broken("the boot goes on, though its numbers are of no use any more", welcome)
    if _boot(later[0]) == _boot(seen.before(welcome).present_hello()):
        return broken("the same boot came back", welcome, later[0])
    return kept("another boot came back", welcome, later[0])


def _forgetful(seen: Recording) -> MachineMoment:
    """Return the Welcome whose last_seq is lower than what was acknowledged. Raises NotSeen."""
    boots: dict[int, str] = {}
    acked: dict[str, int] = {}
    begins = seen[0].number if len(seen) else 0
    for each in seen.all_of(MomentKind.HEARD, MomentKind.SAID):
        if each.payload == "hello":
            boots[each.stream] = _boot(each)
            continue
        if each.kind is MomentKind.HEARD:
            continue
        boot_id = boots.get(each.stream, "")
        before = acked.get(boot_id, 0)
        forgets = each.payload == "welcome" and each.said_by_us.welcome.last_seq < before
        if forgets and each.number >= begins:
            return each
        acked[boot_id] = max(before, each.said_by_us.ack)
    raise NotSeen


def gap(seen: Recording) -> RuleVerdict:
    """All frames from the number on come again, in order, once for all complaints."""
    complaint, latest = first(seen.said("protocol_error")), last(seen.said("protocol_error"))
    expected = complaint.said_by_us.protocol_error.expected_seq
    wanted = list(range(expected, latest.said_by_us.protocol_error.seq + 1))
    again = [each for each in seen.after(complaint).heard() if each.said_by_machine.seq]
    numbers = [each.said_by_machine.seq for each in again]
    if numbers[: len(wanted)] != wanted:
        return broken(f"expected {wanted} again, in order; {numbers} came", complaint, *again)
    if any(numbers.count(number) > 1 for number in wanted):
        return broken("the frames came more than once", complaint, *again)
    return kept(f"frames {wanted} came again, in order", complaint, *again)


def refused(seen: Recording) -> RuleVerdict:
    """The frame does not come again, and the customer can choose again at once."""
    complaint = first(seen.said("protocol_error"))
    seq = complaint.said_by_us.protocol_error.seq
    again = [each for each in seen.after(complaint).heard() if each.said_by_machine.seq == seq]
    if again:
        return broken("the refused frame was sent again", complaint, *again)
    requests = seen.after(complaint).heard("vend_request")
    if not requests:
        return broken("nobody could choose after the refusal", complaint)
    return kept("the customer could choose again", complaint, requests[0])


def every_complaint(seen: Recording) -> RuleVerdict:
    """The stream goes on."""
    complaints = seen.said("protocol_error")
    lost = seen.after(first(complaints)).of(MomentKind.CLOSED)
    if lost:
        return broken("the machine hung up over a ProtocolError", *complaints, *lost)
    return kept("all were survived", *complaints)


def restarted(seen: Recording) -> RuleVerdict:
    """The machine comes back as another boot, whose numbers begin at 1."""
    cause = last(seen.said("protocol_error") or seen.said("welcome"))
    for each in reversed(seen.said("welcome")):
        if each.said_by_us.welcome.last_seq >= 1_000:
            cause = each
            break
    old = seen.before(cause).present_hello()
    after = seen.after(cause).hellos()
    if not after:
        return broken("the firmware did not restart under a new boot_id", cause)
    if _boot(after[0]) == _boot(old):
        return broken("the machine came back under the same boot_id", cause, after[0])
    return kept("the firmware restarted under a new boot_id", cause, after[0])


def _quick_beats(seen: Recording) -> MachineMoment:
    """Return the Welcome that asked for quick heartbeats."""
    return first(
        [
            each
            for each in seen.said("welcome")
            if each.said_by_us.welcome.heartbeat_interval_ms == BEAT_MS
        ]
    )


def quiet(seen: Recording) -> RuleVerdict:
    """A Heartbeat comes whenever nothing else was sent for an interval."""
    welcome = _quick_beats(seen)
    rest = seen.after(welcome).on(welcome.stream)
    end = rest.of(MomentKind.ENDED, MomentKind.CLOSED)
    heard = [welcome, *rest.heard()]
    last_ms = end[0].at_ms if end else heard[-1].at_ms
    moments_ms = [*(each.at_ms for each in heard), last_ms]
    worst = max(later - earlier for earlier, later in itertools.pairwise(moments_ms))
    if worst > BEAT_MS + SLACK_MS:
        return broken(
            f"nothing was sent for {worst} ms; heartbeat_interval_ms is {BEAT_MS}",
            welcome,
            *rest.heard()[-1:],
        )
    return kept(f"nothing was silent for longer than {worst} ms", welcome, *rest.heard("heartbeat"))


def dead(seen: Recording) -> RuleVerdict:
    """The machine hangs up by itself, after three intervals and not before."""
    welcome = _quick_beats(seen)
    rest = seen.after(welcome).on(welcome.stream)
    spoke = (rest.said() or [welcome])[-1]
    closed = rest.of(MomentKind.CLOSED)
    if not closed:
        return broken("nothing was heard for six intervals, and the machine stayed", spoke)
    waited_ms = closed[0].at_ms - spoke.at_ms
    if waited_ms < 2 * BEAT_MS - EARLY_MS:
        return broken(f"the machine hung up after {waited_ms} ms already", spoke, closed[0])
    return kept(f"the machine hung up after {waited_ms} ms of silence", spoke, closed[0])


def slow_welcome(seen: Recording) -> RuleVerdict:
    """The machine waits for Welcome."""
    hello = last(seen.hellos())
    rest = seen.on(hello.stream)
    early = rest.of(MomentKind.CLOSED)
    tries = seen.after(first(seen.of(MomentKind.ENDED))).hellos()
    if early or len(tries) > 1:
        return broken("the machine hung up before Welcome could come", tries[0], *early)
    return kept("the machine waited for Welcome", hello)


def _waits(seen: Recording) -> list[tuple[MachineMoment, MachineMoment, int]]:
    """Return each end of a stream with the opening behind it and the time between."""
    found: list[tuple[MachineMoment, MachineMoment, int]] = []
    end: MachineMoment | None = None
    for each in seen.of(MomentKind.ENDED, MomentKind.OPENED):
        if each.kind is MomentKind.ENDED:
            end = each
        elif end is not None:
            found.append((end, each, each.at_ms - end.at_ms))
            end = None
    return found


def away(seen: Recording) -> RuleVerdict:
    """Each wait is drawn from 0 to a range that doubles."""
    widened = _widened(seen)
    waits = _waits(seen.before(widened[0]) if widened else seen)[: TRIES + 1]
    if len(waits) < TRIES:
        return untried("the machine did not come back often enough")
    ranges = [min(MAX_MS, INITIAL_MS * 2**number) for number in range(len(waits))]
    dial_ms = _dial(waited_ms for _, _, waited_ms in waits)
    shares: list[float] = []
    for (end, opened, waited_ms), range_ms in zip(waits, ranges, strict=True):
        if waited_ms > range_ms + SLACK_MS + dial_ms - DIAL_MS:
            return broken(f"waited {waited_ms} ms, of at most {range_ms}", end, opened)
        shares.append(max(0, waited_ms - dial_ms) / range_ms)
    shown = ", ".join(str(waited_ms) for _, _, waited_ms in waits)
    moments = [moment for end, opened, _ in waits for moment in (end, opened)]
    wide = shares[2:]
    away = [end.text == "UNAVAILABLE" for end, _, _ in waits[2:]]
    for unavailable, what in ((True, "UNAVAILABLE"), (False, "INTERNAL, CANCELLED and UNKNOWN")):
        behind = [share for share, one in zip(wide, away, strict=True) if one is unavailable]
        if len(behind) >= ALIKE_LEAST and all(share < HARDLY for share in behind):
            return broken(f"hammering after {what}; waits were {shown} ms", *moments)
    # What a slow board's handshake adds differs in share from range to range.
    even = wide if dial_ms == DIAL_MS else shares[ranges.index(MAX_MS) :]
    if all(share < 0.1 for share in wide):
        return broken(f"hammering: the range does not double; waits were {shown} ms", *moments)
    if max(even) - min(even) < 0.1 or all(share > 0.85 for share in wide):
        return broken(f"no jitter: the waits were {shown} ms", *moments)
    return _reset(seen, widened) or kept(f"the waits were {shown} ms", *moments)


def _widened(seen: Recording) -> list[MachineMoment]:
    """Return the Welcomes that widen the range."""
    return [
        each for each in seen.said("welcome") if each.said_by_us.welcome.reconnect.max_ms == WIDE_MS
    ]


def _reset(seen: Recording, widened: Sequence[MachineMoment]) -> RuleVerdict | None:
    """Behind each good session the range is the first one again. A stream was good if the machine
    spoke after its Welcome; one that a network broke off is not judged. None: all were so.
    """
    good = {each.stream for each in widened[1:] if seen.after(each).on(each.stream).heard()}
    waits = [wait for wait in _waits(seen) if wait[0].stream in good]
    if len(waits) < RESETS_LEAST:
        return untried("too few good sessions ended, so nobody knows what resets the waits")
    most_ms = INITIAL_MS + SLACK_MS + _dial(waited_ms for _, _, waited_ms in waits) - DIAL_MS
    for end, opened, waited_ms in waits:
        if waited_ms > most_ms:
            return broken(
                f"waited {waited_ms} ms after a good session, of at most {INITIAL_MS}: Welcome "
                "resets the range",
                end,
                opened,
            )
    return None


def _dial(waits_ms: Iterable[int]) -> int:
    """Return how long the board needs to open a connection: what is longer than the first range
    even in the shortest wait is no wait.
    """
    shortest_ms = min(waits_ms)
    return DIAL_MS if shortest_ms <= 2 * INITIAL_MS else min(shortest_ms, SLOW_DIAL_MS)


def told_when(seen: Recording) -> RuleVerdict:
    """RetryInfo is added to the wait."""
    return _waited(seen, "RESOURCE_EXHAUSTED", RETRY_AFTER_MS, RETRY_AFTER_MS + INITIAL_MS)


def unknown_machine(seen: Recording) -> RuleVerdict:
    """Half to all of a minute."""
    return _waited(seen, "NOT_FOUND", LONG_WAIT_MS, LONG_WAIT_MAX_MS)


def denied(seen: Recording) -> RuleVerdict:
    """The same: a person has to act."""
    return _waited(seen, "PERMISSION_DENIED", LONG_WAIT_MS, LONG_WAIT_MAX_MS)


def halted(seen: Recording) -> RuleVerdict:
    """The same: an operator has to act."""
    return _waited(seen, "FAILED_PRECONDITION", LONG_WAIT_MS, LONG_WAIT_MAX_MS)


def taken_over(seen: Recording) -> RuleVerdict:
    """Half to all of ``max_ms``."""
    return _waited(seen, "ABORTED", MAX_MS // 2, MAX_MS)


def _waited(seen: Recording, status: str, least_ms: int, most_ms: int) -> RuleVerdict:
    waits = [wait for wait in _waits(seen) if wait[0].text == status]
    if not waits:
        return untried(f"the machine did not come back after {status}")
    end, opened, waited_ms = waits[0]
    if not least_ms - EARLY_MS <= waited_ms <= most_ms + SLOW_DIAL_MS:
        return broken(
            f"waited {waited_ms} ms after {status}; it is to be {least_ms} to {most_ms}",
            end,
            opened,
        )
    return kept(f"waited {waited_ms} ms after {status}", end, opened)


def boot_superseded(seen: Recording) -> RuleVerdict:
    """Another boot comes back."""
    end = first([each for each in seen.of(MomentKind.ENDED) if each.text == "ABORTED"])
    old = seen.before(end).present_hello()
    after = seen.after(end).hellos()
    if not after:
        return untried("the machine did not come back", end)
    if _boot(after[0]) == _boot(old):
        return broken("the superseded boot came back", end, after[0])
    return kept("another boot came back", end, after[0])


def _boot(moment: MachineMoment) -> str:
    return moment.said_by_machine.hello.boot_id


def _second(seen: Recording, asked: MachineMoment) -> MachineMoment | None:
    return seen.after(asked).first(lambda each: each.kind is MomentKind.OPENED)


def move(seen: Recording) -> RuleVerdict:
    """The second stream comes in time, and the first is closed once the second is welcome."""
    asked = first(seen.said("move_request"))
    opened = _second(seen, asked)
    if opened is None:
        return broken("no second stream was opened", asked)
    return _in_time(asked, opened) or _closed_after_welcome(seen, asked, opened)


def _in_time(asked: MachineMoment, opened: MachineMoment) -> RuleVerdict | None:
    waited_ms = opened.at_ms - asked.at_ms
    if not MOVE_FROM_MS - EARLY_MS <= waited_ms <= MOVE_UNTIL_MS + SLACK_MS:
        return broken(
            f"the second stream was opened after {waited_ms} ms; "
            f"{MOVE_FROM_MS} to {MOVE_UNTIL_MS} were given",
            asked,
            opened,
        )
    return None


def _closed_after_welcome(
    seen: Recording, asked: MachineMoment, opened: MachineMoment
) -> RuleVerdict:
    closed = seen.after(asked).on(asked.stream).of(MomentKind.CLOSED, MomentKind.ENDED)
    welcomes = seen.after(opened).said("welcome")
    if not closed or closed[0].kind is MomentKind.ENDED:
        return broken("the first stream was not closed once the second was welcome", opened)
    if not welcomes or closed[0].number < welcomes[0].number:
        return broken("the first stream was closed before the second was welcome", closed[0])
    return kept("moved, and then closed the first stream", asked, opened, welcomes[0], closed[0])


def move_in_vend(seen: Recording) -> RuleVerdict:
    """No second stream until the vend has its result, which is told there again."""
    asked = first(seen.said("move_request"))
    approved = first(seen.after(asked).said("vend_approved"))
    told = first(seen.after(approved).results(approved.said_by_us.vend_approved.vend_id))
    meanwhile = seen.after(asked).before(told)
    # A Hello is as long on its way as a result, whatever the network.
    early = [*meanwhile.hellos(), *meanwhile.of(MomentKind.CLOSED)]
    if early:
        what = "request" if early[0].number < approved.number else "vend"
        return broken(f"the machine moved while a {what} was open", asked, *early)
    moved = seen.after(told).hellos()
    if not moved:
        return broken("the machine did not move after the vend had ended", asked, told)
    if not any(same_words(told, each) for each in seen.on(moved[0].stream).heard()):
        return broken("the unacknowledged result was not sent again where it moved", told, moved[0])
    return _closed_after_welcome(seen, asked, moved[0])


def move_fails(seen: Recording) -> RuleVerdict:
    """The first stream is kept, and the move is tried again."""
    asked = first(seen.said("move_request"))
    failed = [
        each for each in seen.after(asked).of(MomentKind.ENDED) if each.stream != asked.stream
    ]
    if not failed:
        return broken("no second stream was opened", asked)
    closed = seen.after(asked).on(asked.stream).of(MomentKind.CLOSED)
    again = seen.after(failed[0]).of(MomentKind.OPENED)
    if closed and (not again or closed[0].number < again[0].number):
        return broken("the first stream was given up when the second failed", failed[0], closed[0])
    if not again:
        return broken("the move was not tried again", failed[0])
    return kept("the first stream stood until another one was welcome", failed[0], again[0])


def tokens(seen: Recording) -> RuleVerdict:
    """Each Hello returns the token of the last Welcome, also after the power cut."""
    token = ""
    for each in seen:
        if each.payload == "welcome":
            token = each.said_by_us.welcome.resume_token
        elif each.payload == "hello" and token not in {"", each.said_by_machine.hello.resume_token}:
            return broken("Hello does not return the token of the last Welcome", each)
    hellos = seen.hellos()
    if len(hellos) < 2:
        return untried("the machine did not come back after the power cut")
    return kept("each Hello returned the token of the last Welcome", *hellos)


def boots(seen: Recording) -> RuleVerdict:
    """A new boot_id, acknowledgements from 0, numbers from 1."""
    cut = last(seen.of(MomentKind.HAND))
    after = seen.after(cut).hellos()
    hello = first(after).said_by_machine.hello
    earlier = {_boot(each) for each in seen.before(cut).all_hellos()}
    if hello.boot_id in earlier:
        return broken("the boot_id after the power cut is that of an earlier boot", after[0])
    if hello.last_acked_seq or hello.planogram_version:
        return broken("a fresh boot says last_acked_seq 0 and planogram_version 0", after[0])
    numbered = [each for each in seen.after(after[0]).heard() if each.said_by_machine.seq]
    if numbered and numbered[0].said_by_machine.seq != 1:
        return broken("numbers do not begin at 1 with the boot", after[0], numbered[0])
    return kept("a new boot_id, and numbers from 1", after[0], *numbered[:1])
