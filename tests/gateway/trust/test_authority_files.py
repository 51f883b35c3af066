"""A CA in a folder."""

import contextlib
import datetime as dt
import errno
import os
import ssl
from pathlib import Path
from typing import IO, Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from gateway.rpc.https import certified_by, context_of
from gateway.rpc.identity import certified_machine, server_credentials
from gateway.rpc.tls import Tls
from gateway.trust import authority_files
from gateway.trust.authority import CannotIssue, Profile, new_key

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a CA."""
    made = tmp_path_factory.mktemp("authority") / "ca"
    authority_files.make(made, "vending.example", now=NOW)
    return made


def issue(folder: Path, out: Path, profile: Profile, name: str, **more: object) -> tuple[Path, ...]:
    """Issue a certificate of ninety days."""
    return authority_files.issue(
        authority_files.issuer_of(folder, profile),
        out,
        profile=profile,
        name=name,
        days=90,
        now=NOW,
        **more,  # type: ignore[arg-type]
    )


def test_keys_are_their_owner_s_and_nothing_is_overwritten(folder: Path) -> None:
    """A second CA in the same folder would make all certificates of the first worthless."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert 8 == len(modes)
    assert {0o600} == {mode for name, mode in modes.items() if name.endswith("_key.pem")}
    before = (folder / "root.pem").read_bytes()
    with pytest.raises(CannotIssue, match="not overwritten"):
        authority_files.make(folder, "vending.example", now=NOW)
    assert before == (folder / "root.pem").read_bytes()


def test_what_has_no_room_is_not_there_by_halves(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes room does it again, and nothing of the first time is in the way."""
    fdopen, opened = os.fdopen, 0

    def second_is_full(descriptor: int, mode: str) -> IO[Any]:
        nonlocal opened
        opened += 1
        if opened % 2 == 0:
            os.close(descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fdopen(descriptor, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", second_is_full)
        with pytest.raises(OSError, match="No space"):
            authority_files.make(tmp_path / "ca", "vending.example", now=NOW)
        with pytest.raises(OSError, match="No space"):
            issue(folder, tmp_path / "out", Profile.MACHINE, "VM-1")
    authority_files.make(tmp_path / "ca", "vending.example", now=NOW)
    issue(folder, tmp_path / "out", Profile.MACHINE, "VM-1")


async def test_machines_and_gateways_trust_each_other_and_nobody_else(
    folder: Path, tmp_path: Path
) -> None:
    """Over real TLS: the gateway trusts the machines' CA alone, and machines the root."""
    issue(folder, tmp_path, Profile.GATEWAY, "gw", names=("localhost",))
    issue(folder, tmp_path, Profile.MACHINE, "VM-1")
    issue(folder, tmp_path, Profile.ADMINISTRATOR, "ann")

    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return str(certified_machine(context.auth_context())).encode()

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "test.Names", {"Tell": grpc.unary_unary_rpc_method_handler(answer)}
            ),
        )
    )
    tls = Tls(
        certificate=(tmp_path / "gw.pem").read_bytes(),
        private_key=(tmp_path / "gw_key.pem").read_bytes(),
        client_ca=(folder / "machines_ca.pem").read_bytes(),
    )
    port = server.add_secure_port("127.0.0.1:0", server_credentials(tls))
    await server.start()
    try:
        assert b"VM-1" == await _told(folder, tmp_path, "VM-1", port)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _told(folder, tmp_path, "ann", port)
        assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    finally:
        await server.stop(None)


async def _told(folder: Path, issued: Path, name: str, port: int) -> bytes:
    credentials = grpc.ssl_channel_credentials(
        (folder / "root.pem").read_bytes(),
        (issued / f"{name}_key.pem").read_bytes(),
        (issued / f"{name}.pem").read_bytes(),
    )
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        tell = channel.unary_unary("/test.Names/Tell")  # type: ignore[var-annotated]
        answered: bytes = await tell(b"")
        return answered


def test_the_console_takes_the_people_s_certificates(folder: Path, tmp_path: Path) -> None:
    """It trusts their CA alone, without the root above it, as the administrators' door does."""
    issue(folder, tmp_path, Profile.GATEWAY, "gw", names=("localhost",))
    issue(folder, tmp_path, Profile.ADMINISTRATOR, "ann")
    issue(folder, tmp_path, Profile.MACHINE, "VM-1")
    console = context_of(
        Tls(
            certificate=(tmp_path / "gw.pem").read_bytes(),
            private_key=(tmp_path / "gw_key.pem").read_bytes(),
            client_ca=(folder / "administrators_ca.pem").read_bytes(),
        )
    )
    assert b"ann" == certified_by(_met(console, folder, tmp_path / "ann"))["x509_common_name"]
    with pytest.raises(ssl.SSLCertVerificationError):
        _met(console, folder, tmp_path / "VM-1")


def _met(server: ssl.SSLContext, folder: Path, shown: Path) -> ssl.SSLObject:
    """Return the server's end of a connection of whoever shows a certificate."""
    client = ssl.create_default_context(cafile=folder / "root.pem")
    client.load_cert_chain(f"{shown}.pem", f"{shown}_key.pem")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there, server_hostname="localhost")
    asked = server.wrap_bio(there, back, server_side=True)
    for side in (asking, asked, asking, asked):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return asked


def test_of_a_request_the_key_alone_is_taken(folder: Path, tmp_path: Path) -> None:
    """Whatever name stands in it; its private key stays where it was made."""
    key = new_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "VM-9")])
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    )
    file = tmp_path / "request.pem"
    file.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    (written,) = issue(folder, tmp_path, Profile.MACHINE, "VM-1", request=file)
    made = x509.load_pem_x509_certificate(written.read_bytes())
    assert key.public_key() == made.public_key()
    assert "CN=VM-1" == made.subject.rfc4514_string()

    file.write_bytes(b"no request")
    with pytest.raises(CannotIssue, match="no certificate request"):
        issue(folder, tmp_path, Profile.MACHINE, "VM-2", request=file)


def test_a_folder_that_is_no_ca_is_refused(folder: Path, tmp_path: Path) -> None:
    """Missing files, files that are no PEM, and a key of another certificate."""
    with pytest.raises(CannotIssue, match="is not there"):
        authority_files.issuer_of(tmp_path, Profile.MACHINE)
    (tmp_path / "machines_ca.pem").write_bytes((folder / "machines_ca.pem").read_bytes())
    (tmp_path / "machines_ca_key.pem").write_bytes((folder / "root_key.pem").read_bytes())
    with pytest.raises(CannotIssue, match="does not belong to"):
        authority_files.issuer_of(tmp_path, Profile.MACHINE)
    (tmp_path / "machines_ca_key.pem").write_bytes(b"x")
    with pytest.raises(CannotIssue, match="cannot be read as PEM"):
        authority_files.issuer_of(tmp_path, Profile.MACHINE)
