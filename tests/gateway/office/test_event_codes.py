"""Codes in words."""

import re
from pathlib import Path

from gateway.office.event_codes import MEANINGS, meaning

FIRMWARE = Path(__file__).parents[3] / "docs" / "firmware.md"


def test_a_code_has_its_words() -> None:
    """One that nobody knows has none."""
    assert ("a dispense motor", "") == (meaning("EJB"), meaning("EZZ"))


def test_what_machines_are_told_to_say_is_known() -> None:
    """Each code of the firmware's page."""
    told = set(re.findall(r"`(E[A-Z]{2})`", FIRMWARE.read_text(encoding="utf-8")))
    assert told
    assert told <= MEANINGS.keys()
