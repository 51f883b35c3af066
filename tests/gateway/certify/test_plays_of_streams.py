"""The plays of streams: what each does to a machine."""

from pathlib import Path

import pytest

from gateway.certify import plays_of_streams
from gateway.certify.moments import MomentKind, Recording
from gateway.certify.rules import RULES
from gateway.certify.times import GOOD_SESSIONS, MOVE_UNTIL_MS, TRIES, WIDE_TRIES
from tests.gateway.certify.examined import examined

pytestmark = pytest.mark.virtual_time


async def test_the_gateway_is_away_for_some_tries(tmp_path: Path) -> None:
    """None of which is welcomed; behind more of them good sessions end."""
    examination = await examined(tmp_path, "back-off")

    seen = Recording(examination.moments)
    first, wide, *good, _ = seen.said("welcome")
    assert TRIES + 1 == len(seen.after(first).before(wide).of(MomentKind.ENDED))
    assert 1 + WIDE_TRIES == len(seen.after(wide).before(good[0]).of(MomentKind.ENDED))
    assert GOOD_SESSIONS == len(good) == len(seen.after(good[0]).of(MomentKind.ENDED))
    assert all(seen.on(each.stream).after(each).heard() for each in good)


async def test_a_request_is_open_when_the_machine_is_to_move(tmp_path: Path) -> None:
    """For longer than a machine at rest would have waited."""
    examination = await examined(tmp_path, "move-in-vend")

    seen = Recording(examination.moments)
    asked = seen.said("move_request")[0]
    answered = seen.after(asked).said("vend_denied")[0]
    assert answered.at_ms - asked.at_ms > MOVE_UNTIL_MS / 2


def test_each_play_is_played() -> None:
    """By a rule."""
    played = {rule.play or rule.shows for rule in RULES}
    own = {
        value
        for name, value in vars(plays_of_streams).items()
        if getattr(value, "__module__", "") == plays_of_streams.__name__ and name[0] != "_"
    }
    assert set() == {each.__name__ for each in own - played}
