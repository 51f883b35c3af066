"""What a line of a file asks for."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from actors.machine.policy import PolicyOverrides
from gateway.office.line_acts import placement, profile, registration, update
from gateway.office.machine_csv import MachineWish
from gateway.office.v1 import machine_import_service_pb2 as import_wire
from gateway.office.v1 import machine_profile_pb2
from gateway.office.v1 import machine_profile_service_pb2 as profile_wire
from gateway.v1 import machine_pb2
from storage.fleet.views import MachineView
from storage.office.imports import LineState
from tests.gateway.office.applying import ANN
from tests.gateway.office.importing import a_pier, worker
from tests.support.site import Site

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
    """They are not asked for, and so stay whatever they are by then; an empty one goes."""
    request = profile(wish(label__route="8", label__floor="", model=""))
    assert request is not None
    assert (["model", "labels"], {"route": "8", "floor": ""}) == (
        list(request.update_mask.paths),
        dict(request.profile.labels),
    )
    assert None is profile(wish())


def test_a_day_without_a_site_means_nowhere() -> None:
    """No day means nothing."""
    assert None is placement(wish(site="", from_day=""))
    request = placement(wish(site="", from_day="2026-11-28"))
    assert request is not None
    assert (True, "why") == (request.nowhere, request.reason)
    there = placement(wish(site="pier", from_day="2026-11-28"))
    assert there is not None
    assert ("pier", False) == (there.site, there.nowhere)


async def test_labels_that_somebody_set_since_stay(site: Site) -> None:
    """The gateway died over a line that it had carried out; before another goes on, somebody takes
    one of its labels away and sets another one: the line changes nothing twice.
    """
    await a_pier(site)
    await site.register("VM-1")
    begin = import_wire.ImportMachinesRequest(csv=b"machine_id,label route\nVM-1,8\n")
    made = (await site.machine_imports.ImportMachines(begin, metadata=ANN)).machine_import
    first = worker(site)
    view = await first.imports.get(made.import_id)
    (line,) = await first.imports.lines(made.import_id, LineState.WAITING, limit=2)
    assert LineState.DONE is (await first.lines.carry_out(line, view)).state
    await labelled(site, {"floor": "2"})
    assert LineState.DONE is (await first.lines.carry_out(line, view)).state
    asked = profile_wire.GetMachineProfileRequest(machine_id="VM-1")
    there = (await site.profiles.GetMachineProfile(asked)).profile
    assert {"floor": "2"} == dict(there.labels)


async def labelled(site: Site, labels: dict[str, str]) -> None:
    """Set the machine's labels by hand."""
    profile = machine_profile_pb2.MachineProfile(machine_id="VM-1", labels=labels)
    request = profile_wire.UpdateMachineProfileRequest(
        profile=profile, update_mask=FieldMask(paths=["labels"])
    )
    await site.profiles.UpdateMachineProfile(request)
