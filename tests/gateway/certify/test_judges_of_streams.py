"""The judges of streams and waits, on recordings by hand."""

from collections.abc import Callable, Sequence
from random import Random

import pytest

from gateway.certify import judges_of_streams as judges
from gateway.certify.moments import MomentKind, Recording, RuleOutcome, RuleVerdict
from gateway.certify.times import GOOD_SESSIONS, INITIAL_MS, MAX_MS, TRIES, WIDE_MS
from gateway.v1 import machine_pb2 as pb
from tests.gateway.certify.told import Tale

WIDE = pb.Welcome(reconnect=pb.ReconnectGuidance(initial_ms=INITIAL_MS, max_ms=WIDE_MS))


def waits(
    *waits_ms: int, resets_ms: Sequence[int] | None = None, texts: Sequence[str] = ("UNAVAILABLE",)
) -> RuleVerdict:
    """Failures, with these texts in turn and these waits behind them; then good sessions, with the
    shortest ones if nothing else is said.
    """
    tale, stream = Tale(), 1

    def wait(wait_ms: int) -> None:
        nonlocal stream
        tale.note(MomentKind.ENDED, stream=stream, text=texts[(stream - 1) % len(texts)])
        tale.at_ms += wait_ms - 1_000
        stream += 1
        tale.note(MomentKind.OPENED, stream=stream)

    for wait_ms in waits_ms:
        wait(wait_ms)
    tale.said(1, stream=stream, welcome=WIDE)
    wait(0)
    for wait_ms in [min(waits_ms)] * GOOD_SESSIONS if resets_ms is None else resets_ms:
        tale.said(1, stream=stream, welcome=WIDE).heard(1, stream=stream)
        wait(wait_ms)
    return judges.away(tale.seen)


def ranges() -> list[int]:
    return [min(MAX_MS, INITIAL_MS * 2**number) for number in range(TRIES)]


def test_waits_that_are_drawn_pass() -> None:
    """A sound machine passes in each of two thousand runs."""
    rng = Random(1)
    dial_ms = 40
    for _ in range(2_000):
        drawn = [rng.randint(0, range_ms) + dial_ms for range_ms in ranges()]
        assert RuleOutcome.PASS is waits(*drawn).outcome, drawn


@pytest.mark.parametrize("dial_ms", [1_200, 2_000, 2_900])
def test_a_small_board_may_take_seconds_for_a_handshake(dial_ms: int) -> None:
    """That is no wait, and no wait without jitter passes for one."""
    rng = Random(dial_ms)
    for _ in range(300):
        drawn = [rng.randint(0, range_ms) + dial_ms for range_ms in ranges()]
        assert RuleOutcome.PASS is waits(*drawn).outcome, drawn
    assert RuleOutcome.FAIL is waits(*[range_ms + dial_ms for range_ms in ranges()]).outcome
    assert RuleOutcome.FAIL is waits(*[range_ms // 2 + dial_ms for range_ms in ranges()]).outcome
    assert RuleOutcome.FAIL is waits(*[50 + dial_ms for _ in ranges()]).outcome


@pytest.mark.parametrize(
    "waits_ms",
    [
        ranges(),
        [range_ms // 2 for range_ms in ranges()],
        [50] * TRIES,
        [INITIAL_MS] * (TRIES - 1) + [9_000],
        [60_000] * TRIES,
    ],
    ids=["none", "half", "hammering", "beyond", "far beyond"],
)
def test_waits_without_jitter_or_patience_fail(waits_ms: list[int]) -> None:
    """Neither a fixed share of the range nor none at all."""
    assert RuleOutcome.FAIL is waits(*waits_ms).outcome


def test_who_hammers_after_some_ends_alone_is_found() -> None:
    """Every other stream was not UNAVAILABLE; who is patient with all of them passes."""
    rng, texts = Random(2), ("UNAVAILABLE", "INTERNAL", "UNAVAILABLE", "CANCELLED")
    for _ in range(1_000):
        drawn = [rng.randint(0, range_ms) + 40 for range_ms in ranges()]
        assert RuleOutcome.PASS is waits(*drawn, texts=texts).outcome, drawn
        for first in (0, 1):
            some = [50 if at % 2 == first else wait_ms for at, wait_ms in enumerate(drawn)]
            assert RuleOutcome.FAIL is waits(*some, texts=texts).outcome, some


def test_who_comes_too_seldom_is_not_judged() -> None:
    """A few waits say nothing of chance."""
    assert RuleOutcome.NOT_TRIED is waits(10, 20).outcome


@pytest.mark.parametrize("dial_ms", [40, 1_200, 2_900])
def test_a_good_session_resets_the_range(dial_ms: int) -> None:
    """Who has forgotten nothing waits as long as before, and is found in 999 runs of 1000; who
    resets it is sound in each.
    """
    rng = Random(dial_ms)
    found = 0
    for _ in range(1_000):
        failed = [rng.randint(0, range_ms) + dial_ms for range_ms in ranges()]
        reset = [rng.randint(0, INITIAL_MS) + dial_ms for _ in range(GOOD_SESSIONS)]
        assert RuleOutcome.PASS is waits(*failed, resets_ms=reset).outcome, (failed, reset)
        wide = [rng.randint(0, WIDE_MS) + dial_ms for _ in range(GOOD_SESSIONS)]
        found += RuleOutcome.FAIL is waits(*failed, resets_ms=wide).outcome
    assert found >= (999 if dial_ms == 40 else 985)


def test_of_too_few_good_sessions_nobody_knows() -> None:
    """A network that breaks them off is not judged."""
    sound = [range_ms // number for number, range_ms in enumerate(ranges(), start=1)]
    assert RuleOutcome.NOT_TRIED is waits(*sound, resets_ms=[100, 100]).outcome
    assert RuleOutcome.PASS is waits(*sound, resets_ms=[100, 100, 100]).outcome


@pytest.mark.parametrize(
    ("waited_ms", "outcome"),
    [(1_000, RuleOutcome.FAIL), (3_000, RuleOutcome.PASS), (9_000, RuleOutcome.FAIL)],
)
def test_who_is_taken_over_waits_half_to_all(waited_ms: int, outcome: RuleOutcome) -> None:
    """Else two machines of one name end each other for ever."""
    tale = Tale().note(MomentKind.ENDED, text="ABORTED")
    tale.at_ms += waited_ms - 1_000
    assert outcome is judges.taken_over(tale.note(MomentKind.OPENED, stream=2).seen).outcome


@pytest.mark.parametrize(
    ("judge", "status"),
    [(judges.unknown_machine, "NOT_FOUND"), (judges.denied, "PERMISSION_DENIED")],
)
def test_who_needs_a_person_waits_long(
    judge: Callable[[Recording], RuleVerdict], status: str
) -> None:
    """Half of a minute to all of it."""
    for waited_ms, outcome in (
        (2_000, RuleOutcome.FAIL),
        (45_000, RuleOutcome.PASS),
        (90_000, RuleOutcome.FAIL),
    ):
        tale = Tale().note(MomentKind.ENDED, text=status)
        tale.at_ms += waited_ms - 1_000
        assert outcome is judge(tale.note(MomentKind.OPENED, stream=2).seen).outcome


def test_a_gap_is_filled_in_order_and_once() -> None:
    """From the number on that is expected."""
    error = pb.ProtocolError(code=pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER, seq=3, expected_seq=2)

    def told(*numbers: int) -> RuleOutcome:
        tale = Tale().connected().said(2, protocol_error=error)
        for seq in numbers:
            tale.asked(seq)
        return judges.gap(tale.seen).outcome

    assert RuleOutcome.PASS is told(2, 3)
    assert RuleOutcome.FAIL is told(3)
    assert RuleOutcome.FAIL is told(3, 2)
    assert RuleOutcome.FAIL is told(2, 3, 2, 3)


def test_the_first_stream_stands_until_the_second_is_welcome() -> None:
    """Who closes it before is without a stream."""
    asked = Tale().connected().said(2, move_request=pb.MoveRequest(not_after_ms=7_000))
    asked.note(MomentKind.OPENED, stream=2).connected(stream=2)
    assert RuleOutcome.FAIL is judges.move(asked.seen).outcome
    assert RuleOutcome.PASS is judges.move(asked.note(MomentKind.CLOSED).seen).outcome
    early = Tale().connected().said(2, move_request=pb.MoveRequest(not_after_ms=7_000))
    early.note(MomentKind.OPENED, stream=2).note(MomentKind.CLOSED).connected(stream=2)
    assert RuleOutcome.FAIL is judges.move(early.seen).outcome


def test_pings_are_apart() -> None:
    """Ten seconds, where nothing was sent to the machine between them; through TLS nobody sees."""
    tale = Tale().note(MomentKind.TAPPED).note(MomentKind.PINGED, text="first")
    assert RuleOutcome.PASS is judges.idle(tale.note(MomentKind.PINGED, text="30001").seen).outcome
    assert RuleOutcome.FAIL is judges.idle(tale.note(MomentKind.PINGED, text="5001").seen).outcome
    assert RuleOutcome.NOT_TRIED is judges.idle(Tale().connected().seen).outcome


def test_forty_sales_are_told_and_no_more_than_may_wait() -> None:
    """Thirty-two without an acknowledgement, and in the end all."""
    sale = pb.CashSale(column="A1", price_minor=500)

    def told(*, most: int, all_of_them: bool = True) -> RuleOutcome:
        tale = Tale().said(1, ack=4)
        for seq in range(5, 5 + most):
            tale.heard(seq, cash_sale=sale)
        tale.said(2, ack=4 + most)
        for seq in range(5 + most, 45 if all_of_them else 44):
            tale.heard(seq, cash_sale=sale)
        return judges.many_sales(tale.seen).outcome

    assert RuleOutcome.PASS is told(most=32)
    assert RuleOutcome.FAIL is told(most=33)
    assert RuleOutcome.FAIL is told(most=32, all_of_them=False)


def test_a_token_comes_back() -> None:
    """That of the last Welcome, and no other."""
    tale = Tale().connected().connected(stream=2, resume_token="t1")
    assert RuleOutcome.PASS is judges.tokens(tale.seen).outcome
    assert (
        RuleOutcome.FAIL is judges.tokens(tale.connected(stream=3, resume_token="t1").seen).outcome
    )


def test_what_was_not_acknowledged_moves_along() -> None:
    """The result of the vend comes again on the second stream, under its number."""

    def told(*, early: bool = False, again: bool = True, seq: int = 3) -> RuleVerdict:
        tale = Tale().connected().asked().said(2, move_request=pb.MoveRequest(not_after_ms=7_000))
        tale.approved()
        if early:
            tale.connected(stream=3)
        tale.succeeded().note(MomentKind.OPENED, stream=2).connected(stream=2)
        if again:
            tale.succeeded(seq, stream=2)
        return judges.move_in_vend(tale.note(MomentKind.CLOSED).seen)

    assert RuleOutcome.PASS is told().outcome
    assert "not sent again" in told(again=False).why
    assert "not sent again" in told(seq=4).why
    assert "while a vend was open" in told(early=True).why
