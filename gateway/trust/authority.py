"""A small CA: a root that is kept offline, and below it one that issues for each kind of client.

Flows in: who is to have a certificate, their public key, and what time it is. Flows out: the
certificate and the chain above it. Whoever takes machines' certificates trusts the machines' CA
alone, not the root, so that no other's gets through TLS. What signs stands behind ``Issuer``: here
a key in a file; a key in hardware or another program's CA takes its place.
"""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from actors.machine.ids import MACHINE_ID_PATTERN

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
ROOT_DAYS = 7_300
ISSUING_DAYS = 1_825
EARLIER = dt.timedelta(hours=1)
"""A certificate counts from an hour ago: a machine's clock may be behind ours."""
_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_CURVES = (ec.SECP256R1, ec.SECP384R1)
"""What gRPC's TLS (BoringSSL) takes of clients in TLS 1.2 and 1.3: P-521 not in 1.3, others never.
"""
_EXPONENT_BITS_MAX = 33
"""Of an RSA key, in BoringSSL: with a longer one a signature takes long to verify."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")


class CannotIssue(Exception):
    """No certificate can be made of this; the sentence says what to change."""


class Profile(StrEnum):
    """What a certificate is for."""

    MACHINE = "machine"
    ADMINISTRATOR = "administrator"
    GATEWAY = "gateway"


DAYS = {Profile.MACHINE: 90, Profile.ADMINISTRATOR: 90, Profile.GATEWAY: 90}
"""For how long a certificate is good, unless somebody says otherwise."""
_USE: dict[Profile, ObjectIdentifier] = {
    Profile.MACHINE: ExtendedKeyUsageOID.CLIENT_AUTH,
    Profile.ADMINISTRATOR: ExtendedKeyUsageOID.CLIENT_AUTH,
    Profile.GATEWAY: ExtendedKeyUsageOID.SERVER_AUTH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate that somebody wants. ``names``: DNS names and addresses of a gateway;
    ``units``: organisational units of an administrator.
    """

    profile: Profile
    name: str
    public_key: PublicKey
    days: int
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


class Issuer(Protocol):
    """What signs certificates of one profile, wherever its key is."""

    @property
    def domain(self) -> str:
        """The trust domain of what it issues."""
        ...

    @property
    def until(self) -> dt.datetime:
        """When its CA ends: nothing that it issues lasts longer."""
        ...

    def issue(self, wanted: Leaf, *, now: dt.datetime) -> tuple[x509.Certificate, ...]:
        """Return the certificate and those above it, without the root. Raises CannotIssue."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIssuer:
    """Signs with a key that this process holds. ``serial`` returns a number that no other
    certificate has.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    serial: Callable[[], int] = x509.random_serial_number

    @property
    def domain(self) -> str:
        """The trust domain of its CA. Raises CannotIssue for another's CA."""
        return domain_of(self.certificate)

    @property
    def until(self) -> dt.datetime:
        """When its CA ends."""
        return self.certificate.not_valid_after_utc

    def issue(self, wanted: Leaf, *, now: dt.datetime) -> tuple[x509.Certificate, ...]:
        """Return the certificate and the CA's own. Raises CannotIssue."""
        ends = now + dt.timedelta(days=wanted.days)
        if not wanted.days >= 1 or ends > self.certificate.not_valid_after_utc:
            raise CannotIssue(
                f"the CA ends on {self.certificate.not_valid_after_utc:%Y-%m-%d}: ask for at least "
                "one day and for none behind that, or renew the CA"
            )
        require_strong(wanted.public_key)
        builder = _built(
            _subject(wanted), self.certificate.subject, wanted.public_key, self.serial()
        )
        builder = builder.not_valid_before(now - EARLIER).not_valid_after(ends)
        if names := _names(wanted, self.domain):
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_USE[wanted.profile]]), critical=False)
            .add_extension(_above(self.key), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256()), self.certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The root: it signs the CAs that issue, and then goes into a safe."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls, domain: str, *, now: dt.datetime) -> "Root":
        """Return a new root for a trust domain, such as vending.example. Raises CannotIssue."""
        if not _DOMAIN.fullmatch(domain):
            raise CannotIssue(
                f"{domain!r} is no trust domain: write 1 to 255 small letters, digits, '.', '_' or "
                "'-', for example vending.example"
            )
        key, name = new_key(), _called(f"{domain} root")
        builder = _authority(name, name, key, domain, path_length=1)
        builder = builder.not_valid_before(now - EARLIER)
        builder = builder.not_valid_after(now + dt.timedelta(days=ROOT_DAYS))
        return cls(certificate=builder.sign(key, hashes.SHA256()), key=key)

    def issuer(self, profile: Profile, *, now: dt.datetime) -> KeyIssuer:
        """Return a new CA for one profile. Raises CannotIssue when the root ends before it."""
        ends = now + dt.timedelta(days=ISSUING_DAYS)
        if ends > self.certificate.not_valid_after_utc:
            raise CannotIssue(
                f"the root ends on {self.certificate.not_valid_after_utc:%Y-%m-%d}, too soon for "
                "another CA: make a new root, and let both be trusted meanwhile"
            )
        key, domain = new_key(), domain_of(self.certificate)
        builder = _authority(
            _called(f"{domain} {profile}s"), self.certificate.subject, key, domain, path_length=0
        )
        builder = builder.not_valid_before(now - EARLIER).not_valid_after(ends)
        builder = builder.add_extension(x509.ExtendedKeyUsage([_USE[profile]]), critical=False)
        signed = builder.add_extension(_above(self.key), critical=False)
        return KeyIssuer(certificate=signed.sign(self.key, hashes.SHA256()), key=key)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key, on the curve that every TLS library has."""
    return ec.generate_private_key(ec.SECP256R1())


def domain_of(authority: x509.Certificate) -> str:
    """Return the trust domain of one of our CAs. Raises CannotIssue for another's."""
    try:
        names = authority.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier):
        return uri.removeprefix("spiffe://")
    raise CannotIssue(
        f"{authority.subject.rfc4514_string()} names no trust domain (spiffe://...): it is no CA "
        "that 'vendgate ca init' made"
    )


def require_strong(key: object) -> None:
    """Refuse keys that TLS here does not take. Raises CannotIssue."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return
    if (
        isinstance(key, rsa.RSAPublicKey)
        and 2_048 <= key.key_size <= 4_096
        and key.public_numbers().e.bit_length() <= _EXPONENT_BITS_MAX
    ):
        return
    raise CannotIssue("the key must be ECDSA on P-256 or P-384, or RSA of 2048 to 4096 bits")


def _subject(wanted: Leaf) -> x509.Name:
    machine = wanted.profile is Profile.MACHINE
    if not re.fullmatch(MACHINE_ID_PATTERN if machine else _NAME, wanted.name):
        raise CannotIssue(
            f"{wanted.name!r} is no name for a certificate of this kind: "
            + ("write a machine's id" if machine else "write 1 to 64 plain letters and digits")
        )
    return _called(wanted.name, *wanted.units)


def _names(wanted: Leaf, domain: str) -> list[x509.GeneralName]:
    match wanted.profile:
        case Profile.MACHINE:
            return [x509.UniformResourceIdentifier(f"spiffe://{domain}/machine/{wanted.name}")]
        case Profile.ADMINISTRATOR:
            return []  # the common name is the person's, as settings and audit log have it
        case Profile.GATEWAY:
            if not wanted.names:
                raise CannotIssue("a gateway's certificate needs the names that clients call it by")
            return [_host(name) for name in wanted.names]


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if not re.fullmatch(r"(\*\.)?[A-Za-z0-9._-]{1,253}", name):
        raise CannotIssue(f"{name!r} is neither a DNS name nor an address")
    return x509.DNSName(name)


def _called(name: str, *units: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            *(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units),
        ]
    )


def _authority(
    name: x509.Name,
    above: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    domain: str,
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    trusts = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{domain}")])
    return (
        _built(name, above, key.public_key(), x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(trusts, critical=False)
    )


def _built(
    name: x509.Name, above: x509.Name, key: PublicKey, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(above)
        .public_key(key)
        .serial_number(serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _above(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
