"""Frames without a vend."""

from gateway.simulator.frames import heartbeat, reader
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb


def test_a_heartbeat_says_nothing_else() -> None:
    """A heartbeat bears no number: it is not kept, and nobody waits for it."""
    assert service_pb.ConnectRequest(heartbeat=pb.Heartbeat()) == heartbeat()


def test_the_reader_follows_the_door() -> None:
    """An open door disables the machine and says why; a closed one enables it."""
    assert "door open" == reader(door_open=True).reader_disable.reason
    assert "reader_enable" == reader(door_open=False).WhichOneof("payload")
