"""What requests about stock must hold: each problem by its field."""

from typing import Any

import grpc

from gateway.office.v1 import selector_pb2
from gateway.office.v1 import stock_service_pb2 as wire
from tests.support.fleet_calls import refusal
from tests.support.site import Site

ALL = selector_pb2.Selector(all=True)
PAR = wire.ColumnPar(column="A1", par=1)
REQUESTS: list[tuple[Any, list[str]]] = [
    (wire.SetParsRequest(machine_id="VM 1"), ["machine_id", "pars"]),
    (wire.SetParsRequest(machine_id="VM-1", pars=[PAR, PAR]), ["pars"]),
    (
        wire.SetParsRequest(machine_id="VM-1", pars=[wire.ColumnPar()]),
        ["pars[0].column", "pars[0].par"],
    ),
    (wire.GetParsRequest(), ["machine_id"]),
    (wire.ListLowStockRequest(), ["selector"]),
    (
        wire.ListLowStockRequest(selector=ALL, below_percent=101, within_hours=-1, sales_days=91),
        ["below_percent", "within_hours", "sales_days"],
    ),
    (wire.GetPickListRequest(selector=ALL, arrives_in_hours=337), ["arrives_in_hours"]),
]


async def test_all_that_is_wrong_is_said(site: Site) -> None:
    """Each problem by its field, and nothing is done."""
    for request, fields in REQUESTS:
        call = getattr(site.stock, type(request).__name__.removesuffix("Request"))
        code, _, problems = await refusal(call(request))
        assert (grpc.StatusCode.INVALID_ARGUMENT, fields) == (code, problems)
