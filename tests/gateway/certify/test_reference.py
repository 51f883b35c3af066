"""The hands at our own machine."""

from pathlib import Path

import pytest

from gateway.certify.moments import MomentKind, Recording, RuleOutcome
from tests.gateway.certify.examined import examined

pytestmark = pytest.mark.virtual_time


async def test_the_motors_are_counted(tmp_path: Path) -> None:
    """One vend is one turn, and a repeated approval none."""
    examination = await examined(tmp_path, "repeated-after-result")

    counted = [each.text for each in Recording(examination.moments).of(MomentKind.COUNTED)]
    assert ["1", "1"] == counted


async def test_an_erased_flash_begins_anew(tmp_path: Path) -> None:
    """The machine says that its journal is lost."""
    examination = await examined(tmp_path, "journal-lost")

    assert RuleOutcome.PASS is examination.findings[0].verdict.outcome
    hellos = Recording(examination.moments).hellos()
    assert any(each.said_by_machine.hello.journal_lost for each in hellos[1:-1])
