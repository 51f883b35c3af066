"""What holds in every frame."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.certify import judges_of_all as judges
from gateway.certify.moments import MomentKind, Recording, RuleOutcome, RuleVerdict
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.told import Tale

Judge = Callable[[Recording], RuleVerdict]
ENABLE = pb.ReaderEnable()
NOT_SEEN = pb.Evidence(drop=pb.DROP_EVIDENCE_NOT_SEEN)
STOPPED = pb.Evidence(motor=pb.MOTOR_EVIDENCE_JAMMED)
SEEN_TO_FALL = pb.Evidence(drop=pb.DROP_EVIDENCE_SEEN)


def sound() -> Tale:
    tale = Tale().connected().heard(1, reader_enable=ENABLE, ack=1).asked(ack=1)
    return tale.approved().succeeded(ack=2).asked(4, "r2", ack=2)


def flood() -> Tale:
    tale = sound()
    for _ in range(211):
        tale.heard(heartbeat=pb.Heartbeat())
        tale.at_ms -= 999
    return tale


def unread(seq: int = 0) -> Tale:
    frame = service_pb.ConnectRequest(seq=seq)
    return sound().note(MomentKind.UNREAD, frame=frame, text="4000000 bytes")


def asked_in_two_boots(request_id: str) -> Tale:
    """The second boot's counter begins where the first one's did, so the frames are alike."""
    return Tale().connected().asked().connected("b2", stream=2).asked(2, request_id, stream=2)


def too_early() -> Tale:
    able = pb.Capabilities(response_time_ms=40_000)
    tale = sound().heard(hello=pb.Hello(capabilities=able), stream=2)
    return tale.heard(heartbeat=pb.Heartbeat(), stream=2)


def ended(**payload: Any) -> Tale:
    return sound().heard(4, **payload)


@pytest.mark.parametrize(
    "judge",
    [
        judges.hellos,
        judges.readers,
        judges.numbers,
        judges.acknowledgements,
        judges.fields,
        judges.rates,
        judges.evidence,
        judges.requests,
    ],
)
def test_a_sound_conversation_passes(judge: Judge) -> None:
    """None of them finds anything in what is as it should be."""
    assert RuleOutcome.PASS is judge(sound().seen).outcome


@pytest.mark.parametrize(
    ("judge", "tale"),
    [
        (judges.hellos, Tale().heard(1, reader_enable=ENABLE)),
        (judges.hellos, Tale().heard(1, hello=pb.Hello())),
        (judges.hellos, Tale().heard(hello=pb.Hello(machine_id="VM-0001"))),
        (judges.hellos, sound().heard(hello=pb.Hello())),
        (judges.hellos, too_early()),
        (judges.rates, flood()),
        (judges.readers, Tale().connected().asked(1)),
        (judges.numbers, Tale().connected().asked(2)),
        (judges.numbers, sound().asked(2, "r2")),
        (judges.numbers, Tale().connected().heard(1, heartbeat=pb.Heartbeat())),
        (judges.acknowledgements, Tale().connected().heard(1, reader_enable=ENABLE, ack=2)),
        (judges.acknowledgements, sound().heard(4, fault=pb.Fault(code="EJB"), ack=1)),
        (judges.fields, sound().asked(4, "a name with blanks")),
        (judges.fields, unread()),
        (judges.fields, sound().heard(4, fault=pb.Fault(code="x" * 17))),
        (judges.evidence, ended(vend_success=pb.VendSuccess(vend_id="v", evidence=NOT_SEEN))),
        (judges.evidence, ended(vend_success=pb.VendSuccess(vend_id="v", evidence=STOPPED))),
        (
            judges.evidence,
            ended(vend_failure=pb.VendFailure(vend_id="v", evidence=SEEN_TO_FALL)),
        ),
        (judges.requests, sound().asked(4, "r1")),
        (judges.requests, asked_in_two_boots("r1")),
    ],
)
def test_what_breaks_a_rule_fails_it(judge: Judge, tale: Tale) -> None:
    """And the verdict names the frame."""
    verdict = judge(tale.seen)

    assert RuleOutcome.FAIL is verdict.outcome
    assert len(tale.moments) == verdict.at[-1]


@pytest.mark.parametrize(
    "judge",
    [
        judges.hellos,
        judges.readers,
        judges.numbers,
        judges.acknowledgements,
        judges.fields,
        judges.rates,
        judges.evidence,
        judges.requests,
    ],
)
def test_of_nothing_nobody_knows(judge: Judge) -> None:
    """Where no such frame came, the rule was not tried."""
    assert RuleOutcome.NOT_TRIED is judge(Recording([])).outcome


def test_a_request_is_proved_by_two_choices() -> None:
    """One id alone was never used again, and in two boots it may only come again in the first."""
    alone = Tale().connected().asked()
    again = Tale().connected().asked().connected(stream=2).asked(stream=2)

    assert RuleOutcome.NOT_TRIED is judges.requests(alone.seen).outcome
    assert RuleOutcome.NOT_TRIED is judges.requests(again.seen).outcome
    assert RuleOutcome.PASS is judges.requests(asked_in_two_boots("r2").seen).outcome


def test_a_frame_that_cannot_be_read_uses_its_number_up() -> None:
    """So the numbers behind it have no gap; without a number it leaves none."""
    for tale in (unread(5).asked(6, "r3"), unread().asked(5, "r3")):
        assert RuleOutcome.PASS is judges.numbers(tale.seen).outcome
