"""A CA's key that another program holds: one in hardware behind PKCS#11, or in somebody's vault.

Flows in: the CA's certificate, a command, and what is to be signed. Flows out: the signature that
the command made of it, proved against the certificate, or a refusal. The command reads the bytes on
its standard input and writes ECDSA over their SHA-256, as DER, to its standard output.
"""

import os
import subprocess
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.trust.authority import CannotIssue, KeyIssuer

WITHIN_S = 10.0
_SAID_MAX = 200
_SIGNATURE_BYTES_MAX = 256


class CommandKey(ec.EllipticCurvePrivateKey):
    """Signs by running ``command``, which gets no secret of ours in its environment."""

    def __init__(self, public: ec.EllipticCurvePublicKey, command: tuple[str, ...]) -> None:
        self._public = public
        self._command = command

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return the command's signature. Raises CannotIssue."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("VENDGATE_")}
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command
                self._command,
                input=bytes(data),
                capture_output=True,
                timeout=WITHIN_S,
                env=ours,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotIssue(
                f"{self._command[0]} of enrolment.ca_sign_command did not sign: {error}"
            ) from None
        signature = done.stdout
        if done.returncode != 0 or not 0 < len(signature) <= _SIGNATURE_BYTES_MAX:
            said = done.stderr.decode(errors="replace").strip()[-_SAID_MAX:]
            raise CannotIssue(
                f"{self._command[0]} of enrolment.ca_sign_command ended with status "
                f"{done.returncode} and {len(signature)} bytes: {said!r}"
            )
        try:
            self._public.verify(signature, bytes(data), signature_algorithm)
        except InvalidSignature:
            raise CannotIssue(
                f"{self._command[0]} of enrolment.ca_sign_command signs with another key than that "
                "of enrolment.ca_certificate_file, or not as DER over SHA-256"
            ) from None
        return signature

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return that of the certificate."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve of the key."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """In bits."""
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Refuse: it signs."""
        raise NotImplementedError

    def private_numbers(self) -> NoReturn:
        """Refuse: nobody here has them."""
        raise NotImplementedError

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        """Refuse: nobody here has them."""
        raise NotImplementedError

    def __copy__(self) -> "CommandKey":
        """Return itself: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "CommandKey":
        """Return itself: it never changes."""
        return self


def issuer_by(certificate: bytes, command: tuple[str, ...]) -> KeyIssuer:
    """Return the CA of a PEM text whose key is the command's. Raises CannotIssue."""
    try:
        issuing = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise CannotIssue("it cannot be read as PEM") from None
    public = issuing.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise CannotIssue("its key is not on a curve")
    return KeyIssuer(certificate=issuing, key=CommandKey(public, command))
