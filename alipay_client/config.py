"""How to reach Alipay and with which keys. Flows in from the caller's settings; nothing here reads
an environment or a file.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from alipay_client.errors import Misused

SANDBOX_URL = "https://mapi.alipaydev.com/gateway.do"
PRODUCTION_URL = "https://globalmapi.alipay.com/gateway.do"
PRODUCTION_BACKUP_URL = "https://intlmapi.alipay.com/gateway.do"
PRINTED = re.compile(r"[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]+")
"""What a URL may have in it (RFC 3986), but no '?' and no '#': behind them nothing is a path."""


def require_gateway_url(url: str) -> None:
    """Return if requests can be sent to this URL. Misused: why not."""
    try:
        parts = urlsplit(url)
        has_port_or_none = parts.port is None or parts.port > 0
    except ValueError:
        has_port_or_none = False
        parts = urlsplit("")
    has_login = parts.username is not None or parts.password is not None
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or PRINTED.fullmatch(url) is None
        or has_login
        or not has_port_or_none
    ):
        raise Misused(
            "bad_url",
            (
                f"{_without_login(url)!r} is not a gateway's URL; write {PRODUCTION_URL}, in "
                "ASCII, without a name, a password, a query or a fragment"
            ),
        )
    if parts.scheme == "http" and not _is_near(parts.hostname.rstrip(".")):
        raise Misused(
            "bad_url",
            (
                f"{url!r} would send money orders unencrypted; write https (http is for loopback, "
                "a private address or a name without a dot)"
            ),
        )


def _is_near(host: str) -> bool:
    """Return whether plain http to this host stays on this computer or in its own network."""
    try:
        address = ip_address(host)
    except ValueError:
        # A resolver takes 134744072 and 0x08080808 for addresses.
        return "." not in host and not host[:1].isdigit()
    # Python calls each mapped address private, whatever is mapped.
    return (getattr(address, "ipv4_mapped", None) or address).is_private


def is_production(url: str) -> bool:
    """Return whether this gateway moves real money: it is Alipay's, and not the sandbox."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host.endswith(".alipay.com")


def _without_login(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


class SignType(StrEnum):
    """docs/alipay.md 3.2; always upper case on the wire."""

    MD5 = "MD5"
    RSA = "RSA"
    RSA2 = "RSA2"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayConfig:
    """``partner`` is the PID (16 digits, 2088...).

    MD5 needs ``md5_key``; RSA and RSA2 need both others (PEM or bare base64, PKCS#1 or PKCS#8).
    While keys change, ``md5_key`` has a line for each, the one that signs first, and
    ``alipay_public_key`` a PEM block: Alipay's words are proved by any of them.
    """

    partner: str
    sign_type: SignType = SignType.RSA2
    md5_key: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    alipay_public_key: str = field(default="", repr=False)
    gateway_url: str = SANDBOX_URL
    backup_url: str = ""
    """Tried with the identical request when the first host cannot be reached; empty: none."""
    connect_timeout_ms: int = 3_000
    read_timeout_ms: int = 15_000
    notify_sign_types: frozenset[SignType] = frozenset()
    """Sign types that a notification may name; empty: only ``sign_type``."""
    notify_amount_field: str = "total_fee"
    """The notification's field that holds what the customer paid; sources disagree on it
    (docs/alipay.md 7.1).
    """
    notify_currency_field: str = "currency"
    """The notification's field that names the currency of that amount; it may be absent."""
    refund_reason_field: str = "refund_reason"
    """The Hong Kong product spells it ``refund_reson`` (docs/alipay.md 5.1)."""
