"""A gateway that uses what an operator exchanged."""

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.process.enrolment import EnrolmentConfig
from gateway.process.refusals import SettingsRefused
from gateway.serving.rotated import use
from gateway.trust.authority import KeyIssuer, Profile
from tests.gateway.trust.enrolled import DOMAIN, ISSUER, ROOT, enrolling
from tests.support.site import Site, configs

OTHER = ROOT.issuer(Profile.MACHINE, now=dt.datetime.now(dt.UTC))


def pem(issuer: KeyIssuer) -> tuple[bytes, bytes]:
    """The certificate and the key of a CA."""
    key = issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return issuer.certificate.public_bytes(Encoding.PEM), key


async def test_keys_salts_and_the_issuing_ca_are_used_together(site: Site, tmp_path: Path) -> None:
    """By the next notification and the next certificate; a CA whose files do not fit changes
    nothing of it.
    """
    key = rsa.generate_private_key(65_537, 1_024).public_key()
    before = configs(tmp_path / "x", site.pair)
    certificate, private = pem(OTHER)
    enrols = EnrolmentConfig(
        ca_certificate=certificate, ca_private_key=private, days=1, listen="", public_address=""
    )
    made = dataclasses.replace(
        before,
        keys=dataclasses.replace(before.keys, other_public_keys=(key,)),
        payer_salt=b"new",
        other_payer_salts=(b"old",),
        enrolment=enrols,
        spiffe_domain=DOMAIN,
    )
    async with enrolling(site) as enroller:
        gateway = dataclasses.replace(site.gateway, certificates=enroller.calls)
        torn = dataclasses.replace(enrols, ca_certificate=pem(ISSUER)[0])
        with pytest.raises(SettingsRefused, match="does not belong to the certificate"):
            use(gateway, dataclasses.replace(made, enrolment=torn))
        assert (ISSUER, ()) == (
            enroller.calls.enrolling.issuer,
            gateway.ingress.keys.other_public_keys,
        )
        use(gateway, made)
        assert OTHER.certificate == enroller.calls.enrolling.issuer.certificate  # type: ignore[attr-defined]
    assert (key,) == gateway.ingress.keys.other_public_keys
    assert (b"new", b"old") == gateway.ingress.salts()
