"""What UpdateMachine is to change: a FieldMask and a machine in, a change of the registry out, or
all problems at once (AIP-134, without its wildcard: what is not named stays as it is).
"""

from google.protobuf.field_mask_pb2 import FieldMask

from actors.machine.policy import PolicyOverrides
from gateway.fleet.requests import Fields
from gateway.fleet.v1 import machine_pb2
from storage.fleet.changes import MachineChange
from storage.fleet.limits import GUARDS

LIMITS = PolicyOverrides.__struct_fields__
"""The limits of a policy, under the names that the wire has for them too."""
_POLICY = "policy"
_PLAIN = ("store_name", "address", "country_code", "mode")
PATHS = frozenset({*_PLAIN, _POLICY, *(f"{_POLICY}.{name}" for name in LIMITS)})
"""What can be changed. The rest of a machine is for ever, or has a call of its own."""


_PREFIX = f"{_POLICY}."


def machine_change(fields: Fields, machine: machine_pb2.Machine, mask: FieldMask) -> MachineChange:
    """Return the change, and note in ``fields`` what is wrong with it."""
    paths = fields.mask(mask.paths, sorted(PATHS))
    if "store_name" in paths:
        fields.text("store_name", machine.store_name, least=1, most=64)
    if "address" in paths:
        fields.text("address", machine.address, least=0, most=200)
    if "country_code" in paths:
        fields.country_code(machine.country_code)
    named = [name for name in LIMITS if _POLICY in paths or f"{_PREFIX}{name}" in paths]
    given = machine_pb2.Policy()
    for name in named:
        if machine.policy.HasField(name):  # type: ignore[arg-type]  # the wire has each of them
            setattr(given, name, getattr(machine.policy, name))
    overrides = fields.overrides(given)
    return MachineChange(
        store_name=machine.store_name if "store_name" in paths else None,
        address=machine.address if "address" in paths else None,
        country_code=machine.country_code if "country_code" in paths else None,
        mode=fields.mode(machine.mode, default=None) if "mode" in paths else None,
        overrides=overrides if _POLICY in paths else None,
        limits={} if _POLICY in paths else {name: getattr(overrides, name) for name in named},
    )


def sets_guards(mask: FieldMask) -> bool:
    """Return whether the mask names a limit that guards money, or all limits at once."""
    return not {_POLICY, *(f"{_PREFIX}{name}" for name in GUARDS)}.isdisjoint(mask.paths)
