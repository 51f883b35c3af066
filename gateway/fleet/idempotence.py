"""A change with a request id is done once, and answered as often as it comes.

Flows in: a request, who calls, and the way to do it. Flows out: its answer, stored before it is
given, or the one that was stored the first time. Two at once: one does it, the other hears
REQUEST_IN_PROGRESS at once, at this gateway or another. A gateway that dies in between leaves a
claim that runs out; whoever repeats the call then goes on with it (``gateway.fleet.act``).

Answers are stored, refusals are not: a refusal says what stood in the way at that moment, so it is
made anew, and its id is free again if nothing came of the call. An answer that says "perhaps"
(UNAVAILABLE, INTERNAL, a caller that went away) keeps the id for the same content.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from actors.machine.ids import MACHINE_ID_PATTERN
from actors.ports import Clock, StoreError
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused, invalid
from gateway.rpc.statuses import FieldProblem
from storage.fleet.answers import Answers, Asked, Claim, RequestInProgress, RequestReused

_log = structlog.get_logger()

LEASE_MS = 60_000
"""Nothing that an administrator asks takes longer; what a gateway that died has begun can be gone
on with after this.
"""
_MACHINE_ID = re.compile(MACHINE_ID_PATTERN)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOBODY_KNOWS = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNKNOWN,
    }
)


Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Do = Callable[[Act], Awaitable[Response]]


def content_sha256(request: Message) -> str:
    """Return the digest of what is asked for: all fields but the request's id, in one fixed order
    (protobuf's deterministic form, which is the same for the same version of this program).
    """
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("request_id")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Carries out changes, each once for each caller and request id."""

    answers: Answers
    clock: Clock

    async def once(
        self, request: Request, response: type[Response], act: Act, do: Do[Response]
    ) -> Response:
        """Return what ``do`` returns, or returned the first time. ``do`` is given ``act`` with what
        the request adds to it: that it is only checked, or its claim if it has an id. Raises
        CallRefused.
        """
        request_id: str = getattr(request, "request_id")  # noqa: B009 - every change has it, which no type says
        if request_id and not _REQUEST_ID.fullmatch(request_id):
            raise invalid(
                FieldProblem(
                    field="request_id",
                    description="must be 1 to 64 letters, digits, '.', '_' or '-'",
                )
            )
        if getattr(request, "validate_only", False):
            return await do(replace(act, validate_only=True))
        if not request_id:
            return await do(act)
        asked = Asked(
            caller=act.person or act.actor,
            request_id=request_id,
            rpc=request.DESCRIPTOR.name.removesuffix("Request"),
            content_sha256=content_sha256(request),
        )
        named = getattr(request, "machine_id", "")
        # What is no id is refused by what it is asked of, and is none of the claim's.
        claim = await self._begin(asked, named if _MACHINE_ID.fullmatch(named) else "")
        if isinstance(claim, bytes):
            return response.FromString(claim)
        return await self._under(claim, act, do)

    async def _begin(self, asked: Asked, machine_id: str) -> Claim | bytes:
        beginning = asyncio.create_task(
            self.answers.begin(
                asked, machine_id=machine_id, now_ms=self.clock.now_ms(), lease_ms=LEASE_MS
            )
        )
        try:
            return await asyncio.shield(beginning)
        except RequestReused:
            raise fleet_errors.request_id_reused(asked.request_id) from None
        except RequestInProgress:
            raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None
        except asyncio.CancelledError:
            # It is saved all the same, and nobody would go on with it until it runs out.
            with contextlib.suppress(RequestReused, RequestInProgress, StoreError):
                if isinstance(claim := await beginning, Claim):
                    await self._give_up(claim, refused=False)
            raise

    async def _under(self, claim: Claim, act: Act, do: Do[Response]) -> Response:
        try:
            answer = await do(replace(act, claim=claim))
        except CallRefused as error:
            await self._give_up(claim, refused=error.refusal.code not in _NOBODY_KNOWS)
            raise
        except BaseException:  # also a caller that went away: what it began may be done
            await self._give_up(claim, refused=False)
            raise
        try:
            await self.answers.finish(claim, answer.SerializeToString())
        except StoreError as error:
            # It is done, and the caller shall know; a repeated call goes on with it.
            _log.warning("an answer was not stored", rpc=claim.asked.rpc, error=str(error))
        return answer

    async def _give_up(self, claim: Claim, *, refused: bool) -> None:
        try:
            await self.answers.give_up(claim, refused=refused)
        except StoreError as error:  # it runs out by itself
            _log.warning("a claim was not given up", rpc=claim.asked.rpc, error=str(error))
