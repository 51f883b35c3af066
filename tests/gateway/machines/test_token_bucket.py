"""What a machine may send over time."""

from gateway.machines.token_bucket import TokenBucket


def test_a_bucket_holds_a_burst_and_fills_with_time() -> None:
    """A bucket gives its burst at once, then as many as time brings, and never more than the
    burst.
    """
    bucket = TokenBucket(rate=2, burst=3, now=0.0)
    assert [True, True, True, False] == [bucket.take(0.0) for _ in range(4)]
    assert [True, False] == [bucket.take(0.5) for _ in range(2)]
    assert [True, True, True, False] == [bucket.take(100.0) for _ in range(4)]


def test_a_debt_is_paid_back_with_time() -> None:
    """More may be spent than there is; nothing is there until it has been paid back, and the debt
    is at most a burst.
    """
    bucket = TokenBucket(rate=2, burst=10, now=0.0)
    assert 0.0 == bucket.spend(0.0, 10)
    assert 2.5 == bucket.spend(0.0, 5)
    assert not bucket.take(2.0)
    assert 0.0 == bucket.owed_s(2.5)
    assert bucket.take(3.0)
    assert 5.0 == bucket.spend(3.0, 1_000)
