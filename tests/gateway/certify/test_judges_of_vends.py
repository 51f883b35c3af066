"""The judges of single vends, on recordings by hand."""

import pytest

from gateway.certify import judges_of_vends as judges
from gateway.certify.moments import MomentKind, NotSeen, RuleOutcome, RuleVerdict
from gateway.v1 import machine_pb2 as pb
from tests.gateway.certify.told import Tale

TURNED = [(MomentKind.COUNTED, "4"), (MomentKind.COUNTED, "5")]


def vend() -> Tale:
    return Tale().connected().asked().approved()


def test_a_vend_has_one_result() -> None:
    """None and two are both wrong; the same frame once more is not."""
    assert RuleOutcome.FAIL is judges.pay_first(vend().seen).outcome
    assert RuleOutcome.PASS is judges.pay_first(vend().succeeded().succeeded().seen).outcome
    assert RuleOutcome.FAIL is judges.pay_first(vend().succeeded().succeeded(4).seen).outcome


def test_a_request_without_a_price_is_none() -> None:
    """What is on the screen is what the customer agreed to."""
    tale = Tale().connected().heard(2, vend_request=pb.VendRequest(request_id="r", column="A1"))
    assert RuleOutcome.FAIL is judges.pay_first(tale.approved().succeeded().seen).outcome


def test_whoever_has_to_pay_has_time() -> None:
    """A cancellation before the money came is a failure."""
    tale = Tale().connected().asked().heard(3, vend_cancel=pb.VendCancel(request_id="r1"))
    assert RuleOutcome.FAIL is judges.purchase_first(tale.seen).outcome
    assert RuleOutcome.PASS is judges.purchase_first(vend().succeeded().seen).outcome


def test_a_late_approval_is_answered_and_not_obeyed() -> None:
    """Nothing but VendFailure(NOT_WAITING) with the motor still will do."""
    assert RuleOutcome.PASS is judges.late(vend().refused().seen).outcome
    assert RuleOutcome.FAIL is judges.late(vend().succeeded().seen).outcome
    assert RuleOutcome.FAIL is judges.late(vend().seen).outcome
    with pytest.raises(NotSeen):
        judges.late(Tale().connected().seen)


def test_a_motor_is_still_only_if_somebody_counted() -> None:
    """Without a count nobody knows; with one it must not have turned."""
    tale = vend().succeeded().approved().succeeded(4)
    assert RuleOutcome.NOT_TRIED is judges.approved_again(tale.seen).outcome
    for kind, text in TURNED:
        tale.note(kind, text=text)
    assert RuleOutcome.FAIL is judges.approved_again(tale.seen).outcome


def test_two_results_are_two_whoever_counts() -> None:
    """Nobody need count turns to see that a vend was told twice under two numbers."""
    twice = vend().succeeded().succeeded(4)
    assert RuleOutcome.FAIL is judges.approved_twice_at_once(twice.seen).outcome
    assert RuleOutcome.NOT_TRIED is judges.approved_twice_at_once(vend().succeeded().seen).outcome


def test_a_repeated_approval_has_the_same_result() -> None:
    """No answer, and another one, are wrong."""
    assert RuleOutcome.FAIL is judges.approved_again(vend().succeeded().approved().seen).outcome
    other = vend().succeeded().approved().refused(4)
    assert RuleOutcome.FAIL is judges.approved_again(other.seen).outcome


@pytest.mark.parametrize(
    ("stage", "result", "outcome"),
    [
        (pb.JOURNAL_STAGE_MOTOR_ON, False, RuleOutcome.PASS),
        (pb.JOURNAL_STAGE_MOTOR_ON, True, RuleOutcome.FAIL),
        (pb.JOURNAL_STAGE_ACCEPTED, False, RuleOutcome.FAIL),
        (pb.JOURNAL_STAGE_SUCCEEDED, True, RuleOutcome.PASS),
        (pb.JOURNAL_STAGE_FAILED, True, RuleOutcome.FAIL),
        (pb.JOURNAL_STAGE_UNSPECIFIED, False, RuleOutcome.FAIL),
        (99, False, RuleOutcome.FAIL),
    ],
)
def test_the_tail_and_what_is_told_agree(
    stage: pb.JournalStage.ValueType, result: bool, outcome: RuleOutcome
) -> None:
    """After a power cut with the motor on, what a repeated approval brings is in the tail."""
    tail = [pb.JournalEntry(vend_id="v1", stage=stage)]
    tale = vend().note(MomentKind.COUNTED, text="1").connected("b2", stream=2, journal_tail=tail)
    tale.approved(stream=2)
    if result:
        tale.succeeded(1, stream=2)
    tale.note(MomentKind.COUNTED, text="1")
    assert outcome is judges.power_cut_with_motor_on(tale.seen).outcome


def test_a_vend_without_a_line_is_a_failure() -> None:
    """An approval that the tail leaves out never came, as the backend sees it."""
    tale = vend().connected("b2", stream=2).approved(stream=2)
    assert RuleOutcome.FAIL is judges.power_cut_with_motor_on(tale.seen).outcome


def test_a_settled_vend_leaves_the_tail() -> None:
    """A Welcome to its line settles it."""
    tail = [pb.JournalEntry(vend_id="v1", stage=pb.JOURNAL_STAGE_SUCCEEDED)]
    once = vend().succeeded().connected("b2", stream=2, journal_tail=tail)
    assert RuleOutcome.PASS is judges.power_cut_with_result(once.seen).outcome
    tail[0].MergeFromString(bytes([0x10, 99]))
    strange = vend().succeeded().connected("b2", stream=2, journal_tail=tail)
    assert "the tail says 99" in judges.power_cut_with_result(strange.seen).why
    again = once.connected("b2", stream=3, journal_tail=tail)
    assert RuleOutcome.FAIL is judges.power_cut_with_result(again.seen).outcome


@pytest.mark.parametrize(
    ("tail", "outcome"),
    [
        (["v1", "v2"], RuleOutcome.PASS),
        (["v0", "v1", "v2"], RuleOutcome.PASS),
        (["v2", "v1"], RuleOutcome.FAIL),
        (["v2", "v0", "v1"], RuleOutcome.FAIL),
        (["v2"], RuleOutcome.NOT_TRIED),
        ([], RuleOutcome.NOT_TRIED),
    ],
)
def test_the_tail_names_the_oldest_vend_first(tail: list[str], outcome: RuleOutcome) -> None:
    """Of those that were approved here; what is left out is another rule's."""
    entries = [
        pb.JournalEntry(vend_id=vend_id, stage=pb.JOURNAL_STAGE_SUCCEEDED) for vend_id in tail
    ]
    tale = Tale().connected().approved().approved("v2")
    assert (
        outcome is judges.oldest_first(tale.connected(stream=2, journal_tail=entries).seen).outcome
    )


def test_the_next_boot_knows_a_vend_that_was_settled() -> None:
    """Silence, and another result, are wrong; evidence may be forgotten."""

    def told(*, turns: int = 0) -> Tale:
        tale = vend().succeeded().connected("b2", stream=2).note(MomentKind.COUNTED, text="1")
        return tale.approved(stream=2).note(MomentKind.COUNTED, text=str(1 + turns))

    assert RuleOutcome.FAIL is judges.approved_in_the_next_boot(told().seen).outcome
    other = told().refused(1, stream=2)
    assert RuleOutcome.FAIL is judges.approved_in_the_next_boot(other.seen).outcome
    bare = pb.VendSuccess(vend_id="v1")
    again = told().heard(1, stream=2, vend_success=bare)
    assert RuleOutcome.PASS is judges.approved_in_the_next_boot(again.seen).outcome
    turned = told(turns=1).heard(1, stream=2, vend_success=bare)
    assert RuleOutcome.FAIL is judges.approved_in_the_next_boot(turned.seen).outcome


def test_a_code_for_nobody_is_cancelled() -> None:
    """Each of them, behind the code; and for a request that was denied before."""

    def told(*cancelled: str) -> RuleVerdict:
        tale = Tale().connected().said(2, show_qr=pb.ShowQr(request_id="r0"))
        if "r0" in cancelled:
            tale.heard(2, vend_cancel=pb.VendCancel(request_id="r0"))
        tale.asked().said(3, show_qr=pb.ShowQr(request_id="r1"))
        if "r1" in cancelled:
            tale.heard(2, vend_cancel=pb.VendCancel(request_id="r1"))
        return judges.strange_code(tale.seen)

    assert RuleOutcome.PASS is told("r0", "r1").outcome
    assert "nobody waits for" in told("r1").why
    assert "was denied" in told("r0").why


def test_a_request_that_was_given_up_is_forgotten() -> None:
    """Though nobody answered: somebody can choose again."""
    given_up = Tale().connected().asked()
    given_up.at_ms += 40_000
    given_up.heard(3, vend_cancel=pb.VendCancel(request_id="r1"))
    assert "nobody could choose again" in judges.never_answered(given_up.seen).why
    assert RuleOutcome.PASS is judges.never_answered(given_up.asked(4, "r2").seen).outcome


def test_an_approval_that_was_lost_with_the_stream_is_nobodys_fault() -> None:
    """A slow board had not read it yet. It had, if a motor turned or a result comes."""
    lost = Tale().connected().asked().approved().note(MomentKind.ENDED).connected(stream=2)
    assert RuleOutcome.NOT_TRIED is judges.cut_in_vend(lost.seen).outcome
    assert RuleOutcome.FAIL is judges.cut_in_vend(lost.succeeded(stream=2).seen).outcome
