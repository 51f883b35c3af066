"""The spans of an examination fit one another, the document and our machine."""

from pathlib import Path

from gateway.certify import times
from gateway.simulator import backoff, connection, machine, machine_client


def test_the_spans_fit_one_another() -> None:
    """What one play waits does not break what another one looks for."""
    assert times.BEAT_MS < times.HEARTBEAT_MS
    assert times.MOVE_FROM_MS < times.MOVE_UNTIL_MS
    assert times.INITIAL_MS * 2 ** (times.TRIES - 1) > times.MAX_MS
    assert connection.UNTOLD_ACKS_MAX == times.ACKS_DUE


def test_the_spans_are_those_of_the_document() -> None:
    """Our machine keeps the same."""
    first_ms = backoff.REFUSAL_WAITS_MS[0]
    assert (first_ms // 2, first_ms) == (times.LONG_WAIT_MS, times.LONG_WAIT_MAX_MS)
    config = machine_client.ClientConfig(
        gateway="", identity=machine.Identity(machine_id="VM-0001"), state_dir=Path()
    )
    assert times.SLOW_WELCOME_MS < config.welcome_within_ms
