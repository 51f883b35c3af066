"""The plays of streams: what each does to a machine."""

from pathlib import Path

import pytest

from gateway.certify import plays_of_streams
from gateway.certify.moments import MomentKind, Recording
from gateway.certify.rules import RULES
from gateway.certify.times import GOOD_SESSIONS, TRIES, WIDE_TRIES
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


async def test_a_vend_is_open_when_the_machine_is_to_move(tmp_path: Path) -> None:
    """For longer than a machine at rest would have waited its request has no answer."""
    examination = await examined(tmp_path, "move-in-vend")

    seen = Recording(examination.moments)
    asked = seen.said("move_request")[0]
    approved = seen.after(asked).said("vend_approved")[0]
    latest_ms = asked.said_by_us.move_request.not_after_ms
    assert latest_ms / 2 < approved.at_ms - asked.at_ms < latest_ms


async def test_each_frame_behind_a_gap_brings_a_complaint(tmp_path: Path) -> None:
    """As at the gateway, to which they were all on their way."""
    examination = await examined(tmp_path, "gap")

    complaints = Recording(examination.moments).said("protocol_error")
    errors = [each.said_by_us.protocol_error for each in complaints]
    expected_seq = errors[0].expected_seq
    assert [expected_seq + behind for behind in (1, 2, 3)] == [error.seq for error in errors]
    assert {expected_seq} == {error.expected_seq for error in errors}


async def test_the_gateway_fails_in_each_way(tmp_path: Path) -> None:
    """Whatever ended the stream, a machine comes back with patience."""
    examination = await examined(tmp_path, "back-off")

    ends = Recording(examination.moments).of(MomentKind.ENDED)
    codes = {*plays_of_streams.BROKEN, *plays_of_streams.CLOSED}
    assert {code.name for code in codes} == {each.text for each in ends}


def test_each_play_is_played() -> None:
    """By a rule."""
    played = {rule.play or rule.shows for rule in RULES}
    own = {
        value
        for name, value in vars(plays_of_streams).items()
        if getattr(value, "__module__", "") == plays_of_streams.__name__ and name[0] != "_"
    }
    assert set() == {each.__name__ for each in own - played}
