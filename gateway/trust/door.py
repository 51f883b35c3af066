"""The administrators' door: no call is answered before it is known who makes it, and that they may.

Flows in: every call that reaches the administrators' listener. Flows out: the call, with its caller
noted for whoever answers it; or a refusal with details, counted, and written to the audit log
within bounds of its own. The role of each call is that of its .proto; what states none is refused.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from actors.ports import Clock
from gateway.fleet import caller as callers_named
from gateway.fleet import errors
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.refused_acts import RefusedActs, machine_of
from gateway.fleet.v1 import role_pb2
from gateway.rpc import callers, reflection, statuses
from gateway.rpc.callers import Caller
from gateway.rpc.counters import AdminCalls
from gateway.rpc.denylist import Denylist
from gateway.rpc.offenders import Offenders, Principal
from gateway.rpc.prompt import HEALTH_WATCH, answered
from gateway.rpc.roles import Role, may, words
from gateway.rpc.statuses import Refusal
from gateway.trust.people import People
from gateway.trust.shares import PersonShares
from storage.fleet.registry import Registry

_log = structlog.get_logger()

OPEN = frozenset({"/grpc.health.v1.Health/Check", HEALTH_WATCH})
"""What a load balancer asks, which is nobody; it tells nothing but that the gateway serves."""
_REFLECTION = {
    f"/{name}/ServerReflectionInfo": Role.VIEWER
    for name in (reflection.NAME, reflection.ALPHA_NAME)
}
CALLER_REFUSALS_MAX = 5
REFUSALS_MAX = 20
"""So many rows a minute for one caller, and for all of them: who floods the door fills no books."""
Context = grpc.aio.ServicerContext[Any, Any]
Answer = Callable[[Any, Context], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
"""In quotes: only its stubs know that gRPC's class takes types."""


def roles_of(files: Iterable[FileDescriptor]) -> dict[str, Role]:
    """Return the role that each call needs, by its path. A call that states none is left out, and
    so answered to nobody.
    """
    return _REFLECTION | {
        f"/{service.full_name}/{method.name}": Role(role_pb2.Role.Name(role)[5:].lower())
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
        if (role := method.GetOptions().Extensions[role_pb2.required_role])
    }


def looks_of(files: Iterable[FileDescriptor]) -> frozenset[str]:
    """Return the paths of the calls that change nothing, as the protos say of each."""
    return frozenset(_REFLECTION) | {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
        if method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    }


class AdminDoor(grpc.aio.ServerInterceptor):
    """Stands before every call of one listener. ``needed``: the role of each call, by its path;
    ``looks``: the paths of those that change nothing, which cost a person less.
    """

    def __init__(
        self,
        *,
        people: People,
        needed: Mapping[str, Role],
        looks: Container[str],
        registry: Registry,
        calls: AdminCalls,
        clock: Clock,
        denied: Denylist | None = None,
        offenders: Offenders | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._offenders = offenders
        self._shares = PersonShares(monotonic=monotonic, slowed=self._slowed)
        self._denied = denied or Denylist()
        # The calls that are being answered, each with the time that the proof of its caller has.
        self._open: dict[asyncio.Timeout, Caller] = {}
        self._people = people
        self._needed = needed
        self._looks = looks
        self._registry = registry
        self._calls = calls
        self._clock = clock
        self._refused = RefusedActs(caller_max=CALLER_REFUSALS_MAX, all_max=REFUSALS_MAX)

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Put the door before the call's handler."""
        handler: Any = await continuation(handler_call_details)
        path = handler_call_details.method
        if handler is None or path in OPEN:
            return handler  # type: ignore[no-any-return]  # gRPC's own, or None: there is no such call
        make, answer = _parts(handler)
        return make(
            self.guarded(path, answer, stays=handler.response_streaming),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def guarded(self, path: str, answer: Answer, *, stays: bool = False) -> Answer:
        """Return an answer to a call, by its path, that is given to nobody who may not make it.
        ``stays``: it goes on until somebody ends it.
        """

        async def call(request: Any, context: Context) -> Any:
            caller = Caller()
            async with AsyncExitStack() as stack:
                try:
                    caller = await self._admitted(context)
                    if caller.proof:  # others are on this computer, or at the console's own places
                        turn = self._shares.turn(
                            caller.person,
                            changes=path not in self._looks,
                            stays=stays,
                            size=request.ByteSize() if isinstance(request, Message) else 0,
                        )
                        await stack.enter_async_context(turn)
                    self._require(path, caller)
                except CallRefused as error:
                    refusal = error.refusal
                except Exception:  # noqa: BLE001 - whatever it is, nobody comes in, and hears a status
                    _log.exception("the administrators' door failed", call=path)
                    refusal = errors.FAILED
                else:
                    return await self._answered(request, context, caller, answer)
                await self._note(path, request, context, caller, refusal)
                return await statuses.abort(context, refusal)

        return call

    async def allowed(self, context: Context, paths: Iterable[str]) -> frozenset[str]:
        """Return which of these calls, by their paths, the caller may make. Nothing is noted of it:
        nobody has tried anything.
        """

        def may_make(path: str, caller: Caller) -> bool:
            try:
                self._require(path, caller)
            except CallRefused:
                return False
            return True

        try:
            caller = await self._admitted(context)
        except CallRefused:
            return frozenset()
        return frozenset(path for path in paths if may_make(path, caller))

    async def _admitted(self, context: Context) -> Caller:
        return await self._people.caller(
            context.auth_context(),
            tuple(context.invocation_metadata() or ()),
            through=context.peer(),
        )

    def _require(self, path: str, caller: Caller) -> None:
        needed, whom = self._needed.get(path), _words(caller)
        if self._is_denied(caller):
            raise CallRefused(errors.ACCESS_DENIED.about(caller=whom))
        if not caller.roles or needed is None:
            raise CallRefused(errors.NO_ROLE.about(caller=whom))
        if not may(caller.roles, needed):
            raise CallRefused(
                errors.ROLE_NEEDED.about(
                    needed=needed.value, caller=whom, roles=words(caller.roles)
                )
            )

    async def _answered(
        self, request: Any, context: Context, caller: Caller, answer: Answer
    ) -> Any:
        """Answer the call, for as long as the proof of its caller is good."""
        left_s = (
            None
            if caller.until_ms is None
            else max(0.0, (caller.until_ms - self._clock.now_ms()) / 1_000)
        )
        proof = asyncio.timeout(left_s)
        try:
            async with proof:
                self._open[proof] = caller
                with callers.answering(caller):
                    return await answered(answer(request, context), context)
        except TimeoutError:
            if not proof.expired():
                raise
        finally:
            self._open.pop(proof, None)
        if self._is_denied(caller):
            return await statuses.abort(context, errors.ACCESS_DENIED.about(caller=_words(caller)))
        return await statuses.abort(context, errors.PROOF_ENDED)

    def close_denied(self) -> None:
        """End the calls of people and certificates that are denied by now."""
        for proof, caller in tuple(self._open.items()):
            if self._is_denied(caller):
                proof.reschedule(asyncio.get_running_loop().time())

    def _is_denied(self, caller: Caller) -> bool:
        names = (caller.name, caller.person, caller.signed_in)
        return self._denied.person(*names, serial=caller.serial)

    def _slowed(self, person: str) -> None:
        if self._offenders is not None:
            self._offenders.note(Principal.PERSON, person, errors.TOO_MANY_CALLS.reason)

    async def _note(
        self, path: str, request: Any, context: Context, caller: Caller, refusal: Refusal
    ) -> None:
        method = path.rpartition("/")[2]
        self._calls.count(method, refusal.code.name)
        try:
            claimed = callers_named.claimed_of(context)
        except CallRefused:
            claimed = ""
        act = Act(
            actor=callers_named.shown(claimed, caller),
            within_s=0.0,
            # Whoever proves nothing may claim another name each time; the address stays.
            person=caller.person or context.peer().rpartition(":")[0],
            claimed=claimed,
            proven=caller.name[: callers_named.LENGTH_MAX],
        )
        has_room = await self._refused.note(
            self._registry,
            action=method,
            machine_id=machine_of(request) if isinstance(request, Message) else "",
            act=act,
            refusal=refusal,
            now_ms=self._clock.now_ms(),
        )
        if not has_room and self._offenders is not None:
            kind = Principal.PERSON if caller.person else Principal.ADDRESS
            self._offenders.note(kind, act.person, refusal.reason)


def _words(caller: Caller) -> str:
    if not caller.name:
        return caller.signed_in or "whoever proves nothing"
    return callers_named.shown("", caller)


def _parts(handler: Any) -> "tuple[Callable[..., Handler], Answer]":
    """Return what makes a handler of the same kind, and what answers."""
    for kind in ("unary_unary", "unary_stream", "stream_unary", "stream_stream"):
        answer = getattr(handler, kind)
        if answer is not None:
            return getattr(grpc, f"{kind}_rpc_method_handler"), answer
    raise AssertionError("a handler answers in one of four ways")
