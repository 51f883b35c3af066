"""Who owns a machine: the same answer in every process, and each partition has one host."""

import pytest

from actors.machine.ids import MachineId
from actors.placement import PARTITION_COUNT_DEFAULT, host_of, partition_of, partitions_of, place_of


def test_a_machine_s_partition_never_changes() -> None:
    """The rows of the database depend on it, so it is written down here."""
    assert [36, 158, 62] == [
        partition_of(MachineId(name), PARTITION_COUNT_DEFAULT) for name in ("VM-1", "VM-2", "é")
    ]


def test_each_partition_belongs_to_one_host() -> None:
    """Whatever the number of hosts, and both ways of asking agree."""
    for hosts in (1, 2, 3, 7):
        owned = [partitions_of(index, hosts, 16) for index in range(hosts)]
        assert list(range(16)) == sorted(part for parts in owned for part in parts)
        for index, parts in enumerate(owned):
            assert {index} == {host_of(part, hosts) for part in parts}


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("vendgate-host-0", 0),
        ("vendgate-host-12-3", 12),
        ("host-7", 7),
        ("", None),
        ("host-x", None),
        ("vendgate-host-", None),
        ("h1", None),
    ],
)
def test_a_name_tells_the_place(host: str, place: int | None) -> None:
    """A replacement's as well as the first one's."""
    assert place == place_of(host)
