"""The machine in C is examined by ``vendgate certify``: real sockets, files and kills, the program
under the address and undefined-behaviour sanitizers.
"""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from gateway.certify.desk import Desk, ExamTerms
from gateway.certify.examination import examine
from gateway.certify.hands import HandAct, NoHands
from gateway.certify.moments import RuleOutcome
from gateway.certify.rules import RULES
from gateway.certify.rules_of_commands import OF_COMMANDS
from gateway.certify.server import listening
from tests.support import c_machine
from tests.support.c_machine import CMachine, PowerCut

WANTING = c_machine.missing()
OFF_S = 2.0
UNKNOWN_TO_IT = {rule.name for rule in OF_COMMANDS}
"""It says no ``capabilities.commands``."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(bool(WANTING), reason=f"the machine in C cannot be built: {WANTING}"),
    pytest.mark.xdist_group("c_machine"),
]


class BoardHands:
    """Fingers at the buttons, and at the plug, of the machine in C."""

    can = frozenset(HandAct)
    patience_ms = 60_000
    again_ms = 5_000
    sure = True

    def __init__(self, machine: CMachine) -> None:
        self._machine = machine
        self._listening: asyncio.Task[None]

    async def switch_on(self) -> None:
        await self._machine.start()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Read what it prints, or it would wait for a reader."""
        with contextlib.suppress(PowerCut):
            while True:
                await self._machine.heard()

    async def switch_off(self) -> None:
        self._machine.cut_power()
        await self._listening

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        match act:
            case HandAct.POWER_CUT | HandAct.ERASE:
                await self.switch_off()
                await asyncio.sleep(OFF_S)
                if act is HandAct.ERASE:
                    for area in self._machine.folder.glob("journal.*"):
                        area.unlink()
                await self.switch_on()
            case HandAct.CASH:
                self._machine.press(f"cash {column} 500")
            case _:
                self._machine.press(f"{act.value} {column}".strip())
        return True

    async def turns(self) -> int | None:
        return self._machine.shelf("turn").total()


@pytest.mark.timeout(1_800)
async def test_it_keeps_every_rule(tmp_path: Path) -> None:
    """But for those of what it does not know, which are not tried."""
    c_machine.make(tmp_path / "kit", "all")
    desk = Desk(
        terms=ExamTerms(mark="c", columns=("A1",)),
        hands=NoHands(),
        now_ms=lambda: time.monotonic_ns() // 1_000_000,
    )
    async with listening(desk, "127.0.0.1:0", None) as port:
        program, board = tmp_path / "kit" / "machine", tmp_path / "board"
        machine = CMachine(program, board, "VM-0001", "--gateway", f"127.0.0.1:{port}")
        desk.hands = hands = BoardHands(machine)
        await hands.switch_on()
        try:
            examination = await examine(desk, RULES)
        finally:
            await hands.switch_off()

    not_kept = {
        each.rule.name: each.verdict
        for each in examination.findings
        if each.verdict.outcome is not RuleOutcome.PASS
    }
    assert UNKNOWN_TO_IT == not_kept.keys(), not_kept
    assert 3 == examination.status
