"""The stream's own parts; the rest is seen through the service."""

from dataclasses import replace

from actors.machine import effects, events
from actors.machine.ids import BootId, Currency, StreamId, VendId
from actors.machine.state import Mode
from gateway.machines.stream import Stream
from gateway.rpc.limits import EdgeLimits
from tests.support.edge import FixedClock


def test_a_journal_that_was_taken_in_is_not_told_again() -> None:
    """Once Welcome came, Hello is sent again without its journal: what it says is older than the
    vends of the stream.
    """
    entry = events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.MOTOR_ON)
    hello = events.Connected(
        stream_id=StreamId("g-1"), opened_at_ms=1, boot_id=BootId("b1"), journal=(entry,)
    )
    stream = Stream(
        None,  # type: ignore[arg-type]  # not used here
        stream_id=StreamId("g-1"),
        limits=EdgeLimits(),
        clock=FixedClock(),
        monotonic=lambda: 1.0,
    )
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
