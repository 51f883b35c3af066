"""Finds machines of which there are two, by the generations of the certificates they come with.

Flows in: each certificate with which a machine said Hello. Flows out: denials and a work item, in
SQL, and a word to whoever closes streams. No Hello waits for it: what came is asked in bulk, one
look at a time, behind the stream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog

from actors.ports import Clock, StoreError
from gateway.rpc.peers import Peer
from storage.office.certificates import Came

_log = structlog.get_logger()

ASKED_AT_ONCE = 500
WAITING_MAX = 40_000
"""More than a gateway has streams; beyond it the one that has waited longest is let go."""
AGAIN_AFTER_S = 2.0
_NAMED_MAX = 10


def came_of(machine_id: str, peer: Peer, *, at_ms: int, address: str) -> Came:
    """Return what there is to know of a certificate that a machine came with."""
    return Came(
        machine_id=machine_id,
        serial=peer.serial,
        at_ms=at_ms,
        address=address,
        not_before_ms=peer.not_before_ms,
        not_after_ms=peer.not_after_ms,
    )


Ask = Callable[[Collection[Came], int], Awaitable[list[str]]]


@dataclass(slots=True, kw_only=True)
class Doubles:
    """``ask`` notes in SQL who came and returns the machines of which something was denied for it;
    ``found`` is told that something was.
    """

    ask: Ask
    clock: Clock
    found: Callable[[], None]
    _waiting: dict[tuple[str, str], Came] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def came(self, machine_id: str, peer: Peer, address: str) -> None:
        """A machine said Hello with this certificate."""
        here = came_of(machine_id, peer, at_ms=self.clock.now_ms(), address=address)
        self._waiting[machine_id, peer.serial] = here
        if len(self._waiting) > WAITING_MAX:
            self._waiting.pop(next(iter(self._waiting)))
            _log.warning("more certificates wait to be looked at than may", waiting=WAITING_MAX)
        self._wake.set()

    async def look(self) -> None:
        """Ask about those that came, until none waits. Raises StoreError, and then they wait on."""
        while self._waiting:
            asked = dict(list(self._waiting.items())[:ASKED_AT_ONCE])
            denied = await self._judged(tuple(asked.values()))
            for key, one in asked.items():
                if self._waiting.get(key) is one:
                    del self._waiting[key]
            if denied:
                said = "machines came with certificates that were left behind, and are denied"
                _log.error(said, machines=denied)
                self.found()

    async def _judged(self, asked: Collection[Came]) -> list[str]:
        """Return of whom something was denied. One that nobody can judge, because of a defect of
        ours, keeps none of the others waiting.
        """
        try:
            return await self.ask(asked, self.clock.now_ms())
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the others are looked at
            machines = sorted({one.machine_id for one in asked})
            _log.exception("who came cannot be judged", machines=machines[:_NAMED_MAX])
        if len(asked) == 1:
            return []
        return [machine for one in asked for machine in await self._judged((one,))]

    async def run(self) -> None:
        """Look whenever a machine has come."""
        while True:
            if not self._waiting:  # begun again, it has those that waited then
                await self._wake.wait()
            self._wake.clear()
            try:
                await self.look()
            except StoreError as error:
                _log.warning("who came cannot be looked at, they wait", error=str(error))
                await asyncio.sleep(AGAIN_AFTER_S)
