"""How a call of an administrator is answered, over a real server."""

import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from tests.support.site import Site


async def test_a_refusal_is_fit_to_be_shown(site: Site) -> None:
    """What a caller wrote is repeated without what would turn a terminal's line around."""
    call = site.fleet.UpdateMachine(
        fleet_service_pb2.UpdateMachineRequest(
            machine=machine_pb2.Machine(machine_id="VM-1"),
            update_mask=FieldMask(paths=["\u202eeman\0"]),
        ),
        metadata=(("x-actor", "ann"),),
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    said = refused.value.details() or ""
    assert "cannot change \ufffdeman\ufffd:" in said
    assert said.isprintable()
