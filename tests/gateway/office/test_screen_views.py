"""A page of plays begins where the one before ended."""

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office.screen_views import FIRST, play_key, position_of
from storage.office.screens import Play


def test_a_position_is_read_back() -> None:
    """And the first page begins before everything."""
    play = Play(machine_id="VM-1", day=20261129, hour=3, manifest="m", item=2, times=1, shown_ms=1)
    assert (20261129, 3, "m", 2) == play_key(position_of(play))
    assert FIRST == play_key("")


@pytest.mark.parametrize(
    "text", ["x", "[]", '[1,2,"m"]', '[1,2,"\\u0000",1]', "[9999999999,1,2,3]"]
)
def test_a_position_that_is_none_of_ours_is_refused(text: str) -> None:
    """With the words for a wrong token."""
    with pytest.raises(CallRefused, match="page_token"):
        play_key(text)
