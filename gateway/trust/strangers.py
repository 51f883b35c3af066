"""What is served where strangers come, who prove nothing: bounds, and by whom a call is that
another process took in.

Flows in: calls at the enrolment port, and calls that are handed on from there. Flows out: the same,
later if there are too many. Little is imported here: that process must start soon.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from gateway.machines.token_bucket import TokenBucket
from gateway.v1 import enrolment_service_pb2

Pause = Callable[[float], Awaitable[None]]
ALL_PER_S = 20
"""So many calls of strangers are answered, all together."""
REFUSED_AFTER_S = 2.0
"""So long a stranger who asks too often waits to hear it: the listener's connections, four calls on
each, then cost machines that sell little of the loop that they share.
"""
ENROLMENT = enrolment_service_pb2.DESCRIPTOR.services_by_name["EnrolmentService"]
ENROL = f"/{ENROLMENT.full_name}/Enrol"
CALLER = "vendgate-caller"
"""Metadata of a call that is handed on: gRPC's name of whoever made it."""


class SlowBeside(grpc.aio.ServerInterceptor):
    """Lets whatever a stranger calls beside ``Enrol``, health and reflection, wait when more is
    called than anybody needs: it is not refused, so that a balancer's probe is answered late.
    """

    def __init__(self, monotonic: Callable[[], float], pause: Pause) -> None:
        self._monotonic, self._pause = monotonic, pause
        self._all = TokenBucket(rate=ALL_PER_S, burst=5 * ALL_PER_S, now=monotonic())

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Let it through, now or later."""
        if handler_call_details.method != ENROL and not self._all.take(self._monotonic()):
            await self._pause(REFUSED_AFTER_S)
        return await continuation(handler_call_details)


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return gRPC's name of whoever made the call. Who was handed on is believed at a Unix socket
    alone, which no other user can open.
    """
    peer = context.peer()
    if not peer.startswith("unix:"):
        return peer
    told = dict(context.invocation_metadata() or ()).get(CALLER, peer)
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else told
