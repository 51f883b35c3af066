"""Alipay's half of the signatures (docs/alipay.md 3): verifies with the merchant's key, signs with
Alipay's. Pure.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from alipay_client.simulator.config import SimulatorConfig

SIGN_TYPES = ("MD5", "RSA", "RSA2")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """What is on file for the merchant."""

    md5_key: str = field(default="", repr=False)
    private: rsa.RSAPrivateKey | None = field(default=None, repr=False)
    public: rsa.RSAPublicKey | None = field(default=None, repr=False)

    def holds(self, sign_type: str) -> bool:
        """Return whether requests of that type can be verified and answered."""
        if sign_type == "MD5":
            return bool(self.md5_key)
        return self.private is not None and self.public is not None


def key_ring(config: SimulatorConfig) -> KeyRing:
    """Load the keys; ValueError says which one is missing or unreadable."""
    private = public = None
    try:
        if config.alipay_private_key:
            private = _private(config.alipay_private_key)
    except (ValueError, TypeError, BadBase64) as error:
        raise ValueError(
            "alipay_private_key is no RSA private key (PEM or base64, PKCS#1 or PKCS#8, no "
            "password)"
        ) from error
    try:
        if config.merchant_public_key:
            public = _public(config.merchant_public_key)
    except (ValueError, TypeError, BadBase64) as error:
        raise ValueError("merchant_public_key is no RSA public key (PEM or base64)") from error
    ring = KeyRing(md5_key=config.md5_key, private=private, public=public)
    if not ring.holds(config.sign_type):
        needed = (
            "md5_key" if config.sign_type == "MD5" else "alipay_private_key and merchant_public_key"
        )
        raise ValueError(f"sign type {config.sign_type} needs {needed}")
    return ring


def _private(text: str) -> rsa.RSAPrivateKey:
    data = text.strip().encode()
    if data.startswith(b"-----"):
        key = serialization.load_pem_private_key(data, password=None)
    else:
        key = serialization.load_der_private_key(
            b64decode(b"".join(data.split()), validate=True), password=None
        )
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("not RSA")
    return key


def _public(text: str) -> rsa.RSAPublicKey:
    data = text.strip().encode()
    if data.startswith(b"-----"):
        key = serialization.load_pem_public_key(data)
    else:
        key = serialization.load_der_public_key(b64decode(b"".join(data.split()), validate=True))
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("not RSA")
    return key


def canonical(parameters: Mapping[str, str]) -> str:
    """Return the string to sign: raw values, without sign, sign_type and all that is empty, in the
    order of the names (docs/alipay.md 3.1).
    """
    kept = sorted(
        (name, value)
        for name, value in parameters.items()
        if value and name not in {"sign", "sign_type"}
    )
    return "&".join(f"{name}={value}" for name, value in kept)


def sign(message: bytes, sign_type: str, ring: KeyRing) -> str:
    """Return the signature as it stands on the wire; ValueError when there is no key for it."""
    if sign_type == "MD5" and ring.md5_key:
        return hashlib.md5(message + ring.md5_key.encode(), usedforsecurity=False).hexdigest()
    if sign_type in {"RSA", "RSA2"} and ring.private is not None:
        return b64encode(ring.private.sign(message, padding.PKCS1v15(), _hash(sign_type))).decode()
    raise ValueError(f"no key to sign with {sign_type}")


def verifies(message: bytes, signature: str, sign_type: str, ring: KeyRing) -> bool:
    """Return whether the merchant signed this message."""
    if sign_type == "MD5" and ring.md5_key:
        return hmac.compare_digest(sign(message, "MD5", ring).encode(), signature.encode())
    if sign_type in {"RSA", "RSA2"} and ring.public is not None:
        try:
            ring.public.verify(
                b64decode(signature, validate=True), message, padding.PKCS1v15(), _hash(sign_type)
            )
        except (InvalidSignature, BadBase64, ValueError):
            return False
        return True
    return False


def _hash(sign_type: str) -> hashes.HashAlgorithm:
    return hashes.SHA1() if sign_type == "RSA" else hashes.SHA256()  # noqa: S303  # RSA means SHA-1 in this protocol
