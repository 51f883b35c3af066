"""One vend, step by step."""

import itertools

import pytest

from gateway.simulator.commands import Command, Send, Tell, TurnMotor, Write
from gateway.simulator.happenings import Denied, PaymentAsked, VendEnded, VendStarted
from gateway.simulator.memory import Memory, Settled, VendLine
from gateway.simulator.vending import Vending, judge, result_of
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

COLUMN = pb.PlanogramColumn(column="A1", price_minor=500)
SEEN, RAN = pb.DROP_EVIDENCE_SEEN, pb.MOTOR_EVIDENCE_RAN


def vending(memory: Memory | None = None) -> Vending:
    """Make the vending of a fresh boot; what it says is sent at once."""
    return Vending(
        boot_id="b2",
        memory=memory or Memory(),
        response_time_ms=40_000,
        say=lambda frame, _: [Send(frame)],
    )


def approval(
    vend_id: str = "v1", request_id: str = "b2-r1", column: str = "A1", valid_for_ms: int = 30_000
) -> pb.VendApproved:
    """Make an approval."""
    return pb.VendApproved(
        vend_id=vend_id,
        request_id=request_id,
        column=column,
        amount_minor=500,
        valid_for_ms=valid_for_ms,
    )


def carry_out(subject: Vending, commands: list[Command], now_ms: int = 0) -> list[Command]:
    """Write what is to be written, and what follows from it; return all commands in the order of
    their carrying out.
    """
    waiting, done = list(commands), []
    while waiting:
        command = waiting.pop(0)
        done.append(command)
        if isinstance(command, Write):
            waiting += subject.written(command.line, now_ms)
    return done


def sent(commands: list[Command]) -> list[str]:
    """Return the kinds of the frames among the commands."""
    return [
        str(command.frame.WhichOneof("payload"))
        for command in commands
        if isinstance(command, Send)
    ]


def test_the_journal_comes_before_the_motor() -> None:
    """ACCEPTED, then MOTOR_ON, then the motor; the result is written before it is said."""
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    before = carry_out(subject, subject.approved(approval(), 0))
    after = carry_out(subject, subject.motor_stopped("v1", RAN, SEEN))

    assert [Write, Tell, Write, TurnMotor] == [type(command) for command in before]
    assert [
        pb.JOURNAL_STAGE_ACCEPTED,
        pb.JOURNAL_STAGE_MOTOR_ON,
    ] == [
        command.line.stage
        for command in before
        if isinstance(command, Write) and isinstance(command.line, VendLine)
    ]
    assert isinstance(after[0], Write)
    assert ["vend_success"] == sent(after)
    assert (
        Tell(
            VendEnded(
                vend_id="v1",
                request_id="b2-r1",
                column="A1",
                delivered=True,
                cause=pb.VEND_FAILURE_CAUSE_UNSPECIFIED,
            )
        )
        == after[-1]
    )
    assert not subject.busy


def test_the_motor_is_not_ordered_before_the_line_is_on_flash() -> None:
    """As long as nobody reports the line as written, nothing moves."""
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    commands = subject.approved(approval(), 0)

    assert [Write, Tell] == [type(command) for command in commands]
    assert [] == subject.motor_stopped("v1", RAN, SEEN)


@pytest.mark.parametrize(("first_ms", "second_ms"), [(30_000, 30_000), (29_999, 30_000)])
def test_an_approval_is_void_when_its_time_is_over(first_ms: int, second_ms: int) -> None:
    """However slow the flash is: a motor that has not started within valid_for_ms never starts."""
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    accepted = subject.approved(approval(), 0)[0]
    assert isinstance(accepted, Write)
    commands = subject.written(accepted.line, first_ms)
    written = commands[0]
    assert isinstance(written, Write)
    commands = carry_out(subject, [written], second_ms)

    assert not any(isinstance(command, TurnMotor) for command in commands)
    failure = next(command.frame.vend_failure for command in commands if isinstance(command, Send))
    assert (
        pb.VEND_FAILURE_CAUSE_NOT_WAITING,
        pb.MOTOR_EVIDENCE_NOT_RUN,
    ) == (failure.cause, failure.evidence.motor)
    assert not subject.busy


@pytest.mark.parametrize(
    "why", ["no request", "another request", "another column", "given up", "a vend runs"]
)
def test_an_approval_that_nobody_waits_for_is_refused(why: str) -> None:
    """The motor stays still and the backend hears NOT_WAITING, once, from the journal."""
    subject = vending()
    wanted = approval("v9")
    if why != "no request":
        subject.ask(COLUMN, 1, 0)
    if why == "another request":
        wanted = approval("v9", request_id="b1-r7")
    elif why == "another column":
        wanted = approval("v9", column="B2")
    elif why == "given up":
        subject.give_up(1)
    elif why == "a vend runs":
        carry_out(subject, subject.approved(approval("v1"), 0))
    commands = carry_out(subject, subject.approved(wanted, 5))

    assert ["vend_failure"] == sent(commands)
    assert not any(isinstance(command, TurnMotor | Tell) for command in commands)
    assert [] == carry_out(subject, subject.approved(wanted, 5))


def test_a_running_vend_is_not_begun_again() -> None:
    """A second approval while the motor turns changes nothing."""
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    carry_out(subject, subject.approved(approval(), 0))

    assert [] == subject.approved(approval(), 1)


def test_a_known_result_is_told_again() -> None:
    """A vend whose result was acknowledged, approved once more, is answered from the journal,
    without the motor.
    """
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    carry_out(subject, subject.approved(approval(), 0))
    commands = carry_out(subject, subject.motor_stopped("v1", RAN, SEEN))
    frame = next(command.frame for command in commands if isinstance(command, Send))

    assert [] == subject.approved(approval(), 1)  # its result is still in the outbox
    settled = subject.acknowledged([frame])
    assert [Write(Settled(vend_ids=("v1",)))] == settled
    carry_out(subject, settled)
    again = carry_out(subject, subject.approved(approval(), 2))
    assert ["vend_success"] == sent(again)
    assert not any(isinstance(command, TurnMotor) for command in again)


@pytest.mark.parametrize("rebooted", [False, True])
def test_a_known_vend_of_another_request_is_refused(*, rebooted: bool) -> None:
    """A restored backend gives a vend_id out again: the old result is no answer to the new request,
    the motor stays still, and the machine is free. That answer is the one that is told again.
    """
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    carry_out(subject, subject.approved(approval(), 0))
    carry_out(subject, subject.motor_stopped("v1", RAN, SEEN))
    if rebooted:
        subject = vending(Memory(subject.memory.lines()))
        subject.ask(COLUMN, 1, 0)
    subject.ask(COLUMN, 1, 0)
    commands = carry_out(subject, subject.approved(approval(request_id="b2-r2"), 2))

    (failure,) = (command.frame.vend_failure for command in commands if isinstance(command, Send))
    assert ("v1", pb.VEND_FAILURE_CAUSE_NOT_WAITING) == (failure.vend_id, failure.cause)
    assert pb.MOTOR_EVIDENCE_NOT_RUN == failure.evidence.motor
    assert not any(isinstance(command, TurnMotor) for command in commands)
    assert not subject.busy
    known = subject.memory.known("v1")
    assert known is not None
    assert ("b2-r2", pb.JOURNAL_STAGE_FAILED) == (known.request_id, known.stage)
    carry_out(
        subject,
        subject.acknowledged([command.frame for command in commands if isinstance(command, Send)]),
    )
    again = carry_out(subject, subject.approved(approval(request_id="b2-r2"), 3))
    assert ["vend_failure"] == sent(again)


def test_a_running_vend_stays_in_the_journal_when_its_id_comes_for_another_request() -> None:
    """The other request is refused by word alone: the line says what the motor does."""
    subject = vending()
    subject.ask(COLUMN, 1, 0)
    carry_out(subject, subject.approved(approval(), 0))
    commands = carry_out(subject, subject.approved(approval(request_id="b1-r9"), 1))

    assert ["vend_failure"] == sent(commands)
    assert not any(isinstance(command, Write) for command in commands)
    assert ["vend_success"] == sent(carry_out(subject, subject.motor_stopped("v1", RAN, SEEN)))


def test_a_line_of_older_firmware_answers_any_request() -> None:
    """It does not say whose it is, so the old rule holds: the result again, and no motor."""
    line = VendLine(
        vend_id="v1", boot_id="b1", stage=pb.JOURNAL_STAGE_SUCCEEDED, motor=RAN, drop=SEEN
    )
    subject = vending(Memory([line, Settled(vend_ids=("v1",))]))

    assert ["vend_success"] == sent(carry_out(subject, subject.approved(approval(), 0)))


@pytest.mark.parametrize(
    ("stage", "said"),
    [(pb.JOURNAL_STAGE_ACCEPTED, "vend_failure"), (pb.JOURNAL_STAGE_MOTOR_ON, "fault")],
)
def test_a_vend_of_an_earlier_boot_is_never_begun_again(
    stage: pb.JournalStage.ValueType, said: str
) -> None:
    """ACCEPTED is void after a reboot; after MOTOR_ON nobody knows, and nothing turns again."""
    subject = vending(Memory([VendLine(vend_id="v1", boot_id="b1", stage=stage, column="A1")]))
    subject.ask(COLUMN, 1, 0)
    commands = carry_out(subject, subject.approved(approval(), 0))

    assert [said] == sent(commands)
    assert not any(isinstance(command, TurnMotor) for command in commands)


def test_what_hello_told_of_earlier_boots_is_settled_by_welcome() -> None:
    """Lines of this boot wait for the acknowledgement of their own frames."""
    earlier = VendLine(vend_id="v1", boot_id="b1", stage=pb.JOURNAL_STAGE_MOTOR_ON)
    present = VendLine(vend_id="v2", boot_id="b2", stage=pb.JOURNAL_STAGE_MOTOR_ON)

    assert [Write(Settled(vend_ids=("v1",)))] == vending().told([earlier, present], loss_told=False)
    assert [] == vending().told([present], loss_told=False)
    assert [Write(Settled(loss_told=True))] == vending().told([], loss_told=True)


def test_the_machine_gives_up_after_its_response_time_and_forgets_after_another() -> None:
    """First VendCancel, then, without any answer, free for the next customer."""
    subject = vending()
    request, _ = subject.ask(COLUMN, 1, 1_000)

    assert [] == subject.tick(40_999)
    assert ["vend_cancel"] == sent(subject.tick(41_000))
    assert 81_000 == subject.next_tick_at_ms
    assert [] == subject.tick(80_000)
    assert [
        Tell(
            Denied(
                request_id=request.request_id,
                reason=pb.VEND_DENIED_REASON_UNSPECIFIED,
                funds_minor=0,
            )
        )
    ] == subject.tick(81_000)
    assert not subject.busy
    assert [] == subject.give_up(90_000)


def test_money_is_asked_for_the_present_choice_only() -> None:
    """A choice of an earlier boot, for which money is asked again, is given up."""
    subject = vending()
    request, _ = subject.ask(COLUMN, 1, 0)
    mine = pb.ShowQr(
        request_id=request.request_id, qr_payload="qr", amount_minor=500, expires_in_ms=25_000
    )

    asked = PaymentAsked(
        request_id=request.request_id, qr_payload="qr", amount_minor=500, expires_in_ms=25_000
    )
    assert [Tell(asked)] == subject.show_qr(mine, 7)
    assert subject.request is not None
    assert 25_007 == subject.request.pay_until_ms
    assert ["vend_cancel"] == sent(subject.show_qr(pb.ShowQr(request_id="b1-r9"), 8))
    subject.give_up(9)
    assert [] == subject.show_qr(mine, 10)


def test_only_the_answer_to_the_present_request_counts() -> None:
    """An old denial changes nothing."""
    subject = vending()
    request, _ = subject.ask(COLUMN, 1, 0)

    assert [] == subject.denied(pb.VendDenied(request_id="b1-r9"))
    assert 1 == len(subject.denied(pb.VendDenied(request_id=request.request_id)))
    assert not subject.busy


def test_requests_are_never_named_twice() -> None:
    """The name holds the boot and a counter."""
    subject = vending()
    names = []
    for _ in range(3):
        request, _ = subject.ask(COLUMN, 1, 0)
        names.append(request.request_id)
        subject.refused(request.request_id)

    assert ["b2-r1", "b2-r2", "b2-r3"] == names


@pytest.mark.parametrize(
    ("motor", "drop"), list(itertools.product(pb.MotorEvidence.values(), pb.DropEvidence.values()))
)
def test_what_was_seen_to_fall_is_delivered(
    motor: pb.MotorEvidence.ValueType, drop: pb.DropEvidence.ValueType
) -> None:
    """Goods are delivered if they were seen, or if a motor ran its cycle and nothing speaks against
    it.
    """
    delivered = not judge(motor, drop)

    assert delivered == (drop == SEEN or (motor == RAN and drop != pb.DROP_EVIDENCE_NOT_SEEN))


def test_a_frame_tells_whose_result_it_is() -> None:
    """Only results name a vend."""
    assert "v1" == result_of(service_pb.ConnectRequest(vend_success=pb.VendSuccess(vend_id="v1")))
    assert "v2" == result_of(service_pb.ConnectRequest(vend_failure=pb.VendFailure(vend_id="v2")))
    assert not result_of(service_pb.ConnectRequest(heartbeat=pb.Heartbeat()))


def test_a_vend_that_started_is_told() -> None:
    """The customer sees that the approval was taken."""
    subject = vending()
    subject.ask(COLUMN, 1, 0)

    assert Tell(
        VendStarted(vend_id="v1", request_id="b2-r1", column="A1", amount_minor=500)
    ) in subject.approved(approval(), 0)
