"""Prepares what ``compose.yaml`` needs, and takes pretend machines into the fleet.

``python stage.py prepare FOLDER COUNT`` writes throw-away secrets into an empty folder: a CA of the
servers and machines, one of administrators, a certificate for each of them, the keys of both sides
of the pretend Alipay, a token for Ray, a password for PostgreSQL. A folder that is prepared is left
alone. ``python stage.py register FOLDER ADDRESS COUNT`` registers the machines; those that are
there already stay as they are. For trying out, on one computer: whoever reads the folder is
everybody.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.demo.stage import machine_names, register
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from gateway.process.development import make_keys

DOMAIN = "vendgate.example"
SERVERS = ("balancer", "gateway-1", "gateway-2", "localhost")
DAYS = 365


def prepare(folder: Path, machines: Sequence[str]) -> None:
    """Write everything that is secret."""
    if (folder / "database_url").exists():
        print(f"{folder} is prepared already")
        return
    make_keys(folder / "alipay")
    # Two authorities, so that no machine is an administrator.
    _Authority(folder, "admin_ca").issue("admin", [_uri("admin", "compose")])
    authority = _Authority(folder, "ca")
    authority.issue("server", [x509.DNSName(name) for name in SERVERS])
    for machine_id in machines:
        authority.issue(machine_id, [_uri("machine", machine_id)])
    _write(folder / "payer_salt", secrets.token_urlsafe(32))
    _write(folder / "ray_token", secrets.token_hex(32))
    password = secrets.token_hex(16)
    # PostgreSQL reads it as a user of its own.
    _write(folder / "postgres_password", password, mode=0o644)
    _write(
        folder / "database_url", f"postgresql+asyncpg://vendgate:{password}@postgres:5432/vendgate"
    )
    print(f"{folder} is prepared")


def _uri(kind: str, name: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(f"spiffe://{DOMAIN}/{kind}/{name}")


def _write(path: Path, text: str, *, mode: int = 0o600) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    path.chmod(mode)  # whatever the umask takes away


class _Authority:
    """A CA whose key is kept nowhere; its certificate is the file ``name.pem``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(f"{name}, for trying out")
        ca = x509.BasicConstraints(ca=True, path_length=0)
        own = self._built(self._name, self._key).add_extension(ca, critical=True)
        self._save(f"{name}.pem", own)

    def issue(self, name: str, names: Sequence[x509.GeneralName]) -> None:
        """Write ``name.pem`` and ``name_key.pem``."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName(names)
        self._save(
            f"{name}.pem",
            self._built(_named(name), key).add_extension(alternatives, critical=False),
        )
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write(self._folder / f"{name}_key.pem", text.decode())

    def _built(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=DAYS))
        )

    def _save(self, name: str, builder: x509.CertificateBuilder) -> None:
        signed = builder.sign(self._key, hashes.SHA256())
        text = signed.public_bytes(serialization.Encoding.PEM).decode()
        _write(self._folder / name, text, mode=0o644)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


async def take_in(folder: Path, address: str, machines: Sequence[str]) -> None:
    """Register the machines that are not registered yet, as the administrator."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(folder / "ca.pem").read_bytes(),
        private_key=(folder / "admin_key.pem").read_bytes(),
        certificate_chain=(folder / "admin.pem").read_bytes(),
    )
    async with grpc.aio.secure_channel(address, credentials) as channel:
        fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
        listed = await fleet.ListMachines(fleet_service_pb2.ListMachinesRequest(page_size=500))
        known = {machine.machine_id for machine in listed.machines}
        await register(channel, [name for name in machines if name not in known])
    print(f"{len(machines)} machines are registered")


def main(arguments: Sequence[str]) -> None:
    """Do what is asked."""
    match arguments:
        case ["prepare", folder, count]:
            prepare(Path(folder), machine_names(int(count)))
        case ["register", folder, address, count]:
            asyncio.run(take_in(Path(folder), address, machine_names(int(count))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
