"""Who presses the buttons."""

import asyncio
import queue
import sys
from pathlib import Path

import pytest

from gateway.certify import hands as hands_module
from gateway.certify.hands import AskedHands, HandAct, NoHands, ProgramHands

PROGRAM = """
import sys
if sys.argv[1] == "turns":
    print(7)
elif sys.argv[1:] != ["select", "A1"]:
    sys.exit(3)
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "hand.py"
    path.write_text(PROGRAM)
    return f"{sys.executable} {path}"


async def test_a_program_does_what_it_can(program: str) -> None:
    """Its status says whether it was done."""
    hands = ProgramHands(program)

    assert await hands.do(HandAct.SELECT, "A1")
    assert not await hands.do(HandAct.CANCEL)
    assert 7 == await hands.turns()


async def test_a_relay_cuts_the_power_alone(program: str) -> None:
    """What has a program of its own is not asked of the other, nor of anybody."""
    hands = ProgramHands(power_cut=f"{program} select A1")

    assert {HandAct.POWER_CUT} == hands.can
    assert await hands.do(HandAct.POWER_CUT)
    assert not await hands.do(HandAct.SELECT, "A1")
    assert await hands.turns() is None


async def test_a_program_that_is_none_has_failed() -> None:
    """The examiner goes on without it."""
    assert not await ProgramHands("/no/such/program").do(HandAct.SELECT, "A1")


async def test_a_tester_is_asked() -> None:
    """One line for each act; a number that is none is not counted."""
    said: list[str] = []
    answers: queue.Queue[str] = queue.Queue()

    def asked(text: str) -> None:
        said.append(text)
        if text.endswith("not counted)"):
            answers.put({2: "4\n", 3: "\n"}.get(len(said), ""))

    hands = AskedHands(asked, answers.get)

    assert await hands.do(HandAct.SELECT, "B2")
    assert [">> press the button of column B2"] == said
    assert 4 == await hands.turns()
    assert await hands.turns() is None
    assert await hands.turns() is None


async def test_who_presses_in_vain_says_so() -> None:
    """Nothing on the wire shows it; who says nothing has not done it."""
    answers: queue.Queue[str] = queue.Queue()
    said: list[str] = []

    def asked(text: str) -> None:
        said.append(text)
        if len(said) == 1:
            answers.put("\n")

    hands = AskedHands(asked, answers.get)
    hands.patience_ms = 200
    assert await hands.do(HandAct.SELECT, "A1", in_vain=True)
    assert not await hands.do(HandAct.SELECT, "A1", in_vain=True)
    assert "then press Enter" in said[0]
    answers.put("")


async def test_nobody_does_nothing() -> None:
    """And so it is said."""
    assert not await NoHands().do(HandAct.SELECT)
    assert await NoHands().turns() is None


async def test_a_program_that_hangs_is_ended_and_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that it began; what else it is asked for it may still do."""
    monkeypatch.setattr(hands_module, "PROGRAM_WITHIN_S", 1.0)
    begun = tmp_path / "begun"
    hangs = f"sh -c 'sleep 1000 & echo $! > {begun}; wait'"
    hands = ProgramHands(hangs)

    assert not await hands.do(HandAct.SELECT, "A1")
    assert frozenset(HandAct) - {HandAct.SELECT} == hands.can
    if child := begun.exists() and begun.read_text().strip():  # a slow computer begins nothing
        status = Path("/proc") / child / "stat"
        async with asyncio.timeout(30):  # it was told to end, and ends when it is its turn
            while not _is_gone(status):
                await asyncio.sleep(0.02)


def _is_gone(status: Path) -> bool:
    try:
        return " Z " in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
