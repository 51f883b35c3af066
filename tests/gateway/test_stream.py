"""The stream's own parts; the rest is seen through the service."""

from gateway.stream import Bucket


def test_bucket() -> None:
    """A bucket gives its burst at once, then as many as time brings, and never more than the burst."""
    bucket = Bucket(rate=2, burst=3, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
