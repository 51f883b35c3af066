# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# machine_certificate_service.proto
"""MachineCertificateService: tokens with which machines are enrolled, and what came of them."""

from collections.abc import Callable
from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.caller import named
from gateway.fleet.views import timestamp
from gateway.office.errors import deed_of, in_words
from gateway.office.fields import OfficeFields
from gateway.office.v1 import machine_certificate_service_pb2 as wire
from gateway.office.v1 import machine_certificate_service_pb2_grpc
from gateway.trust.enrolment_tokens import EnrolmentToken, payload
from storage.office.certificates import Certificates, CertificateView
from storage.office.enrolment_tokens import EnrolmentTokens, TokenView

VALID_S, VALID_MIN_S, VALID_MAX_S = 86_400, 300, 2_592_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCalls:
    """Makes tokens. ``address``: where machines are enrolled; empty: not at this gateway."""

    tokens: EnrolmentTokens
    clock: Clock
    address: str
    new: Callable[[], EnrolmentToken] = EnrolmentToken.made

    async def create(
        self, request: wire.CreateEnrolmentTokenRequest, act: Act, token: EnrolmentToken
    ) -> TokenView:
        """CreateEnrolmentToken, with this new token. Raises CallRefused."""
        fields = OfficeFields()
        fields.machine_id(request.machine_id)
        valid_s = request.valid_s or VALID_S
        if not VALID_MIN_S <= valid_s <= VALID_MAX_S:
            fields.wrong("valid_s", f"must be 0, or from {VALID_MIN_S} to {VALID_MAX_S}")
        fields.reason(request.reason).done()
        deed = deed_of(act, "CreateEnrolmentToken", self.clock)
        view = TokenView(
            machine_id=request.machine_id,
            token_id=token.token_id,
            expires_at_ms=deed.now_ms + valid_s * 1_000,
        )
        with in_words():
            return await self.tokens.issue(
                view, token.secret, request.reason, deed, by=named(act).actor
            )


class MachineCertificateService(
    machine_certificate_service_pb2_grpc.MachineCertificateServiceServicer
):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: TokenCalls, certificates: Certificates) -> None:
        self.parts = parts
        self._calls = calls
        self._certificates = certificates

    @answered
    async def CreateEnrolmentToken(
        self, request: wire.CreateEnrolmentTokenRequest, context: Context
    ) -> wire.CreateEnrolmentTokenResponse:
        token = self._calls.new()

        async def create(asked: wire.CreateEnrolmentTokenRequest, act: Act) -> TokenView:
            return await self._calls.create(asked, act, token)

        response = await self.parts.change(
            request, context, create, _without_secret, wire.CreateEnrolmentTokenResponse
        )
        # What is stored for a repeated request holds no secret: it is added here, if it was this
        # call that made the token.
        if response.token_id == token.token_id and not request.validate_only:
            response.token = token.text()
            response.payload = payload(request.machine_id, token, self._calls.address)
        response.address = self._calls.address
        return response

    @answered
    async def ListMachineCertificates(
        self, request: wire.ListMachineCertificatesRequest, context: Context
    ) -> wire.ListMachineCertificatesResponse:
        fields = OfficeFields()
        fields.machine_id(request.machine_id)
        fields.done()
        views = await self._certificates.of(request.machine_id)
        if not views:
            await self.parts.check_known(request.machine_id)
        return wire.ListMachineCertificatesResponse(certificates=map(_certificate, views))


def _without_secret(view: TokenView) -> wire.CreateEnrolmentTokenResponse:
    return wire.CreateEnrolmentTokenResponse(
        machine_id=view.machine_id,
        token_id=view.token_id,
        expires_at=timestamp(view.expires_at_ms),
    )


def _certificate(view: CertificateView) -> wire.MachineCertificate:
    return wire.MachineCertificate(
        serial=view.serial,
        generation=view.generation,
        issued_at=timestamp(view.issued_at_ms),
        expires_at=timestamp(view.not_after_ms),
        used_at=None if view.used_at_ms is None else timestamp(view.used_at_ms),
        denied=view.denied,
    )
