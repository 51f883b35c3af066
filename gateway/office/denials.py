# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# denial_service.proto
"""DenialService: who may not connect or call any more."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import grpc

from actors.ports import Clock
from gateway.fleet import enums, pages
from gateway.fleet.act import Act
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.caller import named
from gateway.fleet.errors import CallRefused, not_possible
from gateway.fleet.views import timestamp
from gateway.office.errors import deed_of, in_words
from gateway.office.fields import OfficeFields
from gateway.office.v1 import denial_pb2, denial_service_pb2_grpc
from gateway.office.v1 import denial_service_pb2 as wire
from gateway.process.texts import plain
from gateway.rpc.offenders import Offender, Offenders
from gateway.rpc.roles import Role, may, words
from gateway.rpc.statuses import Refusal
from storage.office.denials import MACHINE, Denials, DenialView

NAME_LENGTH_MAX = 200
_KIND = enums.descriptor_of(denial_pb2.DenialKind)
_PRINCIPAL = enums.descriptor_of(denial_pb2.Principal)
HIT_MAX = 100
_SERIAL = re.compile(r"[1-9a-f][0-9a-f]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A denial, and the machines that it is known to hit beside whoever it is about."""

    denial: DenialView
    machine_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DenialCalls:
    """One method for each call. ``changed`` hears of what was denied or allowed here, and
    ``shown_here`` tells which machines are here with a certificate of a number.
    """

    denials: Denials
    clock: Clock
    changed: Callable[[], None]
    shown_here: Callable[[str], Collection[str]] = lambda _: ()

    async def deny(self, request: wire.DenyAccessRequest, act: Act) -> Hit:
        """DenyAccess."""
        kind = _checked(request, named(act))
        if kind == "PERSON" and request.name in {act.person, act.proven}:
            raise not_possible(
                "DENIES_YOURSELF",
                f"{request.name} is who calls: let another owner do it, who can take it back",
            )
        known: set[str] = set()
        if kind == "CERTIFICATE" and not request.machine_id:
            known = {*await self.denials.hit(request.name), *self.shown_here(request.name)}
        with in_words():
            made = await self.denials.deny(
                kind,
                request.name,
                request.reason,
                deed_of(act, "DenyAccess", self.clock),
                by=act.actor,
                machine_id=request.machine_id,
            )
        self.changed()
        return Hit(denial=made, machine_ids=tuple(sorted(known)))

    async def allow(self, request: wire.AllowAccessRequest, act: Act) -> DenialView:
        """AllowAccess."""
        kind = _checked(request, named(act))
        with in_words():
            ended = await self.denials.allow(
                kind,
                request.name,
                request.reason,
                deed_of(act, "AllowAccess", self.clock),
                machine_id=request.machine_id,
            )
        self.changed()
        return ended


def _checked(request: wire.DenyAccessRequest | wire.AllowAccessRequest, act: Act) -> str:
    """Return the kind that is meant, if the request is right and the caller may."""
    fields = OfficeFields()
    kind = fields.word("kind", denial_pb2.DenialKind, request.kind)
    if not kind:
        fields.wrong("kind", "must say what is denied")
    elif kind == MACHINE:
        fields.machine_id(request.name, field="name")
    elif kind == "CERTIFICATE" and not _SERIAL.fullmatch(request.name):
        fields.wrong(
            "name",
            "must be a serial number of up to 40 hexadecimal digits in lower case, without colons "
            "and leading zeros",
        )
    elif kind == "PERSON":
        fields.line("name", request.name, least=1, most=NAME_LENGTH_MAX)
    fields.machine_id(request.machine_id, needed=False)
    if request.machine_id and kind != "CERTIFICATE":
        fields.wrong("machine_id", "is said of a certificate; a machine is denied by its name")
    fields.reason(request.reason, needed=True).done()
    if kind != MACHINE and not may(act.roles, Role.OWNER):
        raise CallRefused(
            Refusal(
                code=grpc.StatusCode.PERMISSION_DENIED,
                reason="DENIED_BY_OWNERS",
                message=(
                    f"a certificate or a person is denied by an owner, and {act.actor} is "
                    f"{words(act.roles)}: ask one; a machine you may deny by its id"
                ),
            )
        )
    return kind


class DenialService(denial_service_pb2_grpc.DenialServiceServicer):
    """One method for each call."""

    def __init__(
        self,
        parts: Parts,
        calls: DenialCalls,
        offenders: Offenders | None = None,
    ) -> None:
        self.parts = parts
        self._denials = calls.denials
        self._offenders = offenders
        self._calls = calls

    @answered
    async def DenyAccess(
        self, request: wire.DenyAccessRequest, context: Context
    ) -> wire.DenyAccessResponse:
        def answer(hit: Hit) -> wire.DenyAccessResponse:
            return wire.DenyAccessResponse(
                denial=denial(hit.denial),
                machine_ids=hit.machine_ids[:HIT_MAX],
                machines=len(hit.machine_ids),
            )

        return await self.parts.change(
            request, context, self._calls.deny, answer, wire.DenyAccessResponse
        )

    @answered
    async def AllowAccess(
        self, request: wire.AllowAccessRequest, context: Context
    ) -> wire.AllowAccessResponse:
        def answer(view: DenialView) -> wire.AllowAccessResponse:
            return wire.AllowAccessResponse(denial=denial(view))

        return await self.parts.change(
            request, context, self._calls.allow, answer, wire.AllowAccessResponse
        )

    @answered
    async def ListDenials(
        self, request: wire.ListDenialsRequest, context: Context
    ) -> wire.ListDenialsResponse:
        asked = OfficeFields().done_page(request, "denials")
        rows = await self._denials.page(after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.position)
        return wire.ListDenialsResponse(
            denials=map(denial, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ListOffenders(
        self, request: wire.ListOffendersRequest, context: Context
    ) -> wire.ListOffendersResponse:
        listed = self._offenders.listed() if self._offenders is not None else ()
        return wire.ListOffendersResponse(offenders=map(_offender, listed))


def _offender(one: Offender) -> denial_pb2.Offender:
    return denial_pb2.Offender(
        principal=enums.number_of(_PRINCIPAL, one.principal),  # type: ignore[arg-type]  # of this very enum
        name=plain(one.name),
        reason=one.reason,
        times=one.times,
        first_at=timestamp(one.first_at_ms),
        last_at=timestamp(one.last_at_ms),
    )


def denial(view: DenialView) -> denial_pb2.Denial:
    """Return a denial as administrators read it."""
    return denial_pb2.Denial(
        kind=enums.number_of(_KIND, view.kind),  # type: ignore[arg-type]  # of this very enum
        name=plain(view.name),
        denied_at=None if view.denied_at_ms is None else timestamp(view.denied_at_ms),
        denied_by=plain(view.denied_by),
        machine_id=view.machine_id,
        reason=plain(view.reason),
    )
