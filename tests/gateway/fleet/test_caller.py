"""Who calls the administrators' service."""

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from gateway.fleet.caller import caller_of, person_of
from gateway.rpc.identity import server_credentials
from gateway.rpc.tls import Tls
from tests.support.certificates import Authority, Issued

AUTHORITY = Authority("administrators")
ANN_S = "spiffe://vendgate.test/admin/ann"


Metadata = tuple[tuple[str, str], ...]


async def _named(
    metadata: Metadata,
    credentials: grpc.ChannelCredentials | None = None,
    tls: Tls | None = None,
    *,
    told: Callable[[Any], str] = caller_of,
) -> str:
    """Call a server that answers with the caller's name, or with what else is ``told`` of the
    caller.
    """

    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return told(context).encode()

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "test.Names", {"Tell": grpc.unary_unary_rpc_method_handler(answer)}
            ),
        )
    )
    port = (
        server.add_secure_port("127.0.0.1:0", server_credentials(tls))
        if tls
        else server.add_insecure_port("127.0.0.1:0")
    )
    await server.start()
    address = f"localhost:{port}" if tls else f"127.0.0.1:{port}"
    channel = (
        grpc.aio.secure_channel(address, credentials)
        if credentials
        else grpc.aio.insecure_channel(address)
    )
    try:
        tell: Any = channel.unary_unary(
            "/test.Names/Tell"
        )  # without serializers: bytes in, bytes out
        answered: bytes = await tell(b"", metadata=metadata)
        return answered.decode()
    finally:
        await channel.close()
        await server.stop(None)


async def _proven(metadata: Metadata, uri: str, *, told: Callable[[Any], str] = caller_of) -> str:
    """Call with a certificate that names this URI."""
    return await _with(AUTHORITY.client(uri), metadata, told=told)


async def _with(
    client: Issued, metadata: Metadata, *, told: Callable[[Any], str] = caller_of
) -> str:
    server = AUTHORITY.server()
    tls = Tls(
        certificate=server.certificate,
        private_key=server.private_key,
        client_ca=AUTHORITY.certificate,
    )
    credentials = grpc.ssl_channel_credentials(
        AUTHORITY.certificate, client.private_key, client.certificate
    )
    return await _named(metadata, credentials, tls, told=told)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ((), "unknown"),
        ((("x-actor", "ann"),), "ann"),
        ((("x-actor", " "),), "unknown"),
        ((("x-other", "bob"),), "unknown"),
    ],
)
async def test_without_a_certificate_a_claim_is_taken(
    metadata: tuple[tuple[str, str], ...], name: str
) -> None:
    """On this computer anybody may say who they are."""
    assert name == await _named(metadata, None, None)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ((), "certificate spiffe://vendgate.test/admin/ann"),
        ((("x-actor", "bob"),), "bob (certificate spiffe://vendgate.test/admin/ann)"),
    ],
)
async def test_what_a_certificate_proves_stands_beside_the_claim(
    metadata: tuple[tuple[str, str], ...], name: str
) -> None:
    """The audit log tells both, so that nobody borrows a name unseen."""
    assert name == await _proven(metadata, ANN_S)


async def test_one_certificate_is_one_person() -> None:
    """Whatever they claim to be called; another certificate is another one, whatever they claim."""
    people = {
        await _proven(metadata, ANN_S, told=person_of)
        for metadata in ((), (("x-actor", "ann"),), (("x-actor", "bob"),))
    }
    assert {"spiffe://vendgate.test/admin/ann"} == people
    other = await _proven((("x-actor", "ann"),), "spiffe://vendgate.test/admin/bob", told=person_of)
    assert "spiffe://vendgate.test/admin/bob" == other


async def test_long_names_in_certificates_are_told_apart() -> None:
    """What the audit log has no room for still makes two people."""
    names = [f"spiffe://vendgate.test/admin/{'x' * 60}{number}" for number in (1, 2)]
    people = [await _proven((), name, told=person_of) for name in names]
    assert people[0] != people[1]
    assert {64} == {len(person) for person in people}


async def test_a_certificate_without_a_name_is_one_person_too() -> None:
    """Its fingerprint stands for the name, so that nobody becomes two by claiming two names over
    it.
    """
    nameless = AUTHORITY.nameless()
    people = [
        await _with(nameless, (("x-actor", name),), told=person_of) for name in ("ann", "bob")
    ]
    assert people[0] == people[1]
    assert people[0].startswith("sha256:")
    assert (await _with(nameless, (("x-actor", "ann"),))).startswith("ann (certificate sha256:")


@pytest.mark.parametrize(("claimed", "person"), [("ann", "ann"), (" Ann ", "ann"), ("BOB", "bob")])
async def test_without_a_certificate_the_claim_is_the_person(claimed: str, person: str) -> None:
    """Capital letters make no second one."""
    assert person == await _named((("x-actor", claimed),), told=person_of)
