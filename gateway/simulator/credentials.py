"""A machine's key and certificate on its flash, in files that survive a kill at any point.

Flows in: an answer to a request. Flows out: the same request as often as it is wanted, until its
answer is on the disk; then the key and the certificate, in one file that changes at once or not at
all. Nobody but the machine reads either file.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IDENTITY, REQUEST = "identity.json", "request.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A key and its certificate with those above it, PEM; times are the backend's."""

    private_key: str = field(repr=False)
    chain: str
    renew_at_ms: int
    expires_at_ms: int
    gateway: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """A key and a certificate request (PKCS #10) that it signed, PEM."""

    private_key: str = field(repr=False)
    csr: str


class CredentialStore:
    """One machine's files. Raises OSError if the disk does not take them."""

    def __init__(self, folder: Path, machine_id: str) -> None:
        self._folder = folder
        self._machine_id = machine_id

    def present(self) -> Credentials | None:
        """Return what the machine has; None: it was never enrolled."""
        read = self._read(IDENTITY)
        return None if read is None else Credentials(**read)

    def request(self) -> SigningRequest:
        """Return what to ask with. It is on the disk before it is returned, and stays the same
        until ``take``: so the answer to it can be had again.
        """
        read, present = self._read(REQUEST), self.present()
        if read is not None and (present is None or present.private_key != read["private_key"]):
            return SigningRequest(**read)
        made = _made(self._machine_id)
        self._write(REQUEST, {"private_key": made.private_key, "csr": made.csr})
        return made

    def take(self, credentials: Credentials) -> None:
        """Let these be what the machine has from now on. The request is forgotten behind it: if
        that is cut off, its key tells that it was answered.
        """
        self._write(
            IDENTITY,
            {name: getattr(credentials, name) for name in Credentials.__dataclass_fields__},
        )
        (self._folder / REQUEST).unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            read = json.loads((self._folder / name).read_text())
        except FileNotFoundError:
            return None
        assert isinstance(read, dict)
        return read

    def _write(self, name: str, content: dict[str, object]) -> None:
        """Replace a file at once or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f"{name}.new"
        fresh.unlink(missing_ok=True)  # of one that was cut off
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _made(machine_id: str) -> SigningRequest:
    """Return a new key and its request."""
    # Machines without certificates should not wait for it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    # What the certificate says the backend decides; the name lets it refuse a token that is another
    # machine's before that is used up.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, machine_id)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name)
    return SigningRequest(
        private_key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        csr=csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode(),
    )
