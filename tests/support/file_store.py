"""A MachineStore that outlives its process: the one in memory, written to a file before anything is
answered.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

from actors.leases import Claimant
from actors.ports import Change, Ownership, StaleOwner
from tests.support.memory_store import MemoryStore


class FileStore(MemoryStore):
    """For one process at a time; what is in the file was put there by ourselves."""

    def __init__(self, path: Path, *, partition_count: int = 16) -> None:
        super().__init__(partition_count=partition_count)
        self._path = path
        if path.exists():
            self.rows, self.inbox, self.epochs = pickle.loads(path.read_bytes())

    def write(self) -> None:
        """Put everything into the file, whole or not at all."""
        new = self._path.with_suffix(".new")
        new.write_bytes(pickle.dumps((self.rows, self.inbox, self.epochs)))
        new.replace(self._path)

    async def claim(
        self,
        claimant: Claimant,
        *,
        partitions: Sequence[int],
        now_ms: int,
        still: Mapping[str, int] | None = None,
    ) -> Ownership:
        """Claim, and write."""
        ownership = await super().claim(claimant, partitions=partitions, now_ms=now_ms, still=still)
        self.write()
        return ownership

    async def commit(self, ownership: Ownership, changes: Sequence[Change]) -> None:
        """Commit, and write; unless another holder has left its mark beside the file."""
        mark = self._path.with_suffix(".stolen")
        if mark.exists():
            mark.unlink()
            raise StaleOwner("another holder was here")
        await super().commit(ownership, changes)
        self.write()
