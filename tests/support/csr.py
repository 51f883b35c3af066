"""Certificate requests, as firmware makes them, and as it should not."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

URI = x509.UniformResourceIdentifier("spiffe://vending.example/machine/VM-1")
NOBODY = x509.Name([])


def subject(*names: str) -> x509.Name:
    """A name with these common names."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])


def csr(
    name: x509.Name = NOBODY,
    *extensions: x509.ExtensionType,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
) -> str:
    """A request in PEM; of a new key on P-256, unless one is given."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()
