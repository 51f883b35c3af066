"""MD5, RSA and RSA2 over Alipay's canonical text; pure functions of bytes and keys (docs/alipay.md
3.1, 3.2).

Flows in: raw names and values as bytes of the declared charset, before URL encoding or after
decoding. Flows out: the string to sign, a signature, or whether one is true. ``sign`` and
``sign_type`` are never part of the string; ``_input_charset`` is.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from alipay_client.config import SignType
from alipay_client.keys import Keys

_HASHES: dict[SignType, HashAlgorithm] = {SignType.RSA: SHA1(), SignType.RSA2: SHA256()}  # noqa: S303 - RSA means SHA-1 here
UNSIGNED = frozenset({b"sign", b"sign_type"})


def canonical(pairs: Iterable[tuple[bytes, bytes]], *, keep_empty: bool = False) -> bytes:
    """Return the string to sign: ``name=value`` joined by ``&``, sorted by the bytes of the name,
    nothing escaped, empties dropped.
    """
    kept = sorted(
        (name, value) for name, value in pairs if name not in UNSIGNED and (value or keep_empty)
    )
    return b"&".join(name + b"=" + value for name, value in kept)


def encoded(fields: Mapping[str, str], charset: str) -> list[tuple[bytes, bytes]]:
    """Return the pairs of ``fields`` in the bytes of ``charset``. UnicodeEncodeError: a character
    that it does not have.
    """
    return [(name.encode(charset), value.encode(charset)) for name, value in fields.items()]


def sign(data: bytes, keys: Keys) -> str:
    """Return our signature of ``data`` by ``keys.sign_type``: 32 lower-case hex digits, or one line
    of base64.
    """
    if keys.sign_type is SignType.MD5:
        return _md5(data, keys.md5_key)
    assert keys.private_key is not None, (
        "keys come from load_keys, which loads what the sign type needs"
    )
    return base64.b64encode(
        keys.private_key.sign(data, PKCS1v15(), _HASHES[keys.sign_type])
    ).decode("ascii")


def verify(data: bytes, signature: str, sign_type: SignType, keys: Keys) -> bool:
    """Return whether ``signature`` is Alipay's over ``data``. A key that is not there proves
    nothing.
    """
    if sign_type is SignType.MD5:
        told = signature.encode("utf-8", "replace")
        return any(
            bool(key) and hmac.compare_digest(_md5(data, key).encode(), told)
            for key in (keys.md5_key, *keys.other_md5_keys)
        )
    return any(
        key is not None and _proves(key, data, signature, _HASHES[sign_type])
        for key in (keys.public_key, *keys.other_public_keys)
    )


def _proves(key: RSAPublicKey, data: bytes, signature: str, algorithm: HashAlgorithm) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), data, PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _md5(data: bytes, key: bytes) -> str:
    return hashlib.md5(data + key).hexdigest()  # noqa: S324 - sign type MD5 is what many of Alipay's contracts say
