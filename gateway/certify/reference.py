"""Our own machine under examination: its buttons, its plug and a counter at its motors.

Flows in: acts of plays. Flows out: what the reference machine does then. The examiner reaches it
like any other machine; only the hands know that it is ours.
"""

import asyncio
from pathlib import Path

from gateway.certify.hands import HandAct
from gateway.simulator.machine_client import MachineClient

STEP_S = 0.2
"""A hand needs a moment, and the machine one to show what it was told."""
OFF_S = 2.0


class ReferenceHands:
    """Hands at a machine in this process. ``journal``: its flash."""

    can: frozenset[HandAct] = frozenset(HandAct)
    patience_ms = 60_000
    again_ms = 5_000
    sure = True

    def __init__(self, client: MachineClient, journal: Path) -> None:
        self._client = client
        self._journal = journal

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:  # noqa: ARG002  it is done at once
        """Do it."""
        client = self._client
        if act in {HandAct.POWER_CUT, HandAct.ERASE}:
            client.power_cut()
            await asyncio.sleep(OFF_S)
            if act is HandAct.ERASE:
                self._journal.unlink(missing_ok=True)
            client.power_on()
            return True
        await asyncio.sleep(STEP_S)
        match act:
            case HandAct.SELECT:
                client.select(column)
            case HandAct.CANCEL:
                client.cancel()
            case HandAct.COMPLETE:
                client.complete()
            case HandAct.CASH:
                return client.cash(column)
            case HandAct.TURNS:
                return False
        return True

    async def turns(self) -> int | None:
        """Return what the shelf counted."""
        return sum(self._client.shelf.turns.values())
