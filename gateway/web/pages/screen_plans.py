"""Playlists and plans: what there is to show, which machines show it when, and which do not."""

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from gateway.fleet import enums
from gateway.office.v1 import place_pb2, screen_pb2, screen_service_pb2, selector_pb2
from gateway.web.pages.playlist import opened
from gateway.web.pages.screens import not_shown, not_shown_asked
from gateway.web.screen_acts import PLAN, PLANS, plan_filled_in
from gateway.web.tables import ACT, Form, Instant, Link, Table, grouped, moment, place_of
from gateway.web.view import TEXT_LENGTH_MAX, ConsolePage, Looking

PAGE = 100
MACHINES_SHOWN = 5
NO_MACHINE = "means no machine today"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SITE_TYPES = enums.words_of(enums.descriptor_of(place_pb2.SiteType))
CREATE_PLAYLIST = Form(
    act="create-playlist", label="Make a playlist", fields={}, asks=("code", "name")
)
CREATE_PLAN = Form(act="create-plan", label="Make the plan", fields={"back": PLANS}, asks=())
"""Once a plan is made its form is empty again, whatever the address had filled in."""


async def screen_plans(looking: Looking) -> ConsolePage:
    """Return the page; with a playlist, if the query opens one, and the form of plans filled in as
    the query says.
    """
    ended = looking.word("ended")
    is_open = await opened(looking, code) if (code := looking.word("open")) else None
    lists, plans, *screens = await looking.all(
        screen_service_pb2.ListPlaylistsRequest(page_size=PAGE, page_token=looking.token("lists")),
        screen_service_pb2.ListScreenPlansRequest(
            page_size=PAGE, page_token=looking.token("plans"), show_ended=bool(ended)
        ),
        *not_shown_asked(looking),
    )
    recalled, lagging = not_shown(screens)
    answers = {"lists": lists, "plans": plans, "shows": screens[0], "lag": screens[1]}
    of = dict(zip(answers, ("playlists", "plans", "recalled", "lagging"), strict=True))
    kept = {name: word for name in ("open", "ended") if (word := looking.word(name))}
    return ConsolePage(
        title="Playlists and plans",
        template="screen_plans.html",
        tables=(
            *(is_open.tables if is_open else ()),
            *(recalled, lagging, _playlists(lists.playlists), _plans(plans.plans, looking)),
        ),
        forms=[*([is_open.form] if is_open else []), CREATE_PLAYLIST, CREATE_PLAN],
        values={
            "ended": ended,
            "open": is_open.playlist if is_open else None,
            "given": {name: _whole(looking.token(name)) for name in PLAN},
            "codes": {one.code: one.name for one in lists.playlists},
            "site_types": SITE_TYPES,
            "days": DAYS,
        },
        more=(is_open.more if is_open else {})
        | {
            of[word]: {**kept, word: answer.next_page_token}
            for word, answer in answers.items()
            if answer.next_page_token
        },
    )


def _whole(word: str) -> str:
    """Return a word of the query that a field takes; not a part of one."""
    return word if len(word) <= TEXT_LENGTH_MAX else ""


def _opens(code: str) -> Link:
    """Return what opens a playlist, at what it shows: its first buttons are not far then."""
    return Link(code, f"{PLANS}?open={code}#{place_of('items')}")


def _playlists(of: Iterable[screen_pb2.Playlist]) -> Table:
    return Table(
        name="playlists",
        title="Playlists",
        heads=("Playlist", "Name", "Pictures", "Seconds in all", "Changed"),
        rows=[
            (
                _opens(one.code),
                one.name,
                len(one.items),
                sum(item.duration_ms for item in one.items) // 1_000,
                moment(one.updated_at),
            )
            for one in of
        ],
        empty="There is no playlist yet.",
        note="Open one to change what it shows, in which order and for how long.",
    )


def _plans(of: Iterable[screen_pb2.ScreenPlan], looking: Looking) -> Table:
    return Table(
        name="plans",
        title="Plans",
        heads=(
            *("Plan", "Playlist", "Machines", "Means now"),
            *("Days", "Hours", "Priority", "Until"),
            *("Made by", "Made", "Ended", "Another like it", ACT),
        ),
        rows=[
            (
                one.code,
                _opens(one.playlist),
                machines_meant(one.selector),
                meant_now(one),
                days_said(one.days),
                f"{time_of(one.from_minute)} to {time_of(one.to_minute)}",
                one.priority,
                moment(one.not_after),
                one.created_by,
                moment(one.created_at),
                _ended(one, looking.now_ms),
                _like(one, looking.zone),
                None
                if one.HasField("ended_at")
                else Form(act="end-plan", label="End", fields={"plan": one.code}, asks=()),
            )
            for one in of
        ],
        empty="No machine is to show anything: make a plan.",
        note="A plan that means no machine shows nothing until one comes that it means: a model or "
        "a label may not be written as theirs. Hours are those of the machine's own day. Where "
        "several plans of a machine hold, those with the highest priority are shown. A machine has "
        "room for 64 pictures of all its plans: those with the highest priority come first, "
        "whatever their hours. A plan is not changed: make another like it, under a name of its "
        "own, and end this one.",
    )


def _ended(of: screen_pb2.ScreenPlan, now_ms: int) -> Instant | None:
    """Return when a plan ended: because somebody said so, or by itself."""
    by_itself = moment(of.not_after)
    is_over = by_itself is not None and by_itself.at_ms <= now_ms
    return moment(of.ended_at) or (by_itself if is_over else None)


def time_of(minute: int) -> str:
    """Return a minute of a day as people write it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def days_said(of: Iterable[int]) -> str:
    """Return days of the week in words."""
    days = sorted(of)
    return "every day" if len(days) == len(DAYS) else ", ".join(DAYS[day - 1] for day in days)


def machines_meant(of: selector_pb2.Selector) -> str:
    """Return in words which machines a plan means: all, or those for which everything holds that
    is given.
    """
    words = (("district", of.district), ("site", of.site), ("site type", of.site_type.lower()))
    said = [f"{name} {word}" for name, word in (*words, ("model", of.model)) if word]
    said += [f"{name}={value}" for name, value in sorted(of.labels.items())]
    said += of.machine_ids[:MACHINES_SHOWN]
    if more := len(of.machine_ids) - MACHINES_SHOWN:
        said += [f"and {more} more"] if more > 0 else []
    return ", ".join(said) or ("all" if of.all else "")


def meant_now(of: screen_pb2.ScreenPlan) -> str:
    """Return in words how many machines a plan means today, and how many of them have a screen;
    empty of one that has ended.
    """
    if not of.HasField("machines_meant"):
        return ""
    if not of.machines_meant:
        return NO_MACHINE
    have = "all" if of.screens_meant == of.machines_meant else of.screens_meant or "none"
    machines = "1 machine" if of.machines_meant == 1 else f"{grouped(of.machines_meant)} machines"
    return f"{machines}, {have} with a screen"


def _like(of: screen_pb2.ScreenPlan, zone: str) -> Link | None:
    """Return the way to the form as this plan fills it in; None if its machines are too many for
    an address, or if its labels would be others there: commas stand between them.
    """
    meant = of.selector
    if any("," in value for value in meant.labels.values()):
        return None
    until = dt.datetime.fromtimestamp(of.not_after.seconds, ZoneInfo(zone))
    address = plan_filled_in(
        {
            "playlist": of.playlist,
            "machines": " ".join(meant.machine_ids),
            "district": meant.district,
            "site": meant.site,
            "site_type": meant.site_type,
            "model": meant.model,
            "labels": ", ".join(f"{name}={value}" for name, value in sorted(meant.labels.items())),
            "all": "1" if meant.all else "",
            "from_time": time_of(of.from_minute),
            "to_time": "" if of.to_minute == 24 * 60 else time_of(of.to_minute),
            "until": until.strftime("%Y-%m-%dT%H:%M"),
            "priority": str(of.priority),
            **({f"day-{day}": "1" for day in of.days} if len(of.days) < len(DAYS) else {}),
        }
    )
    return Link("fill in", address) if "?" in address else None
