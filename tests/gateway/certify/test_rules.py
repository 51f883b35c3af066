"""The rules as data."""

import re
from pathlib import Path

import pytest

from gateway.certify.hands import HandAct
from gateway.certify.rules import RULES, chosen_rules

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "firmware.md").read_text()


def anchors(text: str) -> set[str]:
    """The headings of a document, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_each_rule_stands_in_the_document() -> None:
    """A verdict leads its reader to the sentence that counts."""
    assert set() == {rule.anchor for rule in RULES} - anchors(DOCUMENT)


def test_names_are_their_own() -> None:
    """``--only`` means one rule."""
    assert len(RULES) == len({rule.name for rule in RULES})
    assert all(re.fullmatch(r"[a-z-]{3,25}", rule.name) for rule in RULES)
    assert all(rule.says.endswith(".") for rule in RULES)


def test_rules_are_chosen_by_name() -> None:
    """Without names all; a name that is none is told."""
    assert RULES == chosen_rules([])
    assert ["resend"] == [rule.name for rule in chosen_rules(["resend"])]
    with pytest.raises(ValueError, match=r"no rule nope; there are pay-first, .*, request-ids$"):
        chosen_rules(["nope"])


def test_what_needs_nobody_can_be_played_alone() -> None:
    """A machine on the desk without hands is examined as far as that goes."""
    alone = {rule.name for rule in RULES if rule.play is not None and not rule.needs}
    assert {"back-off", "heartbeat", "move", "strange-code", "slow-welcome"} <= alone
    assert all(rule.needs <= set(HandAct) for rule in RULES)
