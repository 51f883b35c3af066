"""What a past says of itself."""

import json
from dataclasses import replace

from gateway.past.told import day
from tests.support.past import HOT, TOLD


def test_everything_is_said_with_the_truth_beside_it() -> None:
    """Four sentences."""
    assert (
        "Lived 10 weeks of 24 machines, from 2026-09-21 until now: 4123 sales, in 61 s.",
        (
            "Kwun Tong is HOT since 2026-11-03, 98 % sure. The truth: its customers became 2 "
            "times as many on 2026-10-26."
        ),
        "Cheaper drinks were tried: With the tried price 33.1 % more was sold.",
        "The truth: 35.0 % more came, which is within that interval.",
    ) == TOLD.sentences


def test_what_chance_did_is_not_hidden() -> None:
    """A district that is hot by its places alone, none at all, and an interval that misses."""
    lucky = replace(TOLD, hot=[replace(HOT, turned_day=0)], low_permille=360)
    assert lucky.sentences[1].endswith("The truth: its machines happen to stand well.")
    assert "not within, as in one of twenty" in lucky.sentences[-1]
    assert "No district is HOT." in replace(TOLD, hot=[]).sentences


def test_it_goes_through_json() -> None:
    """To the demo, which is another program."""
    assert list(TOLD.sentences) == json.loads(json.dumps(TOLD.as_json()))["sentences"]
    assert "2026-01-09" == day(20260109)
