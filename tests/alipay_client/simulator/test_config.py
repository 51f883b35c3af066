"""Switching quirks and faults."""

import pytest

from alipay_client.simulator import Faults, Quirks
from alipay_client.simulator.config import (
    DOCUMENTED_REDELIVERY_MS,
    HELP_CENTRE_REDELIVERY_MS,
    switched,
)


def test_switching_changes_only_what_is_named() -> None:
    """Named switches change, in the types that they have; all others stay."""
    faults = switched(
        Faults(slow=0.5), {"notify_lost": 1, "slow_ms": 20.0, "services": ["notify_verify"]}
    )
    assert Faults(slow=0.5, notify_lost=1.0, slow_ms=20, services=("notify_verify",)) == faults
    assert isinstance(faults.slow_ms, int)


@pytest.mark.parametrize(
    "wanted",
    [
        {"nonsense": 1},
        {"slow": 1.5},
        {"slow": -0.1},
        {"slow": "1"},
        {"slow": True},
        {"slow": float("nan")},
        {"slow_ms": 10**9},
        {"slow_ms": 1.5},
        {"services": "all"},
        {"services": [1]},
        {"services": ["x"] * 21},
    ],
)
def test_wrong_switches_are_refused(wanted: dict[str, object]) -> None:
    """Unknown names, wrong types and values out of range set nothing."""
    with pytest.raises(ValueError, match=next(iter(wanted))):
        switched(Faults(), wanted)


def test_choices_and_truths() -> None:
    """A quirk takes one of its values, a truth only true or false."""
    assert Quirks(unknown_spelling="UNKNOW", short_of_funds=True) == switched(
        Quirks(), {"unknown_spelling": "UNKNOW", "short_of_funds": True}
    )
    for wanted in ({"unknown_spelling": "?"}, {"short_of_funds": 1}):
        with pytest.raises(ValueError, match="is"):
            switched(Quirks(), wanted)


def test_schedules() -> None:
    """Both schedules in print have eight deliveries within 25 hours."""
    for schedule in (DOCUMENTED_REDELIVERY_MS, HELP_CENTRE_REDELIVERY_MS):
        assert 8 == len(schedule) + 1
        assert sum(schedule) < 25 * 3_600_000
