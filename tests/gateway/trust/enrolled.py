"""A gateway that enrols machines, for tests: a CA, tokens, and both listeners over real TLS."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.rpc.offenders import Offenders
from gateway.rpc.tls import Tls
from gateway.serving.enrolment_child import NewerKeys, Task, desk_at, opened
from gateway.serving.enrolment_door import EnrolmentDesk, keys_of
from gateway.serving.listeners import build_machine_server
from gateway.trust.authority import Profile, Root
from gateway.trust.certificate_calls import CertificateCalls
from gateway.trust.enrolling import Enrolling
from gateway.trust.enrolment_tokens import EnrolmentToken
from gateway.v1.enrolment_service_pb2 import EnrolRequest, EnrolResponse
from gateway.v1.enrolment_service_pb2_grpc import EnrolmentServiceStub
from gateway.v1.renewal_service_pb2 import RenewRequest, RenewResponse
from gateway.v1.renewal_service_pb2_grpc import RenewalServiceStub
from storage.office.certificates import Certificates
from storage.office.deeds import Deed
from storage.office.enrolment_tokens import EnrolmentTokens, TokenView
from tests.support.certificates import Authority, Issued
from tests.support.keeping import KeptBy
from tests.support.site import Site

_NOW = dt.datetime.now(dt.UTC)
DOMAIN = "vending.example"
ROOT = Root.made(DOMAIN, now=_NOW)
ISSUER = ROOT.issuer(Profile.MACHINE, now=_NOW)
MACHINES_CA = ISSUER.certificate.public_bytes(Encoding.PEM)
SERVERS = Authority("the gateway's")
DAYS = 30


@dataclass(kw_only=True)
class Enroller:
    """A site's gateway, as machines see it that want certificates."""

    site: Site
    calls: CertificateCalls
    enrolment: int = 0
    machines: int = 0
    seconds: list[float] = field(default_factory=lambda: [0.0])
    pauses: list[float] = field(default_factory=list)
    """How long somebody was let wait, without the waiting."""

    async def token(self, machine_id: str = "VM-1", *, valid_ms: int = 86_400_000) -> str:
        """Have an administrator make a token."""
        made, now_ms = EnrolmentToken.made(), self.site.clock.now_ms()
        view = TokenView(
            machine_id=machine_id, token_id=made.token_id, expires_at_ms=now_ms + valid_ms
        )
        deed = Deed(actor="ann", action="CreateEnrolmentToken", now_ms=now_ms)
        await EnrolmentTokens(self.site.database).issue(view, made.secret, "", deed, by="ann")
        return made.text()

    async def enrol(self, token: str, request: str) -> EnrolResponse:
        """Ask at the listener for machines without a certificate."""
        async with self.channel(self.enrolment, None) as channel:
            stub: Any = EnrolmentServiceStub(channel)
            asked = EnrolRequest(token=token, certificate_request=request)
            answer: EnrolResponse = await stub.Enrol(asked)
            return answer

    async def renew(self, shown: Issued | None, request: str) -> RenewResponse:
        """Ask at the machines' listener, with a certificate."""
        async with self.channel(self.machines, shown) as channel:
            stub: Any = RenewalServiceStub(channel)
            answer: RenewResponse = await stub.Renew(RenewRequest(certificate_request=request))
            return answer

    def channel(self, port: int, shown: Issued | None) -> grpc.aio.Channel:
        """Return a connection, with or without a certificate."""
        return grpc.aio.secure_channel(f"localhost:{port}", credentials(shown))


def credentials(shown: Issued | None) -> grpc.ChannelCredentials:
    """What a machine connects with."""
    return grpc.ssl_channel_credentials(
        root_certificates=SERVERS.certificate,
        private_key=None if shown is None else shown.private_key,
        certificate_chain=None if shown is None else shown.certificate,
    )


@asynccontextmanager
async def enrolling(site: Site) -> AsyncIterator[Enroller]:
    """Serve both listeners for a site."""
    server, seconds = SERVERS.server(), [0.0]
    pauses: list[float] = []

    async def pause(span_s: float) -> None:
        pauses.append(span_s)

    office, keeping = site.gateway.office, KeptBy(site.clock)
    calls = CertificateCalls(
        enrolling=Enrolling(
            tokens=EnrolmentTokens(site.database, keeping),
            certificates=Certificates(site.database, keeping),
            issuer=ISSUER,
            days=DAYS,
            clock=site.clock,
            keeping=keeping,
            denied=office.denying.wake,
        ),
        denied=office.denying.denied,
        monotonic=lambda: seconds[0],
        spiffe_domain=DOMAIN,
        gateway="gw.example:7443",
        offenders=Offenders(clock=site.clock),
        pause=pause,
    )
    plain = Tls(certificate=server.certificate, private_key=server.private_key)
    asks = Tls(
        certificate=server.certificate, private_key=server.private_key, client_ca=MACHINES_CA
    )
    old = build_machine_server(
        site.gateway.machines, address="127.0.0.1:0", tls=asks, renewal=calls.renewal()
    )
    await old.start()
    desk = EnrolmentDesk(calls.enrolment())
    await desk.start()
    task = Task(address="127.0.0.1:0", desk=str(desk.path), connections_max=64, keys=keys_of(plain))
    # What is a process of its own elsewhere is in this one here: see test_enrolment_door.
    async with desk_at(task.desk) as way:
        new, port = await opened(
            task, way, renewed=NewerKeys(), monotonic=lambda: seconds[0], pause=pause
        )
        try:
            yield Enroller(
                site=site,
                calls=calls,
                enrolment=port,
                machines=old.port,
                seconds=seconds,
                pauses=pauses,
            )
        finally:
            await new.stop(0)
            await desk.stop()
            await old.stop(grace_s=0)
