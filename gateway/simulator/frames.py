"""Frames that a machine sends without anything having happened to a vend. Pure."""

from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb


def heartbeat() -> service_pb.ConnectRequest:
    """Return the frame that shows that the machine is alive."""
    return service_pb.ConnectRequest(heartbeat=pb.Heartbeat())


def reader(*, door_open: bool) -> service_pb.ConnectRequest:
    """Return the frame that says whether customers can be served."""
    if door_open:
        return service_pb.ConnectRequest(reader_disable=pb.ReaderDisable(reason="door open"))
    return service_pb.ConnectRequest(reader_enable=pb.ReaderEnable())
