"""What a client's certificate says."""

from cryptography import x509
from sqlalchemy import String

from gateway.rpc.peers import SERIAL_LENGTH_MAX, Peer, peer_of, serial_of
from storage.tables import machine_certificates
from tests.support.certificates import Authority

AUTHORITY = Authority()
ANN = AUTHORITY.person("ann", "Vending Operations").certificate
LONG = b"""\
-----BEGIN CERTIFICATE-----
MIIBoDCCAUWgAwIBAgIZf6q7zN3u/wARIjNEVWZ3iJmqu8zd7v8AETAKBggqhkjO
PQQDAjAPMQ0wCwYDVQQDDARWTS05MB4XDTI2MTEzMDEyMjAyMloXDTI2MTIwMjEy
MjAyMlowDzENMAsGA1UEAwwEVk0tOTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BK/Db6T5JOGJpW3xEg2eMdtvx9oBEGW7NvWaDQIBIaslG9Qe7rLJpFqGzOcsd7uS
jVUmJTUU9A7fvQXhiYm9IGijejB4MB0GA1UdDgQWBBTYGHJw0BJg++iVTbKaaFhq
dskZhzAfBgNVHSMEGDAWgBTYGHJw0BJg++iVTbKaaFhqdskZhzAPBgNVHRMBAf8E
BTADAQH/MCUGA1UdEQQeMByGF3NwaWZmZTovL3gvbWFjaGluZS9WTS05ggF4MAoG
CCqGSM49BAMCA0kAMEYCIQCdNXJqkrXuoihAEAywhWYadflEIjqse9dgSSo+3ZvG
AgIhAIzsyMaPFmOZeGlix4a2lrNzqd8Dl54mu+MCsUxyXMeV
-----END CERTIFICATE-----
"""
"""TLS takes it, though its serial number has 50 digits: a CA may use 40."""
URI = b"spiffe://vendgate.test/admin/ann"


def test_no_certificate_is_nobody() -> None:
    """On a connection without one gRPC tells how it is secured, and no more."""
    assert peer_of({"transport_security_type": [b"insecure"]}) is None


def test_a_serial_is_that_of_the_certificate() -> None:
    """Empty where there is none."""
    read = x509.load_pem_x509_certificate(ANN)
    assert f"{read.serial_number:x}" == serial_of({"x509_pem_cert": [ANN]})
    assert "" == serial_of({})


def test_a_serial_that_is_longer_than_any_may_be_has_room_where_serials_are_kept() -> None:
    """PostgreSQL would refuse it, and no other certificate would be looked at beside it."""
    assert SERIAL_LENGTH_MAX < len(f"{x509.load_pem_x509_certificate(LONG).serial_number:x}")
    assert SERIAL_LENGTH_MAX == len(serial_of({"x509_pem_cert": [LONG]}))
    kept_as = machine_certificates.c.serial.type
    assert isinstance(kept_as, String)
    assert SERIAL_LENGTH_MAX == kept_as.length


def test_a_certificate_says_name_units_serial_and_end() -> None:
    """The common name is the name where there is no URI."""
    read = x509.load_pem_x509_certificate(ANN)
    expected = Peer(
        name="ann",
        units=("Vending Operations",),
        serial=f"{read.serial_number:x}",
        not_before_ms=int(read.not_valid_before_utc.timestamp()) * 1_000,
        not_after_ms=int(read.not_valid_after_utc.timestamp()) * 1_000,
    )
    assert expected == peer_of({"x509_common_name": [b"ann"], "x509_pem_cert": [ANN]})


def test_a_uri_is_more_of_a_name_than_a_common_name() -> None:
    """As it was before there were roles: the audit log goes on with the same names."""
    found = peer_of({"peer_uri": [URI], "x509_common_name": [b"ann"], "x509_pem_cert": [ANN]})
    assert found is not None
    assert URI.decode() == found.name


def test_a_nameless_one_is_its_fingerprint() -> None:
    """Nobody becomes two people by having no name."""
    found = peer_of({"x509_pem_cert": [AUTHORITY.nameless().certificate]})
    assert found is not None
    assert found.name.startswith("sha256:")


def test_a_machine_s_is_told_apart_wherever_its_uri_stands() -> None:
    """A second URI makes no person of it."""
    machine = b"spiffe://vendgate.test/machine/VM-1"
    for uris in ([machine], [URI, machine]):
        found = peer_of({"peer_uri": uris})
        assert found is not None
        assert found.of_machine
    person = peer_of({"peer_uri": [b"spiffe://vendgate.test/admin/machine/ann"]})
    assert person is not None
    assert not person.of_machine


def test_what_cannot_be_read_has_its_name_alone() -> None:
    """A machine whose old certificate only TLS can read goes on selling."""
    found = peer_of({"peer_uri": [URI], "x509_pem_cert": [b"no certificate"]})
    assert Peer(name=URI.decode()) == found
