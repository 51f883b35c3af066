"""What tests of the administrators' service say again and again: register a machine, be refused,
have a refund that Alipay refuses.
"""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from sqlalchemy import delete

from actors.machine.code_calls import rests
from actors.machine.ids import MachineId
from actors.ports import StoreError
from gateway.fleet import enums
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet.lists import Wanted
from storage.fleet.queries import Queries
from storage.tables import answers
from tests.support.site import Site, found

COLUMNS = [machine_pb2.Column(column="A1", product="cola", price_minor=500, capacity=10, stock=4)]
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


async def registered(site: Site, machine_id: str = "VM-1", **changes: Any) -> machine_pb2.Machine:
    """Register a machine and return it."""
    response: fleet_service_pb2.RegisterMachineResponse = await site.fleet.RegisterMachine(
        registration(machine_id, **changes)
    )
    if response.machine.code_status == machine_pb2.CODE_STATUS_ACTIVE:
        await code_rests(site, machine_id)
    return response.machine


async def code_rests(site: Site, machine_id: str = "VM-1") -> None:
    """Wait until nothing is asked about the machine's code any more: a new one is restarted once,
    in case that it was there before.
    """

    async def at_rest() -> bool | None:
        loaded = await site.store.load(MachineId(machine_id))
        return (loaded is not None and rests(loaded.state.code)) or None

    await found(at_rest)


def with_mode(machine_id: str, mode: machines_wire.Mode.ValueType) -> Any:
    """Return the request that sets a machine's mode."""
    return fleet_service_pb2.UpdateMachineRequest(
        machine=machine_pb2.Machine(machine_id=machine_id, mode=mode),
        update_mask=FieldMask(paths=["mode"]),
    )


def with_policy(machine_id: str, policy: machine_pb2.Policy) -> Any:
    """Return the request that sets all of a machine's own limits."""
    return fleet_service_pb2.UpdateMachineRequest(
        machine=machine_pb2.Machine(machine_id=machine_id, policy=policy),
        update_mask=FieldMask(paths=["policy"]),
    )


def word(message: Message, field: str) -> str:
    """Return an enum of a message as the core's word."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert enum is not None
    return enums.word_of(cast("EnumDescriptor", enum), getattr(message, field))


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


async def refunded(site: Site, **changes: Any) -> str:
    """Have a payment arrive far too late, so that it is refunded at once, and Alipay refuse that;
    return the refund's id.
    """
    site.alipay.switch({"refund_refused": 1.0})
    await registered(site, **changes)
    machine = await site.registry.get("VM-1")  # type: ignore[arg-type]
    assert machine is not None
    await site.post(machine.notify_token, site.signed(gmt_payment=OLD))

    async def refused() -> str | None:
        refunds = await site.queries.refunds(Wanted(statuses=("REFUSED",)), limit=1)
        return refunds[0].refund_id if refunds else None

    return await found(refused)


@contextmanager
def cut_off() -> Iterator[None]:
    """Let each call end before it has looked at its machine."""
    with patch.object(Queries, "machine", side_effect=StoreError("the database does not answer")):
        yield


async def answers_forgotten(site: Site) -> None:
    """Keep no answer of any request any more, as seven days later."""
    await site.database.write(lambda connection: connection.execute(delete(answers)))
