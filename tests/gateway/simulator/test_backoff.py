"""When a machine tries again."""

from random import Random

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.backoff import LONG_WAITS, MAX_MS, REFUSAL_WAITS_MS, REFUSALS, Backoff

RETRIED = (
    grpc.StatusCode.OK,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNKNOWN,
)


@given(st.integers(0, 1000), st.integers(0, 60))
def test_the_range_doubles_up_to_its_bound(seed: int, failures: int) -> None:
    """Each wait is drawn from 0 to a range that doubles, and never beyond the bound."""
    backoff = Backoff(Random(seed), initial_ms=1_000, max_ms=60_000)
    for failure in range(failures):
        wait = backoff.after(grpc.StatusCode.UNAVAILABLE)
        assert wait is not None
        assert 0 <= wait <= min(60_000, 1_000 * 2**failure)


@pytest.mark.parametrize("code", RETRIED)
def test_what_may_pass_is_tried_for_ever(code: grpc.StatusCode) -> None:
    """A gateway that is away or overloaded never makes a machine give up."""
    backoff = Backoff(Random(1))

    assert all(backoff.after(code) is not None for _ in range(100))


def test_only_welcome_resets() -> None:
    """A Welcome brings the range back to its beginning, with the guidance that it gave."""
    backoff = Backoff(Random(1))
    for _ in range(20):
        backoff.after(grpc.StatusCode.UNAVAILABLE)
    backoff.welcomed((10, 50))
    waits = [backoff.after(grpc.StatusCode.UNAVAILABLE) or 0 for _ in range(50)]

    assert waits[0] <= 10
    assert max(waits) <= 50
    assert max(waits) > 10


@pytest.mark.parametrize("guidance", [None, (0, 0)])
def test_no_guidance_changes_nothing(guidance: tuple[int, int] | None) -> None:
    """Without guidance the machine's own numbers stay."""
    backoff = Backoff(Random(1), initial_ms=1_000, max_ms=2_000)
    backoff.welcomed(guidance)

    assert max(backoff.after(grpc.StatusCode.UNAVAILABLE) or 0 for _ in range(200)) > 1_000


@pytest.mark.parametrize("code", sorted(REFUSALS, key=str))
def test_a_refusal_is_tried_after_long_waits_and_then_left_to_a_person(
    code: grpc.StatusCode,
) -> None:
    """A refusal cannot be cured by trying: a few long waits, then stop."""
    backoff = Backoff(Random(1))
    waits = [backoff.after(code) for _ in REFUSAL_WAITS_MS]

    assert all(
        wait is not None and range_ms // 2 <= wait <= range_ms
        for wait, range_ms in zip(waits, REFUSAL_WAITS_MS, strict=True)
    )
    assert backoff.after(code) is None


@pytest.mark.parametrize("code", sorted(LONG_WAITS, key=str))
def test_what_the_other_side_may_cure_is_tried_for_ever_after_long_waits(
    code: grpc.StatusCode,
) -> None:
    """A halted machine or a gateway of another version: rarely, but never given up."""
    waits = [Backoff(Random(seed)).after(code) or 0 for seed in range(20)]
    backoff = Backoff(Random(1))
    later = [backoff.after(code) or 0 for _ in range(20)]

    assert min(waits) >= REFUSAL_WAITS_MS[0] // 2
    assert min(later[5:]) >= REFUSAL_WAITS_MS[-1] // 2


def test_who_was_taken_over_does_not_fight() -> None:
    """After ABORTED the machine waits about as long as it ever would."""
    wait = Backoff(Random(1)).after(grpc.StatusCode.ABORTED)

    assert wait is not None
    assert MAX_MS // 2 <= wait <= MAX_MS


def test_machines_do_not_start_all_at_once() -> None:
    """After power-up the first call waits up to the initial range."""
    assert len({Backoff(Random(seed)).after_power_up() for seed in range(50)}) > 30
