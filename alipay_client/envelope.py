"""The wire's envelope, both ways; pure (docs/alipay.md 1, 3.1, 3.3).

Out: the documented parameters of one call become a signed form body. In: the bytes of an XML answer
become an ``Answer`` whose fields are covered by Alipay's signature, or ``Untrusted``.
``is_success=F`` is never signed, so an ``Answer`` of failure is only hearsay.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from alipay_client import signing
from alipay_client.errors import Misused, Untrusted
from alipay_client.keys import Keys

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ANSWER_BYTES_MAX = 65_536
CHARSET = "UTF-8"
QUERY = f"_input_charset={CHARSET}"
"""Stands in the URL of a POST, not in its body, and is part of the signed string all the same."""

CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
}
"""Charsets that Alipay may declare. GB 18030 holds the other two byte for byte and loses nothing on
the way back.
"""

_PROLOG = re.compile(rb"\s*<\?xml\b([^>]{0,200}?)\?>")
_ENCODING = re.compile(rb"""\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_UTF8_PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>'
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``fields`` are the signed part and empty unless ``is_success``. ``error`` is the unsigned
    code of a failure. ``echo``: the request that it says it answers, unsigned, name by name.
    """

    is_success: bool
    error: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    echo: tuple[tuple[str, str], ...] = ()


def build(parameters: Mapping[str, str], keys: Keys) -> bytes:
    """Return the form body: values trimmed, empties dropped, signed raw and then encoded once.
    Misused: a text that is not Unicode.
    """
    sent = {name: text for name, value in parameters.items() if (text := value.strip())}
    try:
        data = signing.canonical(signing.encoded({"_input_charset": CHARSET, **sent}, "utf-8"))
    except UnicodeEncodeError:
        raise Misused(
            "bad_text", "a value holds half of a surrogate pair; it cannot be written in UTF-8"
        ) from None
    return urlencode(
        {**sent, "sign_type": keys.sign_type.value, "sign": signing.sign(data, keys)}
    ).encode("ascii")


def read(body: bytes, keys: Keys) -> Answer:
    """Return what ``body`` says, its signature proven. Untrusted: too big, not XML, a DTD, charset,
    unsigned, false signature.
    """
    if len(body) > ANSWER_BYTES_MAX:
        raise Untrusted("oversized", f"the answer is longer than {ANSWER_BYTES_MAX} bytes")
    root, codec = _parse(body)
    if root.tag != "alipay":
        raise Untrusted("not_an_answer", "the XML does not begin with <alipay>")
    echo = tuple(
        (param.get("name", ""), (param.text or "").strip())
        for param in root.iterfind("request/param")
    )
    match (root.findtext("is_success") or "").strip():
        case "F":
            error = (root.findtext("error") or "").strip()
            return Answer(is_success=False, error=error, echo=echo)
        case "T":
            return Answer(is_success=True, fields=_signed_fields(root, codec, keys), echo=echo)
        case _:
            raise Untrusted("not_an_answer", "is_success is neither T nor F")


def _parse(body: bytes) -> tuple["Element", str]:
    """Parse the answer. Expat reads no GBK: decode by the charset that the prolog declares and hand
    on UTF-8.
    """
    body = body.removeprefix(_BOM)
    prolog = _PROLOG.match(body)
    declared = _ENCODING.search(prolog[1]) if prolog else None
    codec = CODECS.get(declared[1].decode("ascii").lower()) if declared else "utf-8"
    if codec is None:
        raise Untrusted("bad_charset", "the answer declares a charset that Alipay does not use")
    try:
        text = body[prolog.end() if prolog else 0 :].decode(codec)
    except UnicodeDecodeError:
        raise Untrusted(
            "bad_charset", "the answer is not in the charset that it declares"
        ) from None
    try:
        return fromstring(
            _UTF8_PROLOG + text.encode("utf-8"),
            forbid_dtd=True,
            forbid_entities=True,
            forbid_external=True,
        ), codec
    except (ParseError, DefusedXmlException, ValueError):
        code = "html_page" if "<html" in text[:2_000].lower() else "not_xml"
        raise Untrusted(
            code,
            (
                "the answer is not plain XML: an outage page, a wrong gateway, or something "
                "between us and Alipay"
            ),
        ) from None


def _signed_fields(root: "Element", codec: str, keys: Keys) -> dict[str, str]:
    """Return the children of the first element inside ``response``, in the form in which the
    signature covers them.
    """
    wrapper = root.find("response/*")
    signature = (root.findtext("sign") or "").strip()
    if wrapper is None or not signature:
        raise Untrusted("unsigned", "the answer says success without a signed part")
    if (root.findtext("sign_type") or keys.sign_type.value).strip() != keys.sign_type.value:
        raise Untrusted("bad_sign_type", f"the answer is not signed with {keys.sign_type.value}")
    raw: dict[str, str] = {}
    for child in wrapper:
        if len(child):
            # nested ones (refund_royaltys) are outside of the signature in the documented SDKs
            continue
        if child.tag in raw:
            raise Untrusted("duplicate_field", "a field occurs twice in the signed part")
        raw[child.tag] = child.text or ""
    collapsed = {name: " ".join(text.split()) for name, text in raw.items()}
    # Alipay's SDKs disagree on blanks and on empty elements (docs/alipay.md 3.3); a true signature
    # over a reading proves that reading.
    for fields in (raw, collapsed):
        for keep_empty in (False, True):
            data = signing.canonical(signing.encoded(fields, codec), keep_empty=keep_empty)
            if signing.verify(data, signature, keys.sign_type, keys):
                return {name: text.strip() for name, text in fields.items()}
    raise Untrusted(
        "bad_signature",
        (
            "the signature does not cover the answer; check that the key is Alipay's for this sign "
            "type"
        ),
    )
