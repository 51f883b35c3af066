"""The stream's own parts; the rest is seen through the service."""

from dataclasses import replace

from actors.machine import effects, events
from actors.machine.ids import BootId, Currency, StreamId, VendId
from actors.machine.state import Mode
from gateway.machines.stream import Bucket, Stream, Times
from gateway.rpc.limits import EdgeLimits


def test_bucket() -> None:
    """A bucket gives its burst at once, then as many as time brings, and never more than the
    burst.
    """
    bucket = Bucket(rate=2, burst=3, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_a_journal_that_was_taken_in_is_not_told_again() -> None:
    """Once Welcome came, Hello is told anew without its journal: what it says is older than the
    vends of the stream.
    """
    entry = events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.MOTOR_ON)
    hello = events.Connected(
        stream_id=StreamId("g-1"), opened_at_ms=1, boot_id=BootId("b1"), journal=(entry,)
    )
    times = Times(now_ms=lambda: 1, monotonic=lambda: 1.0)
    stream = Stream(None, stream_id=StreamId("g-1"), limits=EdgeLimits(), times=times, gate=None)  # type: ignore[arg-type]  # not used here
    stream.connected = hello
    welcome = effects.Welcome(
        session_id=None,
        funds_minor=0,
        vend_id=None,
        planogram_version=1,
        last_seq=0,
        currency=Currency("HKD"),
        qr_payload="",
        mode=Mode.BOTH,
        in_service=True,
    )

    stream.deliver(0, (welcome,))

    assert replace(hello, journal=(), journal_lost=True) == stream.connected
