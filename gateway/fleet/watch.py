"""Follows the journal in SQL for one caller: positions in, events out, as they are saved.

It holds nothing but a position, so any gateway can continue where another one stopped. ``Watches``
bounds how many there are, for each caller and in all, and how often all of them together ask SQL.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from gateway.fleet import errors as fleet_errors
from gateway.fleet.errors import CallRefused, invalid
from gateway.rpc.statuses import FieldProblem
from storage.fleet.queries import Queries
from storage.fleet.views import EventView

BATCH_MAX = 200
POLL_S = 0.2
READS_PER_S = 100
"""All watches together ask no more often: with many of them each asks less often."""
WATCHES_MAX = 64
WATCHES_PER_CALLER_MAX = 8
_POSITION_MAX = 2**63 - 1


async def start_position(queries: Queries, after_token: str, stopping: asyncio.Event) -> int:
    """Return the position that a watch begins behind: the token's, or the newest for an empty one,
    once all that stands before it is there, or ``stopping``. Raises CallRefused, also for a token
    that no event has yet: its reader would miss all that comes up to there.
    """
    if not after_token:
        newest = await queries.last_position()
        while await queries.settled_position() < newest and not stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await stopping.wait()
        return newest
    if (
        not after_token.isascii()
        or not after_token.isdigit()
        or len(after_token) > 19
        or int(after_token) > _POSITION_MAX
    ):
        raise invalid(
            FieldProblem(
                field="after_token",
                description=(
                    "must be the token of an event, '0' for the beginning, or empty for now"
                ),
            )
        )
    position = int(after_token)
    newest = await queries.last_position()
    if position > newest > 0:  # 0: the archive took all of them
        raise CallRefused(fleet_errors.TOKEN_AHEAD.about(newest=str(newest)))
    return position


class Watches:
    """The watches of a gateway."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()

    @property
    def poll_s(self) -> float:
        """How long a watch waits before it asks again."""
        return max(POLL_S, self._of.total() / READS_PER_S)

    @contextmanager
    def one_more(self, caller: str) -> Iterator[None]:
        """Count one of this caller while the block lasts. Raises CallRefused."""
        if self._of.total() >= WATCHES_MAX or self._of[caller] >= WATCHES_PER_CALLER_MAX:
            raise CallRefused(fleet_errors.TOO_MANY_WATCHES)
        self._of[caller] += 1
        try:
            yield
        finally:
            self._of -= Counter([caller])


async def events(
    queries: Queries,
    position: int,
    *,
    machine_id: str,
    stopping: asyncio.Event,
    watches: Watches,
) -> AsyncIterator[EventView]:
    """Yield what was saved behind ``position``, in order, until ``stopping``; asks SQL again a
    while after it had nothing more. What may still get something before it is not told yet, not
    even of one machine: each event's token is good for every watch.
    """
    version = await queries.version_at(machine_id, position) if machine_id else 0
    told_upto = -1
    while not stopping.is_set():
        upto = await queries.settled_position()
        batch: list[EventView] = []
        if upto == told_upto:
            pass  # nothing was saved: one read is enough for a quiet watch
        elif machine_id:
            batch = await queries.events_of(machine_id, version, upto=upto, limit=BATCH_MAX)
        else:
            batch = await queries.events_after(position, upto=upto, limit=BATCH_MAX)
        for one in batch:
            yield one
            position, version = one.position, one.version
        if len(batch) < BATCH_MAX:
            told_upto = upto
            with suppress(TimeoutError):
                async with asyncio.timeout(watches.poll_s):
                    await stopping.wait()
