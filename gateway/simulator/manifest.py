"""A manifest, as a machine reads it. Pure.

Flows in: the bytes that were fetched, and the time. Flows out: what is to be fetched, and what is
shown at a moment. The wall clock of the machine is not asked: the backend's clock, as Welcome told
it, and the machine's monotonic one are. A clock that nobody told is no clock: then nothing of it is
shown, because it could have ended.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

VERSION = 1
BYTES_MAX = 65_536
ITEMS_MAX = 64
MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
FILE_BYTES_MAX = 16 * 1_048_576


class NotRead(ValueError):
    """The manifest cannot be shown. ``reason`` is the protocol's word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that is shown, and when. ``place`` is its place in the manifest, from 0."""

    place: int
    sha256: str
    size: int
    media_type: str
    duration_ms: int
    days: int
    from_minute: int
    to_minute: int
    priority: int
    not_after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a screen is to show. ``offsets``: from when on, in milliseconds of UTC, the machine's
    day differs from UTC by how many seconds.
    """

    sha256: str
    items: tuple[Item, ...]
    offsets: tuple[tuple[int, int], ...]

    def local(self, now_ms: int) -> datetime:
        """Return the machine's own date and time."""
        offset_s = 0
        for n, (from_ms, seconds) in enumerate(self.offsets):
            if n == 0 or from_ms <= now_ms:
                offset_s = seconds
        return datetime.fromtimestamp(now_ms / 1_000, UTC) + timedelta(seconds=offset_s)

    def shown_at(self, now_ms: int, recalled: Collection[str] = ()) -> Sequence[Item]:
        """Return what is shown at a moment: of all that holds, what has the highest priority."""
        local = self.local(now_ms)
        minute, day = local.hour * 60 + local.minute, 1 << local.weekday()
        holding = [
            one
            for one in self.items
            if one.days & day
            and one.from_minute <= minute < one.to_minute
            and now_ms < one.not_after_ms
            and one.sha256 not in recalled
        ]
        highest = max((one.priority for one in holding), default=0)
        return [one for one in holding if one.priority == highest]


def read(content: bytes, sha256: str) -> Manifest:
    """Return the manifest of these bytes. Raises NotRead."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise NotRead("DAMAGED", "the manifest has another hash than its name")
    try:
        said = json.loads(content)
        version = said["v"]
        items = tuple(_item(place, one) for place, one in enumerate(said["items"]))
        offsets = tuple((int(from_ms), int(seconds)) for from_ms, seconds in said["offsets"])
    except (ValueError, KeyError, TypeError) as error:
        detail = f"the manifest cannot be read: {type(error).__name__}"
        raise NotRead("NOT_READ", detail) from None
    if version != VERSION:
        raise NotRead("NOT_READ", f"the manifest is of version {version}"[:40])
    if len(items) > ITEMS_MAX:
        raise NotRead("NOT_READ", f"the manifest has {len(items)} items")
    for one in items:
        if one.media_type not in MEDIA_TYPES:
            raise NotRead("MEDIA_TYPE", f"{one.sha256[:12]} is {one.media_type[:40]}")
    return Manifest(sha256=sha256, items=items, offsets=offsets)


def _item(place: int, said: dict[str, object]) -> Item:
    def number(name: str) -> int:
        value = said[name]
        if not isinstance(value, int) or value < 0:
            raise ValueError(name)
        return value

    sha256 = said["sha256"]
    if not isinstance(sha256, str) or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("sha256")
    return Item(
        place=place,
        sha256=sha256,
        size=number("bytes"),
        media_type=str(said["media_type"]),
        duration_ms=max(1_000, number("duration_ms")),
        days=number("days"),
        from_minute=number("from_minute"),
        to_minute=number("to_minute"),
        priority=number("priority"),
        not_after_ms=number("not_after_ms"),
    )
