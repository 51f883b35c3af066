"""Keys as people paste them, made into key objects once.

Flows in: the texts of ``AlipayConfig`` (PEM or bare base64; PKCS#1 or PKCS#8; X.509 public keys).
Flows out: ``Keys``, or ``Misused`` with a sentence that says what to do. Loading an RSA key costs
some 40 ms, so it is done at the start and never again.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from alipay_client.config import AlipayConfig, SignType
from alipay_client.errors import Misused

_PARTNER = re.compile(r"2088[0-9]{12}")
_MD5_KEY = re.compile(r"[0-9A-Za-z]{32}")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_SIDE_BY_SIDE_MAX = 3
"""So many keys of one kind prove at a time: the present one, the one before and the next."""
_BITS_MIN = 1024
"""RSA2 keys have 2048 bits or more; old RSA contracts still have 1024."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What signs our requests and what proves Alipay's words. An absent key proves nothing and
    signs nothing.
    """

    sign_type: SignType
    md5_key: bytes = field(default=b"", repr=False)
    private_key: RSAPrivateKey | None = field(default=None, repr=False)
    public_key: RSAPublicKey | None = field(default=None, repr=False)
    other_public_keys: tuple[RSAPublicKey, ...] = field(default=(), repr=False)
    """They prove Alipay's words as well, while one takes the place of another."""
    other_md5_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """The same of sign type MD5; they sign nothing of ours."""


def allowed_notify_sign_types(config: AlipayConfig) -> frozenset[SignType]:
    """Return the sign types that a notification may name; never more than was configured, so that
    none is talked down to MD5.
    """
    return config.notify_sign_types or frozenset({config.sign_type})


def load_keys(config: AlipayConfig) -> Keys:
    """Load every key that ``config``'s sign types need. Misused: one is missing, malformed, or not
    the one that belongs there.
    """
    if not _PARTNER.fullmatch(config.partner):
        raise Misused(
            "bad_partner",
            (
                "partner is the PID: 16 digits that begin with 2088, as shown in the Global "
                "Merchant Portal"
            ),
        )
    used = {config.sign_type} | allowed_notify_sign_types(config)
    md5_keys = _md5_keys(config.md5_key) if SignType.MD5 in used else [b""]
    private_key = None if config.sign_type is SignType.MD5 else _private_key(config.private_key)
    public_keys = _public_keys(config.alipay_public_key) if used - {SignType.MD5} else [None]
    if private_key is not None and private_key.public_key() in public_keys:
        raise Misused(
            "own_public_key",
            (
                "alipay_public_key is the public half of your own private_key; paste the key that "
                "Alipay shows for this sign type instead"
            ),
        )
    return Keys(
        sign_type=config.sign_type,
        md5_key=md5_keys[0],
        private_key=private_key,
        public_key=public_keys[0],
        other_public_keys=tuple(key for key in public_keys[1:] if key is not None),
        other_md5_keys=tuple(md5_keys[1:]),
    )


def _md5_keys(text: str) -> list[bytes]:
    """Load the key that signs, which stands in the first line, and those that also prove."""
    lines = text.replace("\r\n", "\n").split("\n")
    several = lines if all(lines) else [text]
    return [_md5_key(line) for line in _not_too_many(several, "md5_key")]


def _public_keys(text: str) -> list[RSAPublicKey]:
    """Load the keys of the text's PEM blocks, or its only one without any."""
    blocks = [found[0] for found in re.finditer(_PEM, text.replace("\\n", "\n"))]
    several = blocks if len(blocks) > 1 else [text]
    return [_public_key(one) for one in _not_too_many(several, "alipay_public_key")]


def _not_too_many(keys: list[str], setting: str) -> list[str]:
    if len(keys) > _SIDE_BY_SIDE_MAX:
        raise Misused(
            "too_many_keys",
            (
                f"{setting} holds {len(keys)} keys; leave the one that Alipay uses now, the one "
                "before and the next"
            ),
        )
    return keys


def _md5_key(text: str) -> bytes:
    if not text:
        raise Misused(
            "missing_key",
            (
                "sign type MD5 needs md5_key: 32 characters, in the Global Merchant Portal under "
                "'See Key'"
            ),
        )
    if text != "".join(text.split()):
        raise Misused(
            "bad_md5_key",
            "md5_key holds blanks or line ends; remove them, the key is 32 characters without any",
        )
    if not _MD5_KEY.fullmatch(text):
        raise Misused(
            "bad_md5_key",
            f"md5_key is 32 letters and digits, this one has {len(text)} characters; copy it again",
        )
    return text.encode("ascii")


def _private_key(text: str) -> RSAPrivateKey:
    der = _der(text, setting="private_key")
    key = _as_private(der)
    if key is None:
        if _as_public(der) is not None:
            raise Misused(
                "public_key_as_private",
                (
                    "private_key holds a public key; paste your own private key, which never "
                    "leaves you"
                ),
            )
        raise Misused(
            "bad_private_key",
            "private_key is no RSA private key; give PKCS#1 or PKCS#8, as PEM or as bare base64",
        )
    _check_length(key, setting="private_key")
    return key


def _public_key(text: str) -> RSAPublicKey:
    der = _der(text, setting="alipay_public_key")
    key = _as_public(der)
    if key is None:
        if _as_private(der) is not None:
            raise Misused(
                "private_key_as_public",
                (
                    "alipay_public_key holds a private key; paste the public key that Alipay shows "
                    "for this sign type, and keep yours secret"
                ),
            )
        raise Misused(
            "bad_public_key",
            (
                "alipay_public_key is no RSA public key; paste what Alipay shows, as PEM or as "
                "bare base64"
            ),
        )
    _check_length(key, setting="alipay_public_key")
    return key


def _der(text: str, *, setting: str) -> bytes:
    """Take off the armour, if any, and forgive lost or extra line ends: the commonest harm that
    copying does to a key.
    """
    text = text.replace("\\n", "\n").lstrip("\ufeff").strip()
    if not text:
        raise Misused("missing_key", f"sign types RSA and RSA2 need {setting}; it is empty")
    if "-----" in text:
        blocks = _PEM.findall(text)
        if len(blocks) != 1:
            raise Misused(
                "bad_key_text",
                (
                    f"{setting} must hold exactly one PEM block with its BEGIN and END lines, or "
                    "none of these lines"
                ),
            )
        label, text = blocks[0]
        if "ENCRYPTED" in label or "Proc-Type" in text:
            raise Misused(
                "encrypted_key",
                (
                    f"{setting} is protected by a pass phrase; give it without one (openssl pkey "
                    "-in key.pem)"
                ),
            )
        if "CERTIFICATE" in label:
            raise Misused(
                "certificate",
                (
                    f"{setting} holds a certificate; give the bare key (openssl x509 -pubkey "
                    "-noout -in cert.pem)"
                ),
            )
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Misused(
            "bad_key_text", f"{setting} is neither PEM nor base64; copy it again, whole"
        ) from None


def _as_private(der: bytes) -> RSAPrivateKey | None:
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None


def _as_public(der: bytes) -> RSAPublicKey | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _check_length(key: RSAPrivateKey | RSAPublicKey, *, setting: str) -> None:
    if key.key_size < _BITS_MIN:
        raise Misused("short_key", f"{setting} has {key.key_size} bits; make one of 2048")
