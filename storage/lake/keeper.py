"""Who writes the lake: one process at a time, under a lease by beats and an epoch, as whoever
follows the books (``storage.insight.lease``). Its position is up to where facts are in files.

Flows in: changes of the list. Flows out: a transaction for each, which proves the epoch. While it
is kept a task of its own lets the beat go on, so that hours of writing need no care.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select

from actors.ports import Clock, StoreError
from storage.database.engine import Database
from storage.insight import lease
from storage.insight.follower import NAME as BOOKS
from storage.insight.lease import FollowerLost, LeaseWatch, Standing
from storage.lake import lists
from storage.lake.duck import LakeError
from storage.lake.folder import LakeFolder, file_name
from storage.lake.lists import LakeFile, Stream
from storage.tables import installation

T = TypeVar("T")

NAME = "lake"
_BEAT_S = lease.LEASE_MS / 1_000 / lease.BEATS_IN_A_LEASE
_LOOK_S = _BEAT_S / 2
_PATIENCE_S = 2 * lease.LEASE_MS / 1_000
"""So long somebody's beat is watched before they are left to it."""


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Holds the lake, between ``kept`` and its end."""

    db: Database
    clock: Clock
    folder: LakeFolder
    holder: str
    held: Standing
    _number: int = 0
    _writes: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def position(self) -> int:
        """Up to where facts are in files."""
        return self.held.position

    def planned(
        self, stream: Stream, d: int, span: tuple[int, int], *, made_of: str = ""
    ) -> LakeFile:
        """Return a file to be written, under a name of its own."""
        self._number += 1
        path = file_name(stream.value, d, span, epoch=self.held.epoch, number=self._number)
        return LakeFile(
            path=path,
            stream=stream.value,
            d=d,
            from_position=span[0],
            to_position=span[1],
            made_of=made_of,
        )

    async def write(
        self, work: Callable[[Connection, int], T], *, position: int | None = None
    ) -> T:
        """Change the list, and the position if one is given, in one transaction of ours. ``work``
        is given the time in milliseconds. Raises StoreError, or LakeError if somebody else keeps
        the lake by now: then nothing was changed.
        """
        async with self._writes:
            now_ms = self.clock.now_ms()
            changed = {} if position is None else {"position": position}

            def proved(connection: Connection) -> tuple[Standing, T]:
                standing = lease.prove(connection, self.held, now_ms=now_ms, **changed)
                return standing, work(connection, now_ms)

            try:
                self.held, result = await self.db.write(proved, proves=False)
            except FollowerLost:
                raise LakeError(
                    "Another process writes the lake by now: nothing is lost."
                ) from None
            return result

    async def _beat(self) -> None:
        """Show signs of life. What fails is told to whoever writes next."""
        while True:
            await asyncio.sleep(_BEAT_S)
            with suppress(StoreError, LakeError):
                await self.write(lambda _, __: None)

    async def _give_up(self) -> None:
        now_ms = self.clock.now_ms()
        with suppress(StoreError, FollowerLost):
            await self.db.write(
                lambda connection: lease.prove(connection, self.held, now_ms=now_ms, holder=""),
                proves=False,
            )


@asynccontextmanager
async def kept(
    db: Database,
    clock: Clock,
    folder: LakeFolder,
    holder: str,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    again: bool = False,
) -> AsyncIterator[Keeper]:
    """Keep the lake until the end of the block. ``again``: all files are made again, in whatever
    folder this is. Raises LakeError if somebody else does, or if the folder is another database's,
    or not there any more; StoreError.
    """
    ours = await db.read(_installation)
    has_files = not again and await db.read(lists.has_files)
    await asyncio.to_thread(folder.claim, ours, has_files=has_files)
    held = await _claimed(db, clock, holder, sleep)
    keeper = Keeper(db=db, clock=clock, folder=folder, holder=holder, held=held)
    beating = asyncio.create_task(keeper._beat())  # noqa: SLF001 - its own beat
    try:
        yield keeper
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        await keeper._give_up()  # noqa: SLF001 - its own end


async def _claimed(
    db: Database, clock: Clock, holder: str, sleep: Callable[[float], Awaitable[None]]
) -> Standing:
    watch = LeaseWatch()
    looked_s = 0.0
    while True:
        seen = await db.read(lambda connection: lease.read_standing(connection, NAME))
        if watch.may_claim(seen, looked_s):
            claim = partial(lease.claim, seen=seen, holder=holder, now_ms=clock.now_ms())
            with suppress(FollowerLost):  # somebody was quicker: look again
                return await db.write(claim, proves=False)
        if looked_s >= _PATIENCE_S:
            raise LakeError(
                f"{seen.holder} writes the lake, up to position {seen.position}: wait for its end."
            )
        await sleep(_LOOK_S)
        looked_s += _LOOK_S


def _installation(connection: Connection) -> str:
    """Return what tells this database from others; a copy of it that was restored is the same."""
    return str(connection.scalar(select(installation.c.created_at_ms)))


def books_standing(connection: Connection) -> Standing:
    """Return how whoever follows the books stands. Raises LakeError while what was told is being
    made again, because facts are missing then.
    """
    standing = lease.read_standing(connection, BOOKS)
    if standing.making_again:
        raise LakeError(
            "What is told of sales is being made again: wait until 'vendgate insight verify' says "
            "that it is complete."
        )
    return standing


async def remove_replaced(keeper: Keeper, *, keep_ms: int) -> int:
    """Remove files that were replaced so long ago, and what earlier writers left; return how many.
    Raises StoreError, LakeError.
    """
    before_ms = keeper.clock.now_ms() - keep_ms
    gone = await keeper.db.read(lambda connection: lists.replaced(connection, before_ms=before_ms))
    for name in gone:
        await asyncio.to_thread(keeper.folder.remove, name)
    await keeper.write(lambda connection, _: lists.forget(connection, gone))
    known = await keeper.db.read(lists.known)
    left = list(keeper.folder.left(known, before_epoch=keeper.held.epoch))
    for name in left:
        await asyncio.to_thread(keeper.folder.remove, name)
    return len(gone) + len(left)
