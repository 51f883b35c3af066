"""Plans become manifests: the same for the same content, whoever compiles them."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.screens import compile as module
from gateway.screens.compile import canonical, compiled, offsets
from storage.office.assets import AssetView
from storage.office.playlists import PlaylistView
from storage.office.screen_plans import PlanView
from storage.office.screens import Material
from tests.storage.office.places import NOON_MS
from tests.storage.office.showing import A, B, content, items, plan


def asset(name: str, recalled_at_ms: int | None = None) -> AssetView:
    return AssetView(
        content=content(name),
        name=name,
        added_by="ann",
        added_at_ms=1,
        recalled_at_ms=recalled_at_ms,
    )


def playlist(code: str, *hashes: str) -> PlaylistView:
    return PlaylistView(
        playlist=code, content=items(*hashes), revision=1, created_at_ms=1, updated_at_ms=1
    )


def a_plan(code: str, of: str, **more: Any) -> PlanView:
    return PlanView(plan=code, content=plan(of, **more), created_by="ann", created_at_ms=1)


def material(**more: Any) -> Material:
    made = Material(
        at_ms=NOON_MS,
        plans=[a_plan("high", "new", priority=2), a_plan("low", "all")],
        machines_of={"high": {"VM-1"}, "low": {"VM-1", "VM-2", "VM-3"}},
        playlists={"all": playlist("all", A, B), "new": playlist("new", B)},
        assets={A: asset("a"), B: asset("b")},
        time_zones={"VM-1": "Asia/Hong_Kong", "VM-2": "Europe/Berlin"},
        wanted=dict.fromkeys(("VM-1", "VM-2", "VM-3", "VM-4"), ""),
    )
    return replace(made, **more)


def body(of: Material, machine_id: str) -> Any:
    made = compiled(of)
    return json.loads(made.manifests[made.of[machine_id]].body)


def test_a_machine_shows_what_its_plans_say() -> None:
    """In the order in which they count, each item with all that its plan says."""
    found = body(material(), "VM-1")
    assert [(B, 2), (A, 0), (B, 0)] == [(one["sha256"], one["priority"]) for one in found["items"]]
    assert {
        "sha256": A,
        "bytes": 10,
        "media_type": "image/png",
        "duration_ms": 8_000,
        "days": 127,
        "from_minute": 0,
        "to_minute": 1_440,
        "priority": 0,
        "not_after_ms": NOON_MS + 1_000_000,
    } == found["items"][1]
    assert [] == body(material(), "VM-4")["items"]


def test_the_same_content_has_the_same_hash() -> None:
    """Whenever it is compiled within a year, in whatever order things are read; the hash is that of
    its bytes.
    """
    first = compiled(material())
    again = material(
        wanted=dict.fromkeys(("VM-4", "VM-3", "VM-2", "VM-1"), "x"), at_ms=NOON_MS + 60_000
    )
    assert first == compiled(again)
    for sha256, manifest in first.manifests.items():
        assert hashlib.sha256(manifest.body.encode()).hexdigest() == sha256
        assert canonical(json.loads(manifest.body)) == manifest.body
    assert {A, B} == first.manifests[first.of["VM-2"]].shown
    assert first.of["VM-2"] != first.of["VM-3"], "they differ in their clocks"


def test_what_was_recalled_is_in_no_manifest() -> None:
    """Nor what is not there."""
    found = body(material(assets={B: asset("b"), A: asset("a", recalled_at_ms=5)}), "VM-2")
    assert [B] == [one["sha256"] for one in found["items"]]
    assert [] == body(material(assets={}), "VM-2")["items"]


def test_the_plans_that_count_first_have_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest has an end."""
    monkeypatch.setattr(module, "ITEMS_MAX", 1)
    assert [2] == [one["priority"] for one in body(material(), "VM-1")["items"]]


@pytest.mark.parametrize("zone", ["Asia/Hong_Kong", "Europe/Berlin", "America/St_Johns", "UTC"])
def test_the_offsets_are_those_of_the_zone(zone: str) -> None:
    """At every hour of three years, summer time too."""
    told = offsets(zone, 2026)
    clock = ZoneInfo(zone)
    assert ("Europe" not in zone) or 7 == len(told)
    for hour in range(3 * 365 * 24):
        at_ms = told[0][0] + hour * 3_600_000
        wanted = datetime.fromtimestamp(at_ms / 1_000, UTC).astimezone(clock).utcoffset()
        assert wanted is not None
        assert [one for one in told if one[0] <= at_ms][-1][1] == wanted.total_seconds()
