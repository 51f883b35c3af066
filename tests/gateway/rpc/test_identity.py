"""Who a certificate names."""

from collections.abc import Mapping

import grpc
import pytest

from gateway.rpc.identity import NotIdentified, certified_machine
from gateway.rpc.tls import Tls
from gateway.v1 import machine_pb2 as wire
from tests.support.certificates import Authority, Issued
from tests.support.edge import running_edge

AUTHORITY = Authority()


def _tls() -> Tls:
    server = AUTHORITY.server()
    return Tls(
        certificate=server.certificate,
        private_key=server.private_key,
        client_ca=AUTHORITY.certificate,
    )


def _client(issued: Issued) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        AUTHORITY.certificate, issued.private_key, issued.certificate
    )


def _context(*uris: bytes) -> Mapping[str, tuple[bytes, ...]]:
    return {"transport_security_type": (b"ssl",), "peer_uri": uris}


def test_without_tls_nobody_is_named() -> None:
    """A connection without TLS has no identity."""
    assert certified_machine({"transport_security_type": (b"insecure",)}) is None
    assert certified_machine({}) is None


def test_the_uri_names_the_machine() -> None:
    """One machine URI is the identity, whatever other URIs there are."""
    assert "m-1" == certified_machine(_context(b"https://x", b"spiffe://a.b/machine/m-1"))


@pytest.mark.parametrize(
    "uris",
    [
        (),
        (b"spiffe://a.b/admin/m1",),
        (b"spiffe://a.b/machine/",),
        (b"spiffe://a.b/machine/m1/x",),
        (b"spiffe://a.b/machine/" + b"m" * 33,),
        (b"spiffe://a.b/machine/m1", b"spiffe://a.b/machine/m2"),
        (b"\xff",),
    ],
)
def test_no_machine_or_two(uris: tuple[bytes, ...]) -> None:
    """A certificate that names no machine, or two, identifies nobody."""
    with pytest.raises(NotIdentified):
        certified_machine(_context(*uris))


def test_trust_domain() -> None:
    """With a trust domain, only its machines are known."""
    assert "m1" == certified_machine(_context(b"spiffe://a.b/machine/m1"), spiffe_domain="a.b")
    with pytest.raises(NotIdentified):
        certified_machine(_context(b"spiffe://c.d/machine/m1"), spiffe_domain="a.b")


def test_the_key_is_not_shown() -> None:
    """The private key is in no log of the configuration."""
    assert "secret" not in repr(Tls(certificate=b"c", private_key=b"secret"))


async def test_certificate_and_hello_agree() -> None:
    """With mutual TLS a machine is welcomed under its certificate's name."""
    async with running_edge(tls=_tls()) as edge:
        machine = edge.machine(_client(AUTHORITY.machine("m1")), host="localhost")
        assert (await machine.hello("m1")).HasField("welcome")


async def test_certificate_of_another_machine() -> None:
    """A machine that claims to be another one gets PERMISSION_DENIED, and the host hears nothing;
    named for it is the one whose certificate it is.
    """
    told: list[tuple[str, str]] = []
    async with running_edge(tls=_tls(), offends=lambda *said: told.append(said)) as edge:
        machine = edge.machine(_client(AUTHORITY.machine("m1")), host="localhost")
        await machine.say(hello=wire.Hello(machine_id="m2", boot_id="b1"))
        code, message = await machine.end()
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "is of machine m1, Hello says m2" in message
        assert [("m1", "CERTIFICATE_MISMATCH")] == told
        assert [] == edge.link.received()


async def test_certificate_without_a_machine() -> None:
    """A certificate of our CA that names no machine gets UNAUTHENTICATED."""
    async with running_edge(tls=_tls()) as edge:
        machine = edge.machine(_client(AUTHORITY.client("https://nobody.test")), host="localhost")
        assert (await machine.end())[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_certificate_of_another_ca() -> None:
    """A certificate of another CA, or none, does not get through the handshake."""
    async with running_edge(tls=_tls()) as edge:
        stranger = edge.machine(_client(Authority("another").machine("m1")), host="localhost")
        assert (await stranger.end())[0] is grpc.StatusCode.UNAVAILABLE
        nobody = edge.machine(grpc.ssl_channel_credentials(AUTHORITY.certificate), host="localhost")
        assert (await nobody.end())[0] is grpc.StatusCode.UNAVAILABLE
