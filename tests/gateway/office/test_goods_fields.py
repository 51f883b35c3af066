"""What requests about goods must hold: each problem by its field."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.fleet.errors import CallRefused
from gateway.office.goods_fields import ENDS, LINES_MAX, OUT_OF_COLUMN, GoodsFields
from gateway.office.v1 import goods_service_pb2 as wire
from storage.office.goods import GoodsLine
from tests.support.fleet_calls import refusal
from tests.support.goods_calls import VAN, count, load, transfer, unload
from tests.support.site import Site

AT = Timestamp(seconds=7)


def moves_from(at: Timestamp, **more: Any) -> wire.ListGoodsMovesRequest:
    """Return the request whose field has the name of one of Python's words."""
    return wire.ListGoodsMovesRequest(**{"from": at, **more})


async def test_all_that_is_wrong_is_said(site: Site, subtests: pytest.Subtests) -> None:
    """Each problem by its field, and nothing is done."""
    for request_, fields in [
        (load(request_id=""), ["request_id"]),
        (load(0, **{"from": "somewhere"}), ["quantity", "from"]),
        (unload(1, "LOST", reason="who knows"), ["to"]),
        *((unload(1, end, reason=" "), ["reason"]) for end in OUT_OF_COLUMN),
        *((transfer(1, VAN, end), ["reason"]) for end in ENDS),
        (count(None), ["counted"]),
        (count(1, machine_version=-1), ["machine_version"]),
        (transfer(1, VAN, VAN), ["to"]),
        (transfer(1, "FOUND", "LOST", reason="who knows"), ["to"]),
        (transfer(1, goods=[]), ["goods"]),
        (
            wire.ReceiveGoodsRequest(
                to=VAN, goods=[wire.ReceivedGoods(product="a", quantity=1, expires_on="2026-02-30")]
            ),
            ["goods[0].lot", "goods[0].expires_on"],
        ),
        (wire.ListGoodsMovesRequest(machine_id="VM-1", visit="v"), ["machine_id"]),
        (wire.ListGoodsMovesRequest(machine_id="VM-1", place=VAN), ["machine_id"]),
        (wire.ListGoodsMovesRequest(lot="L1"), ["product"]),
        (wire.ListGoodsMovesRequest(place="SOLD", kind="GONE"), ["place", "kind"]),
        (wire.ListGoodsMovesRequest(place="COLUMN:VM-1"), ["place"]),
        (moves_from(AT), ["from"]),
        (wire.ListGoodsMovesRequest(until=AT, kind="SOLD"), ["until"]),
        (moves_from(AT, place=VAN, until=AT), ["until"]),
        (wire.ListLotsRequest(), ["expires_until"]),
        (wire.ListLotColumnsRequest(product="cola"), ["lot"]),
        (wire.ListGoodsBalancesRequest(place=VAN, product="cola"), ["place"]),
    ]:
        with subtests.test(fields=fields):
            call = getattr(site.goods, type(request_).__name__.removesuffix("Request"))
            code, _, problems = await refusal(call(request_))
            assert (grpc.StatusCode.INVALID_ARGUMENT, fields) == (code, problems)


def refused(fields: GoodsFields) -> list[str]:
    """Return the fields in which something is wrong."""
    try:
        fields.done()
    except CallRefused as error:
        return [problem.field for problem in error.refusal.problems]
    return []


def test_what_was_begun_without_a_reason_ends() -> None:
    """The program that began it asked for none, and may have moved the goods."""
    for begun, wrong in ((True, []), (False, ["reason"])):
        fields = GoodsFields()
        fields.gone("WASTE", "", begun=begun)
        assert wrong == refused(fields)


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("WAREHOUSE:north", True),
        ("VAN:7", True),
        ("REMOVED:VM-1", True),
        ("FOUND", True),
        ("VAN:", False),
        ("VAN:7 8", False),
        ("LOADING:abc", False),
        ("COLUMN:VM-1/A1", False),
        ("SOLD", False),
        ("", False),
    ],
)
def test_places_are_the_offices_own(value: str, *, right: bool) -> None:
    """Nobody takes goods out of a column, or of what is on its way into one, by the way."""
    fields = GoodsFields()
    fields.place("from", value, "FOUND", removed=True)
    assert ([] if right else ["from"]) == refused(fields)


@pytest.mark.parametrize(
    ("value", "visit", "wrong"),
    [
        ("VISIT:v-1", "v-1", []),
        ("VISIT:v-1", "", ["visit"]),
        ("VISIT:v-1", "v-2", ["visit"]),
        ("VISIT:v 1", "v 1", ["from"]),
        ("VISIT:v-1", None, ["from"]),
        ("VAN:7", "v-1", []),
    ],
)
def test_a_visits_place_is_named_with_its_visit(
    value: str, visit: str | None, wrong: list[str]
) -> None:
    """Else what is taken from there would be part of none, or of another one."""
    fields = GoodsFields()
    fields.place("from", value, visit=visit)
    assert wrong == refused(fields)


@pytest.mark.parametrize(("name", "wrong"), [("7-1", []), ("", ["visit"]), ("7 1", ["visit"])])
def test_a_visit_has_a_short_name(name: str, wrong: list[str]) -> None:
    """It stands in a place."""
    fields = GoodsFields()
    fields.visit_name(name)
    assert wrong == refused(fields)


def test_lines_are_some_and_each_once() -> None:
    """None, too many, one twice."""
    one = GoodsLine(product="cola", quantity=1)
    for lines, wrong in (([one], []), ([], ["goods"]), ([one] * 2, ["goods"])):
        fields = GoodsFields()
        fields.lines(lines)
        assert wrong == refused(fields)
    fields = GoodsFields()
    fields.lines([one] * (LINES_MAX + 1))
    assert ["goods"] == refused(fields)
