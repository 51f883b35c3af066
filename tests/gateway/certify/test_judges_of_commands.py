"""The judges of commands, on recordings by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.certify import judges_of_commands as judges
from gateway.certify.moments import MomentKind, Recording, RuleOutcome, RuleVerdict
from gateway.v1 import machine_pb2 as pb
from tests.gateway.certify.told import Tale

APPLIED, REJECTED = pb.COMMAND_OUTCOME_APPLIED, pb.COMMAND_OUTCOME_REJECTED
RAN = pb.Evidence(motor=pb.MOTOR_EVIDENCE_RAN, drop=pb.DROP_EVIDENCE_SEEN)
NOT_RUN = pb.Evidence(motor=pb.MOTOR_EVIDENCE_NOT_RUN)
TRY: dict[str, Any] = {"test_vend": pb.TestVend(column="A1")}
LOCK: dict[str, Any] = {"lock_column": pb.LockColumn(column="A1", locked=True)}
UNLOCK: dict[str, Any] = {"lock_column": pb.LockColumn(column="A1")}
REPORT: dict[str, Any] = {"report": pb.Report()}
TOLD = pb.MachineReport(firmware="x")


class Ordered(Tale):
    """A tale of commands."""

    def order(self, command_id: str, valid_for_ms: int = 9, **what: Any) -> "Ordered":
        command = pb.Command(command_id=command_id, valid_for_ms=valid_for_ms, **what)
        self.said(2, command=command)
        return self

    def answer(
        self, command_id: str, outcome: pb.CommandOutcome.ValueType = APPLIED, **more: Any
    ) -> "Ordered":
        told = pb.CommandResult(command_id=command_id, outcome=outcome, **more)
        self.heard(2, command_result=told)
        return self

    def count(self, turns: int) -> "Ordered":
        self.note(MomentKind.COUNTED, text=str(turns))
        return self

    def boots(self) -> "Ordered":
        self.connected("b2", stream=2)
        return self


def begun() -> Ordered:
    tale = Ordered()
    tale.connected()
    return tale


def knowing(tale: Tale, **what: Any) -> Recording:
    """The same, of a machine that answered a command of this kind before."""
    before = Ordered().order("c-before", **what).answer("c-before")
    return Recording(tale.moments, before.moments)


def test_known_orders_are_answered_as_often_as_they_come() -> None:
    """One of an unknown kind is not, and a report has a report."""

    def told(*, times: int = 2, odd: bool = False, **more: Any) -> RuleVerdict:
        tale = begun().order("c0")
        if odd:
            tale.answer("c0")
        for number in range(2):
            tale.order("c1", **REPORT)
            if number < times:
                tale.answer("c1", **more)
        return judges.told_again(knowing(tale, **REPORT))

    assert RuleOutcome.PASS is told(report=TOLD).outcome
    assert "unknown kind" in told(odd=True, report=TOLD).why
    assert "(report) was not answered" in told(times=0).why
    assert "(report) that came again was not answered again" in told(times=1, report=TOLD).why
    assert "without a report" in told().why
    assert "REJECTED was said" in told(outcome=REJECTED).why


def test_a_lock_that_was_ended_stays_ended() -> None:
    """Whoever chooses then is served."""
    tale = begun()
    for command_id, what in (("c1", LOCK), ("c1", LOCK), ("c2", UNLOCK), ("c1", LOCK)):
        tale.order(command_id, **what).answer(command_id)
    assert RuleOutcome.FAIL is judges.locked(tale.seen).outcome
    assert RuleOutcome.PASS is judges.locked(tale.asked().seen).outcome


def tried(*, turns: int = 1, again: bool = True, chosen: bool = False, **told: Any) -> RuleVerdict:
    tale = begun().count(4).order("c1", **TRY)
    if chosen:
        tale.asked()
    tale.answer("c1", **({"evidence": RAN} | told)).order("c1", **TRY)
    if again:
        tale.answer("c1", **({"evidence": RAN} | told))
    return judges.column_tried(tale.count(4 + turns).seen)


def test_a_column_is_tried_once() -> None:
    """And the order that comes again is answered alike."""
    assert RuleOutcome.PASS is tried().outcome
    assert "turned 2 times" in tried(turns=2).why
    assert "not answered again" in tried(again=False).why
    assert "a choice was taken" in tried(chosen=True).why
    assert "without evidence" in tried(evidence=None).why
    assert "MOTOR_EVIDENCE_NOT_RUN" in tried(evidence=NOT_RUN).why
    other = begun().order("c1", **TRY).answer("c1", evidence=RAN).order("c1", **TRY)
    assert "another result" in judges.column_tried(other.answer("c1", evidence=NOT_RUN).seen).why
    silent = begun().order("c1", **TRY).order("c1", **TRY)
    assert RuleOutcome.FAIL is judges.column_tried(knowing(silent, **TRY)).outcome


def test_a_test_vend_that_was_refused_says_nothing_of_the_motor() -> None:
    """Unless it turned."""
    refused = tried(turns=0, outcome=REJECTED, detail="door open")
    assert (RuleOutcome.NOT_TRIED, True) == (refused.outcome, "door open" in refused.why)
    assert RuleOutcome.FAIL is tried(turns=1, outcome=REJECTED).outcome
    uncounted = begun().order("c1", **TRY).answer("c1", evidence=RAN).order("c1", **TRY)
    uncounted.answer("c1", evidence=RAN)
    assert RuleOutcome.NOT_TRIED is judges.column_tried(uncounted.seen).outcome


@pytest.mark.parametrize(
    ("turns", "answer", "outcome"),
    [
        (0, None, RuleOutcome.PASS),
        (1, None, RuleOutcome.PASS),
        (1, APPLIED, RuleOutcome.PASS),
        (0, REJECTED, RuleOutcome.PASS),
        (2, None, RuleOutcome.FAIL),
        (0, APPLIED, RuleOutcome.FAIL),
        (1, REJECTED, RuleOutcome.FAIL),
    ],
)
def test_a_test_vend_that_a_power_cut_ended_turns_nothing_again(
    turns: int, answer: pb.CommandOutcome.ValueType | None, outcome: RuleOutcome
) -> None:
    """What is said of it is no lie."""
    tale = begun().count(4).order("c1", **TRY).boots().order("c1", **TRY)
    if answer is not None:
        tale.answer("c1", answer)
    tale.count(4 + turns)
    assert outcome is judges.column_tried_and_cut(knowing(tale, **TRY)).outcome
    uncounted = begun().order("c1", **TRY).boots()
    assert RuleOutcome.NOT_TRIED is judges.column_tried_and_cut(uncounted.seen).outcome


def test_what_comes_at_a_bad_time_is_rejected() -> None:
    """Each time, and nothing restarts."""
    tale = begun().order("c1", **TRY).answer("c1", REJECTED).order("c1", **TRY)
    assert "that came again was not answered again" in judges.at_a_bad_time(tale.seen).why
    assert RuleOutcome.PASS is judges.at_a_bad_time(tale.answer("c1", REJECTED).seen).outcome
    assert RuleOutcome.FAIL is judges.at_a_bad_time(tale.answer("c1").boots().seen).outcome
    obeyed = begun().order("c1", **TRY).answer("c1")
    assert "APPLIED was said" in judges.at_a_bad_time(obeyed.seen).why
    silent = knowing(begun().order("c1", **TRY), **TRY)
    assert "(test_vend) was not" in judges.at_a_bad_time(silent).why


def test_what_is_over_is_rejected() -> None:
    """Others are not looked at."""
    tale = begun().order("c1", 0, **LOCK).answer("c1", REJECTED).order("c2", **UNLOCK)
    assert RuleOutcome.PASS is judges.expired(tale.answer("c2").seen).outcome
    late = begun().order("c1", 0, **LOCK).answer("c1")
    assert RuleOutcome.FAIL is judges.expired(late.seen).outcome


def test_a_reboot_is_done_once_and_said_by_the_next_boot() -> None:
    """Two boots, and APPLIED in the boot that was told, are wrong."""
    order = pb.Command(command_id="c", reboot=pb.Reboot())
    done = pb.CommandResult(command_id="c", outcome=pb.COMMAND_OUTCOME_APPLIED)

    def told() -> Tale:
        return Tale().connected().said(2, command=order)

    good = told().connected("b2", stream=2).heard(1, stream=2, command_result=done)
    assert RuleOutcome.PASS is judges.reboot(good.seen).outcome
    assert RuleOutcome.FAIL is judges.reboot(good.connected("b3", stream=3).seen).outcome
    lie = told().heard(2, command_result=done).connected("b2", stream=2)
    assert RuleOutcome.FAIL is judges.reboot(lie.seen).outcome
    assert RuleOutcome.FAIL is judges.reboot(told().heard(2, command_result=done).seen).outcome
    silent = knowing(told(), reboot=pb.Reboot())
    assert "0 times" in judges.reboot(silent).why
    done.outcome = REJECTED
    refused = judges.reboot(told().heard(2, command_result=done).seen)
    assert (RuleOutcome.NOT_TRIED, True) == (refused.outcome, "refused" in refused.why)


@pytest.mark.parametrize(
    ("judge", "orders"),
    [
        (judges.told_again, [{}, REPORT, REPORT]),
        (judges.locked, [LOCK, LOCK, UNLOCK, LOCK]),
        (judges.column_tried, [TRY, TRY]),
        (judges.column_tried_and_cut, [TRY, TRY]),
        (judges.reboot, [{"reboot": pb.Reboot()}]),
        (judges.at_a_bad_time, [TRY]),
        (judges.expired, [{"valid_for_ms": 0} | LOCK]),
    ],
)
def test_of_a_kind_that_was_never_answered_nobody_knows(
    judge: Callable[[Recording], RuleVerdict], orders: list[dict[str, Any]]
) -> None:
    """What a machine does not know it does not answer; unless a motor turned for it."""
    tale = begun().count(4)
    for number, order in enumerate(orders):
        tale.order(f"c{number}", **order)
    verdict = judge(tale.count(4).seen)
    assert RuleOutcome.NOT_TRIED is verdict.outcome
    kind = next(name for name in orders[-1] if name != "valid_for_ms")
    assert f"did not know it: {kind}" in verdict.why
    turned = begun().count(4).order("c1", **TRY).count(5)
    assert RuleOutcome.FAIL is judges.column_tried(turned.seen).outcome
