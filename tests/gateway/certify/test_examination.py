"""One examination from rule to rule: sound firmware passes, and each planted bug fails its rule."""

import asyncio
from pathlib import Path

import pytest

from gateway.certify.examination import Examined
from gateway.certify.hands import HandAct, Hands
from gateway.certify.moments import RuleOutcome
from gateway.certify.reference import ReferenceHands
from gateway.certify.rules import RULES
from tests.gateway.certify.examined import ExaminedMachine, examined
from tests.gateway.certify.planted import BUGS

pytestmark = pytest.mark.virtual_time


def names(examination: Examined, outcome: RuleOutcome) -> set[str]:
    return {each.rule.name for each in examination.findings if each.verdict.outcome is outcome}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_reference_machine_keeps_all_rules(tmp_path: Path, seed: int) -> None:
    """Our own machine passes, whatever its waits come to."""
    examination = await examined(tmp_path, seed=seed)

    assert {rule.name for rule in RULES} == names(examination, RuleOutcome.PASS)
    assert 0 == examination.status


class SlowBoard(ExaminedMachine):
    """Needs half a minute from a restart to its first line of code."""

    def power_on(self) -> None:
        asyncio.get_running_loop().call_later(30, super().power_on)


async def test_a_board_may_take_its_time_to_restart(tmp_path: Path) -> None:
    """Every restart that a rule wants comes half a minute later."""
    rules = ("lower-last-seq", "number-reused", "boot-reused", "reboot-once", "new-boot")
    examination = await examined(tmp_path, *rules, machine=SlowBoard)

    assert set(rules) == names(examination, RuleOutcome.PASS)


class Torn:
    """Hands at a machine whose network breaks a moment after the first ``times`` choices."""

    def __init__(self, hands: Hands, times: int) -> None:
        self.can, self.patience_ms, self.again_ms = hands.can, hands.patience_ms, hands.again_ms
        self.sure = hands.sure
        self._hands = hands
        self._left = times

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        if act is HandAct.SELECT and self._left:
            self._left -= 1
            assert isinstance(self._hands, ReferenceHands)
            asyncio.get_running_loop().call_later(1, self._hands._client._redial)
        return await self._hands.do(act, column, in_vain=in_vain)

    async def turns(self) -> int | None:
        return await self._hands.turns()


@pytest.mark.parametrize(
    "rule", ["pay-first", "purchase-first", "slow-network", "repeated-after-result"]
)
async def test_a_network_that_breaks_off_is_no_fault_of_the_machine(
    tmp_path: Path, rule: str
) -> None:
    """The rule is played again; a machine that hangs up each time is at fault."""
    torn = await examined(tmp_path / "torn", rule, hands=lambda hands: Torn(hands, 1))
    assert {rule} == names(torn, RuleOutcome.PASS)
    always = await examined(tmp_path / "always", rule, hands=lambda hands: Torn(hands, 99))
    assert set() == names(always, RuleOutcome.PASS)


async def test_a_rule_of_all_frames_alone_looks_at_a_machine_at_rest(tmp_path: Path) -> None:
    """Nothing is played, and yet it is not judged on nothing."""
    examination = await examined(tmp_path, "numbers", "acknowledgements")

    assert {"numbers", "acknowledgements"} == names(examination, RuleOutcome.PASS)


@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_fails_its_rule_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    """Each bug of firmware is found, by the rule that it breaks."""
    BUGS[bug].plant(monkeypatch)

    examination = await examined(tmp_path)

    assert {BUGS[bug].rule} == names(examination, RuleOutcome.FAIL)
    assert 1 == examination.status


async def test_a_rule_alone_is_judged_like_among_others(tmp_path: Path) -> None:
    """The maker repeats what failed; but for what only vends show, which nobody plays then."""
    alone = {}
    for rule in RULES:
        examination = await examined(tmp_path / rule.name, rule.name)
        alone[rule.name] = examination.findings[0].verdict.outcome

    assert {"evidence", "request-ids"} == {
        name for name, outcome in alone.items() if outcome is RuleOutcome.NOT_TRIED
    }
    assert RuleOutcome.FAIL not in alone.values()


class Absent(ExaminedMachine):
    """Never comes."""

    async def run(self) -> None:
        return


async def test_a_machine_that_does_not_come_is_not_waited_for_at_each_rule(
    tmp_path: Path,
) -> None:
    """A minute or so for each of fifty rules would be an hour."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    examination = await examined(tmp_path, machine=Absent)

    assert {rule.name for rule in RULES} == names(examination, RuleOutcome.NOT_TRIED)
    assert loop.time() - began < 5 * 60
