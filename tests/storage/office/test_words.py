"""Differences, as the audit log shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.office.words import difference


@dataclass(frozen=True)
class Thing:
    name: str = ""
    many: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    count: int | None = None


def test_each_field_and_each_key_is_said_before_and_after() -> None:
    """What is the same is left out, and 0 is something."""
    after = Thing(name="b", many=("x",), labels={"k": "2", "n": "3"}, count=0)
    assert (
        "name none -> 'b'; many none -> ('x',); labels.k '1' -> '2'; labels.n none -> '3'; "
        "labels.o 'old' -> none; count none -> 0"
    ) == difference(Thing(labels={"k": "1", "o": "old"}), after)
    assert "" == difference(after, after)
