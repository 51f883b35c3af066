"""Every call of the administrators says who may make it and whether it may be repeated."""

from collections.abc import Callable
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from gateway.fleet.v1 import role_pb2
from gateway.office.services import FILES

ROOT = Path(__file__).resolve().parents[2]
SERVICES: list[ServiceDescriptor] = [
    service for file in FILES for service in file.services_by_name.values()
]
METHODS: list[MethodDescriptor] = [method for one in SERVICES for method in one.methods]
LEVELS = descriptor_pb2.MethodOptions
READS = ("Get", "List", "Watch", "Export")
WITHOUT_REHEARSAL = {"ReloadMachine"}
"""It changes nothing that is saved: there is nothing to be shown beforehand."""


OF_ONE_PERSON = "GetPayer"
"""What it tells goes through no gate: it is for whoever may erase that person."""


def _is_change(method: MethodDescriptor) -> bool:
    return not method.name.startswith(READS)


def test_all_services_are_looked_at() -> None:
    """A file that was forgotten in ``gateway.office.services`` would be served to nobody."""
    written = {
        f"gateway/{package}/v1/{path.name}"
        for package in ("fleet", "office")
        for path in (ROOT / "protos" / "gateway" / package / "v1").glob("*_service.proto")
    }
    assert written == {file.name for file in FILES}
    assert len(METHODS) > 25


def _names(wrong: Callable[[MethodDescriptor], bool]) -> list[str]:
    return [method.full_name for method in METHODS if wrong(method)]


def test_a_call_states_its_role() -> None:
    """Whoever adds a call decides who may make it; a look needs no more than a viewer, unless it is
    at one person.
    """

    def role(method: MethodDescriptor) -> int:
        return int(method.GetOptions().Extensions[role_pb2.required_role])

    def looks_at(method: MethodDescriptor) -> int:
        return role_pb2.ROLE_FINANCE if method.name == OF_ONE_PERSON else role_pb2.ROLE_VIEWER

    assert [] == _names(lambda method: role_pb2.ROLE_UNSPECIFIED == role(method))
    assert [] == _names(lambda method: not _is_change(method) and looks_at(method) != role(method))


def test_a_call_says_whether_it_may_be_repeated() -> None:
    """A look has no side effects; every change is idempotent, by its state or by its request id."""

    def wanted(method: MethodDescriptor) -> int:
        return LEVELS.IDEMPOTENT if _is_change(method) else LEVELS.NO_SIDE_EFFECTS

    assert [] == _names(lambda method: wanted(method) != method.GetOptions().idempotency_level)


def test_a_change_has_an_id_and_can_be_rehearsed() -> None:
    """Each has request_id, and validate_only where there is something to be shown."""

    def has(method: MethodDescriptor, field: str) -> bool:
        return field in method.input_type.fields_by_name

    changes = _names(_is_change)
    assert len(changes) > 25
    assert changes == _names(lambda method: _is_change(method) and has(method, "request_id"))
    rehearsed = _names(lambda method: _is_change(method) and has(method, "validate_only"))
    assert {name.rpartition(".")[2] for name in set(changes) - set(rehearsed)} == WITHOUT_REHEARSAL
