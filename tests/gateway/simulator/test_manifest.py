"""A manifest says what is shown at a moment of the machine's own day."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.simulator.manifest import Manifest, NotRead, read

A, B = "a" * 64, "b" * 64
HKT = 8 * 3_600
ITEM: dict[str, Any] = {
    "sha256": A,
    "bytes": 5,
    "media_type": "image/png",
    "duration_ms": 8_000,
    "days": 127,
    "from_minute": 0,
    "to_minute": 1_440,
    "priority": 0,
    "not_after_ms": 4_000_000_000_000,
}


def at(text: str) -> int:
    """A moment of UTC in milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def made(*items: dict[str, Any], offsets: object = ((0, HKT),), **more: Any) -> Manifest:
    content = json.dumps(
        {"v": 1, "items": [ITEM | one for one in items], "offsets": offsets} | more
    )
    return read(content.encode(), hashlib.sha256(content.encode()).hexdigest())


def shown(manifest: Manifest, when: str, *recalled: str) -> list[int]:
    return [one.place for one in manifest.shown_at(at(when), recalled)]


def test_what_holds_and_counts_most_is_shown() -> None:
    """By day, minute, end and priority; what was recalled never."""
    manifest = made(
        {},
        {"sha256": B, "from_minute": 60, "to_minute": 120},
        {"priority": 2, "days": 0b100_0000},
        {"not_after_ms": at("2026-11-28T00:00:00")},
    )
    # 2026-11-28 is a Saturday.
    assert [0, 3] == shown(manifest, "2026-11-27T15:59:00"), "Friday in Hong Kong"
    assert [0, 1, 3] == shown(manifest, "2026-11-27T17:30:00")
    assert [0, 3] == shown(manifest, "2026-11-27T18:00:00")
    assert [0] == shown(manifest, "2026-11-28T00:00:00")
    assert [2] == shown(manifest, "2026-11-28T16:00:00"), "Sunday in Hong Kong"
    assert [1] == shown(manifest, "2026-11-27T17:30:00", A)


def test_the_clock_changes_when_it_is_told() -> None:
    """Before the first change its difference holds too."""
    manifest = made(
        {}, offsets=((at("2026-01-01T00:00:00"), 3_600), (at("2026-03-29T01:00:00"), 7_200))
    )
    assert 1 == manifest.local(at("2025-06-01T00:00:00")).hour
    assert 1 == manifest.local(at("2026-03-29T00:59:00")).hour
    assert 3 == manifest.local(at("2026-03-29T01:00:00")).hour


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"v": 2}, "NOT_READ"),
        ({"items": [{}]}, "NOT_READ"),
        ({"items": [ITEM | {"sha256": "../x"}]}, "NOT_READ"),
        ({"items": [ITEM | {"priority": -1}]}, "NOT_READ"),
        ({"items": [ITEM] * 65}, "NOT_READ"),
        ({"items": [ITEM | {"media_type": "video/mp4"}]}, "MEDIA_TYPE"),
        ({"offsets": 5}, "NOT_READ"),
    ],
)
def test_what_cannot_be_shown_has_a_reason(more: dict[str, Any], reason: str) -> None:
    """In the protocol's word."""
    with pytest.raises(NotRead) as caught:
        made({}, **more)
    assert reason == caught.value.reason


def test_another_hash_is_damage() -> None:
    """Whatever the bytes say; and bytes that say nothing are not read."""
    with pytest.raises(NotRead) as caught:
        read(b"{}", A)
    assert "DAMAGED" == caught.value.reason
    with pytest.raises(NotRead, match="cannot be read"):
        read(b"x", hashlib.sha256(b"x").hexdigest())
