"""Streams: which one counts, which frames were applied, and what a machine that comes back reports
about its open vends.

(machine, boot, seq) names one frame and is never used again. A repeated frame changes nothing; a
frame that leaves one out is refused with the number that was expected. A stream takes over
from the one before it: the order is that in which this actor first heard of them, whatever the
clocks of their gateways say. One that was taken over from and is announced again (its gateway
attached again) is an old one.
"""

from actors.machine import (
    alarms,
    commands,
    describe,
    doubles,
    events,
    frames,
    known_vends,
    locking,
    ordering,
    paying,
    settling,
    stock,
    vending,
)
from actors.machine.draft import Draft
from actors.machine.effects import (
    CloseStream,
    DenyVend,
    RejectCode,
    RejectFrame,
    TakenOverBy,
    UpdateFunds,
)
from actors.machine.evidence import contradiction, sensor
from actors.machine.ids import StreamId
from actors.machine.incident import FaultsCounted
from actors.machine.state import (
    STREAMS_KEPT,
    AlarmKind,
    DenyReason,
    FailureCause,
    Link,
    Vend,
    VendStatus,
    open_vends,
)
from actors.machine.values import replace

SUPERSEDED = "SUPERSEDED"
BOOT_SUPERSEDED = "BOOT_SUPERSEDED"
TAKEOVERS = "TAKEOVERS"
_BEGUN = frozenset({events.JournalStage.MOTOR_ON, events.JournalStage.UNKNOWN})
"""How far a vend came that may be sold."""
_DENIALS = {reason.value: reason for reason in DenyReason}
RETIRED = "RETIRED"
DISABLED = "DISABLED"


def connect(draft: Draft, event: events.Connected) -> None:
    """Welcome a stream that said Hello, settle what its journal settles, and send what the machine
    may have missed.
    """
    link = draft.state.link
    _remark(draft, event.remarks)
    if _is_over(draft):
        draft.note("the machine was retired")
        draft.call(CloseStream(stream_id=event.stream_id, reason=RETIRED))
        return
    if (over := frames.superseded(link, event.boot_id)) is not None:
        alarms.ring(
            draft,
            AlarmKind.BOOT_CAME_BACK,
            f"boot {event.boot_id} came back on stream {event.stream_id}; it had come to frame "
            f"{over.last_seq} when boot {link.boot_id} took its place",
        )
        draft.call(CloseStream(stream_id=event.stream_id, reason=BOOT_SUPERSEDED))
        return
    lively = link.online and event.stream_id != link.stream_id
    if lively and event.stream_id in link.before:
        draft.note(f"stream {event.stream_id} is older than {link.stream_id}")
        draft.call(CloseStream(stream_id=event.stream_id, reason=SUPERSEDED))
        return
    if lively and doubles.too_many(draft, event):
        draft.call(CloseStream(stream_id=event.stream_id, reason=TAKEOVERS))
        return
    if lively:
        draft.note(f"stream {event.stream_id} takes over from {link.stream_id}")
        draft.call(CloseStream(stream_id=link.stream_id, reason=SUPERSEDED))
    stranger = doubles.is_stranger(link, event)
    if stranger:
        doubles.tell_person(draft, event)
    _welcome(draft, event, lively=lively, stranger=stranger)


def _welcome(draft: Draft, event: events.Connected, *, lively: bool, stranger: bool) -> None:
    link = draft.state.link
    same_boot = event.boot_id == link.boot_id
    remembered = event.stream_id == link.stream_id or doubles.remembers(link, event)
    draft.update(
        link=replace(
            doubles.received(frames.booted(link, event.boot_id), event),
            online=True,
            stream_id=event.stream_id,
            opened_at_ms=event.opened_at_ms,
            changed_at_ms=draft.now_ms,
            firmware=event.firmware,
            planogram_version=event.planogram_version if remembered else 0,
            reader_enabled=link.reader_enabled or not same_boot,
            reader_reason=link.reader_reason if same_boot else "",
            last_fault=link.last_fault if same_boot else "",
            before=_before(link, event.stream_id),
            # One that its gateway announced again still is the one on which the machine sold.
            out_of_service=not draft.state.configuration.enabled
            and (link.out_of_service or event.stream_id != link.stream_id),
            knows_commands=event.knows_commands,
        )
    )
    ordering.connected(draft)
    # Before any command: how long the customer still has depends on it.
    paying.note_availability(draft)
    if event.stream_id == link.stream_id:
        # The same stream, announced again by its gateway: its Hello, and the journal in it, are
        # from before what happened on it since.
        event = replace(event, journal=(), journal_lost=True)
    # The welcome leaves first, so that the machine knows where it stands when the rest comes.
    place = len(draft.effects)
    if stranger:
        doubles.keep_money_back(draft)
        ordering.keep_back(draft, known=link.keeps_token)
        # That a vend is not in its journal says nothing of the machine which got the approval.
        event = replace(event, journal_lost=True)
    _read_journal(draft, event, same_boot=same_boot, stranger=stranger)
    whose = TakenOverBy.STRANGER if stranger else TakenOverBy.ITSELF
    welcome = replace(commands.welcome(draft.state), taken_over_by=whose if lively else None)
    draft.effects.insert(place, welcome)
    # A machine that we do not remember may have been told this version before our books were put
    # back to a backup, with other goods in it.
    newer = draft.state.link.planogram_version != draft.state.configuration.planogram_version
    if newer or locking.told_anew(draft.state):
        draft.effects.insert(place + 1, commands.planogram(draft.state))
    _tell_what_is_open(draft)
    if same_boot:
        _deny_again(draft)


def _before(link: Link, stream_id: StreamId) -> tuple[StreamId, ...]:
    """Return the streams before this one, which is the newest now."""
    known = (*link.before, *((link.stream_id,) if link.stream_id else ()))
    return tuple(one for one in known if one != stream_id)[-STREAMS_KEPT:]


def end_if_retired(draft: Draft) -> None:
    """At the end of a turn: a retired machine's stream ends as soon as nothing of it is open, which
    its machine might still have to say something about.
    """
    link = draft.state.link
    if link.online and _is_over(draft):
        draft.call(CloseStream(stream_id=link.stream_id, reason=RETIRED))
        draft.update(link=replace(link, online=False, changed_at_ms=draft.now_ms))


def end_if_disabled(draft: Draft) -> None:
    """At the end of a turn: a machine that an administrator took out of service loses the stream on
    which it was selling, as soon as nothing of it is open. It may come back, and is told that it
    sells nothing; so whoever speaks for it must prove again who they are.
    """
    state, link = draft.state, draft.state.link
    if state.configuration.enabled:
        if link.out_of_service:
            draft.update(link=replace(link, out_of_service=False))
    elif link.online and not link.out_of_service and state.session is None and not state.doubts:
        draft.call(CloseStream(stream_id=link.stream_id, reason=DISABLED))
        draft.update(link=replace(link, online=False, changed_at_ms=draft.now_ms))


def _is_over(draft: Draft) -> bool:
    state = draft.state
    return state.configuration.retired and state.session is None and not state.doubts


def _read_journal(
    draft: Draft, event: events.Connected, *, same_boot: bool, stranger: bool
) -> None:
    entries = {entry.vend_id: entry for entry in event.journal}
    for vend in open_vends(draft.state):
        if vend.status is VendStatus.AWAITING_PAYMENT:
            continue
        settle_by_journal(
            draft, vend, entries.get(vend.vend_id), same_boot=same_boot, lost=event.journal_lost
        )
    for settled in draft.state.settled_vends:
        if (entry := entries.get(settled.vend_id)) is not None:
            _read_again(draft, settled, entry, same_boot=same_boot, stranger=stranger)


def _read_again(
    draft: Draft, settled: Vend, entry: events.JournalEntry, *, same_boot: bool, stranger: bool
) -> None:
    """Compare what the journal says with how the vend was settled. What it settled itself a moment
    ago is found here again and changes nothing.
    """
    stage, sold = entry.stage, settled.status is VendStatus.SUCCEEDED
    delivered = stage is events.JournalStage.SUCCEEDED
    if delivered:
        news = not sold
    elif stage is events.JournalStage.FAILED:
        news = sold or contradiction(entry.evidence, delivered=False) != ""
    else:
        # A motor that a power cut stopped, and something was seen to fall.
        cut = stage is events.JournalStage.MOTOR_ON and not same_boot
        news = cut and not sold and sensor(entry.evidence, "drop") == "SEEN"
    if not news:
        return
    if settled.status is VendStatus.DENIED:
        draft.note(
            f"vend {settled.vend_id} was denied, and the machine's journal says {entry.stage}"
        )
    elif stranger:
        # Nothing is written off by a word that may be another device's.
        alarms.ring(
            draft,
            AlarmKind.VEND_CONTRADICTED,
            f"vend {settled.vend_id} was settled as {settled.status}, and a stream that "
            f"cannot show whose it is says {entry.stage}",
            subject=settled.vend_id,
        )
    else:
        settling.result_again(draft, settled, delivered=delivered, evidence=entry.evidence)


def settle_by_journal(
    draft: Draft, vend: Vend, entry: events.JournalEntry | None, *, same_boot: bool, lost: bool
) -> None:
    """Settle one open vend as far as the journal can; otherwise it waits for its result or its
    deadline.
    """
    of_session = (
        draft.state.session is not None
        and draft.session.vend is not None
        and draft.session.vend.vend_id == vend.vend_id
    )
    if entry is not None and same_boot and entry.stage in _BEGUN:
        vend = vending.has_begun(draft, vend)
    if entry is not None and entry.stage is events.JournalStage.SUCCEEDED:
        vending.conclude(draft, vend, None, entry.evidence)
    elif entry is not None and entry.stage is events.JournalStage.FAILED:
        vending.conclude(draft, vend, entry.cause or FailureCause.UNKNOWN, entry.evidence)
    elif entry is not None and entry.stage is events.JournalStage.UNKNOWN:
        # Only a newer backend can read how far it went: it may be sold or not.
        if same_boot and of_session:
            vending.trust_again(draft, vend)
        else:
            vending.put_aside(draft, vend, FailureCause.UNKNOWN, entry.evidence)
    elif entry is not None and not same_boot:
        # The motor does not go on after a power cut. Accepted only: it never ran. Started: the
        # outcome stays unknown.
        started = entry.stage is events.JournalStage.MOTOR_ON
        if started and sensor(entry.evidence, "drop") == "SEEN":
            # Something was seen to fall, and no result was written.
            said = f"{entry.stage}: {entry.evidence}"
            vending.put_aside(draft, vend, FailureCause.CONTRADICTED, said)
        elif started:
            vending.unsettled(draft, vend, FailureCause.INDETERMINATE, entry.evidence)
        else:
            vending.conclude(draft, vend, FailureCause.NOT_STARTED, entry.evidence)
    elif vend.status is VendStatus.IN_REVIEW:
        return  # the machine has reported all that it knew and may forget it; a person decides
    elif entry is None and not (lost or vend.taken_over) and not (same_boot and of_session):
        # The machine writes an approval down before anything moves: what is not in the journal was
        # never begun. Not if a stranger took over: this may be its journal, at its second Hello
        # too.
        settling.failed(draft, vend, FailureCause.NOT_STARTED, "not in the machine's journal")
    elif same_boot and of_session:
        vending.trust_again(draft, vend)
    elif vend.status is VendStatus.APPROVED:
        # A power cut that nobody saw, and a journal that is lost with it: it may be delivered.
        vending.doubt(draft)
    else:
        vending.hear_out(draft, vend)


def _tell_what_is_open(draft: Draft) -> None:
    session = draft.state.session
    if session is None:
        return
    if session.vend is None or session.vend.status is VendStatus.IN_DOUBT:
        if session.announced:
            # A machine that was off knows no session whose funds could change: the session is
            # announced again, once.
            draft.effects[:] = [
                effect for effect in draft.effects if not isinstance(effect, UpdateFunds)
            ]
            paying.announce(draft)
        return
    if session.vend.status is VendStatus.APPROVED:
        vending.tell_open_vend(draft)
    else:
        vending.paid(draft)


def _deny_again(draft: Draft) -> None:
    """Within a session a Welcome does not say that the last choice was denied, should that have
    been lost with a stream or a host: it is told once more. Who waits for no answer leaves it.
    """
    session, settled = draft.state.session, draft.state.settled_vends
    choosing = session is not None and session.vend is None
    if not choosing or not settled or settled[-1].status is not VendStatus.DENIED:
        return
    denied = settled[-1]
    if (reason := _DENIALS.get(denied.reason)) is not None:
        draft.tell(
            DenyVend(
                request_id=denied.request_id, reason=reason, funds_minor=paying.funds(draft.state)
            )
        )


def disconnect(draft: Draft, event: events.Disconnected) -> None:
    """Note that a stream is gone, and put a vend that was approved on it in doubt."""
    link = draft.state.link
    if not link.online or event.stream_id != link.stream_id:
        draft.note(f"stream {event.stream_id} was not the machine's any more")
        return
    draft.update(link=replace(link, online=False, changed_at_ms=draft.now_ms))
    session = draft.state.session
    if (
        session is not None
        and session.vend is not None
        and session.vend.status is VendStatus.APPROVED
    ):
        vending.doubt(draft)


def planogram_acknowledged(draft: Draft, event: events.PlanogramAcknowledged) -> None:
    """The machine shows what it was told."""
    link = draft.state.link
    if not link.online or event.stream_id != link.stream_id:
        draft.note(f"stream {event.stream_id} was not the machine's any more")
        return
    draft.update(link=replace(link, planogram_version=event.planogram_version))


def accept(draft: Draft, event: events.FrameReceived) -> bool:
    """Return True if the frame is the next one of the machine's stream; else refuse it with the
    number that was expected.
    """
    link = draft.state.link
    _remark(draft, event.remarks)
    if not link.online or event.stream_id != link.stream_id:
        draft.note(f"a frame of stream {event.stream_id}, which is not the machine's")
        draft.call(CloseStream(stream_id=event.stream_id, reason=SUPERSEDED))
        return False
    if event.seq <= link.last_seq and frames.is_another(link, event):
        _number_reused(draft, event)
        return False
    if event.seq <= link.last_seq:
        draft.note(f"frame {event.seq} was applied before")
        return False
    fact = event.fact
    first_seq = fact.first_seq if isinstance(fact, FaultsCounted) else event.seq
    if first_seq > link.last_seq + 1:
        draft.note(f"frame {first_seq} came before frame {link.last_seq + 1}")
        draft.tell(
            RejectFrame(
                code=RejectCode.OUT_OF_ORDER,
                seq=first_seq,
                expected_seq=link.last_seq + 1,
                detail=f"expected seq {link.last_seq + 1}: resend from there, in order",
            )
        )
        return False
    draft.state = replace(draft.state, link=doubles.spoke(frames.applied(link, event)))
    return True


def _number_reused(draft: Draft, event: events.FrameReceived) -> None:
    """Refuse a frame whose number was another's: it is in the journal, and a person is told. Were
    it a result, the vend's money must not go either way without one.
    """
    fact = event.fact
    alarms.ring(
        draft,
        AlarmKind.NUMBER_REUSED,
        f"frame {event.seq} of boot {draft.state.link.boot_id} was used before, for another one; "
        f"now it says {describe.event(event)}",
    )
    if isinstance(fact, events.VendSucceeded | events.VendFailed):
        vend = known_vends.find(draft.state, fact.vend_id)
        if vend is not None:
            said = f"{describe.event(event)}, under a used number"
            vending.put_aside(draft, vend, FailureCause.CONTRADICTED, said)
    draft.tell(
        RejectFrame(
            code=RejectCode.SEQ_REUSED,
            seq=event.seq,
            expected_seq=draft.state.link.last_seq + 1,
            detail=f"seq {event.seq} was used for another frame: restart under a new boot_id",
        )
    )


def not_read(draft: Draft, seq: int, fact: events.FrameNotRead) -> None:
    """Say what was wrong with a frame. Its number is used up, and the next one may come."""
    draft.note(f"frame {seq} could not be read: {fact.detail}")
    draft.tell(RejectFrame(code=fact.code, seq=seq, expected_seq=seq + 1, detail=fact.detail))


def _remark(draft: Draft, remarks: tuple[str, ...]) -> None:
    for remark in remarks:
        draft.note(remark)


def reader(draft: Draft, *, enabled: bool, reason: str) -> None:
    """The machine accepts customers, or accepts none."""
    if enabled and not draft.state.link.reader_enabled:
        stock.seen_to(draft)
    draft.update(link=replace(draft.state.link, reader_enabled=enabled, reader_reason=reason))
