"""A throw-away CA and certificates of it, made when asked and kept nowhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    private_key: bytes


class Authority:
    """A CA. ``certificate`` is what others trust."""

    def __init__(self, name: str = "throw-away CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._signed = self._build(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = self._signed.sign(self._key, hashes.SHA256()).public_bytes(
            serialization.Encoding.PEM
        )

    def server(self) -> Issued:
        """A certificate for 127.0.0.1 and localhost."""
        return self._issue(
            "server", [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        )

    def machine(self, machine_id: str, *, domain: str = "vendgate.test") -> Issued:
        """A machine's certificate."""
        return self.client(f"spiffe://{domain}/machine/{machine_id}")

    def client(self, *uris: str) -> Issued:
        """A certificate with these URIs."""
        return self._issue("client", [x509.UniformResourceIdentifier(uri) for uri in uris])

    def person(self, name: str, *units: str, ended: bool = False) -> Issued:
        """A person's certificate, with organisational units; perhaps one that has ended."""
        return self._issue(name, [], units=units, ended=ended)

    def nameless(self) -> Issued:
        """A certificate that names nobody."""
        return self._issue("", [])

    def _issue(
        self,
        name: str,
        names: list[x509.GeneralName],
        *,
        units: tuple[str, ...] = (),
        ended: bool = False,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._build(_name(name, *units), key.public_key(), ended=ended)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Issued(
            certificate=builder.sign(self._key, hashes.SHA256()).public_bytes(
                serialization.Encoding.PEM
            ),
            private_key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def _build(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *, ended: bool = False
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC) - timedelta(days=10 if ended else 0)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _name(name: str, *units: str) -> x509.Name:
    named = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    return x509.Name(
        [*named, *(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units)]
    )
