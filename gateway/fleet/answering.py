"""What the services of administrators share: what they are made of, and how a call is answered.

Flows in: a method that returns a message or raises. Flows out: the message, or a status with
details; each call is counted by its name and status.
"""

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import grpc.aio
import structlog
from google.protobuf.message import Message

from actors.ports import StoreError
from gateway.fleet import errors as fleet_errors
from gateway.fleet import pages
from gateway.fleet.act import Act
from gateway.fleet.acts import FleetActs
from gateway.fleet.caller import act_of
from gateway.fleet.errors import CallRefused, invalid, not_found
from gateway.fleet.idempotence import Requests
from gateway.fleet.refused_acts import RefusedActs
from gateway.links.host_desk import HostDesk
from gateway.process.texts import plain, plain_lines
from gateway.rpc import statuses
from gateway.rpc.composed import NotComposed, compose
from gateway.rpc.counters import Counters
from gateway.rpc.statuses import FieldProblem
from storage.fleet.lists import Wanted
from storage.fleet.positions import InvalidPosition
from storage.fleet.queries import Queries

_log = structlog.get_logger()

CALL_MAX_S = 30.0
"""No call waits longer, whatever its caller's deadline is."""

Context = grpc.aio.ServicerContext[Any, Any]
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response")
Answer = TypeVar("Answer", bound=Message)
View = TypeVar("View")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the services are made of. ``stopping`` ends the watches, so that a gateway can go
    away.
    """

    acts: FleetActs
    queries: Queries
    metrics: Counters
    stopping: asyncio.Event
    hosts: HostDesk
    refused: RefusedActs = field(default_factory=RefusedActs)

    async def check_known(self, machine_id: str) -> None:
        """Raise CallRefused (MACHINE_NOT_FOUND) if a list that found nothing was asked for a
        machine which nobody knows.
        """
        if machine_id:
            await self.acts.machine(machine_id)

    async def check_found(self, rows: Sequence[object], wanted: Wanted) -> None:
        """Raise CallRefused (a MACHINE, SESSION or TRADE_NOT_FOUND) if there are no rows because
        nobody knows what they were asked for.
        """
        if rows:
            return
        await self.check_known(wanted.machine_id)
        if wanted.session_id and await self.queries.session(wanted.session_id) is None:
            raise not_found("session", wanted.session_id)
        if wanted.trade_id and await self.queries.trade(wanted.trade_id) is None:
            raise not_found("trade", wanted.trade_id)

    async def change(
        self,
        request: Request,
        context: Context,
        do: Callable[[Request, Act], Awaitable[View]],
        answer: Callable[[View], Answer],
        kind: type[Answer],
    ) -> Answer:
        """Carry out a change, once for each caller and request id; what is refused is written down.
        Raises CallRefused.
        """

        async def done(act: Act) -> Answer:
            return answer(await do(request, act))

        requests = Requests(answers=self.acts.answers, clock=self.acts.clock)
        act = act_of(context, longest_s=CALL_MAX_S)
        try:
            return await requests.once(request, kind, act, done)
        except CallRefused as error:
            if not getattr(request, "validate_only", False):
                await self.refused.write(
                    self.acts.registry,
                    request,
                    act,
                    error.refusal,
                    now_ms=self.acts.clock.now_ms(),
                )
            raise


class Counted(Protocol):
    """A service whose calls are counted."""

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        ...


Service = TypeVar("Service", bound=Counted)


def answered(
    method: Callable[[Service, Request, Context], Awaitable[Response]],
) -> Callable[[Service, Request, Context], Coroutine[Any, Any, Response]]:
    """Let a call have its request with each text in its one form, turn what it raises into a status
    with details, and count it.
    """

    @functools.wraps(method)
    async def call(self: Service, request: Request, context: Context) -> Response:
        calls = self.parts.metrics.admin_calls
        try:
            compose(request)
            response = await method(self, request, context)
        except CallRefused as error:
            refusal = error.refusal
        except NotComposed as error:
            problem = FieldProblem(field=error.field, description=error.said)
            refusal = invalid(problem).refusal
        except InvalidPosition:
            refusal = pages.wrong_token().refusal
        except StoreError as error:
            _log.warning(
                "sql does not answer an administrator", call=method.__name__, error=str(error)
            )
            refusal = fleet_errors.SQL_AWAY
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets a status with details and the log the rest
            _log.exception("an administrator's call failed", call=method.__name__)
            refusal = fleet_errors.FAILED
        else:
            calls.count(method.__name__, "OK")
            return response
        calls.count(method.__name__, refusal.code.name)
        return await statuses.abort(context, _as_shown(refusal))

    return call


def _as_shown(refusal: statuses.Refusal) -> statuses.Refusal:
    """Return the refusal as a terminal may show it, whatever the caller wrote that it repeats."""
    return dataclasses.replace(
        refusal,
        message=plain_lines(refusal.message),
        problems=tuple(
            FieldProblem(field=plain(one.field), description=plain_lines(one.description))
            for one in refusal.problems
        ),
    )
