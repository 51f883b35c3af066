"""What machines show, as administrators read it: views in, messages of ``gateway.office.v1`` out.
Pure and total.
"""

import json

from gateway.fleet.pages import wrong_token
from gateway.fleet.views import timestamp
from gateway.office.v1 import screen_pb2, selector_pb2
from gateway.process.texts import plain
from storage.fleet.changes import etag_of
from storage.office.assets import AssetView
from storage.office.meant import Meant
from storage.office.playlists import PlaylistView
from storage.office.screen_plans import PlanView
from storage.office.screens import Play, ScreenView
from storage.office.selectors import Selector

_NUMBER_MAX = 2**31 - 1
FIRST = (0, 0, "", -1)


def asset(view: AssetView) -> screen_pb2.Asset:
    """Return a file."""
    content = view.content
    made = screen_pb2.Asset(
        sha256=content.sha256,
        media_type=content.media_type,
        size=content.size,
        width=content.width,
        height=content.height,
        name=plain(view.name),
        added_by=plain(view.added_by),
        added_at=timestamp(view.added_at_ms),
        recalled_by=plain(view.recalled_by),
        recall_reason=plain(view.recall_reason),
    )
    if view.recalled_at_ms is not None:
        made.recalled_at.CopyFrom(timestamp(view.recalled_at_ms))
    return made


def playlist(view: PlaylistView) -> screen_pb2.Playlist:
    """Return a playlist."""
    return screen_pb2.Playlist(
        code=view.playlist,
        name=plain(view.content.name),
        items=[
            screen_pb2.PlaylistItem(sha256=one.sha256, duration_ms=one.duration_ms)
            for one in view.content.items
        ],
        etag=etag_of(view.revision),
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
    )


def plan(view: PlanView, meant: Meant | None) -> screen_pb2.ScreenPlan:
    """Return a plan; ``meant``: whom it means, None: nobody any more."""
    content = view.content
    made = screen_pb2.ScreenPlan(
        code=view.plan,
        selector=selector(content.selector),
        playlist=content.playlist,
        days=[day for day in range(1, 8) if content.days >> (day - 1) & 1],
        from_minute=content.from_minute,
        to_minute=content.to_minute,
        priority=content.priority,
        not_after=timestamp(content.not_after_ms),
        created_by=plain(view.created_by),
        created_at=timestamp(view.created_at_ms),
        machines_meant=meant.machines if meant else None,
        screens_meant=meant.screens if meant else None,
    )
    if view.ended_at_ms is not None:
        made.ended_at.CopyFrom(timestamp(view.ended_at_ms))
    return made


def screen(view: ScreenView) -> screen_pb2.MachineScreen:
    """Return a machine's screen."""
    made = screen_pb2.MachineScreen(
        machine_id=view.machine_id,
        wanted_manifest=view.wanted,
        wanted_since=timestamp(view.wanted_at_ms),
        applied_manifest=plain(view.applied),
        heard_at=timestamp(view.heard_at_ms),
        converged=view.converged,
        shows_recalled=view.not_obeyed,
        rejected_reason=plain(view.reason),
        rejected_detail=plain(view.detail),
    )
    if view.applied_at_ms is not None:
        made.applied_at.CopyFrom(timestamp(view.applied_at_ms))
    return made


def play(view: Play) -> screen_pb2.Play:
    """Return what was shown within an hour."""
    return screen_pb2.Play(
        day=view.day,
        hour=view.hour,
        manifest=view.manifest,
        item=view.item,
        times=view.times,
        shown_ms=view.shown_ms,
    )


def position_of(view: Play) -> str:
    """Return where it stands in its list."""
    return json.dumps([view.day, view.hour, view.manifest, view.item])


def play_key(text: str) -> tuple[int, int, str, int]:
    """Return behind what a page begins. Raises CallRefused."""
    try:
        said = json.loads(text) if text else list(FIRST)
    except ValueError:
        raise wrong_token() from None
    match said:
        case [int(day), int(hour), str(manifest), int(item)] if (
            max(abs(day), abs(hour), abs(item)) <= _NUMBER_MAX
            and manifest.isascii()
            and "\0" not in manifest
        ):
            return day, hour, manifest, item
    raise wrong_token()


def selector(view: Selector) -> selector_pb2.Selector:
    """Return which machines are meant."""
    return selector_pb2.Selector(
        machine_ids=view.machine_ids,
        district=view.district,
        site=view.site,
        site_type=view.site_type,
        model=view.model,
        labels=dict(view.labels),
        all=view.all,
    )
