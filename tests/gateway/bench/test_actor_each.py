"""The actor of the baseline answers as the echo does."""

from gateway.bench.actor_each import MachineActor
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse


def test_an_actor_numbers_its_answers() -> None:
    """Bytes in, bytes out; a heartbeat has no answer."""
    actor = MachineActor()
    hello = ConnectRequest(hello=wire.Hello(machine_id="m"))
    wish = ConnectRequest(seq=1, vend_request=wire.VendRequest(request_id="r"))

    welcome = ConnectResponse.FromString(actor.take(hello.SerializeToString()))
    assert b"" == actor.take(ConnectRequest(heartbeat=wire.Heartbeat()).SerializeToString())
    approved = ConnectResponse.FromString(actor.take(wish.SerializeToString()))

    assert ("welcome", 1) == (welcome.WhichOneof("payload"), welcome.seq)
    assert ("r", 3, 1) == (approved.vend_approved.request_id, approved.seq, approved.ack)
