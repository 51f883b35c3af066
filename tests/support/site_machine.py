"""A machine in front of a site: a real stream to a real server, whose links are the site's own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio

from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectResponse
from tests.support.edge import MachineCall
from tests.support.site import Site


@asynccontextmanager
async def a_door(site: Site) -> AsyncIterator[Callable[[], MachineCall]]:
    """Give what opens a stream, on a connection of its own, on which nothing was said yet; all are
    taken away at the end.
    """
    async with AsyncExitStack() as stack:
        listener = site.gateway.machine_listener("127.0.0.1:0", None)
        await listener.start()
        stack.push_async_callback(listener.stop, grace_s=0)

        def open_stream() -> MachineCall:
            channel = grpc.aio.insecure_channel(
                f"127.0.0.1:{listener.port}", options=[("grpc.use_local_subchannel_pool", 1)]
            )
            stack.push_async_callback(channel.close)
            machine = MachineCall(channel)
            stack.callback(machine.call.cancel)
            return machine

        yield open_stream


@asynccontextmanager
async def a_machine(site: Site, machine_id: str = "VM-1") -> AsyncIterator[MachineCall]:
    """Connect a machine, and take its stream away at the end."""
    async with a_door(site) as open_stream:
        machine = open_stream()
        answer = await machine.hello(machine_id, planogram_version=1)
        assert "welcome" == answer.WhichOneof("payload")
        yield machine


async def heard(machine: MachineCall, kind: str) -> ConnectResponse:
    """Return the next frame of this kind; others are passed over."""
    while True:
        frame = await machine.hear()
        if frame.WhichOneof("payload") == kind:
            return frame


async def approved(site: Site, machine: MachineCall, qr_payload: str) -> str:
    """Let a customer pay 5.00 and choose what costs that; return the vend, which is approved, and
    of which nothing more is heard.
    """
    site.alipay.pay(qr_payload, "5.00")
    await site.alipay.settle()
    await heard(machine, "begin_session")
    wish = wire.VendRequest(request_id="r1", column="A1", price_minor=500, planogram_version=1)
    await machine.say(1, vend_request=wish)
    return (await heard(machine, "vend_approved")).vend_approved.vend_id
