"""Alipay's side of the wire for these tests, written apart from the client: signs answers and
notifications with throw-away keys.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote_from_bytes
from xml.sax.saxutils import escape

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from alipay_client import AlipayConfig, SignType

MD5_KEY = "1" + "0" * 31
PARTNER = "2088000000000001"
Signer = Callable[[bytes], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two key pairs of one contract: ours and Alipay's."""

    merchant: rsa.RSAPrivateKey
    alipay: rsa.RSAPrivateKey

    def config(
        self,
        sign_type: SignType = SignType.RSA2,
        *,
        backup_url: str = "",
        read_timeout_ms: int = 15_000,
    ) -> AlipayConfig:
        """Make a configuration that these keys fit."""
        return AlipayConfig(
            partner=PARTNER,
            sign_type=sign_type,
            md5_key=MD5_KEY if sign_type is SignType.MD5 else "",
            private_key=private_pem(self.merchant),
            alipay_public_key=public_pem(self.alipay),
            gateway_url="https://gateway.example.com/gateway.do",
            backup_url=backup_url,
            read_timeout_ms=read_timeout_ms,
        )

    def signer(self, sign_type: SignType = SignType.RSA2) -> Signer:
        """Return Alipay's way to sign."""
        if sign_type is SignType.MD5:
            return md5
        algorithm = hashes.SHA1() if sign_type is SignType.RSA else hashes.SHA256()
        return lambda data: base64.b64encode(
            self.alipay.sign(data, padding.PKCS1v15(), algorithm)
        ).decode()


def md5_config(**changes: object) -> AlipayConfig:
    """Make an MD5 configuration with the key of the published vectors."""
    values: dict[str, object] = {
        "partner": PARTNER,
        "sign_type": SignType.MD5,
        "md5_key": MD5_KEY,
        **changes,
    }
    return AlipayConfig(**values)  # type: ignore[arg-type]


def md5(data: bytes) -> str:
    """Sign with the key of the published vectors."""
    return hashlib.md5(data + MD5_KEY.encode()).hexdigest()


def private_pem(
    key: rsa.RSAPrivateKey, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8
) -> str:
    """Write a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """Write the public half as PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def bare(pem: str) -> str:
    """Take the armour off."""
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


def string_to_sign(fields: Mapping[str, str], charset: str) -> bytes:
    """Join as docs/alipay.md 3.1 says; empties are dropped."""
    return "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name]).encode(
        charset
    )


def answer(
    fields: Mapping[str, str],
    signer: Signer,
    *,
    charset: str = "UTF-8",
    wrapper: str = "alipay",
    sign_type: str = "RSA2",
    echo: Mapping[str, str] | None = None,
) -> bytes:
    """Write the XML of a success, signed. ``echo``: the request that it repeats."""
    repeated = "".join(
        f'<param name="{name}">{escape(value)}</param>'
        for name, value in (echo or {"_input_charset": charset}).items()
    )
    children = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    text = (
        f'<?xml version="1.0" encoding="{charset}"?>\n<alipay><is_success>T</is_success>'
        f"<request>{repeated}</request><response><{wrapper}>{children}</{wrapper}></response>"
        f"<sign>{signer(string_to_sign(fields, charset))}</sign><sign_type>{sign_type}</sign_type></alipay>"
    )
    return text.encode(charset)


def failure(error: str) -> bytes:
    """Write the XML of a failure at the gateway: never signed."""
    return (
        '<?xml version="1.0" '
        f'encoding="GBK"?><alipay><is_success>F</is_success><error>{error}</error></alipay>'
    ).encode()


def form(
    fields: Mapping[str, str], signer: Signer, *, charset: str = "UTF-8", sign_type: str = "RSA2"
) -> bytes:
    """Write the form of a notification, signed."""
    signed = {**fields, "sign_type": sign_type, "sign": signer(string_to_sign(fields, charset))}
    return "&".join(
        f"{name}={quote_from_bytes(value.encode(charset), safe='')}"
        for name, value in signed.items()
    ).encode()


def transport(
    *answers: bytes | httpx.Response | Exception,
) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """Give a transport that answers in turn, and the list of what it was asked."""
    left = list(answers)
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return httpx.Response(200, content=now) if isinstance(now, bytes) else now

    return httpx.MockTransport(handle), seen
