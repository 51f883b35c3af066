"""From plans to manifests. Pure.

Flows in: what there is at a time (``Material``). Flows out: for each machine with a screen the
manifest that it is to show, as canonical JSON under its own hash: the same content has the same
hash, whoever compiles it and when, so that nothing is sent again that is there already.

A manifest says all that a machine needs without the net, for years: the items with their files,
when each holds by the machine's own day, how its clock differs from UTC and when that changes, when
each item ends by itself, and what must not be shown at all.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from storage.office.assets import AssetView
from storage.office.screen_plans import PlanView
from storage.office.screens import Material

VERSION = 1
ITEMS_MAX = 64
"""A machine shows so many different things in turn; the plans that count first have the room."""
YEARS = 3
"""So far ahead the changes of the clock are told."""
MANIFEST_BYTES_MAX = 65_536
NO_ZONE = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledManifest:
    """A manifest. ``shown``: the hashes of its files."""

    sha256: str
    body: str
    shown: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The manifest of each machine, and each manifest once."""

    of: Mapping[str, str]
    manifests: Mapping[str, CompiledManifest]


def compiled(material: Material) -> Compiled:
    """Return what every machine is to show. Machines of the same plans and the same time zone share
    a manifest.
    """
    of: dict[str, str] = {}
    made: dict[str, CompiledManifest] = {}
    groups: dict[tuple[tuple[str, ...], str], CompiledManifest] = {}
    by_name = {one.plan: one for one in material.plans}
    for machine_id in sorted(material.wanted):
        mine = tuple(
            one.plan for one in material.plans if machine_id in material.machines_of[one.plan]
        )
        zone = material.time_zones.get(machine_id, NO_ZONE)
        group = (mine, zone)
        if group not in groups:
            groups[group] = manifest_of([by_name[one] for one in mine], material, zone)
        manifest = groups[group]
        of[machine_id] = manifest.sha256
        made[manifest.sha256] = manifest
    return Compiled(of=of, manifests=made)


def manifest_of(plans: Sequence[PlanView], material: Material, zone: str) -> CompiledManifest:
    """Return the manifest of machines with these plans, in the order in which they count."""
    items: list[dict[str, object]] = []
    shown: set[str] = set()
    for plan in plans:
        playlist = material.playlists[plan.content.playlist]
        for one in playlist.content.items:
            asset = material.assets.get(one.sha256)
            if asset is None or asset.recalled_at_ms is not None or len(items) >= ITEMS_MAX:
                continue
            shown.add(one.sha256)
            items.append(_item(plan, asset, one.duration_ms))
    body = canonical(
        {"v": VERSION, "items": items, "offsets": offsets(zone, _year(material.at_ms))}
    )
    return CompiledManifest(
        sha256=hashlib.sha256(body.encode()).hexdigest(), body=body, shown=frozenset(shown)
    )


def canonical(value: object) -> str:
    """Return JSON that is the same for the same value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _item(plan: PlanView, asset: AssetView, duration_ms: int) -> dict[str, object]:
    content = plan.content
    return {
        "sha256": asset.content.sha256,
        "bytes": asset.content.size,
        "media_type": asset.content.media_type,
        "duration_ms": duration_ms,
        "days": content.days,
        "from_minute": content.from_minute,
        "to_minute": content.to_minute,
        "priority": content.priority,
        "not_after_ms": content.not_after_ms,
    }


def _year(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).year


@lru_cache(maxsize=1_024)
def offsets(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return from when on the clocks of a time zone differ from UTC by how many seconds, from the
    beginning of a year on for some years: the first one holds before it too.
    """
    clock = ZoneInfo(zone)

    def offset_s(at: datetime) -> int:
        difference = at.astimezone(clock).utcoffset() or timedelta(0)
        return int(difference.total_seconds())

    at, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + YEARS, 1, 1, tzinfo=UTC)
    found = [(int(at.timestamp()) * 1_000, offset_s(at))]
    while at < end:
        after = at + timedelta(days=1)
        if offset_s(after) != found[-1][1]:
            low, high = at, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                if offset_s(middle) == found[-1][1]:
                    low = middle
                else:
                    high = middle
            # Clocks change on a whole minute.
            change = int(high.timestamp()) // 60 * 60
            found.append((change * 1_000, offset_s(high)))
        at = after
    return tuple(found)
