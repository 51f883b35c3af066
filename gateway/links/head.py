"""Whether the head of the Ray cluster is there.

Flows in: ``ray.address``. Flows out: whether something listens at it, for ``/metrics``, and a
sentence while nothing does, for ``/readyz``. Nobody notices at a sale that it is away: hosts and
gateways go on without it. But no host that dies is started again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

_REACH_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 5.0


async def unreachable(address: str) -> str:
    """Return why nothing can be reached at ``host:port``; empty if something listens, or if the
    address names no port ("auto" is Ray's to find).
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return ""
    try:
        async with asyncio.timeout(_REACH_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError, TimeoutError) as error:
        return str(error) or "no answer"
    writer.close()
    return ""


class ClusterHead:
    """``why`` tells why nothing listens at an address; empty: something does."""

    def __init__(self, address: str, *, why: Callable[[str], Awaitable[str]] = unreachable) -> None:
        self._address = address
        self._why = why
        self._broken: str | None = None

    @property
    def up(self) -> bool | None:
        """Whether something listens there; None: nobody has looked yet, or it has no address."""
        if self._broken is None or ":" not in self._address:
            return None
        return not self._broken

    async def run(self) -> None:
        """Look every few seconds."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once, and log if it went away or came back."""
        broken, before = await self._why(self._address), self._broken
        self._broken = broken
        if broken and not before:
            log.warning("Ray's head is away", address=self._address, why=broken)
        elif before and not broken:
            log.info("Ray's head is back", address=self._address)

    def sentences(self) -> tuple[str, ...]:
        """Return what is to be said to people; nothing while it is there."""
        if not self._broken:
            return ()
        sentence = (
            f"Ray's head at {self._address} is away ({self._broken}): sales go on, and no host "
            "that dies is started again; start the head at the same address, with its storage"
        )
        return (sentence,)
