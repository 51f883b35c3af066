"""What a line of a file asks for."""

from typing import Any

from actors.machine.policy import PolicyOverrides
from gateway.office.line_acts import placement, profile, registration, update
from gateway.office.machine_csv import MachineWish
from gateway.v1 import machine_pb2
from storage.fleet.views import MachineView

THERE: dict[str, Any] = dict.fromkeys(MachineView.__dataclass_fields__, "") | {
    "machine_id": "VM-1",
    "store_name": "Lobby",
    "mode": "BOTH",
    "overrides": PolicyOverrides(idle_refund_ms=60_000),
}


def wish(**cells: str) -> MachineWish:
    named = {name.replace("__", " "): cell for name, cell in cells.items()}
    return MachineWish(machine_id="VM-1", cells={"machine_id": "VM-1", **named}, reason="why")


def test_a_new_machine_is_registered_with_all_that_is_said() -> None:
    """What is not said is as in RegisterMachine."""
    request = registration(wish(store_name="Lobby", currency="HKD", policy__idle_refund_ms="60000"))
    assert ("VM-1", "Lobby", "HKD", machine_pb2.MODE_BOTH, 60_000) == (
        request.machine_id,
        request.store_name,
        request.currency,
        request.mode,
        request.policy.idle_refund_ms,
    )


def test_only_what_differs_is_changed() -> None:
    """What is so already is not asked for; an empty limit follows the fleet again."""
    there = MachineView(**THERE)
    same = wish(store_name="Lobby", mode="", policy__idle_refund_ms="60000")
    assert None is update(same, there)
    request = update(
        wish(store_name="Hall", mode="SELECTION_FIRST", policy__idle_refund_ms=""), there
    )
    assert request is not None
    assert ["store_name", "mode", "policy.idle_refund_ms"] == list(request.update_mask.paths)
    assert ("Hall", machine_pb2.MODE_SELECTION_FIRST, False) == (
        request.machine.store_name,
        request.machine.mode,
        request.machine.policy.HasField("idle_refund_ms"),
    )


def test_labels_that_the_file_does_not_name_stay() -> None:
    """An empty one is taken away."""
    request = profile(
        wish(label__route="8", label__floor="", model=""), {"floor": "2", "zone": "a"}
    )
    assert request is not None
    assert (["model", "labels"], {"route": "8", "zone": "a"}) == (
        list(request.update_mask.paths),
        dict(request.profile.labels),
    )
    assert None is profile(wish(), {"floor": "2"})


def test_a_day_without_a_site_means_nowhere() -> None:
    """No day means nothing."""
    assert None is placement(wish(site="", from_day=""))
    request = placement(wish(site="", from_day="2026-11-28"))
    assert request is not None
    assert (True, "why") == (request.nowhere, request.reason)
    there = placement(wish(site="pier", from_day="2026-11-28"))
    assert there is not None
    assert ("pier", False) == (there.site, there.nowhere)
