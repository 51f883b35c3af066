"""TLS of an HTTP port, over real sockets."""

import asyncio
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.rpc.https import Contexts, certified_by, context_of
from gateway.rpc.tls import Tls
from tests.support.certificates import Authority, Issued

AUTHORITY = Authority("administrators")
ANN_S = "spiffe://vendgate.test/admin/ann"
SERVER = AUTHORITY.server()
TLS = Tls(
    certificate=SERVER.certificate,
    private_key=SERVER.private_key,
    client_ca=AUTHORITY.certificate,
)


async def _seen(server: ssl.SSLContext, folder: Path, shown: Issued | None) -> Mapping[str, bytes]:
    """Return what a server knows of a client that shows a certificate."""
    seen: asyncio.Future[Mapping[str, bytes]] = asyncio.get_running_loop().create_future()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(certified_by(writer.get_extra_info("ssl_object")))
        writer.close()

    client = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    if shown is not None:
        file = folder / "client.pem"
        file.write_bytes(shown.certificate + shown.private_key)
        client.load_cert_chain(file)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server) as listening:
        port = listening.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        found = await seen
        writer.close()
    return found


async def test_a_certificate_is_told_as_grpc_tells_it(tmp_path: Path) -> None:
    """So that a person is the same one at both doors."""
    found = await _seen(context_of(TLS), tmp_path, AUTHORITY.client(ANN_S))
    assert (ANN_S.encode(), b"client") == (found["peer_uri"], found["x509_common_name"])
    assert found["x509_pem_cert"].startswith(b"-----BEGIN CERTIFICATE-----")


async def test_who_shows_none_is_nobody(tmp_path: Path) -> None:
    """And gets in: they sign in otherwise."""
    assert {} == await _seen(context_of(TLS), tmp_path, None)
    nameless = await _seen(context_of(TLS), tmp_path, AUTHORITY.nameless())
    assert {"x509_common_name", "x509_pem_cert"} >= set(nameless)


def test_a_newer_certificate_that_cannot_be_used_yet_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a full disk, for example: what is in use stays, and the newer one is not forgotten."""
    newer = [TLS]

    class _Files:
        def __call__(self) -> Tls | None:
            return newer.pop() if newer else None

        def to_come(self) -> Tls | None:
            return None

    contexts = Contexts(replace(TLS, renewed=_Files()))
    first = contexts()
    newer.append(TLS)
    with monkeypatch.context() as full:
        full.setattr(tempfile, "tempdir", "/no/such/folder")
        assert first is contexts()
        assert first is contexts()
    second = contexts()
    assert second is not first
    assert second is contexts()


def test_renewed_files_count_for_the_next_connection() -> None:
    """Unchanged ones cost nothing."""
    newer = [None, TLS, None]

    class Renewal:
        def __call__(self) -> Tls | None:
            return newer.pop(0)

        def to_come(self) -> Tls | None:
            return newer[0]

    contexts = Contexts(
        Tls(certificate=TLS.certificate, private_key=TLS.private_key, renewed=Renewal())
    )
    first, second, third = contexts(), contexts(), contexts()
    assert first is not second
    assert second is third
    assert (ssl.CERT_NONE, ssl.CERT_OPTIONAL) == (first.verify_mode, second.verify_mode)
