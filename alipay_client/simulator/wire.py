"""The wire, as seen from Alipay: forms and queries in, signed XML and notification forms out
(docs/alipay.md 1 and 3). Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl, urlencode

from alipay_client.simulator.config import Limits
from alipay_client.simulator.signing import KeyRing, canonical, sign

CODECS = {"UTF-8": "utf-8", "GBK": "gbk", "GB2312": "gb2312"}
_DEFAULT_CHARSET = "GBK"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Refusal(Exception):
    """The gateway does not let the call in: ``is_success=F`` with ``code`` (docs/alipay.md 4.5).
    ``reason`` is for the logs alone.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class NoAnswer(Exception):
    """The connection ends without a byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, decoded once. ``codec`` is Python's name of the charset whose bytes are
    signed.
    """

    parameters: Mapping[str, str]
    codec: str

    def get(self, name: str) -> str:
        """Return the value, or an empty text."""
        return self.parameters.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What goes back over HTTP."""

    body: bytes
    content_type: str = "text/xml;charset=UTF-8"
    status: int = 200


def read_call(method: str, query: bytes, body: bytes, limits: Limits) -> Call:
    """Read a GET or POST; Refusal when it cannot be read. On POST the charset stands in the URL
    (docs/alipay.md 1).
    """
    if len(query) + len(body) > limits.body_bytes_max:
        raise Refusal("ILLEGAL_ARGUMENT", "larger than this gateway reads")
    in_url = dict(_pairs(query, "latin-1", limits))
    charset = in_url.get("_input_charset", "")
    if method == "POST" and not charset:
        raise Refusal("ILLEGAL_CHARSET", "_input_charset is not in the URL of the POST")
    codec = CODECS.get((charset or _DEFAULT_CHARSET).upper())
    if codec is None:
        raise Refusal("ILLEGAL_CHARSET", "_input_charset is UTF-8, GBK or GB2312")
    parameters: dict[str, str] = {}
    for name, value in (*_pairs(query, codec, limits), *_pairs(body, codec, limits)):
        if parameters.setdefault(name, value) != value:
            raise Refusal("ILLEGAL_ARGUMENT", f"{name} comes twice")
        if _NOT_IN_XML.search(value):
            raise Refusal("ILLEGAL_ARGUMENT", f"{name} holds a control character")
    return Call(parameters=parameters, codec=codec)


def _pairs(raw: bytes, codec: str, limits: Limits) -> list[tuple[str, str]]:
    try:
        text = raw.decode("ascii")
        return parse_qsl(
            text,
            keep_blank_values=True,
            encoding=codec,
            errors="strict",
            max_num_fields=limits.fields_max,
        )
    except UnicodeDecodeError as error:
        raise Refusal(
            "INVALID_CHARACTER_SET", "bytes that are not of the named charset, or not URL-encoded"
        ) from error
    except ValueError as error:
        raise Refusal("ILLEGAL_ARGUMENT", "too many fields") from error


def accepted(
    call: Call,
    wrapper: str,
    fields: Mapping[str, str],
    *,
    sign_type: str,
    ring: KeyRing,
    charset: str,
    spoil_sign: bool = False,
) -> HttpAnswer:
    """Return a signed ``is_success=T``: the request's echo, then ``fields`` (empty ones left out)
    in the one element that is signed.
    """
    kept = {name: value for name, value in fields.items() if value}
    signed = canonical(kept)
    codec = CODECS[charset]
    try:
        message = signed.encode(codec)
    except UnicodeEncodeError:
        charset, codec = "UTF-8", "utf-8"
        message = signed.encode(codec)
    if spoil_sign:
        message += b"&spoilt=1"
    echo = "".join(
        f'<param name="{escape(name)}">{escape(value)}</param>'
        for name, value in call.parameters.items()
    )
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in kept.items())
    text = (
        f'<?xml version="1.0" encoding="{charset}"?>\n'
        f"<alipay><is_success>T</is_success><request>{echo}</request>"
        f"<response><{wrapper}>{inner}</{wrapper}></response>"
        f"<sign>{sign(message, sign_type, ring)}</sign><sign_type>{sign_type}</sign_type></alipay>"
    )
    return HttpAnswer(
        body=text.encode(codec, "xmlcharrefreplace"), content_type=f"text/xml;charset={charset}"
    )


def refused(code: str, charset: str) -> HttpAnswer:
    """Return an unsigned ``is_success=F``; nothing else is guaranteed (docs/alipay.md 4.4)."""
    text = (
        '<?xml version="1.0" '
        f'encoding="{charset}"?>\n<alipay><is_success>F</is_success><error>{code}</error></alipay>'
    )
    return HttpAnswer(body=text.encode(CODECS[charset]), content_type=f"text/xml;charset={charset}")


def plain(text: str) -> HttpAnswer:
    """Return the answer of notify_verify."""
    return HttpAnswer(body=text.encode(), content_type="text/plain;charset=UTF-8")


def outage(status: int = 200) -> HttpAnswer:
    """Return the page for people that stands in for the gateway when it is down."""
    page = (
        "<!DOCTYPE html><html><head><title>Alipay</title></head><body><h1>System "
        "busy</h1><p>Please try again later.</p></body></html>"
    )
    return HttpAnswer(body=page.encode(), content_type="text/html;charset=UTF-8", status=status)


def notification_form(
    fields: Mapping[str, str], *, sign_type: str, ring: KeyRing, charset: str
) -> tuple[bytes, str]:
    """Return a signed notification and its content type (docs/alipay.md 3.4); UTF-8 where the
    charset cannot say it.
    """
    try:
        message = canonical(fields).encode(CODECS[charset])
    except UnicodeEncodeError:
        return notification_form(fields, sign_type=sign_type, ring=ring, charset="UTF-8")
    signed = {**fields, "sign_type": sign_type, "sign": sign(message, sign_type, ring)}
    return urlencode(
        signed, encoding=CODECS[charset]
    ).encode(), f"application/x-www-form-urlencoded;charset={charset}"
