"""How Alipay is reached."""

from urllib.parse import urlsplit

import pytest

from alipay_client import config
from alipay_client.config import (
    PRODUCTION_BACKUP_URL,
    PRODUCTION_URL,
    SANDBOX_URL,
    AlipayConfig,
    SignType,
    is_production,
    require_gateway_url,
)
from alipay_client.errors import Misused


def test_a_configuration_never_shows_its_secrets() -> None:
    """Keys are left out of the text of a configuration, which may land in a log."""
    text = repr(
        AlipayConfig(
            partner="2088", md5_key="hush-1", private_key="hush-2", alipay_public_key="hush-3"
        )
    )

    assert "2088" in text
    assert "hush" not in text


def test_nothing_but_the_partner_is_needed_for_the_sandbox() -> None:
    """What is left out is the sandbox, RSA2 and the documented names of fields, and no host to
    fall back to.
    """
    told = AlipayConfig(partner="2088")

    assert (config.SANDBOX_URL, "", SignType.RSA2, frozenset()) == (
        told.gateway_url,
        told.backup_url,
        told.sign_type,
        told.notify_sign_types,
    )
    assert ("total_fee", "currency", "refund_reason") == (
        told.notify_amount_field,
        told.notify_currency_field,
        told.refund_reason_field,
    )


@pytest.mark.parametrize(
    "url", [config.SANDBOX_URL, config.PRODUCTION_URL, config.PRODUCTION_BACKUP_URL]
)
def test_the_named_gateways_are_alipays_over_tls(url: str) -> None:
    """Each ready-made URL is an https one of Alipay's, without a query."""
    parts = urlsplit(url)

    assert ("https", "/gateway.do", "") == (parts.scheme, parts.path, parts.query)
    assert (parts.hostname or "").endswith((".alipay.com", ".alipaydev.com"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mapi.alipaydev.com/gateway.do",
        "https://",
        "https://mapi alipaydev.com/gateway.do",
        "https://mapi.alipaydev.com:port/gateway.do",
        "https://[mapi/gateway.do",
        "https://mapi.alipaydev.com/gateway.do?service=x",
        "https://mapi.alipaydev.com/gateway.do#x",
        "https://mapi.alipaydev.com/gateway.do?",
        "https://mapi.alipaydev.com/gateway.do#",
        "https://mapi.alipaydev.com\\gateway.do",
        "https://mapi.alipaydev.com/\u202egateway.do",
        "https://mapi.alipaydev.com/gatew\u00e4y.do",
        "https://@mapi.alipaydev.com/gateway.do",
        "https://me:geheim@mapi.alipaydev.com/gateway.do",
        "http://mapi.alipaydev.com/gateway.do",
        "http://GLOBALMAPI.alipay.com./gateway.do",
        "http://proxy.example/gateway.do",
        "http://8.8.8.8/gateway.do",
        "http://134744072/gateway.do",
        "http://0x08080808/gateway.do",
        "http://[::ffff:8.8.8.8]/gateway.do",
        "http://[2001:4860:4860::8888]/gateway.do",
    ],
)
def test_urls_to_which_nothing_is_sent(url: str) -> None:
    """A sentence, without the password that may be in it."""
    with pytest.raises(Misused) as misused:
        require_gateway_url(url)
    assert "bad_url" == misused.value.code
    assert "geheim" not in misused.value.detail


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8188", "[::1]:8188", "10.1.2.3", "[fd00::1]", "[::ffff:10.1.2.3]", "alipay:8188"],
)
def test_plain_http_is_for_what_is_near(host: str) -> None:
    """The computer itself, a private address and a name without a dot need no TLS."""
    require_gateway_url(f"http://{host}/gateway.do")


@pytest.mark.parametrize(
    ("url", "production"),
    [
        (SANDBOX_URL, False),
        (PRODUCTION_URL, True),
        (PRODUCTION_BACKUP_URL, True),
        ("http://127.0.0.1:8188/gateway.do", False),
        ("https://globalmapi.alipay.com./gateway.do", True),
    ],
)
def test_production_is_known_by_its_address(url: str, production: bool) -> None:
    """Whoever writes the URL instead of the name means the same money."""
    require_gateway_url(url)
    assert production == is_production(url)
