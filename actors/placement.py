"""Who owns a machine: machine → partition by a stable hash, partition → host by the layout.

The number of partitions is fixed when a database is created; the number of hosts is the layout's.
Placement is a hint for routing; what makes it safe for money is the epoch that each commit proves.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from actors.machine.ids import MachineId

PARTITION_COUNT_DEFAULT = 256


def partition_of(machine_id: MachineId, partition_count: int) -> int:
    """Return the machine's partition: the same in every process and in every version."""
    return zlib.crc32(machine_id.encode()) % partition_count


def partitions_of(host_index: int, host_count: int, partition_count: int) -> Sequence[int]:
    """Return the partitions of one host of the layout."""
    return range(host_index, partition_count, host_count)


def host_of(partition: int, host_count: int) -> int:
    """Return the index of the host that owns the partition."""
    return partition % host_count


_NAME = re.compile(r"host-(\d+)(?:-\d+)?$")


def place_of(host: str) -> int | None:
    """Return the index of the place that a host of this name has in its layout: hosts are named
    ``...host-<index>``, and ``...host-<index>-<number>`` if they replaced one. None: it has none.
    """
    found = _NAME.search(host)
    return None if found is None else int(found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProcess:
    """What Ray tells of one host. ``runs``: its process is there and built, or just being built;
    not: it waits for a node, or is started again. ``node`` and ``address`` are empty until it runs.
    """

    host: str
    runs: bool
    node: str = ""
    address: str = ""
