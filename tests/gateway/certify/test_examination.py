"""One examination from rule to rule: sound firmware passes, and each planted bug fails its rule."""

from pathlib import Path

import pytest

from gateway.certify.examination import Examined
from gateway.certify.moments import RuleOutcome
from gateway.certify.rules import RULES
from tests.gateway.certify.examined import examined
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
