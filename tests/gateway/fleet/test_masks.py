"""UpdateMachine changes what its mask names, and nothing else."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from actors.machine.policy import PolicyOverrides
from actors.machine.state import Mode
from gateway.fleet.masks import LIMITS, PATHS, machine_change
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import machine_pb2
from gateway.v1 import machine_pb2 as wire
from storage.fleet.changes import MachineChange


def _change(*paths: str, **machine: Any) -> tuple[MachineChange, list[str]]:
    """Return the change and the fields that are wrong."""
    fields = Fields()
    change = machine_change(fields, machine_pb2.Machine(**machine), FieldMask(paths=paths))
    return change, [problem.field for problem in fields.problems]


@pytest.mark.parametrize(
    ("path", "machine", "change"),
    [
        ("store_name", {"store_name": "Hall"}, MachineChange(store_name="Hall")),
        ("address", {}, MachineChange(address="")),
        ("address", {"address": "1 Road", "store_name": "no"}, MachineChange(address="1 Road")),
        ("country_code", {"country_code": "SG"}, MachineChange(country_code="SG")),
        ("country_code", {}, MachineChange(country_code="")),
        ("mode", {"mode": wire.MODE_SELECTION_FIRST}, MachineChange(mode=Mode.SELECTION_FIRST)),
        ("policy", {}, MachineChange(overrides=PolicyOverrides())),
        (
            "policy",
            {"policy": machine_pb2.Policy(idle_refund_ms=7_000, doubt_review_above_minor=0)},
            MachineChange(
                overrides=PolicyOverrides(idle_refund_ms=7_000, doubt_review_above_minor=0)
            ),
        ),
        (
            "policy.idle_refund_ms",
            {"policy": machine_pb2.Policy(idle_refund_ms=7_000, vend_result_ms=8)},
            MachineChange(limits={"idle_refund_ms": 7_000}),
        ),
        ("policy.vend_result_ms", {}, MachineChange(limits={"vend_result_ms": None})),
    ],
)
def test_what_is_named_is_changed(
    path: str, machine: dict[str, Any], change: MachineChange
) -> None:
    """A field that is named and not set is set to nothing: a limit follows the fleet again."""
    assert (change, []) == _change(path, **machine)


def test_the_whole_policy_covers_its_limits() -> None:
    """Who names both means all of it."""
    policy = machine_pb2.Policy(idle_refund_ms=7_000, vend_result_ms=8)
    expected = MachineChange(overrides=PolicyOverrides(idle_refund_ms=7_000, vend_result_ms=8))
    assert (expected, []) == _change("policy.idle_refund_ms", "policy", policy=policy)


def test_several_fields_at_once() -> None:
    """In any order, and twice is once."""
    change, wrong = _change(
        "policy.payment_wait_ms",
        "store_name",
        "policy.idle_refund_ms",
        "store_name",
        store_name="Hall",
        policy=machine_pb2.Policy(payment_wait_ms=9_000),
    )
    limits = {"idle_refund_ms": None, "payment_wait_ms": 9_000}
    assert (MachineChange(store_name="Hall", limits=limits), []) == (change, wrong)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "machine_id",
        "currency",
        "enabled",
        "columns",
        "etag",
        "policy.",
        "policy.x",
        "Mode",
    ],
)
def test_what_cannot_be_changed_is_named(path: str) -> None:
    """The caller hears which path, and which ones there are."""
    fields = Fields()
    machine_change(fields, machine_pb2.Machine(), FieldMask(paths=[path, "address"]))
    (problem,) = fields.problems
    assert "update_mask" == problem.field
    assert f"cannot change {path}:" in problem.description
    assert all(known in problem.description for known in PATHS)


def test_what_may_be_named_is_told_whatever_else_was() -> None:
    """Long names and many of them do not push it out of the answer."""
    fields = Fields()
    fields.mask([f"{number}{'x' * 1_000}" for number in range(9)], ["address"])
    (problem,) = fields.problems
    assert problem.description.endswith(" and 4 more: it may name address")
    assert len(problem.description) < 300


def test_an_empty_mask_is_refused() -> None:
    """Somebody forgot to say what."""
    assert ["update_mask"] == _change(store_name="Hall")[1]


@pytest.mark.parametrize(
    ("path", "machine", "field"),
    [
        ("store_name", {}, "store_name"),
        ("store_name", {"store_name": 'the "Hall"'}, "store_name"),
        ("address", {"address": "x" * 201}, "address"),
        ("country_code", {"country_code": "hk"}, "country_code"),
        ("mode", {}, "mode"),
        ("policy", {"policy": machine_pb2.Policy(idle_refund_ms=0)}, "policy.idle_refund_ms"),
        ("policy", {"policy": machine_pb2.Policy(idle_refund_ms=300)}, "policy.idle_refund_ms"),
        ("policy", {"policy": machine_pb2.Policy(payment_wait_ms=25)}, "policy.payment_wait_ms"),
        (
            "policy.vend_result_ms",
            {"policy": machine_pb2.Policy(vend_result_ms=86_400_001)},
            "policy.vend_result_ms",
        ),
    ],
)
def test_a_wrong_value_is_named(path: str, machine: dict[str, Any], field: str) -> None:
    """The same rules as at registration."""
    assert [field] == _change(path, **machine)[1]


def test_a_wrong_value_that_is_not_named_is_nobody_s_matter() -> None:
    """A machine that was read and is given back may hold anything else."""
    assert [] == _change("address", policy=machine_pb2.Policy(idle_refund_ms=0))[1]


def test_every_limit_is_on_the_wire() -> None:
    """The core's names and the wire's are the same."""
    assert set(LIMITS) == {field.name for field in machine_pb2.Policy.DESCRIPTOR.fields}
