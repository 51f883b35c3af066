"""Screens: which machines do not show what they are to show, which still show what was recalled,
the files, and what a machine's screen showed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gateway.office.v1 import screen_pb2, screen_service_pb2
from gateway.web.tables import ACT, Form, Link, Table, moment
from gateway.web.view import ConsolePage, Looking, Missing
from gateway.web.waiting import machine_link

PAGE = 100
SHOWN = 12
"""So much of a hash is shown: a file has all of it."""
UPLOAD = Form(act="add-asset", label="Add a picture", fields={}, asks=("name",), file="content")


async def screens(looking: Looking) -> ConsolePage:
    """Return the page; of one machine's screen, if the query names it."""
    of = looking.word("machine")
    recalled, lagging, assets = await looking.all(
        *not_shown_asked(looking),
        screen_service_pb2.ListAssetsRequest(page_size=PAGE, page_token=looking.token("page")),
    )
    tables = [*not_shown([recalled, lagging]), _assets(assets.assets)]
    asked = [("recalled", "shows", recalled), ("lagging", "lag", lagging)]
    asked.append(("assets", "page", assets))
    if of:
        screen = await looking.attempt(screen_service_pb2.GetScreenRequest(machine_id=of))
        plays = await looking.attempt(
            screen_service_pb2.ListPlaysRequest(
                machine_id=of, page_size=PAGE, page_token=looking.token("plays")
            )
        )
        tables += [_screen(of, screen), _plays(of, plays)]
        asked.append(("plays", "plays", plays))
    return ConsolePage(
        title="Screens",
        template="screens.html",
        tables=tables,
        forms=[UPLOAD],
        values={"of": of},
        more={
            name: {**({"machine": of} if of else {}), word: answer.next_page_token}
            for name, word, answer in asked
            if not isinstance(answer, Missing) and answer.next_page_token
        },
    )


def not_shown_asked(looking: Looking) -> tuple[screen_service_pb2.ListScreensRequest, ...]:
    """Return the questions which screens show what was recalled, and which not what they are to."""
    return (
        screen_service_pb2.ListScreensRequest(
            shows_recalled=True, page_size=PAGE, page_token=looking.token("shows")
        ),
        screen_service_pb2.ListScreensRequest(
            not_converged=True, page_size=PAGE, page_token=looking.token("lag")
        ),
    )


def not_shown(answers: Sequence[Any]) -> tuple[Table, Table]:
    """Return the tables of both answers."""
    recalled, lagging = answers
    return (
        _screens("recalled", "Still show what was recalled", recalled.screens),
        _screens("lagging", "Do not show what they are to show", lagging.screens),
    )


def _screens(name: str, title: str, of: Iterable[screen_pb2.MachineScreen]) -> Table:
    return Table(
        name=name,
        title=title,
        heads=(
            *("Machine", "Wanted since", "Shows", "Since", "Last heard"),
            *("Why not", "Detail", "Showed"),
        ),
        rows=[
            (
                machine_link(one.machine_id),
                moment(one.wanted_since),
                one.applied_manifest[:SHOWN] or "nothing yet",
                moment(one.applied_at),
                moment(one.heard_at),
                one.rejected_reason.replace("_", " ").lower(),
                one.rejected_detail,
                Link("plays", f"/screens?machine={one.machine_id}"),
            )
            for one in of
        ],
        empty="No screen, as far as they have told.",
        note="A screen shows what it told once every file was proved on its disk; one that is away "
        "tells nothing.",
    )


def _assets(of: Iterable[screen_pb2.Asset]) -> Table:
    return Table(
        name="assets",
        title="Pictures",
        heads=("Name", "File", "Kind", "Pixels", "Bytes", "Added by", "Added", "Recalled", ACT),
        rows=[
            (
                one.name,
                one.sha256[:SHOWN],
                one.media_type,
                f"{one.width} x {one.height}",
                one.size,
                one.added_by,
                moment(one.added_at),
                moment(one.recalled_at),
                None
                if one.HasField("recalled_at")
                else Form(act="recall-asset", label="Recall", fields={"sha256": one.sha256}),
            )
            for one in of
        ],
        empty="No picture was taken in yet.",
        note="A recall is for ever. Which machines show a picture is said by playlists and plans.",
    )


def _screen(machine_id: str, answer: Any) -> Table:
    title = f"The screen of {machine_id}"
    if isinstance(answer, Missing):
        return replace(_screens("screen", title, []), empty=answer.why)
    return _screens("screen", title, [answer.screen])


def _plays(machine_id: str, answer: Any) -> Table:
    missing = isinstance(answer, Missing)
    return Table(
        name="plays",
        title=f"What {machine_id} showed",
        heads=("Day", "Hour", "Manifest", "Item", "Times", "Shown, s"),
        rows=()
        if missing
        else [
            (
                str(one.day),
                f"{one.hour:02}:00",
                one.manifest[:SHOWN],
                one.item,
                one.times,
                one.shown_ms // 1_000,
            )
            for one in answer.plays
        ],
        empty=answer.why
        if missing
        else f"It has told of nothing that it showed in the last {answer.kept_days} days: what is "
        "older is not kept.",
        note="As it counted, by its own clock: what it could not tell during an outage comes "
        "afterwards. The oldest first."
        + ("" if missing else f" What is older than {answer.kept_days} days is not kept."),
    )
