"""The bytes of files that no row names, and how they go.

Flows in: hashes whose rows went, and the moment before which a file must have been written. Flows
out: files, from the folder. A row goes first, with its COMMIT, and the bytes after it: whoever is
killed in between leaves bytes without a row, which a sweep finds.

Somebody may bring a file again while its bytes go. So these are moved aside first, under a name
that nobody else has, and looked up then: where a row names them they come back; where none does,
whoever makes one looks behind its COMMIT whether the bytes are in their place, and finds that they
are not (``gateway.office.screen_calls``). What somebody who was killed left aside, the next sweep
takes over.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from actors.ports import StoreError
from gateway.screens.folder import AssetFolder
from storage.office.assets import Assets

log = structlog.get_logger()

AT_ONCE = 200


class UnnamedFiles:
    """Takes them out of one folder."""

    def __init__(self, folder: AssetFolder, assets: Assets) -> None:
        self._folder, self._assets = folder, assets

    async def drop(self, hashes: Sequence[str]) -> int:
        """Delete the bytes of those files that no row names, and return of how many there were
        some; one that cannot be deleted stays. Raises StoreError, and then all of them stay.
        """
        return await self._drop(hashes, self._folder.put_aside)

    async def _drop(self, hashes: Sequence[str], put: Callable[[str], list[Path]]) -> int:
        aside = await asyncio.to_thread(_put_aside, hashes, put)
        named = frozenset(aside)
        try:
            if aside:
                named = await self._assets.named(list(aside))
        except StoreError as error:
            log.warning("files that no row may name come back", error=str(error))
            raise
        finally:
            await asyncio.to_thread(self._settle, aside, named)
        return len(aside.keys() - named)

    async def forget(self, *, before_ms: int) -> int:
        """Delete files that were written before this moment and that no row names, at most AT_ONCE,
        and return how many. Raises StoreError.
        """
        try:
            await asyncio.to_thread(self._folder.drop_unfinished, before_ms)
        except OSError as error:
            log.warning("a file that was not finished stays in the folder", error=str(error))
        due = await asyncio.to_thread(self._folder.written_before, before_ms)
        named = await self._assets.named(due)
        left = (await asyncio.to_thread(self._folder.left_aside))[:AT_ONCE]
        wanted = [one for one in due if one not in named and one not in left]
        gone = await self._drop(left, self._folder.take_over)
        return gone + await self.drop(wanted[: AT_ONCE - len(left)])

    def _settle(self, aside: Mapping[str, Sequence[Path]], named: frozenset[str]) -> None:
        for sha256, places in aside.items():
            try:
                self._folder.settle(sha256, places, comes_back=sha256 in named)
            except OSError as error:
                log.warning("a file that was put aside stays there", error=str(error))


def _put_aside(hashes: Sequence[str], put: Callable[[str], list[Path]]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for sha256 in hashes:
        try:
            if aside := put(sha256):
                found[sha256] = aside
        except OSError as error:
            log.warning("a file that is no asset stays in the folder", error=str(error))
    return found
