"""What a machine may send over time."""

from gateway.machines.token_bucket import TokenBucket


def test_a_bucket_holds_a_burst_and_fills_with_time() -> None:
    """A bucket gives its burst at once, then as many as time brings, and never more than the
    burst.
    """
    bucket = TokenBucket(rate=2, burst=3, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
