"""Streams: which one counts, which frames are applied, and what a machine that comes back tells
about its vends.
"""

import pytest

from actors.machine import events
from actors.machine.connecting import SUPERSEDED
from actors.machine.effects import (
    ApproveVend,
    BeginSession,
    CloseStream,
    DenyVend,
    RejectCode,
    RejectFrame,
    UpdatePlanogram,
    Welcome,
)
from actors.machine.ids import BootId, StreamId, VendId
from actors.machine.incident import FaultReported, FaultsCounted
from actors.machine.state import AlarmKind, DenyReason, FailureCause, VendStatus
from actors.machine.values import replace
from tests.support.story import Story, a_machine

VEND = VendId("VM-1-v1")


def connected(stream: str, opened_at_ms: int, planogram_version: int = 1) -> events.Connected:
    """A stream says Hello."""
    return events.Connected(
        stream_id=StreamId(stream),
        opened_at_ms=opened_at_ms,
        boot_id=BootId("b1"),
        planogram_version=planogram_version,
    )


def entry(
    stage: events.JournalStage, cause: FailureCause | None = None, evidence: str = ""
) -> events.JournalEntry:
    """What the machine's journal holds of the vend."""
    return events.JournalEntry(vend_id=VEND, stage=stage, cause=cause, evidence=evidence)


def dispensing() -> Story:
    """A vend of 5.00 that is approved; another 5.00 is left."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    return story


def test_a_stream_that_is_announced_again_does_not_judge_vends_by_its_old_hello() -> None:
    """A gateway that attaches again repeats a Hello from before the vend: its journal says nothing
    about it.
    """
    story = Story()
    story.connect()
    link = story.state.link
    story.pay(1_000)
    story.select()
    story.wait(120_000)
    story.complete()
    assert 1 == len(story.state.doubts)
    story.do(
        events.Connected(
            stream_id=link.stream_id,
            opened_at_ms=link.opened_at_ms,
            boot_id=link.boot_id,
            planogram_version=1,
        )
    )

    assert 1 == len(story.state.doubts)
    story.success("VM-1-v1")
    assert 500 == story.money()["sold"]


def denials(story: Story) -> list[DenyVend]:
    """What the machine heard of denials by the last decision."""
    return [one for one in story.decisions[-1].effects if isinstance(one, DenyVend)]


def test_a_denial_that_may_be_lost_is_told_once_more() -> None:
    """Its host died behind the COMMIT, or its stream: a Welcome within the session says nothing of
    the choice, and whoever stands there would wait for as long as the machine does.
    """
    story = Story(a_machine(stock=0))
    story.connect()
    story.pay(1_000)
    story.select()
    (denied,) = denials(story)
    assert (DenyReason.SOLD_OUT, 1_000) == (denied.reason, denied.funds_minor)
    link = story.state.link
    again = replace(connected(link.stream_id, link.opened_at_ms), boot_id=link.boot_id)
    story.do(again)
    assert [denied] == denials(story)
    assert isinstance(story.decisions[-1].effects[0], Welcome)
    story.disconnect()
    story.do(replace(again, stream_id=StreamId("other")))
    assert [denied] == denials(story)


@pytest.mark.parametrize("after", ["a sale", "a power cut", "the session", "a word of later"])
def test_no_denial_is_told_to_who_cannot_wait_for_it(after: str) -> None:
    """Something else was answered since, the request was forgotten, the machine is free, or we do
    not know the reason.
    """
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select("Z9")
    assert 1 == len(denials(story))
    match after:
        case "a sale":
            story.select("A1")
            story.success()
        case "the session":
            story.complete()
        case "a word of later":
            (vend,) = story.state.settled_vends
            story.state = replace(story.state, settled_vends=(replace(vend, reason="LATER"),))
    story.disconnect()
    story.connect("b2" if after == "a power cut" else str(story.state.link.boot_id))
    assert [] == denials(story)


def test_a_journal_cannot_make_a_sale_of_a_vend_that_was_denied() -> None:
    """Nobody paid for it and nobody approved it: what the machine writes is noted for people, and
    no money moves.
    """
    story = Story()
    story.connect()
    story.select("Z9", price=100_000)
    told = story.connect(
        "b2", events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.SUCCEEDED)
    )

    assert () == told.transfers
    assert any("was denied" in note for note in told.notes)
    assert VendStatus.DENIED is story.state.settled_vends[-1].status


def test_the_stream_that_was_heard_of_last_counts() -> None:
    """Whatever the clocks of their gateways say, each an hour off: one that was taken over from is
    closed when it is announced again, and its end changes nothing.
    """
    story = Story()
    story.do(connected("old", 3_600_000))
    story.do(connected("new", 2_000))
    late = story.do(connected("old", 3_600_000))
    assert (CloseStream(stream_id=StreamId("old"), reason=SUPERSEDED),) == late.effects
    assert "new" == story.state.link.stream_id
    newer = story.do(connected("newer", 3_000))

    assert CloseStream(stream_id=StreamId("new"), reason=SUPERSEDED) == newer.effects[0]
    story.do(events.Disconnected(stream_id=StreamId("new")))
    assert (True, "newer") == (story.state.link.online, story.state.link.stream_id)


def test_frames_of_another_stream_close_it() -> None:
    """They are not applied, whatever their number."""
    story = Story()
    story.connect()
    stray = story.do(
        events.FrameReceived(stream_id=StreamId("x"), seq=1, fact=FaultReported(code="EB"))
    )

    assert (CloseStream(stream_id=StreamId("x"), reason=SUPERSEDED),) == stray.effects
    assert (0, "") == (story.state.link.last_seq, story.state.link.last_fault)


def test_only_the_next_frame_is_applied() -> None:
    """One that came before changes nothing; one that leaves a number out is refused with the number
    that was expected.
    """
    story = Story()
    story.connect()
    for seq, code in ((1, "first"), (1, "first"), (3, "third")):
        story.do(
            events.FrameReceived(stream_id=story.stream, seq=seq, fact=FaultReported(code=code))
        )

    assert (1, "first") == (story.state.link.last_seq, story.state.link.last_fault)
    assert [(3, 2)] == [
        (order.seq, order.expected_seq)
        for order in story.effects(RejectFrame)
        if isinstance(order, RejectFrame)
    ]


def test_counted_faults_use_their_numbers_up() -> None:
    """Faults that the gateway counted are one line, and the frame after them is the next one; told
    again they change nothing, and with a number left out they are refused.
    """
    story = Story()
    story.connect()
    story.frame(FaultReported(code="EJA"))
    for first_seq, seq in ((2, 5), (2, 5), (7, 9)):
        fact = FaultsCounted(first_seq=first_seq, count=seq - first_seq + 1, code="EJB")
        story.do(events.FrameReceived(stream_id=story.stream, seq=seq, fact=fact))

    assert (5, "EJB") == (story.state.link.last_seq, story.state.link.last_fault)
    assert [(7, 6)] == [
        (order.seq, order.expected_seq)
        for order in story.effects(RejectFrame)
        if isinstance(order, RejectFrame)
    ]


def test_a_new_boot_counts_from_one() -> None:
    """The same boot goes on counting on its next stream."""
    story = Story()
    story.connect()
    story.frame(FaultReported(code="EB"))
    story.disconnect()
    story.connect()
    assert (1, "EB") == (story.state.link.last_seq, story.state.link.last_fault)
    story.connect("b2")

    assert (0, "") == (story.state.link.last_seq, story.state.link.last_fault)


def test_the_welcome_comes_first_and_then_what_the_machine_may_have_missed() -> None:
    """An old planogram is replaced; a customer who has funds is announced again, once."""
    story = Story()
    story.connect()
    story.pay(500)
    story.disconnect()
    back = story.do(connected("s-9", story.now_ms + 1, planogram_version=0))

    assert [Welcome, UpdatePlanogram, BeginSession] == [type(order) for order in back.effects]


def test_a_stream_that_is_lost_puts_its_vend_in_doubt_and_the_same_boot_clears_it() -> None:
    """The machine is still at it: it is approved again and its result counts."""
    story = dispensing()
    story.disconnect()
    assert VendStatus.IN_DOUBT is story.state.session.vend.status  # type: ignore[union-attr]
    back = story.connect()

    assert any(isinstance(order, ApproveVend) for order in back.effects)
    story.success()
    assert 500 == story.money()["sold"]


@pytest.mark.parametrize(
    ("boot", "journal", "lost", "status"),
    [
        ("b2", (entry(events.JournalStage.SUCCEEDED),), False, VendStatus.SUCCEEDED),
        (
            "b2",
            (entry(events.JournalStage.FAILED, FailureCause.EMPTY),),
            False,
            VendStatus.FAILED,
        ),
        ("b2", (entry(events.JournalStage.ACCEPTED),), False, VendStatus.FAILED),
        ("b2", (entry(events.JournalStage.MOTOR_ON),), False, VendStatus.VOIDED),
        ("b2", (), False, VendStatus.FAILED),
        ("b2", (), True, None),
        ("b1", (), False, None),
    ],
    ids=["done", "failed", "not begun", "motor on", "forgotten", "journal lost", "same boot"],
)
def test_the_journal_settles_what_it_can(
    boot: str,
    journal: tuple[events.JournalEntry, ...],
    lost: bool,
    status: VendStatus | None,
) -> None:
    """What it cannot say stays open: a result or a deadline ends it."""
    story = dispensing()
    story.disconnect()
    story.connect(boot, *journal, lost=lost)

    settled = [vend.status for vend in story.state.settled_vends]
    assert ([] if status is None else [status]) == settled
    assert (500 if status is VendStatus.SUCCEEDED else 0) == story.money()["sold"]


def rung(story: Story) -> list[tuple[AlarmKind, str]]:
    """What a person is told, and of which vend."""
    return [(alarm.kind, alarm.subject) for alarm in story.state.alarms]


@pytest.mark.parametrize(
    "line",
    [
        entry(events.JournalStage.FAILED, FailureCause.JAMMED, "motor=RAN drop=SEEN"),
        entry(events.JournalStage.MOTOR_ON, evidence="drop=SEEN"),
    ],
    ids=["failed", "cut off"],
)
def test_a_journal_that_comes_late_and_saw_something_fall_is_a_persons(
    line: events.JournalEntry,
) -> None:
    """The price went back at the deadline; whether the goods are gone, only a person can find out.
    Nothing is written off by such a word.
    """
    story = dispensing()
    story.disconnect()
    story.wait(story.policy.doubt_window_ms)
    assert [VendStatus.VOIDED] == [vend.status for vend in story.state.settled_vends]

    told = story.connect("b2", line)

    assert [(AlarmKind.VEND_CONTRADICTED, VEND)] == rung(story)
    assert () == told.transfers


@pytest.mark.parametrize("stage", [events.JournalStage.ACCEPTED, events.JournalStage.MOTOR_ON])
def test_a_journal_that_comes_late_and_saw_nothing_fall_tells_nobody(
    stage: events.JournalStage,
) -> None:
    """It says no more than what was decided at the deadline."""
    story = dispensing()
    story.disconnect()
    story.wait(story.policy.doubt_window_ms)
    story.connect("b2", entry(stage), entry(events.JournalStage.FAILED, FailureCause.JAMMED))
    assert [] == rung(story)


def test_a_journal_that_takes_a_sale_back_is_a_persons() -> None:
    """Told as delivered, and the machine that comes back says that it failed."""
    story = dispensing()
    story.success()
    story.connect("b2", entry(events.JournalStage.FAILED, FailureCause.JAMMED))
    assert [(AlarmKind.VEND_CONTRADICTED, VEND)] == rung(story)
    assert 500 == story.money()["sold"]


# --- a newer firmware ---


@pytest.mark.parametrize("boot", ["b1", "b2"])
def test_a_stage_that_only_a_newer_backend_can_read_is_a_persons(boot: str) -> None:
    """The goods may have come or not: the money is neither taken nor given back. The same boot is
    still at it, and its result is awaited.
    """
    story = dispensing()
    story.disconnect()
    story.connect(
        boot,
        events.JournalEntry(vend_id=VEND, stage=events.JournalStage.UNKNOWN, evidence="stage=9"),
    )
    if boot == "b1":
        assert story.state.session is not None
        assert story.state.session.vend is not None
        assert VendStatus.APPROVED is story.state.session.vend.status
        return
    (vend,) = story.state.doubts
    assert (VendStatus.IN_REVIEW, FailureCause.UNKNOWN, "stage=9") == (
        vend.status,
        vend.reason,
        vend.evidence,
    )
    assert 500 == story.money()["held"] - sum(trade.funds_minor for trade in story.state.trades)


def test_a_frame_that_cannot_be_read_uses_its_number_up() -> None:
    """The machine is told, and the frames behind it keep the numbers that they left with."""
    story = Story()
    story.connect()
    story.frame(
        events.FrameNotRead(code=RejectCode.BAD_FIELD, detail="fault.code: expected another")
    )
    assert (
        RejectFrame(
            code=RejectCode.BAD_FIELD,
            seq=1,
            expected_seq=2,
            detail="fault.code: expected another",
        ),
    ) == story.last.effects
    assert ("frame 1 could not be read: fault.code: expected another",) == story.last.notes
    stock = [column.stock for column in story.state.columns]
    story.frame(events.CashSold(column="A1", price_minor=500))
    story.frame(events.CashSold(column="A2", price_minor=300))
    assert [stock[0] - 1, stock[1] - 1] == [column.stock for column in story.state.columns]
    assert 3 == story.state.link.last_seq


def test_what_a_newer_firmware_says_is_noted() -> None:
    """What we cannot read of a Hello or a frame stands in the journal, for people."""
    story = Story()
    story.do(replace(connected("g-1", story.now_ms), remarks=("hello.mode: number 9",)))
    assert "hello.mode: number 9" in story.last.notes
    frame = events.FrameReceived(
        stream_id=StreamId("g-1"), seq=1, fact=events.ReaderEnabled(), remarks=("field 9",)
    )
    story.do(frame)
    assert ("field 9",) == story.last.notes


def test_a_disabled_machine_loses_its_stream_although_it_was_announced_again() -> None:
    """Its gateway attached again while a vend was open: it still is the stream that was selling."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.configure(enabled=False)
    story.do(
        events.Connected(
            stream_id=story.stream,
            opened_at_ms=story.now_ms,
            boot_id=story.boot,
            planogram_version=1,
        )
    )
    told = story.success()
    assert CloseStream(stream_id=story.stream, reason="DISABLED") in told.effects


def test_a_planogram_is_shown_once_the_machine_acknowledges_it() -> None:
    """On its own stream; what another one says of it is a note."""
    story = Story()
    story.connect()
    shown = story.state.link.planogram_version
    other = events.PlanogramAcknowledged(stream_id=StreamId("other"), planogram_version=7)
    decision = story.do(other)
    assert (shown, True) == (story.state.link.planogram_version, bool(decision.notes))
    stream_id = story.state.link.stream_id
    story.do(events.PlanogramAcknowledged(stream_id=stream_id, planogram_version=7))
    assert 7 == story.state.link.planogram_version


def test_a_machine_that_returns_a_token_we_forgot_is_told_its_planogram_whatever_it_shows() -> None:
    """A backup was put back, and the number of the version that it shows was given again, for other
    goods: it shows nothing that we know of until it acknowledges.
    """
    for returned, remembered in (("", True), ("t1", True), ("of-another-past", False)):
        story = Story()
        hello = connected("s-8", story.now_ms)
        story.do(replace(hello, token="t1", keeps_token=True))
        back = replace(connected("s-9", story.now_ms + 1), token="t2", keeps_token=True)
        told = story.do(replace(back, returned_token=returned))
        updates = [one for one in told.effects if isinstance(one, UpdatePlanogram)]
        versions = [one.planogram_version for one in updates]
        expected = ([], 1) if remembered else ([1], 0)
        assert expected == (versions, story.state.link.planogram_version)
        # Its gateway announces the stream again, and says what the machine has acknowledged.
        story.do(replace(back, returned_token=returned))
        assert 1 == story.state.link.planogram_version
