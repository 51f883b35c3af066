"""Who calls the administrators' service."""

from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.caller import caller_of
from gateway.identity import TlsConfig
from tests.support.certificates import Authority

AUTHORITY = Authority("administrators")


async def _named(metadata: tuple[tuple[str, str], ...], credentials: grpc.ChannelCredentials | None, tls: TlsConfig | None) -> str:
    """Call a server that answers with the caller's name."""

    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return caller_of(context).encode()

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Names", {"Tell": grpc.unary_unary_rpc_method_handler(answer)}),)
    )
    port = server.add_secure_port("127.0.0.1:0", tls.credentials()) if tls else server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"localhost:{port}" if tls else f"127.0.0.1:{port}"
    channel = grpc.aio.secure_channel(address, credentials) if credentials else grpc.aio.insecure_channel(address)
    try:
        tell: Any = channel.unary_unary("/test.Names/Tell")  # without serializers: bytes in, bytes out
        answered: bytes = await tell(b"", metadata=metadata)
        return answered.decode()
    finally:
        await channel.close()
        await server.stop(None)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [((), "unknown"), ((("x-actor", "ann"),), "ann"), ((("x-actor", " "),), "unknown"), ((("x-other", "bob"),), "unknown")],
)
async def test_without_a_certificate_a_claim_is_taken(metadata: tuple[tuple[str, str], ...], name: str) -> None:
    """On this computer anybody may say who they are."""
    assert name == await _named(metadata, None, None)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [((), "certificate spiffe://vendgate.test/admin/ann"), ((("x-actor", "bob"),), "bob (certificate spiffe://vendgate.test/admin/ann)")],
)
async def test_what_a_certificate_proves_stands_beside_the_claim(metadata: tuple[tuple[str, str], ...], name: str) -> None:
    """The audit log tells both, so that nobody borrows a name unseen."""
    server, client = AUTHORITY.server(), AUTHORITY.client("spiffe://vendgate.test/admin/ann")
    tls = TlsConfig(certificate=server.certificate, private_key=server.private_key, client_ca=AUTHORITY.certificate)
    credentials = grpc.ssl_channel_credentials(AUTHORITY.certificate, client.private_key, client.certificate)
    assert name == await _named(metadata, credentials, tls)
