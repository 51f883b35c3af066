"""A small CA."""

import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from gateway.rpc.peers import peer_of
from gateway.trust.authority import (
    EARLIER,
    CannotIssue,
    KeyIssuer,
    Leaf,
    Profile,
    Root,
    domain_of,
    new_key,
)
from tests.support.certificates import Authority

NOW = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
ROOT = Root.made("vending.example", now=NOW)
ISSUERS = {profile: ROOT.issuer(profile, now=NOW) for profile in Profile}
KEY = new_key().public_key()
LONG_EXPONENT = rsa.RSAPublicNumbers(e=2**40 + 1, n=2**2_047 + 1).public_key()
"""Nobody knows its other half."""


def wanted(profile: Profile, name: str, **more: Any) -> Leaf:
    """A certificate that somebody wants for ninety days."""
    return Leaf(**{"profile": profile, "name": name, "public_key": KEY, "days": 90, **more})


def issued(what: Leaf) -> tuple[x509.Certificate, ...]:
    """Have it issued by the CA of its profile."""
    return ISSUERS[what.profile].issue(what, now=NOW)


def test_a_machine_s_names_the_machine_and_nothing_else_is_believed() -> None:
    """It is a client's, on the trust domain of the root, and good from an hour ago."""
    leaf, above = issued(wanted(Profile.MACHINE, "VM-0017"))
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["spiffe://vending.example/machine/VM-0017"] == alternatives.get_values_for_type(
        x509.UniformResourceIdentifier
    )
    assert (NOW - EARLIER, NOW + dt.timedelta(days=90)) == (
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )
    assert ISSUERS[Profile.MACHINE].certificate == above
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_client_s_is_proved_by_its_own_ca_alone() -> None:
    """A machine's certificate is none for whoever trusts the administrators' CA."""
    for profile in (Profile.MACHINE, Profile.ADMINISTRATOR):
        leaf, _ = issued(wanted(profile, "VM-1"))
        for trusted, issuer in ISSUERS.items():
            if profile is trusted:
                leaf.verify_directly_issued_by(issuer.certificate)
            else:
                with pytest.raises(ValueError, match="does not match"):
                    leaf.verify_directly_issued_by(issuer.certificate)


def test_a_gateway_s_is_proved_to_the_root() -> None:
    """As a client does it that trusts the root, by each of its names."""
    leaf, above = issued(wanted(Profile.GATEWAY, "gw", names=("gw.example", "127.0.0.1")))
    verifier = PolicyBuilder().store(Store([ROOT.certificate])).time(NOW)
    for name in (x509.DNSName("gw.example"),):
        chain = verifier.build_server_verifier(name).verify(leaf, [above])
        assert 3 == len(chain)


def test_an_administrator_s_says_who_and_of_which_unit() -> None:
    """The door finds both."""
    leaf, _ = issued(wanted(Profile.ADMINISTRATOR, "ann", units=("Finance",)))
    pem = leaf.public_bytes(encoding=serialization.Encoding.PEM)
    peer = peer_of({"x509_pem_cert": [pem], "x509_common_name": [b"ann"]})
    assert peer is not None
    assert ("ann", ("Finance",), False) == (peer.name, peer.units, peer.of_machine)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (wanted(Profile.MACHINE, "no id"), "write a machine's id"),
        (wanted(Profile.ADMINISTRATOR, "ann,CN=root"), "plain letters"),
        (wanted(Profile.GATEWAY, "gw"), "needs the names"),
        (wanted(Profile.GATEWAY, "gw", names=("a b",)), "neither a DNS name"),
        (wanted(Profile.MACHINE, "VM-1", days=0), "at least one day"),
        (wanted(Profile.MACHINE, "VM-1", days=1_826), "the CA ends on 2031-11-28"),
        (
            wanted(
                Profile.MACHINE,
                "VM-1",
                public_key=ec.generate_private_key(ec.SECP224R1()).public_key(),
            ),
            "the key must be",
        ),
        (
            wanted(
                Profile.MACHINE,
                "VM-1",
                public_key=rsa.generate_private_key(65_537, 1_024).public_key(),
            ),
            "the key must be",
        ),
        (wanted(Profile.MACHINE, "VM-1", public_key=LONG_EXPONENT), "the key must be"),
    ],
)
def test_what_cannot_be_issued_is_a_sentence(what: Leaf, sentence: str) -> None:
    """It says what to change."""
    with pytest.raises(CannotIssue, match=sentence):
        issued(what)


def test_a_trust_domain_is_small_letters() -> None:
    """And a CA of somebody else names none."""
    with pytest.raises(CannotIssue, match="no trust domain"):
        Root.made("Vending Example", now=NOW)
    other = x509.load_pem_x509_certificate(Authority().certificate)
    with pytest.raises(CannotIssue, match="no CA that"):
        domain_of(other)


def test_no_ca_outlives_its_root() -> None:
    """Whoever asks late hears that the root ends too soon."""
    with pytest.raises(CannotIssue, match="make a new root"):
        ROOT.issuer(Profile.MACHINE, now=NOW + dt.timedelta(days=6_000))


def test_serial_numbers_come_from_outside() -> None:
    """As all randomness that a test wants to see."""
    issuer = ISSUERS[Profile.MACHINE]
    fixed = KeyIssuer(certificate=issuer.certificate, key=issuer.key, serial=lambda: 4_711)
    assert 4_711 == fixed.issue(wanted(Profile.MACHINE, "VM-1"), now=NOW)[0].serial_number
