"""An incident as a value."""

from msgspec import json

from actors.machine.incident import DETAIL_BYTES_MAX, INCIDENTS_KEPT, Incident


def test_all_of_a_machine_have_room_in_its_state() -> None:
    """It is written with every turn: what is broken must not make each sale dear."""
    one = Incident(
        incident_id="V" * 32 + "-i1000000",
        code="E" * 16,
        column="A" * 16,
        detail="x" * DETAIL_BYTES_MAX,
        times=1_000_000,
        opened_at_ms=1_768_449_598_000,
        last_at_ms=1_768_449_598_000,
    )
    assert 8_192 > len(json.encode([one] * INCIDENTS_KEPT))
