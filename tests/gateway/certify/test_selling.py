"""What plays of vends have in common."""

from pathlib import Path

import pytest

from gateway.certify.hands import HandAct, Hands
from gateway.certify.moments import RuleOutcome
from tests.gateway.certify.examined import examined

pytestmark = pytest.mark.virtual_time


class Lazy:
    """Hands that never press a column's button, though they say so."""

    def __init__(self, hands: Hands) -> None:
        self.can = hands.can
        self.patience_ms = hands.patience_ms
        self.again_ms = hands.again_ms
        self.sure = hands.sure
        self._hands = hands

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        return True if act is HandAct.SELECT else await self._hands.do(act, column)

    async def turns(self) -> int | None:
        return None


async def test_a_choice_that_nobody_makes_proves_nothing(tmp_path: Path) -> None:
    """The rule is not tried, and the reason says what was awaited."""
    examination = await examined(tmp_path, "pay-first", hands=Lazy)

    verdict = examination.findings[0].verdict
    assert RuleOutcome.NOT_TRIED is verdict.outcome
    assert "column A1 was to be chosen, and no VendRequest came" == verdict.why
    assert 3 == examination.status


async def test_a_button_is_pressed_again(tmp_path: Path) -> None:
    """A machine that had not yet heard of its customer's money is asked once more."""

    class Early(Lazy):
        pressed = 0

        async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
            self.pressed += act is HandAct.SELECT
            return True if self.pressed == 1 else await self._hands.do(act, column)

    examination = await examined(tmp_path, "pay-first", hands=Early)

    assert 0 == examination.status


async def test_a_machine_that_got_over_nothing_breaks_the_rule(tmp_path: Path) -> None:
    """Its button was pressed again, and it said nothing; a person may just have been late."""

    class Once(Lazy):
        pressed = 0

        async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
            self.pressed += act is HandAct.SELECT
            return True if self.pressed > 1 else await self._hands.do(act, column)

    class Asked(Once):
        def __init__(self, hands: Hands) -> None:
            super().__init__(hands)
            self.sure = False

    rules = ("price-change", "refused-frame", "newer-backend")
    for rule in rules:
        sure = await examined(tmp_path / rule, rule, hands=Once)
        assert RuleOutcome.FAIL is sure.findings[0].verdict.outcome, rule
        assert "nobody could choose" in sure.findings[0].verdict.why
        asked = await examined(tmp_path / f"{rule}-asked", rule, hands=Asked)
        assert RuleOutcome.NOT_TRIED is asked.findings[0].verdict.outcome, rule


async def test_the_next_play_finds_the_machine_at_rest(tmp_path: Path) -> None:
    """A request that one play leaves open is denied before the next."""
    names = ("move-in-vend", "late-after-cancel", "pay-first")
    examination = await examined(tmp_path, *names)

    assert 0 == examination.status
