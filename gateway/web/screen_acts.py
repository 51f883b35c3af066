"""What forms of playlists and screen plans ask for: the fields of a form become one call.

Flows in: the fields. Flows out: a request for ``asking``. A playlist's form has the whole list as
somebody saw it, and what is to change about it; the etag says that it is still so.
"""

import datetime as dt
import re
from collections.abc import Mapping
from contextlib import suppress
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from gateway.office.v1 import screen_pb2, selector_pb2
from gateway.office.v1 import screen_service_pb2 as wire
from gateway.web.door import FormRefused
from gateway.web.fields import Fields, filled_in, given, request_id
from gateway.web.tables import place_of

PLANS = "/screens/plans"
ITEMS = "items"
MOVE = "move"
CHANGE = "change-playlist"
SECONDS = "seconds-"
ZONE = "zone"
"""The field in which the console itself says by which clock a form's times are meant."""
PLAN = (
    *("code", "playlist", "machines", "district", "site", "site_type", "model", "labels", "all"),
    *("from_time", "to_time", "until", "priority"),
    *(f"day-{day}" for day in range(1, 8)),
)
"""The fields of a plan's form that an address may fill in."""
NEW_MS = 10_000
"""For so long a picture is shown that was just added."""
_WHOLE = re.compile(r"[0-9]{1,6}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::00)?")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?")
STALE = "The form is not as the page drew it: load the page again."


def listed(items: list[screen_pb2.PlaylistItem]) -> str:
    """Return a playlist's items as its form has them."""
    return " ".join(f"{one.sha256}:{one.duration_ms}" for one in items)


def create_playlist(of: Fields) -> Message:
    """Return CreatePlaylist of a form: a list without pictures yet."""
    made = screen_pb2.Playlist(code=given(of, "code"), name=of.get("name", "").strip())
    return wire.CreatePlaylistRequest(playlist=made, request_id=request_id(of))


def change_playlist(of: Fields) -> Message:
    """Return UpdatePlaylist of a form: another name, other times, and what its button says."""
    items = [
        screen_pb2.PlaylistItem(sha256=sha256, duration_ms=_shown_ms(of, place, duration_ms))
        for place, (sha256, duration_ms) in enumerate(_items(of))
    ]
    made = screen_pb2.Playlist(
        code=given(of, "playlist"),
        name=of.get("name", "").strip(),
        items=_moved(items, of.get(MOVE, "")),
    )
    return wire.UpdatePlaylistRequest(
        playlist=made, etag=given(of, "etag"), request_id=request_id(of)
    )


def _items(of: Fields) -> list[tuple[str, int]]:
    items = [one.partition(":") for one in of.get(ITEMS, "").split()]
    if not all(_WHOLE.fullmatch(duration_ms) for _, _, duration_ms in items):
        raise FormRefused(STALE)
    return [(sha256, int(duration_ms)) for sha256, _, duration_ms in items]


def _shown_ms(of: Fields, place: int, before_ms: int) -> int:
    """Return for how long an item is shown. What was not touched stays to the millisecond."""
    said = of.get(f"{SECONDS}{place}", "").strip()
    if not said or said == str(before_ms // 1_000):
        return before_ms
    if not _WHOLE.fullmatch(said):
        raise FormRefused("Say for how many seconds as a whole number: 1 to 600.")
    return int(said) * 1_000


def _moved(items: list[screen_pb2.PlaylistItem], move: str) -> list[screen_pb2.PlaylistItem]:
    """Return the items after what a button says: ``up-2``, ``down-0``, ``out-1``, or ``add-`` with
    a file; without one they are as they were.
    """
    word, _, what = move.partition("-")
    if word == "add" and what:
        return [*items, screen_pb2.PlaylistItem(sha256=what, duration_ms=NEW_MS)]
    if not move:
        return items
    place = int(what) if _WHOLE.fullmatch(what) else len(items)
    to = place + {"up": -1, "down": 1, "out": 0}.get(word, len(items))
    if not (0 <= place < len(items) and 0 <= to < len(items)):
        raise FormRefused(STALE)
    others = [*items[:place], *items[place + 1 :]]
    return others if word == "out" else [*others[:to], items[place], *others[to:]]


def focus_after(of: Fields) -> str:
    """Return which button somebody goes on from: the one that they pressed, where it has gone with
    its item; at an end of the list, the one that leads away from it.
    """
    word, _, what = of.get(MOVE, "").partition("-")
    count = len(_items(of))
    place = int(what) if _WHOLE.fullmatch(what) else 0
    match word:
        case "up" if place > 1:
            return f"up-{place - 1}"
        case "up":
            return "down-0"
        case "down" if place + 2 < count:
            return f"down-{place + 1}"
        case "down":
            return f"up-{count - 1}"
        case "out" if count > 1:
            return f"out-{min(place, count - 2)}"
        case "out":
            return place_of("items")
        case "add":
            return f"add-{what}"
    return f"act-{CHANGE}"


def create_plan(of: Fields) -> Message:
    """Return CreateScreenPlan of a form."""
    from_minute, to_minute = _minute(of, "from"), _minute(of, "to")
    if to_minute and to_minute <= from_minute:
        raise FormRefused(
            "The time under to must be later than that under from: for a night make two plans, one "
            "until the end of a day and one from its beginning."
        )
    made = screen_pb2.ScreenPlan(
        code=given(of, "code"),
        playlist=given(of, "playlist"),
        selector=selector_of(of),
        days=[day for day in range(1, 8) if of.get(f"day-{day}")],
        from_minute=from_minute,
        to_minute=to_minute,
        priority=_priority(of),
    )
    made.not_after.FromDatetime(until(of, "the plan holds"))
    return wire.CreateScreenPlanRequest(plan=made, request_id=request_id(of))


def plan_filled_in(of: Fields) -> str:
    """Return the address of a plan's form with these fields, or of an empty one."""
    return filled_in(of, PLAN, f"{PLANS}#new")


def end_plan(of: Fields) -> Message:
    """Return EndScreenPlan of a form."""
    return wire.EndScreenPlanRequest(plan=given(of, "plan"), request_id=request_id(of))


def selector_of(of: Fields) -> selector_pb2.Selector:
    """Return which machines a form means. Raises FormRefused."""
    words = {name: of.get(name, "").strip() for name in ("district", "site", "site_type", "model")}
    return selector_pb2.Selector(
        machine_ids=of.get("machines", "").replace(",", " ").split(),
        labels=_labels(of.get("labels", "")),
        all=bool(of.get("all")),
        **words,
    )


def _labels(text: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for one in filter(None, map(str.strip, text.split(","))):
        name, equals, value = (part.strip() for part in one.partition("="))
        if not (name and equals and value) or name in labels:
            raise FormRefused(
                "Labels are written as name=value, each once, with commas between: "
                "for example route=north. A value that has a comma itself takes CreateScreenPlan."
            )
        labels[name] = value
    return labels


def _minute(of: Fields, name: str) -> int:
    """Return a time of a day in minutes; 0 if there is none."""
    said = of.get(f"{name}_time", "").strip()
    if not said:
        return 0
    if (found := _TIME.fullmatch(said)) is None:
        raise FormRefused(f"Write the time under {name} as hours and minutes, such as 08:30.")
    return int(found[1]) * 60 + int(found[2])


def _priority(of: Fields) -> int:
    said = of.get("priority", "").strip() or "0"
    if not _WHOLE.fullmatch(said):
        raise FormRefused("Say the priority as a whole number: 0 to 100.")
    return int(said)


def until(of: Fields, what: str) -> dt.datetime:
    """Return until when ``what`` is so, such as "the plan holds": the form's time is that of the
    console's clock. Raises FormRefused.
    """
    said = of.get("until", "").strip()
    zone = ZoneInfo(given(of, ZONE))
    if _MOMENT.fullmatch(said):
        with suppress(ValueError, OverflowError):  # There is no such day, or it is no year of ours.
            return dt.datetime.fromisoformat(said).replace(tzinfo=zone).astimezone(dt.UTC)
    raise FormRefused(f"Say until when {what}, as day and time: such as 2027-01-31T22:00.")
