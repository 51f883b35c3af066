"""Every kind of state that a machine can be in, and every event that it can meet there."""

from collections.abc import Callable

from actors.machine import MachineState, events
from actors.machine.code import CodeStatus, Says
from actors.machine.command import (
    CommandAnswered,
    CommandCancelled,
    CommandKind,
    CommandOrdered,
    CommandOutcome,
    MachineReport,
)
from actors.machine.effects import RejectCode
from actors.machine.goods import GoodsKind, loading_place
from actors.machine.ids import (
    BootId,
    Currency,
    RefundId,
    RequestId,
    SessionId,
    StreamId,
    TradeId,
    VendId,
)
from actors.machine.incident import FaultReported, FaultsCounted, IncidentClosed
from actors.machine.offer import Offered, OfferRefused
from actors.machine.policy import Policy
from actors.machine.state import (
    Column,
    Configuration,
    DenyReason,
    FailureCause,
    Mode,
    Phase,
    RefundStatus,
    Trade,
    VendStatus,
)
from tests.support.story import HKD, START_MS, Story

TEA_TIME = Offered(offer="tea-time", ends_at_ms=START_MS + 90_000, left=1, basis_points=2_500)


def inactive() -> Story:
    return Story()


def disabled() -> Story:
    story = enabled()
    story.frame(events.ReaderDisabled(reason="door"))
    return story


def enabled() -> Story:
    story = Story()
    story.connect()
    return story


def session_idle() -> Story:
    story = enabled()
    story.pay(1_000)
    return story


def offered() -> Story:
    story = enabled()
    story.pay(1_000, offers=(TEA_TIME,))
    return story


def approved_with_an_offer() -> Story:
    story = offered()
    story.select()
    return story


def in_doubt_with_an_offer() -> Story:
    story = approved_with_an_offer()
    story.disconnect()
    return story


def awaiting_payment() -> Story:
    story = enabled()
    story.select()
    return story


def approved() -> Story:
    story = session_idle()
    story.select()
    return story


def in_doubt() -> Story:
    story = approved()
    story.disconnect()
    return story


def doubt_left_behind() -> Story:
    story = in_doubt()
    story.wait(61_000)
    story.connect("b2", lost=True)
    return story


def in_review() -> Story:
    story = Story(policy=Policy(doubt_review_above_minor=100))
    story.connect()
    story.pay(1_000)
    story.select()
    story.disconnect()
    story.connect(
        "b2", events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.MOTOR_ON)
    )
    return story


def refund_under_way() -> Story:
    story = session_idle()
    story.complete()
    return story


def refund_refused() -> Story:
    story = refund_under_way()
    story.do(
        events.RefundRefused(
            refund_id=RefundId("t1R1_1000"), detail="TRADE_HAS_CLOSE", source="query"
        )
    )
    return story


def refund_unresolved() -> Story:
    """Two days of silence, and as many tries as it takes."""
    story = refund_under_way()
    while story.state.refunds[0].status is not RefundStatus.UNRESOLVED:
        story.do(events.RefundUnknown(refund_id=RefundId("t1R1_1000"), detail="time-out"))
        story.wait(3_600_000)
    return story


def refund_asked_about() -> Story:
    """A person wants to know what became of an unresolved refund."""
    story = refund_unresolved()
    story.do(events.RefundQueryAsked(refund_id=RefundId("t1R1_1000"), actor="ann"))
    return story


def write_off_proposed() -> Story:
    story = refund_refused()
    story.policy = Policy(write_off_second_person_above_minor=100)
    story.do(
        events.RefundWrittenOff(refund_id=RefundId("t1R1_1000"), actor="ann", reason="paid in cash")
    )
    return story


def sold() -> Story:
    story = enabled()
    story.pay(500)
    story.select()
    story.success()
    return story


def commands_ordered() -> Story:
    """A test vend is out, and a reboot waits for its end."""
    story = Story()
    story.connect(commands=True)
    for kind, command_id in ((CommandKind.TEST_VEND, "c1"), (CommandKind.REBOOT, "c2")):
        story.do(ordered(story, command_id, kind))
    return story


def ordered(story: Story, command_id: str, kind: CommandKind, column: str = "A1") -> CommandOrdered:
    """Somebody orders something for ten minutes."""
    return CommandOrdered(
        command_id=command_id,
        kind=kind,
        version=story.state.version,
        ordered_at_ms=story.now_ms,
        expires_at_ms=story.now_ms + 600_000,
        column=column if kind not in {CommandKind.REBOOT, CommandKind.REPORT} else "",
        actor="ann",
    )


def sold_parts(state: MachineState) -> tuple[events.SoldPart, ...]:
    """What SQL would say of the newest sold vend's payments: of a closed trade, that all of it was
    sold.
    """
    known = {trade.trade_id: trade for trade in state.trades}
    sold_vends = [vend for vend in state.settled_vends if vend.status is VendStatus.SUCCEEDED]
    return tuple(
        events.SoldPart(
            trade=known.get(part.trade_id)
            or Trade(
                trade_id=part.trade_id,
                partner_trans_id="o",
                payer_id="ann",
                paid_minor=part.amount_minor,
                funds_minor=0,
                received_at_ms=START_MS,
                sold_minor=part.amount_minor,
                closed_at_ms=START_MS,
            ),
            amount_minor=part.amount_minor,
        )
        for vend in sold_vends[-1:]
        if vend.reason != "WRITTEN_OFF"
        for part in vend.reserved
    )


PHASES: dict[Phase, Callable[[], Story]] = {
    Phase.INACTIVE: inactive,
    Phase.DISABLED: disabled,
    Phase.ENABLED: enabled,
    Phase.SESSION_IDLE: session_idle,
    Phase.VEND_AWAITING_PAYMENT: awaiting_payment,
    Phase.VEND_APPROVED: approved,
    Phase.VEND_IN_DOUBT: in_doubt,
}


STATES = [
    *PHASES.values(),
    offered,
    approved_with_an_offer,
    in_doubt_with_an_offer,
    doubt_left_behind,
    in_review,
    refund_under_way,
    refund_refused,
    refund_unresolved,
    refund_asked_about,
    write_off_proposed,
    sold,
    commands_ordered,
]


FACTS: list[events.MachineFact] = [
    events.ReaderEnabled(),
    events.ReaderDisabled(reason="door"),
    events.VendRequested(
        request_id=RequestId("q1"), column="A1", price_minor=500, planogram_version=1
    ),
    events.VendRequested(
        request_id=RequestId("q9"), column="A1", price_minor=500, planogram_version=1
    ),
    events.VendRequested(
        request_id=RequestId("q9"), column="Z9", price_minor=500, planogram_version=1
    ),
    events.VendRequested(
        request_id=RequestId("q9"), column="A1", price_minor=1, planogram_version=1
    ),
    events.VendTurnedAway(request_id=RequestId("q9"), reason=DenyReason.BACKEND_UNAVAILABLE),
    events.VendCancelled(request_id=RequestId("q1")),
    events.VendCancelled(request_id=RequestId("q9")),
    events.VendSucceeded(vend_id=VendId("VM-1-v1"), evidence="motor=RAN drop=SEEN"),
    events.VendSucceeded(vend_id=VendId("VM-1-v1"), evidence="motor=NOT_RUN drop=NOT_SEEN"),
    events.VendSucceeded(vend_id=VendId("VM-1-v9")),
    events.VendFailed(
        vend_id=VendId("VM-1-v1"), cause=FailureCause.JAMMED, evidence="motor=JAMMED drop=SEEN"
    ),
    *(events.VendFailed(vend_id=VendId("VM-1-v1"), cause=cause) for cause in FailureCause),
    events.SessionCompleted(session_id=SessionId("VM-1-s1")),
    events.SessionCompleted(session_id=SessionId("VM-1-s9")),
    events.CashSold(column="A1", price_minor=500),
    events.CashSold(column="Z9", price_minor=500),
    *(
        CommandAnswered(
            command_id=command_id,
            outcome=outcome,
            evidence=evidence,
            report=MachineReport(uptime_s=7, door_open=False),
        )
        for command_id in ("c1", "c2", "c9")
        for outcome in CommandOutcome
        for evidence in ("", "motor=RAN drop=SEEN")
    ),
    FaultReported(code="EJB", detail="motor"),
    FaultReported(code="EGS"),
    FaultReported(code="ELB", column="A1"),
    FaultReported(code="ELB", column="A1", cleared=True),
    FaultsCounted(first_seq=1, count=3, code="EJB"),
    events.FrameNotRead(code=RejectCode.BAD_FIELD, detail="fault.code: expected another"),
]


def every_event(story: Story) -> list[events.Event]:
    """Each event with what it may meet: ours and foreign, first and repeated, in and out of
    order.
    """
    link = story.state.link
    paid = {"partner_trans_id": "o", "currency": HKD, "paid_at_ms": story.now_ms}
    return [
        *(
            events.FrameReceived(stream_id=link.stream_id, seq=link.last_seq + 1, fact=fact)
            for fact in FACTS
        ),
        events.FrameReceived(stream_id=link.stream_id, seq=link.last_seq, fact=FACTS[0]),
        events.FrameReceived(stream_id=link.stream_id, seq=link.last_seq, fact=FACTS[-2]),
        events.FrameReceived(stream_id=link.stream_id, seq=link.last_seq + 2, fact=FACTS[0]),
        events.FrameReceived(stream_id=StreamId("other"), seq=1, fact=FACTS[0]),
        events.Connected(stream_id=StreamId("n"), opened_at_ms=story.now_ms, boot_id=link.boot_id),
        events.Connected(
            stream_id=link.stream_id,
            opened_at_ms=link.opened_at_ms,
            boot_id=link.boot_id,
            planogram_version=1,
        ),
        events.Connected(
            stream_id=StreamId("old"), opened_at_ms=START_MS - 1, boot_id=BootId("b0")
        ),
        *(
            events.Connected(
                stream_id=StreamId("n"),
                opened_at_ms=story.now_ms,
                boot_id=BootId("b9"),
                journal=(
                    events.JournalEntry(
                        vend_id=VendId("VM-1-v1"), stage=stage, cause=FailureCause.JAMMED
                    ),
                ),
            )
            for stage in events.JournalStage
        ),
        events.Connected(
            stream_id=StreamId("n"),
            opened_at_ms=story.now_ms,
            boot_id=BootId("b9"),
            journal_lost=True,
        ),
        *(
            events.Connected(
                stream_id=StreamId("n"),
                opened_at_ms=story.now_ms,
                boot_id=link.boot_id,
                token="k9",
                returned_token=returned,
                keeps_token=True,
            )
            for returned in (*link.tokens[-1:], "k0")
        ),
        events.Disconnected(stream_id=link.stream_id),
        events.Disconnected(stream_id=StreamId("other")),
        *(
            events.PlanogramAcknowledged(stream_id=stream_id, planogram_version=version)
            for stream_id in (link.stream_id, StreamId("other"))
            for version in (0, 1, 9)
        ),
        *(
            events.TopUpPaid(
                trade_id=TradeId(trade),
                amount_minor=amount,
                payer_id=payer_id,
                **paid,  # type: ignore[arg-type]
            )
            for trade in ("t1", "t9")
            for amount in (0, 1, 500, 5_000)
            for payer_id in ("ann", "bob", "")
        ),
        events.TopUpPaid(
            trade_id=TradeId("t8"),
            partner_trans_id="o",
            amount_minor=5,
            currency=Currency("USD"),
            paid_at_ms=0,
        ),
        events.TopUpPaid(
            trade_id=TradeId("t8"),
            partner_trans_id="o",
            amount_minor=500,
            currency=HKD,
            paid_at_ms=0,
        ),
        *(
            events.TopUpPaid(
                trade_id=TradeId("t7"),
                amount_minor=450,
                payer_id=payer_id,
                offers=(TEA_TIME,),
                **paid,  # type: ignore[arg-type]
            )
            for payer_id in ("ann", "bob", "")
        ),
        OfferRefused(offer="tea-time", why="BUDGET"),
        OfferRefused(offer="nobody's", why="ENDED"),
        events.TradeFinished(trade_id=TradeId("t1"), status="TRADE_FINISHED"),
        *(
            event
            for refund_id in (RefundId("t1R1_1000"), RefundId("t9R9"))
            for event in (
                events.RefundSucceeded(refund_id=refund_id),
                events.RefundAccepted(refund_id=refund_id),
                events.RefundUnknown(refund_id=refund_id, detail="time-out"),
                events.RefundUnknown(refund_id=refund_id, detail="SYSTEM_BUSY", ask_first=True),
                events.RefundNotFound(refund_id=refund_id),
                events.RefundShortOfFunds(refund_id=refund_id, detail="funds"),
                events.RefundRefused(refund_id=refund_id, detail="no"),
                events.RefundRefused(refund_id=refund_id, detail="no", source="query"),
                events.RefundRetryAsked(refund_id=refund_id, actor="eve"),
                events.RefundQueryAsked(refund_id=refund_id, actor="eve"),
                events.RefundWrittenOff(refund_id=refund_id, actor="eve", reason="paid in cash"),
                events.RefundWrittenOff(
                    refund_id=refund_id, actor="ann", reason="paid in cash", person="spiffe://ann"
                ),
            )
        ),
        *(
            events.VendSettled(
                vend_id=VendId(vend_id), delivered=delivered, actor="eve", reason="looked"
            )
            for vend_id in ("VM-1-v1", "VM-1-v9")
            for delivered in (True, False)
        ),
        *(
            events.VendRefundAsked(
                vend_id=VendId("VM-1-v1"),
                version=version,
                parts=sold_parts(story.state),
                actor="eve",
                reason="stale",
            )
            for version in (story.state.version, story.state.version - 1)
        ),
        events.CodeCreated(qr_payload="https://qr.example/x"),
        events.CodeStatusChanged(status=CodeStatus.STOPPED),
        events.CodeStopOrdered(),
        events.CodeWished(says=Says(notify="n", name="s", address="a")),
        events.CodeWished(says=Says(notify="n", store="2"), wait_ms=1_000),
        events.CodeModified(says=Says(notify="n", name="s", address="a")),
        events.CodeDeleted(),
        events.CodeFailed(final=False, detail="time-out"),
        events.CodeFailed(final=True, detail="ILLEGAL_PARTNER"),
        events.ConfigurationChanged(configuration=Configuration(revision=0)),
        *(
            events.ConfigurationChanged(
                configuration=Configuration(revision=9, enabled=on, mode=mode, planogram_version=2),
                columns=(),
                goods_may_be_removed=on,
            )
            for on in (True, False)
            for mode in Mode
        ),
        events.ConfigurationChanged(
            configuration=Configuration(revision=9, planogram_version=2),
            columns=(Column(column="A1", product="cola", price_minor=600, capacity=2, stock=1),),
        ),
        *(
            IncidentClosed(incident_id=f"VM-1-i{number}", reason="looked", actor="ann")
            for number in (1, 9)
        ),
        events.StockCounted(column="A1", stock=7),
        events.StockCounted(column="A1", stock=11),
        events.StockCounted(column="Z9", stock=1),
        *(
            events.GoodsMoved(
                kind=kind,
                cause=f"act-{kind}-{column}-{quantity}",
                version=version,
                column=column,
                product=product,
                quantity=quantity,
                into=kind is GoodsKind.LOADED,
                place=loading_place("act"),
                visit="7",
            )
            for kind in (GoodsKind.LOADED, GoodsKind.UNLOADED, GoodsKind.REVERSED)
            for column, product in (("A1", "cola"), ("A1", "tea"), ("Z9", "cola"))
            for quantity in (0, 1, 3, 11)
            for version in (story.state.version, story.state.version + 1)
        ),
        *(
            events.GoodsCounted(
                cause=f"count-{counted}",
                version=story.state.version,
                column="A1",
                product="cola",
                counted=counted,
                believed=believed,
            )
            for counted, believed in ((3, 3), (0, 3), (5, 3), (0, 9), (99, 0))
        ),
        *(
            ordered(story, command_id, kind, column)
            for command_id in ("c1", "c9")
            for kind in CommandKind
            for column in ("A1", "Z9")
        ),
        *(CommandCancelled(command_id=command_id, actor="ann") for command_id in ("c2", "c9")),
        events.TimePassed(),
        events.Resumed(reason="its host started"),
    ]
