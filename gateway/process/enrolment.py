"""What a gateway needs to give machines their certificates: a listener for those that have none,
and the CA that issues.

Flows in: the settings' table. Flows out: an ``EnrolmentConfig``, None when it is off, and a
sentence for each thing that is wrong with it.
"""

from dataclasses import dataclass, field

from cryptography import x509

from gateway.process import certificates
from gateway.process.files import Problems
from gateway.process.sections import Enrolment
from gateway.rpc.tls import Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentConfig:
    """The CA as PEM texts, for how many days its certificates are good, and where machines are
    told to go. ``tls`` is None for plaintext.
    """

    ca_certificate: bytes
    ca_private_key: bytes = field(repr=False)
    days: int
    listen: str
    public_address: str
    gateway: str = ""
    ca_sign_command: tuple[str, ...] = ()
    """What signs instead of a key that is here; empty: that does."""
    tls: Tls | None = None


def enrolment(
    section: Enrolment, machines_tls: Tls | None, problems: Problems
) -> EnrolmentConfig | None:
    """Return what is to be served, if it is on."""
    if not section.enabled:
        return None
    certificate = problems.pem("enrolment.ca_certificate_file", section.ca_certificate_file)
    key = problems.pem("enrolment.ca_private_key_file", section.ca_private_key_file, private=True)
    if section.ca_private_key_file is not None and section.ca_sign_command:
        problems.add(
            "enrolment: ca_private_key_file and ca_sign_command exclude each other: leave out the "
            "one that does not sign."
        )
    signs = section.ca_private_key_file is not None or bool(section.ca_sign_command)
    if section.ca_certificate_file is None or not signs:
        problems.add(
            "enrolment.enabled is true, and nothing issues certificates: give "
            "enrolment.ca_certificate_file and enrolment.ca_private_key_file, the machines' CA of "
            "'vendgate ca init' (machines_ca.pem, machines_ca_key.pem), or "
            "enrolment.ca_sign_command instead of the key."
        )
    if section.client_ca_file is not None:
        problems.add(
            "enrolment.client_ca_file asks machines for a certificate that they come to get: "
            "leave it out."
        )
    if not section.has_tls and not section.address.loopback:
        problems.add(
            f"enrolment.listen is {section.listen}, which others can reach, and there is no TLS: "
            "give enrolment.certificate_file and enrolment.private_key_file, or listen on "
            "127.0.0.1."
        )
    if machines_tls is None:
        problems.add(
            "enrolment.enabled is true, and machines show no certificates: give "
            "machines.certificate_file, machines.private_key_file and machines.client_ca_file."
        )
    elif certificate and not _trusts(machines_tls, certificate.encode()):
        problems.add(
            "machines.client_ca_file does not hold enrolment.ca_certificate_file, so that no "
            "machine could connect with what it is given: add it there."
        )
    tls = certificates.load("enrolment", section, problems)
    return EnrolmentConfig(
        ca_certificate=certificate.encode(),
        ca_private_key=key.encode(),
        ca_sign_command=tuple(section.ca_sign_command),
        days=section.certificate_days,
        listen=section.listen,
        public_address=section.public_address or section.listen,
        gateway=section.gateway,
        tls=tls,
    )


def _trusts(machines_tls: Tls, certificate: bytes) -> bool:
    """Return whether the machines' listener takes what this CA signs; what is no certificate is
    told elsewhere.
    """
    try:
        trusted = x509.load_pem_x509_certificates(machines_tls.client_ca)
        return x509.load_pem_x509_certificate(certificate) in trusted
    except ValueError:
        return True
