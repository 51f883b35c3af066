"""Keys: every form that people paste is taken, every mistake is named."""

import dataclasses
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from alipay_client import AlipayConfig, SignType, load_keys
from alipay_client.errors import Misused
from tests.alipay_client.wire import MD5_KEY, Pair, bare, md5_config, private_pem, public_pem


def refusal(config: AlipayConfig) -> str:
    """Load the keys and return the code of the refusal; its sentence must hold no key."""
    with pytest.raises(Misused) as caught:
        load_keys(config)
    assert len(caught.value.detail.split()) > 5
    for secret in (config.md5_key, config.private_key):
        assert not secret.strip() or secret not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_private_keys_are_taken_in_every_form(
    form: serialization.PrivateFormat, pair: Pair
) -> None:
    """PKCS#1 and PKCS#8; PEM, bare base64, wrapped, with lost line ends, with line ends written
    out.
    """
    pem = private_pem(pair.merchant, form)
    for text in (
        pem,
        bare(pem),
        f"  {pem}\n\n",
        pem.replace("\n", "\\n"),
        pem.replace("\n", " "),
        pem.replace("\n", "\r\n"),
    ):
        keys = load_keys(dataclasses.replace(pair.config(), private_key=text))
        assert pair.merchant.private_numbers() == keys.private_key.private_numbers()  # type: ignore[union-attr]


def test_public_keys_are_taken_in_every_form(pair: Pair) -> None:
    """X.509 and PKCS#1; PEM and bare base64."""
    pkcs1 = (
        pair.alipay.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
        .decode()
    )
    for text in (public_pem(pair.alipay), bare(public_pem(pair.alipay)), pkcs1, bare(pkcs1)):
        assert (
            pair.alipay.public_key()
            == load_keys(dataclasses.replace(pair.config(), alipay_public_key=text)).public_key
        )


def test_md5_needs_no_rsa_key() -> None:
    """Only what the sign types use is loaded."""
    keys = load_keys(md5_config())
    assert (MD5_KEY.encode(), None, None) == (keys.md5_key, keys.private_key, keys.public_key)


def test_rsa_needs_no_md5_key_but_a_notification_may(pair: Pair) -> None:
    """The allow-list of notifications adds keys of its own."""
    assert b"" == load_keys(pair.config()).md5_key
    both = dataclasses.replace(
        pair.config(), notify_sign_types=frozenset({SignType.RSA2, SignType.MD5})
    )
    assert "missing_key" == refusal(both)
    assert MD5_KEY.encode() == load_keys(dataclasses.replace(both, md5_key=MD5_KEY)).md5_key


def test_keys_and_configuration_show_no_secret(pair: Pair) -> None:
    """Neither repr tells a key."""
    config = dataclasses.replace(
        pair.config(), notify_sign_types=frozenset({SignType.RSA2, SignType.MD5}), md5_key=MD5_KEY
    )
    for text in (repr(config), repr(load_keys(config))):
        assert MD5_KEY not in text
        assert "PRIVATE" not in text


@pytest.mark.parametrize(
    "partner", ["", "123", "2088", "208800000000000x", "1088000000000001", "20880000000000011"]
)
def test_a_partner_is_sixteen_digits(partner: str) -> None:
    """2088 and twelve more."""
    assert "bad_partner" == refusal(md5_config(partner=partner))


@pytest.mark.parametrize(
    ("md5_key", "code"),
    [
        ("", "missing_key"),
        (MD5_KEY + "\n", "bad_md5_key"),
        (" " + MD5_KEY[1:], "bad_md5_key"),
        (MD5_KEY[:-1], "bad_md5_key"),
        (MD5_KEY + "0", "bad_md5_key"),
        ("ü" * 32, "bad_md5_key"),
    ],
)
def test_a_wrong_md5_key_is_named(md5_key: str, code: str) -> None:
    """Blanks, a wrong length, foreign letters."""
    assert code == refusal(md5_config(md5_key=md5_key))


def test_a_key_in_the_wrong_place_is_named(pair: Pair) -> None:
    """A private key as Alipay's, a public one as ours, our own public half as Alipay's."""
    config = pair.config()
    assert "private_key_as_public" == refusal(
        dataclasses.replace(config, alipay_public_key=private_pem(pair.alipay))
    )
    assert "public_key_as_private" == refusal(
        dataclasses.replace(config, private_key=public_pem(pair.merchant))
    )
    assert "own_public_key" == refusal(
        dataclasses.replace(config, alipay_public_key=public_pem(pair.merchant))
    )


def test_keys_that_cannot_be_used_are_named(pair: Pair) -> None:
    """Missing, cut, doubled, protected, of another kind, too short, a certificate."""
    config = pair.config()
    pem = private_pem(pair.merchant)
    locked = pair.merchant.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase"),
    ).decode()
    old_locked = pem.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n", 1)
    curve = ec.generate_private_key(ec.SECP256R1())
    curve_private = curve.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    curve_public = (
        curve.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    codes = {
        refusal(dataclasses.replace(config, private_key=text))
        for text in (
            pem.replace("-----END", "----END"),
            pem + pem,
            "äöü",
            bare(pem)[:-3],
            pem[:200],
        )
    }
    assert {"bad_key_text"} == codes
    assert "missing_key" == refusal(dataclasses.replace(config, private_key=" "))
    assert "missing_key" == refusal(dataclasses.replace(config, alipay_public_key=""))
    assert "encrypted_key" == refusal(dataclasses.replace(config, private_key=locked))
    assert "encrypted_key" == refusal(dataclasses.replace(config, private_key=old_locked))
    assert "bad_private_key" == refusal(dataclasses.replace(config, private_key=curve_private))
    assert "bad_public_key" == refusal(dataclasses.replace(config, alipay_public_key=curve_public))
    assert "bad_public_key" == refusal(dataclasses.replace(config, alipay_public_key="AAAA"))
    assert "certificate" == refusal(
        dataclasses.replace(config, alipay_public_key=certificate(pair.alipay))
    )


def test_a_short_key_is_named(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the floor a key is refused whatever it signs."""
    monkeypatch.setattr("alipay_client.keys._BITS_MIN", 4_096)
    assert "short_key" == refusal(pair.config())


def certificate(key: rsa.RSAPrivateKey) -> str:
    """Make a certificate, as some portals hand out."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pretend")])
    builder = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        1,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_several_keys_prove_side_by_side(pair: Pair) -> None:
    """While Alipay exchanges its own: a PEM block for each, or a line of MD5; the first is the one
    that signs. Beyond three it says which to leave.
    """
    other = rsa.generate_private_key(65_537, 1_024)
    both = public_pem(pair.alipay) + "\n" + public_pem(other)
    keys = load_keys(dataclasses.replace(pair.config(), alipay_public_key=both))
    assert pair.alipay.public_key() == keys.public_key
    assert (other.public_key(),) == keys.other_public_keys
    md5 = load_keys(md5_config(md5_key=f"{MD5_KEY}\n{'b' * 32}"))
    assert (MD5_KEY.encode(), (b"b" * 32,)) == (md5.md5_key, md5.other_md5_keys)
    assert md5 == load_keys(md5_config(md5_key=f"{MD5_KEY}\r\n{'b' * 32}"))
    many = dataclasses.replace(pair.config(), alipay_public_key=both * 2)
    assert "too_many_keys" == refusal(many)
    assert "too_many_keys" == refusal(md5_config(md5_key="\n".join([MD5_KEY] * 4)))
    own = dataclasses.replace(pair.config(), alipay_public_key=both + public_pem(pair.merchant))
    assert "own_public_key" == refusal(own)
