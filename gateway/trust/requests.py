"""A machine's certificate request (PKCS #10): what of it is believed, and what it must not say.

Flows in: PEM, and the machine that asks. Flows out: its public key and a name for the request
itself, by which it is known when it comes again. Whoever asks says nothing of what will be in the
certificate: a request that names anything but the machine is refused, not corrected.
"""

import hashlib
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.trust.authority import CannotIssue, PublicKey, require_strong

LENGTH_MAX = 8_192
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises, which has no kind of error in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What a request asks for. ``sha256`` is of its DER form: it names the request."""

    public_key: PublicKey
    sha256: str


def requested(pem: str, machine_id: str, domain: str) -> Requested:
    """Return what the machine asks for. Raises CannotIssue with a sentence that says what to
    change.
    """
    if not pem or len(pem) > LENGTH_MAX:
        raise CannotIssue(f"a certificate request has 1 to {LENGTH_MAX} characters, as PEM")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        # Before its signature: one of a huge key takes long to verify.
        require_strong(key)
        is_signed = request.is_signature_valid
        extensions = request.extensions
        subject = request.subject
    except _UNREADABLE:
        raise CannotIssue("it is no certificate request (PKCS #10) in PEM") from None
    if not is_signed:
        raise CannotIssue("it is not signed by the key that is in it")
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    _check_subject(subject, machine_id)
    _check_names(extensions, f"spiffe://{domain}/machine/{machine_id}")
    der = request.public_bytes(serialization.Encoding.DER)
    return Requested(public_key=key, sha256=hashlib.sha256(der).hexdigest())


def _check_subject(subject: x509.Name, machine_id: str) -> None:
    said = [(one.oid, one.value) for one in subject]
    if said not in ([], [(NameOID.COMMON_NAME, machine_id)]):
        raise CannotIssue(
            f"its subject must be empty, or have the common name {machine_id} and nothing else"
        )


def _check_names(extensions: x509.Extensions, uri: str) -> None:
    for one in extensions:
        if isinstance(one.value, x509.SubjectAlternativeName):
            if list(one.value) != [x509.UniformResourceIdentifier(uri)]:
                raise CannotIssue(f"it must name nothing, or {uri} alone")
        elif not isinstance(one.value, x509.KeyUsage | x509.ExtendedKeyUsage) and not _is_no_ca(
            one.value
        ):
            name = re.sub(r"[^A-Za-z0-9 ]", "", one.oid._name) or one.oid.dotted_string  # noqa: SLF001 - the library's own word for it
            raise CannotIssue(f"it must not ask for the extension {name}")


def _is_no_ca(value: x509.ExtensionType) -> bool:
    return isinstance(value, x509.BasicConstraints) and not value.ca
