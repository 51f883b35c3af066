"""Forms of playlists and plans become calls: the list as somebody saw it, with one change."""

import datetime as dt

import pytest

from gateway.office.v1 import screen_pb2
from gateway.web.door import FormRefused
from gateway.web.screen_acts import (
    change_playlist,
    create_plan,
    focus_after,
    listed,
    plan_filled_in,
)

A, B, C = (letter * 64 for letter in "abc")
FORM = {
    "request_id": "q-1",
    "playlist": "summer",
    "etag": "3",
    "name": "Summer",
    "items": f"{A}:8500 {B}:2000 {C}:3000",
}
PLAN = {
    "request_id": "q-1",
    "code": "noon",
    "playlist": "summer",
    "until": "2027-01-31T22:00",
    "zone": "Asia/Hong_Kong",
}


def _changed(**words: str) -> list[tuple[str, int]]:
    request = change_playlist(
        {**FORM, **{name.replace("_", "-"): of for name, of in words.items()}}
    )
    return [(one.sha256[:1], one.duration_ms) for one in request.playlist.items]  # type: ignore[attr-defined]  # it is UpdatePlaylistRequest


@pytest.mark.parametrize(
    ("move", "order"),
    [
        ("", "abc"),
        ("up-1", "bac"),
        ("up-2", "acb"),
        ("down-0", "bac"),
        ("down-1", "acb"),
        ("out-0", "bc"),
        ("out-2", "ab"),
        (f"add-{B}", "abcb"),
    ],
)
def test_a_button_changes_the_order(move: str, order: str) -> None:
    """One item goes to its neighbour's place, or out, or a picture comes last."""
    assert order == "".join(name for name, _ in _changed(move=move))


@pytest.mark.parametrize(
    ("move", "focus"),
    [
        ("", "act-change-playlist"),
        ("up-2", "up-1"),
        ("up-1", "down-0"),
        ("down-0", "down-1"),
        ("down-1", "up-2"),
        ("out-0", "out-0"),
        ("out-2", "out-1"),
        (f"add-{B}", f"add-{B}"),
    ],
)
def test_a_button_is_gone_on_from(move: str, focus: str) -> None:
    """It has moved with its item; at an end the one that leads away from it, which is there."""
    assert focus == focus_after({**FORM, "move": move})


def test_the_last_item_leaves_its_table() -> None:
    """There is no button any more."""
    assert "table-items" == focus_after({**FORM, "items": f"{A}:8500", "move": "out-0"})


@pytest.mark.parametrize(
    "move", ["up-0", "down-2", "out-3", "out--1", "up-x", "add-", "sideways-1", "up", "٣-1", "up-٣"]
)
def test_what_no_button_says_is_refused(move: str) -> None:
    """And nothing is moved out of the list."""
    with pytest.raises(FormRefused, match="load the page again"):
        _changed(move=move)


def test_seconds_that_nobody_touched_stay_to_the_millisecond() -> None:
    """What was written holds, also when a button moves the item."""
    assert [("a", 8_500), ("b", 2_000), ("c", 3_000)] == _changed(seconds_0="8", seconds_1=" ")
    assert [("b", 7_000), ("a", 9_000), ("c", 3_000)] == _changed(
        seconds_0="9", seconds_1="7", move="up-1"
    )
    for wrong in ("soon", "-1", "1.5", "٣", "9" * 5_000):
        with pytest.raises(FormRefused, match="how many seconds"):
            _changed(seconds_0=wrong)


@pytest.mark.parametrize("items", ["x", f"{A}:", f"{A}:x", f"{A}:8000 {B}"])
def test_a_list_that_no_page_drew_is_refused(items: str) -> None:
    """And is not taken for a shorter one."""
    with pytest.raises(FormRefused, match="load the page again"):
        _changed(items=items)


def test_a_list_comes_back_as_it_was_drawn() -> None:
    """Whole, with its etag: who saved meanwhile is not written over."""
    items = [screen_pb2.PlaylistItem(sha256=A, duration_ms=8_500)]
    request = change_playlist({**FORM, "items": listed(items)})
    expected = screen_pb2.Playlist(code="summer", name="Summer", items=items)
    assert (expected, "3") == (request.playlist, request.etag)  # type: ignore[attr-defined]  # it is UpdatePlaylistRequest
    with pytest.raises(FormRefused, match="no etag"):
        change_playlist({**FORM, "etag": ""})


def _plan(**words: str) -> screen_pb2.ScreenPlan:
    fields = {**PLAN, **{name.replace("_day", "-"): of for name, of in words.items()}}
    plan: screen_pb2.ScreenPlan = create_plan(fields).plan  # type: ignore[attr-defined]  # it is CreateScreenPlanRequest
    return plan


def test_a_plan_means_what_was_filled_in() -> None:
    """Nothing is all days and the whole day; times are those of the console's clock."""
    plan = _plan()
    assert ([], 0, 0, 0) == (list(plan.days), plan.from_minute, plan.to_minute, plan.priority)
    assert "2027-01-31T14:00:00Z" == plan.not_after.ToJsonString()
    assert plan.selector == type(plan.selector)()
    plan = create_plan(
        {
            **PLAN,
            "day-1": "1",
            "day-7": "1",
            "from_time": "08:30",
            "to_time": "22:00:00",
            "priority": "7",
            "machines": "VM-1, VM-2\tVM-3",
            "district": " hill ",
            "site": "pier",
            "site_type": "STATION",
            "model": "M4",
            "labels": "route = north,b=2,",
            "all": "1",
        }
    ).plan  # type: ignore[attr-defined]  # it is CreateScreenPlanRequest
    assert ([1, 7], 510, 1_320, 7) == (
        list(plan.days),
        plan.from_minute,
        plan.to_minute,
        plan.priority,
    )
    meant = plan.selector
    assert ["VM-1", "VM-2", "VM-3"] == list(meant.machine_ids)
    assert ("hill", "pier", "STATION", "M4", True) == (
        *(meant.district, meant.site, meant.site_type, meant.model),
        meant.all,
    )
    assert {"route": "north", "b": "2"} == dict(meant.labels)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"code": ""}, "no code"),
        ({"playlist": " "}, "no playlist"),
        ({"until": ""}, "until when"),
        ({"until": "2027-02-30T10:00"}, "until when"),
        ({"until": "0001-01-01T00:00"}, "until when"),
        ({"until": "2027-01-31"}, "until when"),
        ({"from_time": "24:00"}, "under from"),
        ({"to_time": "8"}, "under to"),
        ({"priority": "high"}, "priority"),
        ({"labels": "north"}, "name=value"),
        ({"labels": "a=1,a=2"}, "name=value"),
    ],
)
def test_a_plan_that_is_none_is_a_sentence(wrong: dict[str, str], sentence: str) -> None:
    """What the call would not understand is not asked."""
    with pytest.raises(FormRefused, match=sentence):
        create_plan({**PLAN, **wrong})


def test_an_address_fills_in_all_or_nothing() -> None:
    """A part of the machines would be another plan."""
    assert "/screens/plans?code=a+b&day-7=1#new" == plan_filled_in(
        {"code": "a b", "day-7": "1", "all": "", "form_key": "secret"}
    )
    for too_long in (
        {"code": "a", "machines": "VM-1 " * 60},
        dict.fromkeys(("district", "site", "model", "machines"), "中" * 90),
        {},
    ):
        assert "/screens/plans#new" == plan_filled_in(too_long)


def test_a_day_and_an_hour_that_the_clock_left_out_is_one_all_the_same() -> None:
    """When clocks go forward somebody may name it; it is an hour later then."""
    plan = create_plan({**PLAN, "zone": "Europe/Berlin", "until": "2027-03-28T02:30"}).plan  # type: ignore[attr-defined]  # it is CreateScreenPlanRequest
    told = plan.not_after.ToDatetime(tzinfo=dt.UTC)
    assert dt.datetime(2027, 3, 28, 1, 30, tzinfo=dt.UTC) == told
