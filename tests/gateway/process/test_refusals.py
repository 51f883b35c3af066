"""What is raised where settings cannot be used."""

import subprocess
import sys
from pathlib import Path

from gateway.process.refusals import SettingsRefused

ROOT = Path(__file__).parents[3]


def test_its_text_is_one_problem_a_line() -> None:
    """As whoever ends a command prints it."""
    refused = SettingsRefused(("this is empty", "that is no number"))
    assert "this is empty\nthat is no number" == str(refused)
    assert ("this is empty", "that is no number") == refused.problems


def test_who_ends_commands_loads_nothing_that_reads_settings() -> None:
    """It takes most of a second of processor in each process."""
    program = "import sys, gateway.process.endings; print('pydantic' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    assert "False\n" == said
