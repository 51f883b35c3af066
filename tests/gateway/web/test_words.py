"""Words of the wire, for people."""

from gateway.fleet.v1 import machine_pb2
from gateway.web.words import code, said


def test_a_word_is_plain() -> None:
    """A number that this version does not know is a dash and no failure."""
    assert "session idle" == said(machine_pb2.Phase, machine_pb2.PHASE_SESSION_IDLE)
    assert "SESSION_IDLE" == code(machine_pb2.Phase, machine_pb2.PHASE_SESSION_IDLE)
    assert ("–", "") == (said(machine_pb2.Phase, 99), code(machine_pb2.Phase, 0))
