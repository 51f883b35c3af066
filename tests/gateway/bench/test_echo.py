"""The echo answers each frame with the one that the gateway would send."""

import pytest

from gateway.bench.echo import answer, echo, started
from gateway.bench.load import Load
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (ConnectRequest(hello=wire.Hello()), "welcome"),
        (ConnectRequest(seq=1, vend_request=wire.VendRequest()), "vend_approved"),
        (ConnectRequest(seq=2, vend_success=wire.VendSuccess()), "funds_update"),
    ],
)
def test_a_frame_has_its_answer(frame: ConnectRequest, kind: str) -> None:
    """Numbered, and acknowledging what it answers."""
    response = answer(frame, seq=7)
    assert response is not None
    assert (kind, 7, frame.seq) == (response.WhichOneof("payload"), response.seq, response.ack)


def test_a_heartbeat_has_none() -> None:
    """As in the gateway, which says nothing new."""
    assert answer(ConnectRequest(heartbeat=wire.Heartbeat()), seq=1) is None


async def test_machines_can_buy_at_it() -> None:
    """It is enough of a gateway for the load."""
    server, address = await started(echo)
    try:
        async with Load.of(address, ["a", "b"]) as load:
            assert 0 == (await load.connect(load.machines)).refused
            span = await load.saturate(load.machines, warm_s=0.0, seconds=0.2, pids={})
            assert span.vends > 0
    finally:
        await server.stop(0)
