"""Ends calls of which nothing comes. gRPC hands a call to its handler once the request is there,
and waits for that for ever: whoever sends none holds a connection, which is another's place.

Flows in: every call of a listener. Flows out: the call, if its request comes soon; else a refusal.
What stays without doing anything for anybody, health that is watched and reflection, ends after a
while: a client that wants more asks again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import grpc
import grpc.aio

from gateway.rpc import statuses
from gateway.rpc.statuses import Refusal

WITHIN_S = 60.0
"""The largest requests, some megabytes, take so long over a slow line."""
LASTS_S = 60.0
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
NO_REQUEST = Refusal(
    code=grpc.StatusCode.DEADLINE_EXCEEDED,
    reason="NO_REQUEST",
    message="no request came with the call within {within} s: call again and send one",
)
ASK_AGAIN = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="ASK_AGAIN",
    message="this call has lasted for {lasts} s, as long as it may: call again",
    retry_after_ms=1_000,
)
Context = grpc.aio.ServicerContext[Any, Any]
Handler = Any


class Prompt(grpc.aio.ServerInterceptor):
    """Stands before the calls of a listener. ``passing``: the paths of those that last for
    ``lasts_s`` at most.
    """

    def __init__(
        self,
        *,
        passing: Collection[str],
        within_s: float = WITHIN_S,
        lasts_s: float = LASTS_S,
    ) -> None:
        self._passing, self._within_s, self._lasts_s = passing, within_s, lasts_s

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Have the handler called at once, where it waits for the request itself."""
        handler = await continuation(handler_call_details)
        passes = handler_call_details.method in self._passing
        if handler is None or (handler.request_streaming and not passes):
            return handler
        kind = "stream" if handler.response_streaming else "unary"
        make = getattr(grpc, f"stream_{kind}_rpc_method_handler")
        return make(
            self._prompt(handler, passes=passes),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _prompt(self, handler: Handler, *, passes: bool) -> Callable[[Any, Context], Any]:
        kind = "stream" if handler.response_streaming else "unary"
        whole = handler.stream_stream if handler.request_streaming else None
        answer = getattr(handler, f"unary_{kind}")

        async def call(requests: Any, context: Context) -> Any:
            given = requests if whole else await self._request(context)
            lasts = asyncio.timeout(self._lasts_s if passes else None)
            try:
                async with lasts:
                    return await answered((whole or answer)(given, context), context)
            except TimeoutError:
                if not lasts.expired():
                    raise
            return await statuses.abort(context, ASK_AGAIN.about(lasts=f"{self._lasts_s:g}"))

        return call

    async def _request(self, context: Context) -> Any:
        refusal = NO_REQUEST.about(within=f"{self._within_s:g}")
        try:
            async with asyncio.timeout(self._within_s):
                request = await context.read()
        except TimeoutError:
            return await statuses.abort(context, refusal)
        if request is grpc.aio.EOF:
            return await statuses.abort(context, refusal)
        return request


async def answered(answer: Any, context: Context) -> Any:
    """Wait for the answer, or write one message after the other, in whichever way its handler gives
    them.
    """
    if not isinstance(answer, AsyncIterator):
        return await answer
    async for message in answer:
        await context.write(message)
    return None
