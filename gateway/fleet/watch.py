"""Follows the journal in SQL for one caller: positions in, events out, as they are saved.

It holds nothing but a position, so any gateway can continue where another one stopped.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from gateway.fleet.errors import invalid
from gateway.rpc.statuses import FieldProblem
from storage.fleet.queries import Queries
from storage.fleet.views import EventView

BATCH_MAX = 200
POLL_S = 0.2
_POSITION_MAX = 2**63 - 1


async def start_position(queries: Queries, after_token: str) -> int:
    """Return the position that a watch begins behind: the token's, or the newest for an empty one.
    Raises CallRefused.
    """
    if not after_token:
        return await queries.last_position()
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
    return int(after_token)


async def events(
    queries: Queries,
    position: int,
    *,
    machine_id: str,
    stopping: asyncio.Event,
    poll_s: float = POLL_S,
) -> AsyncIterator[EventView]:
    """Yield what was saved behind ``position``, in order, until ``stopping``; asks SQL again
    ``poll_s`` after it had nothing more.
    """
    while not stopping.is_set():
        batch = await queries.events_after(position, machine_id=machine_id, limit=BATCH_MAX)
        for one in batch:
            yield one
            position = one.position
        if len(batch) < BATCH_MAX:
            with suppress(TimeoutError):
                async with asyncio.timeout(poll_s):
                    await stopping.wait()
