"""When a machine is asked to move."""

from gateway.machines.moving import Moving
from gateway.v1.machine_service_pb2 import ConnectResponse


def test_a_machine_is_asked_once_and_not_in_a_vend() -> None:
    """The request leaves when the vend is over, and no second one does."""
    put: list[ConnectResponse] = []
    moving = Moving(put.append)
    moving.vend_is(open_now=True)
    moving.ask(lambda: ConnectResponse(seq=1))
    assert [] == put
    moving.vend_over()
    moving.vend_over()
    moving.ask(lambda: ConnectResponse(seq=2))
    assert [1] == [request.seq for request in put]


def test_a_free_machine_is_asked_at_once() -> None:
    """Nothing is waited for."""
    put: list[ConnectResponse] = []
    moving = Moving(put.append)
    moving.vend_is(open_now=False)
    moving.ask(lambda: ConnectResponse(seq=1))
    assert [1] == [request.seq for request in put]
