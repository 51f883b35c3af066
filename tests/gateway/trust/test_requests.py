"""What of a machine's certificate request is believed."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from gateway.trust.authority import CannotIssue
from gateway.trust.requests import LENGTH_MAX, requested
from tests.support.csr import URI, csr, subject


def refused(pem: str) -> str:
    with pytest.raises(CannotIssue) as error:
        requested(pem, "VM-1", "vending.example")
    return str(error.value)


@pytest.mark.parametrize(
    "asked",
    [
        csr(),
        csr(subject("VM-1")),
        csr(x509.Name([]), x509.SubjectAlternativeName([URI])),
        csr(x509.Name([]), x509.BasicConstraints(ca=False, path_length=None)),
        csr(key=ec.generate_private_key(ec.SECP384R1())),
        csr(key=rsa.generate_private_key(65_537, 2_048)),
    ],
)
def test_a_request_names_nothing_or_the_machine(asked: str) -> None:
    """Whichever tool made it."""
    assert 64 == len(requested(asked, "VM-1", "vending.example").sha256)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", "1 to 8192"),
        ("-" * (LENGTH_MAX + 1), "1 to 8192"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END", "no certificate request"),
        ("\N{SNOWMAN}", "no certificate request"),
        (csr(subject("VM-2")), "common name VM-1"),
        (csr(subject("VM-1", "VM-1")), "common name VM-1"),
        (csr(x509.Name([]), x509.SubjectAlternativeName([])), "must name nothing"),
        (
            csr(x509.Name([]), x509.SubjectAlternativeName([URI, x509.DNSName("gw.example")])),
            "must name nothing",
        ),
        (
            csr(
                x509.Name([]),
                x509.SubjectAlternativeName(
                    [x509.UniformResourceIdentifier("spiffe://vending.example/machine/VM-2")]
                ),
            ),
            "must name nothing",
        ),
        (csr(x509.Name([]), x509.BasicConstraints(ca=True, path_length=0)), "basicConstraints"),
        (csr(key=ec.generate_private_key(ec.SECP192R1())), "P-256"),
        (csr(key=ec.generate_private_key(ec.SECP521R1())), "P-256"),
        (csr(key=ec.generate_private_key(ec.SECP256K1())), "P-256"),
        (csr(key=rsa.generate_private_key(65_537, 1_024)), "RSA of 2048"),
    ],
)
def test_whatever_names_anybody_else_is_refused(asked: str, said: str) -> None:
    """It is not corrected: whoever made it believes that it would be granted."""
    assert said in refused(asked)


@pytest.mark.parametrize("name", [b"\xa3\x00", b"\xa5\x00"])
def test_names_of_kinds_that_nobody_reads_are_refused(name: bytes) -> None:
    """X.400 addresses and parties of EDI, which the library raises something of its own for."""
    names = bytes((0x30, len(name))) + name
    of_them = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
    assert "no certificate request" in refused(csr(x509.Name([]), of_them))


def test_a_request_of_another_version_is_refused() -> None:
    """There is one."""
    der = x509.load_pem_x509_csr(csr().encode()).public_bytes(Encoding.DER)
    later = der.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1)
    text = base64.encodebytes(later).decode()
    kind = "CERTIFICATE REQUEST"
    assert "no certificate request" in refused(
        f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n"
    )


def test_a_request_that_its_key_did_not_sign_is_refused() -> None:
    """Whoever has only somebody's public key gets no certificate for it."""
    assert "not signed" in refused(_spoilt(csr()))


def test_a_key_that_is_not_taken_costs_no_verifying() -> None:
    """One that is huge would keep everybody waiting for it."""
    asked = csr(key=rsa.generate_private_key(65_537, 1_024))
    assert "RSA of 2048" in refused(_spoilt(asked))


def _spoilt(asked: str) -> str:
    der: Any = bytearray(x509.load_pem_x509_csr(asked.encode()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()


def test_the_same_request_has_the_same_name() -> None:
    """However its lines are broken; another one of the same key has another."""
    key = ec.generate_private_key(ec.SECP256R1())
    one = csr(key=key)
    names = [requested(text, "VM-1", "d").sha256 for text in (one, f"\n{one}\n", csr(key=key))]
    assert names[0] == names[1] != names[2]
