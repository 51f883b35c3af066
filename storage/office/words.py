"""What a change of the back office changes, in the words of the audit log. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any


def difference(before: Any, after: Any) -> str:
    """Return what differs between two values of one dataclass, each field as ``field before ->
    after`` and each key of a mapping by itself; empty if nothing does.
    """
    said = []
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if isinstance(old, Mapping):
            said += [
                f"{field.name}.{key} {word(old.get(key))} -> {word(new.get(key))}"
                for key in sorted({*old, *new})
                if old.get(key) != new.get(key)
            ]
        elif old != new:
            said.append(f"{field.name} {word(old)} -> {word(new)}")
    return "; ".join(said)


def word(value: object) -> str:
    """Return a value as the audit log shows it."""
    if value in (None, "", ()):
        return "none"
    return repr(value.value if isinstance(value, Enum) else value)
