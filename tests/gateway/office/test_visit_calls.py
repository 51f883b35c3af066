"""What requests about visits must hold: each problem by its field."""

from typing import Any

import grpc

from gateway.office.v1 import goods_service_pb2
from gateway.office.v1 import visit_service_pb2 as wire
from tests.support.fleet_calls import refusal
from tests.support.site import Site

LINE = goods_service_pb2.GoodsLine(product="cola", quantity=1)


REQUESTS: list[tuple[Any, list[str]]] = [
    (wire.OpenVisitRequest(machine_id="VM 1", van="VISIT:a"), ["visit", "van", "machine_id"]),
    (wire.CloseVisitRequest(visit="v", lost=[LINE]), ["reason"]),
    (wire.CloseVisitRequest(visit="v", returned=[LINE, LINE]), ["returned"]),
    (wire.GetVisitRequest(), ["visit"]),
    (wire.ListVisitsRequest(machine_id="VM-1", open=True), ["machine_id"]),
]


async def test_all_that_is_wrong_is_said(site: Site) -> None:
    """Each problem by its field, and nothing is done."""
    for request, fields in REQUESTS:
        call = getattr(site.visits, type(request).__name__.removesuffix("Request"))
        code, _, problems = await refusal(call(request))
        assert (grpc.StatusCode.INVALID_ARGUMENT, fields) == (code, problems)
