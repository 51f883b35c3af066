"""What tests of the administrators' service say again and again: register a machine, be refused,
have a refund that Alipay refuses.
"""

from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.v1 import fleet_pb2, fleet_service_pb2
from tests.support.site import Site, found

COLUMNS = [fleet_pb2.Column(column="A1", product="cola", price_minor=500, capacity=10, stock=4)]
OLD = "2026-01-15 11:59:58"


def registration(
    machine_id: str = "VM-1", **changes: Any
) -> fleet_service_pb2.RegisterMachineRequest:
    """Return a registration that is right but for ``changes``."""
    values: dict[str, Any] = {
        "machine_id": machine_id,
        "store_name": "Lobby",
        "currency": "HKD",
        "country_code": "HK",
        "address": "1 Queen's Road",
        "columns": COLUMNS,
        **changes,
    }
    return fleet_service_pb2.RegisterMachineRequest(**values)


async def registered(site: Site, machine_id: str = "VM-1", **changes: Any) -> fleet_pb2.Machine:
    """Register a machine and return it."""
    response: fleet_service_pb2.RegisterMachineResponse = await site.fleet.RegisterMachine(
        registration(machine_id, **changes)
    )
    return response.machine


async def refusal(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, list[str]]:
    """Return status code, ErrorInfo.reason and the fields of BadRequest."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
    assert status is not None, "every error has details"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert "vendgate" == info.domain
    assert refused.value.details()
    return refused.value.code(), info.reason, [one.field for one in bad.field_violations]


async def refunded(site: Site) -> str:
    """Have a payment arrive far too late, so that it is refunded at once, and Alipay not know it;
    return the refund's id.
    """
    await registered(site)
    machine = await site.registry.get("VM-1")  # type: ignore[arg-type]
    assert machine is not None
    await site.post(machine.notify_token, site.signed(gmt_payment=OLD))

    async def refused() -> str | None:
        refunds = await site.queries.refunds(status="REFUSED", limit=1)
        return refunds[0].refund_id if refunds else None

    return await found(refused)
