"""How long a test waits for what must come.

A bound only ends a test that hangs: it is far above what the slowest busy computer needs, and no
verdict rests on it.
"""

import asyncio
from collections.abc import Callable

HANGS_AFTER_S = 90.0
"""Who has waited so long waits for what never comes."""
LOOK_EVERY_S = 0.002


async def until(condition: Callable[[], bool], *, within_s: float = HANGS_AFTER_S) -> None:
    """Return once the condition holds; raise TimeoutError if it does not."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(LOOK_EVERY_S)
