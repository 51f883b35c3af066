"""Requests about what machines show are checked whole."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.office.v1 import screen_service_pb2 as wire
from tests.support.site import Site

ACT = Act(actor="ann", within_s=9.0)
PLAN: dict[str, Any] = {
    "code": "p",
    "playlist": "all",
    "selector": {"all": True},
    "not_after": "2096-10-02T07:06:40Z",
}


async def test_a_plan_that_cannot_be_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """By the field that is wrong."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"code": "a b"}, "plan.code"),
        ({"playlist": ""}, "plan.playlist"),
        ({"selector": {}}, "plan.selector"),
        ({"days": [0]}, "plan.days"),
        ({"days": [1, 1]}, "plan.days"),
        ({"from_minute": 5, "to_minute": 5}, "plan.to_minute"),
        ({"to_minute": 1_441}, "plan.to_minute"),
        ({"priority": 101}, "plan.priority"),
        ({"not_after": "1970-01-01T00:00:01Z"}, "plan.not_after"),
        ({"not_after": "2230-01-01T00:00:00Z"}, "plan.not_after"),
    ]
    for change, field in cases:
        with subtests.test(field=field):
            with pytest.raises(CallRefused) as caught:
                await site.gateway.office.showing.create_plan(
                    ParseDict({"plan": PLAN | change}, wire.CreateScreenPlanRequest()), ACT
                )
            assert [field] == [one.field for one in caught.value.refusal.problems]


async def test_what_is_wrong_with_files_and_lists_is_named(site: Site) -> None:
    """All of it at once."""
    calls = site.gateway.office.showing
    with pytest.raises(CallRefused, match="PNG, JPEG or WebP"):
        await calls.add_asset(wire.AddAssetRequest(content=b"<svg/>"), ACT)
    with pytest.raises(CallRefused, match="must be given"):
        await calls.recall_asset(wire.RecallAssetRequest(reason="why"), ACT)
    items = [{"sha256": "", "duration_ms": 1}, *[{"sha256": "a" * 64, "duration_ms": 8_000}] * 64]
    with pytest.raises(CallRefused) as caught:
        await calls.create_playlist(
            ParseDict({"playlist": {"code": "a", "items": items}}, wire.CreatePlaylistRequest()),
            ACT,
        )
    assert [
        "playlist.items",
        "playlist.items[0].sha256",
        "playlist.items[0].duration_ms",
    ] == [one.field for one in caught.value.refusal.problems]
