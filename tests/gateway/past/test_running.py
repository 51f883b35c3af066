"""A whole past: what it is not made into, and the demo's own."""

import json

import pytest

from gateway.past import running
from gateway.past.plan import PastFailed, PastPlan
from tests.support.past import Folder


@pytest.mark.usefixtures("database")
def test_nobodys_past_is_written_into_another_database(folder: Folder, small: PastPlan) -> None:
    """What is there stays as it is, and it is said what to do."""
    path = folder.path / "vendgate.db"
    before = path.read_bytes()
    with pytest.raises(PastFailed, match=r"already.* choose another folder"):
        running.lived(folder.made, small, folder.machines, folder.keys, now_ms=1)
    assert before == path.read_bytes()
    assert not folder.machines.exists()


def test_how_far_it_is_is_a_line_of_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Which the demo shows while it waits."""
    running.say("week 1 of 10")
    assert {"message": "week 1 of 10"} == json.loads(capsys.readouterr().err)


@pytest.mark.slow
def test_the_demos_own_past(folder: Folder) -> None:
    """All of it: nobody goes without, the district is HOT, the price is seen to work."""
    told = running.live(
        folder.settings, folder.machines, folder.keys, seed=1, weeks=10, machines=24
    )
    assert 0 == told.lost
    assert told.sales > 3_000
    assert ["Kwun Tong"] == [one.name for one in told.hot if one.turned_day]
    assert "With the tried price" in told.trial
    assert told.low_permille > 0
