"""Certificates: what is refused, how many days are left, and that a change is noticed."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from gateway.process import certificates
from gateway.process.files import Problems
from gateway.process.sections import Machines
from gateway.rpc.tls import Tls
from storage.machines.rows import DAY_MS
from tests.support.certificates import Authority, Issued
from tests.support.edge import Edge, running_edge

NOW_MS = int(dt.datetime.now(dt.UTC).timestamp() * 1_000)
"""Certificates of an Authority are valid from a day before now to a day after it."""


def _write(folder: Path, issued: Issued, client_ca: bytes) -> Machines:
    """Write the three files, as an operator's tool renews them, and return a listener of them."""
    for name, content in (
        ("crt", issued.certificate),
        ("key", issued.private_key),
        ("ca", client_ca),
    ):
        new = folder / f"{name}.new"
        new.write_bytes(content)
        new.chmod(0o600)
        new.rename(folder / name)
    return Machines(
        listen="127.0.0.1:0",
        certificate_file=folder / "crt",
        private_key_file=folder / "key",
        client_ca_file=folder / "ca",
    )


def _load(listener: Machines) -> Tls:
    problems = Problems()
    tls = certificates.load("machines", listener, problems)
    assert [] == problems.sentences
    assert tls is not None
    return tls


@pytest.mark.parametrize(
    ("days", "says"),
    [(0, ""), (2, "CN=server has expired on"), (-2, "CN=server counts from")],
)
def test_outdated_ones_are_named(tmp_path: Path, days: int, says: str) -> None:
    """Before its time a certificate is as useless as after it; the sentence says whose it is."""
    ca = Authority()
    tls = _load(_write(tmp_path, ca.server(), ca.certificate))
    sentences = list(certificates.judged("machines", tls, now_ms=NOW_MS + days * DAY_MS))
    assert bool(says) == bool(sentences)
    assert all(one.startswith("machines.c") for one in sentences)
    assert says in "".join(sentences)


def test_a_key_of_a_kind_that_nobody_knows_is_named(tmp_path: Path) -> None:
    """It is a sentence at the start, and while it serves no handshake fails for it."""
    ca = Authority()
    listener = _write(tmp_path, ca.server(), ca.certificate)
    renewal = certificates.Renewal("machines", listener)
    der = x509.load_pem_x509_certificate(ca.server().certificate).public_bytes(
        serialization.Encoding.DER
    )
    of_ec, of_rsa = "06072a8648ce3d02", "06092a864886f70d0101"
    for kind in (of_ec, of_rsa):
        der = der.replace(bytes.fromhex(f"{kind}01"), bytes.fromhex(f"{kind}7f"))
    unknown = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
    (tmp_path / "crt").write_bytes(unknown)
    problems = Problems()
    certificates.load("machines", listener, problems)
    assert ["has a key of a kind that TLS here does not know" in one for one in problems.sentences]
    assert renewal() is None
    tls = Tls(certificate=unknown, private_key=b"", client_ca=unknown)
    told = list(certificates.judged("machines", tls, now_ms=NOW_MS))
    assert 2 == sum("of a kind that TLS here does not know" in one for one in told)


def test_an_old_ca_may_stay_beside_the_new_one(tmp_path: Path) -> None:
    """One that is valid is enough; none is too few."""
    ca = Authority()
    tls = _load(_write(tmp_path, ca.server(), ca.certificate))
    old = _signed(rsa.generate_private_key(65_537, 2_048), "old CA", ended_days_ago=3)
    both = Tls(
        certificate=tls.certificate, private_key=tls.private_key, client_ca=old + ca.certificate
    )
    alone = Tls(certificate=tls.certificate, private_key=tls.private_key, client_ca=old)
    assert [] == list(certificates.judged("machines", both, now_ms=NOW_MS))
    (problem,) = certificates.judged("machines", alone, now_ms=NOW_MS)
    assert problem.startswith("machines.client_ca_file: CN=old CA has expired on")
    assert 1 == round(certificates.days_left(both, now_ms=NOW_MS)["client_ca"])
    assert -3 == round(certificates.days_left(alone, now_ms=NOW_MS)["client_ca"])


def test_a_client_ca_that_is_no_ca_is_named(tmp_path: Path) -> None:
    """Nobody whose certificate it signed could connect; beside a CA it does no harm."""
    ca = Authority()
    leaf = ca.machine("m1").certificate
    alone = _load(_write(tmp_path, ca.server(), leaf))
    (problem,) = certificates.judged("machines", alone, now_ms=NOW_MS)
    assert problem.startswith("machines.client_ca_file: CN=client is no CA")
    beside = _load(_write(tmp_path, ca.server(), leaf + ca.certificate))
    assert [] == list(certificates.judged("machines", beside, now_ms=NOW_MS))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: rsa.generate_private_key(65_537, 1_024), "RSA key of 1024 bits"),
        (lambda: ec.generate_private_key(ec.SECP192R1()), "is on the curve secp192r1"),
        (ed25519.Ed25519PrivateKey.generate, "is neither RSA nor ECDSA"),
    ],
)
def test_weak_ones_are_named(make: Callable[[], "Key"], says: str) -> None:
    """With what to make instead."""
    tls = Tls(certificate=_signed(make(), "weak"), private_key=b"")
    (problem,) = certificates.judged("admin", tls, now_ms=NOW_MS)
    assert problem.startswith("admin.certificate_file: CN=weak ")
    assert says in problem


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def _signed(key: Key, name: str, *, ended_days_ago: int = -1) -> bytes:
    """A certificate that the key signed itself."""
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = dt.datetime.now(dt.UTC) - dt.timedelta(days=ended_days_ago)
    made = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - dt.timedelta(days=10))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_a_comment_in_any_tongue_is_no_reason_to_refuse_one(tmp_path: Path) -> None:
    """Neither in a certificate nor in a CA file nor in a key."""
    ca = Authority()
    server = ca.server()
    note = "# für die Automaten, 自动售货机\n".encode()
    issued = Issued(certificate=note + server.certificate, private_key=note + server.private_key)
    tls = _load(_write(tmp_path, issued, b"\xef\xbb\xbf" + note + ca.certificate))
    assert [] == list(certificates.judged("machines", tls, now_ms=NOW_MS))


async def _welcomed(edge: Edge, ca: Authority, machine_id: str) -> bool:
    machine = ca.machine(machine_id)
    credentials = grpc.ssl_channel_credentials(
        ca.certificate, machine.private_key, machine.certificate
    )
    call = edge.machine(credentials)
    try:
        return (await call.hello(machine_id)).HasField("welcome")
    except grpc.aio.AioRpcError:
        return False  # no handshake


def test_the_days_that_are_left_are_those_of_the_files(tmp_path: Path) -> None:
    """Though nobody has called since they were renewed; of files that cannot be used, those of what
    stays in use. The next handshake gets the new ones all the same.
    """
    key = rsa.generate_private_key(65_537, 2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    old = Issued(certificate=_signed(key, "old", ended_days_ago=3), private_key=pem)
    new = Issued(certificate=_signed(key, "new"), private_key=pem)
    tls = _load(_write(tmp_path, old, Authority().certificate))

    def left() -> int:
        return round(certificates.days_left(tls, now_ms=NOW_MS)["certificate"])

    assert -3 == left()
    _write(tmp_path, new, Authority().certificate)
    assert 1 == left()
    assert 1 == left()
    assert tls.renewed is not None
    handed_out = tls.renewed()
    assert handed_out is not None
    assert new.certificate.strip() == handed_out.certificate
    (tmp_path / "crt").write_text("nothing")
    assert 1 == left()


async def test_renewed_certificates_are_used_without_a_restart(tmp_path: Path) -> None:
    """From the next handshake on; streams that are open stay. What cannot be used changes
    nothing, and neither does a mistake in one of the files.
    """
    before, after = Authority("before"), Authority("after")
    tls = _load(_write(tmp_path, before.server(), before.certificate))
    async with running_edge(tls=tls) as edge:
        assert await _welcomed(edge, before, "m1")
        assert not await _welcomed(edge, after, "m2")
        _write(tmp_path, after.server(), after.certificate)
        assert await _welcomed(edge, after, "m2")
        assert not await _welcomed(edge, before, "m3")
        (tmp_path / "key").write_bytes(before.server().private_key)  # another certificate's
        assert await _welcomed(edge, after, "m4")
        (tmp_path / "crt").unlink()
        assert await _welcomed(edge, after, "m5")
        assert {"m1", "m2", "m4", "m5"} == set(edge.service._by_machine)


def test_a_change_is_read_once(tmp_path: Path) -> None:
    """Most handshakes find the files as they were."""
    ca = Authority()
    listener = _write(tmp_path, ca.server(), ca.certificate)
    renewal = certificates.Renewal("machines", listener)
    assert renewal() is None
    newer = ca.server()
    _write(tmp_path, newer, ca.certificate)
    renewed = renewal()
    assert renewed is not None
    assert newer.certificate.strip() == renewed.certificate
    assert renewal() is None
    os.utime(tmp_path / "crt", ns=(1, 1))
    assert renewal() is not None
