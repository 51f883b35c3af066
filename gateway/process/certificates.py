"""The certificates of the listeners: read, judged, read again when they change.

Flows in: a listener's settings. Flows out: a ``Tls``, sentences about what is wrong with it, and
how many days are left. Knows nothing of gRPC, because a Ray worker reads settings too.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import suppress

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.process.files import Problems, marks_of
from gateway.process.sections import ListenerSettings
from gateway.rpc.tls import Tls

log = structlog.get_logger()

_RSA_BITS_MIN = 2_048
_EC_BITS_MIN = 256
_WEAK_HASHES = ("md5", "sha1")
_DAY_S = 86_400


def load(name: str, listener: ListenerSettings, problems: Problems) -> Tls | None:
    """Return the listener's TLS as its files are now; None, with problems, if it cannot be had, and
    None without any if it is plain.
    """
    certificate = problems.pem(f"{name}.certificate_file", listener.certificate_file)
    private_key = problems.pem(f"{name}.private_key_file", listener.private_key_file, private=True)
    client_ca = problems.pem(f"{name}.client_ca_file", listener.client_ca_file)
    if not certificate or not private_key or (listener.client_ca_file and not client_ca):
        return None
    tls = Tls(
        certificate=certificate.encode(),
        private_key=private_key.encode(),
        client_ca=client_ca.encode(),
        renewed=Renewal(name, listener),
    )
    for sentence in _unusable(name, tls):
        problems.add(sentence)
    return tls


def judged(name: str, tls: Tls, *, now_ms: int) -> Iterator[str]:
    """Yield what is wrong with certificates that can be read: outdated, not valid yet, weak, no CA.

    ``vendgate config check`` refuses them. A gateway that starts says so and goes on: whom they
    concern cannot call anyway, and payments, refunds and the other listener do not need them.
    """
    now = dt.datetime.fromtimestamp(now_ms / 1_000, dt.UTC)
    chain = x509.load_pem_x509_certificates(tls.certificate)
    authorities = x509.load_pem_x509_certificates(tls.client_ca) if tls.client_ca else []
    for one in chain:
        yield from _outdated(f"{name}.certificate_file", one, now)
    # Beside a new CA the old one may stay until it is outdated.
    if authorities and all(any(_outdated("", one, now)) for one in authorities):
        yield from _outdated(f"{name}.client_ca_file", authorities[-1], now)
    if authorities and not any(map(_is_authority, authorities)):
        yield (
            f"{name}.client_ca_file: {authorities[-1].subject.rfc4514_string()} is no CA, so that "
            "nobody whose certificate it signed can connect; give the CA's own certificate."
        )
    for file, certificates in (("certificate_file", chain), ("client_ca_file", authorities)):
        for one in certificates:
            yield from _weak(f"{name}.{file}", one)


def days_left(tls: Tls, *, now_ms: int) -> dict[str, float]:
    """Return for each file how many days are left of the first of its certificates to end, of those
    that have not ended; negative once all have. The files as they are now count, if they can be
    used, though nobody has called since they were renewed.
    """
    present = tls if tls.renewed is None else tls.renewed.to_come() or tls
    found = {}
    for file, pem in (("certificate", present.certificate), ("client_ca", present.client_ca)):
        if pem:
            days = [
                (one.not_valid_after_utc.timestamp() - now_ms / 1_000) / _DAY_S
                for one in x509.load_pem_x509_certificates(pem)
            ]
            found[file] = min((left for left in days if left > 0), default=max(days))
    return found


class Renewal:
    """Reads a listener's files again when they are others than those in use.

    Asked at each handshake, so it looks at the files' marks only. What cannot be used is logged
    once, and what was in use stays in use.
    """

    def __init__(self, name: str, listener: ListenerSettings) -> None:
        self._name = name
        self._listener = listener
        self._files = [
            path
            for path in (
                listener.certificate_file,
                listener.private_key_file,
                listener.client_ca_file,
            )
            if path is not None
        ]
        self._seen = self._looked = marks_of(self._files)
        self._next: Tls | None = None
        self.present: Tls | None = None
        """The newest one that was handed out; None: still the first."""

    def __call__(self) -> Tls | None:
        """Return what is to be used from now on; None: what is in use."""
        marks = marks_of(self._files)
        if marks == self._seen:
            return None
        self._seen = marks
        problems = Problems()
        tls = load(self._name, self._listener, problems)
        if tls is None or problems.sentences:
            log.error(
                "changed certificates cannot be used, the old ones stay",
                listener=self._name,
                problems=problems.sentences,
            )
            return None
        self.present = tls
        log.info("certificates were read again", listener=self._name)
        return tls

    def to_come(self) -> Tls | None:
        """Return what the next handshake is to use, and hand out nothing; None: still the first.
        What cannot be used is logged when somebody calls.
        """
        marks = marks_of(self._files)
        if marks == self._seen:
            return self.present
        if marks != self._looked:
            self._looked, problems = marks, Problems()
            tls = load(self._name, self._listener, problems)
            self._next = None if problems.sentences else tls
        return self._next or self.present


def _unusable(name: str, tls: Tls) -> Iterator[str]:
    try:
        public = x509.load_pem_x509_certificates(tls.certificate)[0].public_key()
    except ValueError:
        yield (
            f"{name}.certificate_file is not a PEM certificate; give the server's certificate, "
            "followed by its chain."
        )
        return
    except UnsupportedAlgorithm:
        yield (
            f"{name}.certificate_file has a key of a kind that TLS here does not know; make one on "
            "P-256."
        )
        return
    try:
        private = serialization.load_pem_private_key(tls.private_key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        yield f"{name}.private_key_file is not an unencrypted PEM private key."
        return
    if private.public_key() != public:
        yield f"{name}.private_key_file does not belong to {name}.certificate_file; give the pair."
    if tls.client_ca:
        try:
            x509.load_pem_x509_certificates(tls.client_ca)
        except ValueError:
            yield (
                f"{name}.client_ca_file is not a PEM certificate; give the CA that signs the "
                "clients' certificates."
            )


def _outdated(file: str, one: x509.Certificate, now: dt.datetime) -> Iterator[str]:
    whose = one.subject.rfc4514_string()
    if one.not_valid_after_utc <= now:
        yield f"{file}: {whose} has expired on {one.not_valid_after_utc:%Y-%m-%d}; renew it."
    elif one.not_valid_before_utc > now:
        yield (
            f"{file}: {whose} counts from {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only; "
            "wait, or set this computer's clock."
        )


def _is_authority(one: x509.Certificate) -> bool:
    """Return whether TLS takes certificates that it signed. One of version 1 cannot say so."""
    if one.version is x509.Version.v1:
        return True
    try:
        basic = one.extensions.get_extension_for_class(x509.BasicConstraints).value
        with suppress(x509.ExtensionNotFound):
            usage = one.extensions.get_extension_for_class(x509.KeyUsage).value
            return basic.ca and usage.key_cert_sign
    except (x509.ExtensionNotFound, ValueError):  # ValueError: extensions that cannot be read
        return False
    return basic.ca


def _weak(file: str, one: x509.Certificate) -> Iterator[str]:
    whose = one.subject.rfc4514_string()
    try:
        key = one.public_key()
    except UnsupportedAlgorithm:
        yield f"{file}: {whose} has a key of a kind that TLS here does not know."
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS_MIN:
        yield f"{file}: {whose} has an RSA key of {key.key_size} bits; make one of 2048 or more."
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _EC_BITS_MIN:
        yield f"{file}: {whose} is on the curve {key.curve.name}; make a key on P-256."
    elif not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        yield f"{file}: {whose} is neither RSA nor ECDSA, which is what TLS here knows."
    algorithm = one.signature_hash_algorithm
    # A root's own signature proves nothing, however it was made.
    if one.subject != one.issuer and algorithm is not None and algorithm.name in _WEAK_HASHES:
        yield f"{file}: {whose} is signed with {algorithm.name}; have it signed with SHA-256."
