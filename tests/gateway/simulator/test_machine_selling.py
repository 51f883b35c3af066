"""The pure model of one boot: sessions, buttons, vends."""

import pytest

from gateway.simulator.commands import TurnMotor
from gateway.simulator.happenings import (
    Denied,
    NotNow,
)
from gateway.simulator.memory import TAIL_MAX, Booted, Memory, VendLine
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.bench import Bench, frames, happenings, kinds, vend, why_not

# --- sessions ---


def test_an_answer_that_was_lost_with_its_stream() -> None:
    """A free machine waits for nothing, unless its request is still on the way."""
    bench = Bench()
    bench.connect()
    bench.machine.select("A1", 0)
    bench.machine.connection.lost()
    bench.connect(last_seq=1)
    assert bench.machine.vending.busy

    commands = bench.connect(last_seq=2)
    assert Denied(
        request_id="b2-r1", reason=pb.VEND_DENIED_REASON_UNSPECIFIED, funds_minor=0
    ) in happenings(commands)
    assert not bench.machine.vending.busy


def test_service_and_planogram_follow_the_backend() -> None:
    """ServiceUpdate and PlanogramUpdate replace what was told before; the currency stays."""
    bench = Bench()
    bench.connect()
    bench.say(
        service_update=pb.ServiceUpdate(
            in_service=False, qr_payload="other", mode=pb.MODE_SELECTION_FIRST
        )
    )
    bench.say(
        planogram_update=pb.PlanogramUpdate(
            planogram_version=8, columns=[pb.PlanogramColumn(column="C1", price_minor=1)]
        )
    )
    service = bench.machine.service

    assert (
        False,
        "other",
        pb.MODE_SELECTION_FIRST,
        "HKD",
    ) == (service.in_service, service.qr_payload, service.mode, service.currency)
    assert (8, ["C1"]) == (bench.machine.planogram_version, list(bench.machine.columns))
    assert 8 == bench.machine.hello().hello.planogram_version


# --- buttons ---


def test_a_choice_goes_out_with_the_price_that_was_seen() -> None:
    """VendRequest carries the column, its price and the version of the planogram."""
    bench = Bench()
    bench.connect()
    request = frames(bench.machine.select("A1", 0))[0].vend_request

    assert (
        "b2-r1",
        "A1",
        500,
        7,
    ) == (request.request_id, request.column, request.price_minor, request.planogram_version)


def test_a_button_that_cannot_work_asks_nobody() -> None:
    """Whatever stands against it is said on the screen."""
    bench = Bench()
    machine = bench.machine

    assert why_not(machine.select("A1", 0)) is NotNow.OFFLINE
    bench.connect(in_service=False)
    assert why_not(machine.select("A1", 0)) is NotNow.OUT_OF_SERVICE
    bench.say(service_update=pb.ServiceUpdate(in_service=True, mode=pb.MODE_AUTHORIZATION_FIRST))
    assert why_not(machine.select("A1", 0)) is NotNow.PAY_FIRST
    assert why_not(machine.select("Z9", 0)) is NotNow.NO_SUCH_COLUMN
    machine.door(is_open=True, now_ms=0)
    assert why_not(machine.select("A1", 0)) is NotNow.DOOR_OPEN
    machine.door(is_open=False, now_ms=0)
    assert [] == machine.door(is_open=False, now_ms=0)
    bench.say(service_update=pb.ServiceUpdate(in_service=True, mode=pb.MODE_BOTH))
    machine.blocked.add("A1")
    assert why_not(machine.select("A1", 0)) is NotNow.COLUMN_BLOCKED
    machine.repaired("A1")
    assert why_not(machine.cancel(0)) is NotNow.NO_REQUEST
    assert why_not(machine.select("A1", 0)) is None
    assert why_not(machine.select("A1", 0)) is NotNow.BUSY
    assert ["vend_cancel"] == kinds(machine.cancel(0))
    assert why_not(machine.cancel(0)) is NotNow.NO_REQUEST


def test_nobody_can_finish_in_the_middle_of_a_vend() -> None:
    """The rest is asked for after the result."""
    bench = Bench()
    bench.connect()
    bench.say(begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=1))
    bench.machine.select("A1", 0)

    assert why_not(bench.machine.complete(0)) is NotNow.BUSY


def test_a_machine_that_has_too_much_unsaid_takes_no_new_wish() -> None:
    """There must always be room for results."""
    bench = Bench()
    bench.connect()
    for _ in range(30):
        bench.machine.cash_sold("A1", 500, 0)
    assert why_not(bench.machine.select("A1", 0)) is NotNow.TOO_MUCH_UNSAID

    full = Bench(
        Memory(
            [
                VendLine(vend_id=f"v{n}", boot_id="b2", stage=pb.JOURNAL_STAGE_MOTOR_ON)
                for n in range(TAIL_MAX)
            ]
        )
    )
    full.connect()
    assert why_not(full.machine.select("A1", 0)) is NotNow.TOO_MUCH_UNSAID


# --- vends ---


@pytest.mark.parametrize(
    ("motor", "drop", "said", "blocked"),
    [
        (pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, ["vend_success"], False),
        (pb.MOTOR_EVIDENCE_JAMMED, pb.DROP_EVIDENCE_NOT_SEEN, ["EJB", "vend_failure"], True),
        (pb.MOTOR_EVIDENCE_JAMMED, pb.DROP_EVIDENCE_SEEN, ["EJB", "vend_success"], True),
        (pb.MOTOR_EVIDENCE_NOT_RUN, pb.DROP_EVIDENCE_NOT_SEEN, ["ELB", "vend_failure"], True),
        (pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_NOT_SEEN, ["ELA", "vend_failure"], False),
    ],
)
def test_the_sensors_decide(
    motor: pb.MotorEvidence.ValueType,
    drop: pb.DropEvidence.ValueType,
    said: list[str],
    *,
    blocked: bool,
) -> None:
    """Result and fault follow from what was seen; a column that needs a person is taken out of
    use.
    """
    bench = Bench()
    bench.connect()
    assert any(isinstance(command, TurnMotor) for command in vend(bench))
    commands = bench.do(bench.machine.motor_stopped("v1", motor, drop, bench.now_ms))

    assert said == [frame.fault.code or frame.WhichOneof("payload") for frame in frames(commands)]
    assert list(range(3, 3 + len(said))) == [frame.seq for frame in frames(commands)]
    assert blocked == ("A1" in bench.machine.blocked)
    assert [] == bench.do(bench.machine.motor_stopped("v1", motor, drop, bench.now_ms))


def test_a_vend_under_way_is_in_the_tail_of_a_reconnection() -> None:
    """The backend sees how far it is, and hears the result when it is there."""
    bench = Bench()
    bench.connect()
    vend(bench)
    bench.machine.connection.lost()

    assert [("v1", pb.JOURNAL_STAGE_MOTOR_ON)] == [
        (entry.vend_id, entry.stage) for entry in bench.machine.hello().hello.journal_tail
    ]
    commands = bench.do(
        bench.machine.motor_stopped("v1", pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN, 0)
    )
    assert [] == frames(commands)
    assert ["vend_success"] == kinds(bench.connect(last_seq=2))
    assert ["v1"] == [line.vend_id for line in bench.machine.vending.memory.tail]
    bench.say(ack=3)
    assert () == bench.machine.vending.memory.tail


def test_an_earlier_boots_vend_is_told_until_welcome() -> None:
    """Welcome settles what Hello told of earlier boots; the loss of an older journal too."""
    earlier = VendLine(vend_id="v1", boot_id="b1", stage=pb.JOURNAL_STAGE_ACCEPTED)
    bench = Bench(Memory([Booted(number=1, boot_id="b1", lost=True), earlier]))
    first, again = bench.machine.hello().hello, bench.machine.hello().hello

    assert first == again
    bench.connect()
    assert () == bench.machine.vending.memory.tail
    assert not bench.machine.hello().hello.journal_lost
