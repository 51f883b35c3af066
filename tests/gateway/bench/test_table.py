"""The table for a terminal."""

import io
import math

import pytest
from rich.console import Console

from gateway.bench.figures import ECHO, PLAIN, RATE, RATE_SHARE, Figure, Results
from gateway.bench.table import number, shown


def test_figures_ratios_remarks_and_failures_are_shown() -> None:
    """Each subject has its column, and what went wrong is not left out."""
    results = Results(made={})
    results.add(PLAIN, Figure(name=RATE, value=321.0, unit="1/s"))
    results.add(ECHO, Figure(name=RATE, value=3_210.0, unit="1/s"))
    results.add(PLAIN, Figure(name=RATE_SHARE, value=0.1, unit=""))
    results.add(ECHO, Figure(name=RATE_SHARE, value=1.0, unit=""))
    results.remarks.append("measured [on] a busy computer")
    results.failures.append("ray could not be measured")
    console = Console(width=120, file=io.StringIO(), record=True)

    console.print(shown(results))

    text = console.export_text()
    for wanted in ("no-ray", "321", "3,210", "0.1", "measured [on] a busy", "ray could not be"):
        assert wanted in text


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (math.nan, ""), (1_234.5, "1,234"), (12.345, "12.3")]
)
def test_a_number_has_the_digits_that_are_worth_reading(value: float | None, text: str) -> None:
    """What was not measured is empty."""
    assert text == number(value)
