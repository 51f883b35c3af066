"""A CA's key that another program holds: one in hardware behind PKCS#11, or in somebody's vault.

Flows in: the CA's certificate, a command, and what is to be signed. Flows out: the signature that
the command made of it, proved against the certificate, or a refusal. The command reads the bytes on
its standard input and writes ECDSA over their SHA-256, as DER, to its standard output.
"""

import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.trust.authority import CannotIssue, KeyIssuer

WITHIN_S = 10.0
_SAID_MAX = 200
_SIGNATURE_BYTES_MAX = 256
_READ_BYTES = 4_096


class CommandKey(ec.EllipticCurvePrivateKey):
    """Signs by running ``command``, which gets no secret of ours in its environment."""

    def __init__(self, public: ec.EllipticCurvePublicKey, command: tuple[str, ...]) -> None:
        self._public = public
        self._command = command

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return the command's signature. Raises CannotIssue."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("VENDGATE_")}
        try:
            status, signature, told = _run(self._command, bytes(data), ours)
        except subprocess.TimeoutExpired:
            # The library's own sentence has the arguments, and one of them may be a PIN.
            raise self._refused(f"did not sign: it timed out after {WITHIN_S:g} s") from None
        except OSError as error:
            raise self._refused(f"did not sign: {error}") from None
        if len(signature) > _SIGNATURE_BYTES_MAX:
            raise self._refused(
                f"wrote more than the {_SIGNATURE_BYTES_MAX} bytes that a signature has, and was "
                "ended"
            )
        if status != 0 or not signature:
            said = told.decode(errors="replace").strip()[-_SAID_MAX:]
            raise self._refused(f"ended with status {status} and {len(signature)} bytes: {said!r}")
        try:
            self._public.verify(signature, bytes(data), signature_algorithm)
        except InvalidSignature:
            raise self._refused(
                "signs with another key than that of enrolment.ca_certificate_file, or not as DER "
                "over SHA-256"
            ) from None
        return signature

    def _refused(self, why: str) -> CannotIssue:
        return CannotIssue(f"{self._command[0]} of enrolment.ca_sign_command {why}")

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


def _run(
    command: tuple[str, ...], given: bytes, environment: dict[str, str]
) -> tuple[int, bytes, bytes]:
    """Return the status, and what was written to each of the outputs: of the first one byte more
    than a signature has at most, of the other the end. Who has not ended by then is killed, with
    what it started. Raises OSError or TimeoutExpired.
    """
    ends_s = time.monotonic() + WITHIN_S
    with subprocess.Popen(  # noqa: S603 - the operator's own command
        command,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it may have ended, and says more itself
                process.stdin.write(given)
            process.stdin.close()
            written, told = _heard(process, ends_s)
            if len(written) <= _SIGNATURE_BYTES_MAX:
                process.wait(max(0.0, ends_s - time.monotonic()))
        finally:
            if process.returncode is None:  # nobody else can have its number yet
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, written, told


def _heard(process: subprocess.Popen[bytes], ends_s: float) -> tuple[bytes, bytes]:
    """Read both outputs to their ends, or until there is more than a signature."""
    assert process.stdout is not None
    assert process.stderr is not None
    written, told = b"", b""
    with selectors.DefaultSelector() as open_ones:
        for output in (process.stdout, process.stderr):
            open_ones.register(output, selectors.EVENT_READ)
        while open_ones.get_map() and len(written) <= _SIGNATURE_BYTES_MAX:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise subprocess.TimeoutExpired(process.args, WITHIN_S)
            for key, _ in open_ones.select(left_s):
                read = os.read(key.fd, _READ_BYTES)
                if not read:
                    open_ones.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    written += read
                else:
                    told = (told + read)[-_READ_BYTES:]
    return written, told


def issuer_by(certificate: bytes, command: tuple[str, ...]) -> KeyIssuer:
    """Return the CA of a PEM text whose key is the command's. Raises CannotIssue."""
    try:
        issuing = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise CannotIssue("it cannot be read as PEM") from None
    try:
        public = issuing.public_key()
    except UnsupportedAlgorithm:
        raise CannotIssue("its key is of a kind that nobody here knows") from None
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise CannotIssue("its key is not on a curve")
    return KeyIssuer(certificate=issuing, key=CommandKey(public, command))
