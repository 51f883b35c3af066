"""Calls of administrators, made in this process by somebody who looks at the console.

Flows in: a request message and a person. Flows out: the response message of the very handler that
gRPC serves, so that a page says what grpcurl says; or Refused. Which call is meant follows from the
type of the request: each method has one of its own.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from gateway.office import services
from gateway.rpc.roles import Role
from gateway.trust.people import CONSOLE

CALL_WITHIN_S = 20.0
_DETAILS = "grpc-status-details-bin"

Handler = Callable[[Message, Any], Awaitable[Message]]
Guard = Callable[[str, Handler], Handler]
"""Puts the administrators' door before the handler of a path."""
Allowed = Callable[[Any, Iterable[str]], Awaitable[frozenset[str]]]
"""Which of some paths a caller may have answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who looks. ``claimed``: the name under which they signed in, and ``role``: what their link
    trusts them with; ``proven``: what their certificate says, in gRPC's own words.
    """

    claimed: str = ""
    role: Role = Role.VIEWER
    proven: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the page calls them."""
        names = (self.proven.get(each) for each in ("peer_uri", "x509_common_name"))
        certified = next((one.decode("utf-8", "replace") for one in names if one), "")
        return self.claimed or certified or "certificate without a name"


class Refused(Exception):
    """A call was refused: ``reason`` is for programs, the message a sentence for people."""

    def __init__(self, code: grpc.StatusCode, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class LocalCalls:
    """All services of administrators, without a socket between. ``guard`` lets everybody make
    those calls only that their role allows, here as there; ``allowed`` says beforehand which.
    """

    def __init__(
        self,
        add_services: Callable[[grpc.aio.Server], None],
        *,
        guard: Guard,
        allowed: Allowed,
    ) -> None:
        handlers = _Collected()
        add_services(cast("grpc.aio.Server", handlers))
        self._allowed = allowed
        self._calls: dict[str, tuple[str, Handler]] = {
            method.input_type.full_name: (
                path := f"/{service.full_name}/{method.name}",
                guard(path, handlers.found[service.full_name, method.name]),
            )
            for file in services.FILES
            for service in file.services_by_name.values()
            for method in service.methods
            if (service.full_name, method.name) in handlers.found
        }

    async def ask(self, person: Person, request: Message) -> Any:
        """Return the response. Raises Refused."""
        _, handler = self._calls[request.DESCRIPTOR.full_name]
        return await handler(request, _Here(person))

    async def may(self, person: Person, requests: Mapping[str, type[Message]]) -> frozenset[str]:
        """Return the names of those requests that the person may make."""
        paths = {name: self._calls[of.DESCRIPTOR.full_name][0] for name, of in requests.items()}
        allowed = await self._allowed(_Here(person), paths.values())
        return frozenset(name for name, path in paths.items() if path in allowed)


class _Collected:
    """Takes handlers as a gRPC server does. Calls that stream are none of a page's."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Handler] = {}

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """What is registered below is all of it."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Keep what answers one message with one."""
        for name, handler in handlers.items():
            if handler.unary_unary is not None:
                self.found[service, name] = cast("Handler", handler.unary_unary)


class _Here:
    """What a handler needs to know of its caller, and of nothing else."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        claimed = self._person.claimed
        return (("x-actor", claimed),) if claimed else ()

    def auth_context(self) -> Mapping[str, tuple[bytes, ...]]:
        return {name: (value,) for name, value in self._person.proven.items()}

    def peer(self) -> str:
        return f"{CONSOLE}{self._person.role.value}"

    def time_remaining(self) -> float:
        return CALL_WITHIN_S

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        raise Refused(status.code, _reason(status), status.details)


def _reason(status: grpc.Status) -> str:
    details = dict(status.trailing_metadata or ()).get(_DETAILS, b"")
    info = error_details_pb2.ErrorInfo()
    for one in status_pb2.Status.FromString(cast("bytes", details)).details:
        if one.Unpack(info):
            return str(info.reason)
    return status.code.name
