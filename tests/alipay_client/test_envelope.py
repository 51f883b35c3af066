"""The envelope: requests byte for byte, answers believed only for what is signed."""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alipay_client import SignType, envelope, load_keys
from alipay_client.errors import Misused, Untrusted
from alipay_client.keys import Keys
from tests.alipay_client import vectors
from tests.alipay_client.vectors import Vector
from tests.alipay_client.wire import MD5_KEY, Pair, answer, failure, md5

KEYS = Keys(sign_type=SignType.MD5, md5_key=MD5_KEY.encode())
REFUND = vectors.named("D7").fields()
CODE = vectors.named("D8").fields()


def xml(inner: str, *, sign: str = "", prolog: str = "", tail: str = "") -> bytes:
    """Write an answer by hand."""
    return f"{prolog}<alipay><is_success>T</is_success><response>{inner}</response><sign>{sign}</sign>{tail}</alipay>".encode()


def untrusted(body: bytes, keys: Keys = KEYS) -> str:
    """Read and return the code of the distrust."""
    with pytest.raises(Untrusted) as caught:
        envelope.read(body, keys)
    return caught.value.code


def test_the_documented_wire_example_is_reproduced_byte_for_byte() -> None:
    """docs/alipay.md 3.5: the body in the order of the document, the charset in the URL alone, the
    signature of D2.
    """
    parameters = {
        "service": "alipay.commerce.qrcode.modifyStatus",
        "partner": "2088000000000001",
        "timestamp": "2026-01-15 10:20:32",
        "biz_type": "OVERSEASHOPQRCODE",
        "qrcode": "https://qr.alipay.com/bax00000000000000000001",
        "status": "STOP",
    }
    assert vectors.D2_BODY == envelope.build(parameters, KEYS)
    assert "_input_charset=UTF-8" == envelope.QUERY


@pytest.mark.parametrize("name", ["D1", "D2", "D3", "D4", "D5", "D6", "D10"])
def test_requests_carry_the_signatures_of_the_vectors(name: str) -> None:
    """The charset is signed and not in the body; the body decodes to what was signed."""
    vector = vectors.named(name)
    fields = vector.fields()
    del fields["_input_charset"]
    sent = dict(parse_qsl(envelope.build(fields, KEYS).decode(), strict_parsing=True))
    assert {**fields, "sign_type": "MD5", "sign": vector.md5} == sent


def test_values_are_trimmed_and_empties_vanish_from_both() -> None:
    """What is signed is what is sent (D3, with blanks around and an empty reason)."""
    fields = {
        name: f"  {value}\n"
        for name, value in vectors.named("D3").fields().items()
        if name != "_input_charset"
    }
    sent = dict(
        parse_qsl(
            envelope.build({**fields, "refund_reason": "  ", "notify_url": ""}, KEYS).decode(),
            strict_parsing=True,
        )
    )
    assert sent["sign"] == vectors.named("D3").md5
    assert not {"refund_reason", "notify_url"} & set(sent)


def test_half_a_surrogate_pair_is_misuse() -> None:
    """It cannot be written in UTF-8, so nothing is sent."""
    with pytest.raises(Misused, match="bad_text"):
        envelope.build({"subject": "\ud800"}, KEYS)


@pytest.mark.parametrize(("name", "wrapper"), [("D7", "alipay"), ("D8", "qrcodeinfo")])
def test_answers_of_the_vectors_are_believed(name: str, wrapper: str) -> None:
    """Whatever the one element inside of response is called; &amp; in the XML is & in the
    signature.
    """
    vector: Vector = vectors.named(name)
    children = "".join(
        f"<{field}>{escape(value)}</{field}>" for field, value in vector.fields().items()
    )
    read = envelope.read(
        xml(
            f"<{wrapper}>{children}</{wrapper}>", sign=vector.md5, tail="<sign_type>MD5</sign_type>"
        ),
        KEYS,
    )
    assert read.is_success
    assert vector.fields() == read.fields


def test_one_changed_byte_of_an_answer_is_not_believed() -> None:
    """Every byte of a signed value counts."""
    body = answer(REFUND, md5, sign_type="MD5")
    for value in REFUND.values():
        start = body.index(value.encode())
        for at in range(start, start + len(value)):
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            assert untrusted(changed) in {"bad_signature", "not_xml"}


@pytest.mark.parametrize("charset", ["UTF-8", "utf8", "GBK", "gb2312", "GB18030"])
def test_every_charset_of_alipay_is_read(charset: str) -> None:
    """The signature covers the bytes of the declared charset, which expat alone could not read."""
    fields = {"error": "账户余额不足 & 稍后", "result_code": "FAIL"}
    assert (
        fields == envelope.read(answer(fields, md5, charset=charset, sign_type="MD5"), KEYS).fields
    )


@pytest.mark.parametrize("sign_type", [SignType.RSA, SignType.RSA2])
def test_answers_are_believed_by_alipays_key(sign_type: SignType, pair: Pair) -> None:
    """Also in GBK; not when another key signed."""
    keys = load_keys(pair.config(sign_type))
    body = answer(
        {"a": "自动售货机"}, pair.signer(sign_type), charset="GBK", sign_type=sign_type.value
    )
    assert {"a": "自动售货机"} == envelope.read(body, keys).fields
    swapped = Pair(merchant=pair.alipay, alipay=pair.merchant)
    assert "bad_signature" == untrusted(
        answer({"a": "1"}, swapped.signer(sign_type), sign_type=sign_type.value), keys
    )


@pytest.mark.parametrize(
    ("inner", "signed", "fields"),
    [
        ("<a>1</a><b/>", "a=1", {"a": "1", "b": ""}),
        ("<a>1</a><b></b>", "a=1&b=", {"a": "1", "b": ""}),
        ("<a> 1  2 </a>", "a= 1  2 ", {"a": "1  2"}),
        ("\n  <a>\n 1 \n 2 </a>\n <b> </b>", "a=1 2", {"a": "1 2", "b": ""}),
        ("<a> 1 </a><b> </b>", "a=1&b=", {"a": "1", "b": ""}),
        ("<a>1</a><r><amount>2</amount></r>", "a=1", {"a": "1"}),
        ("<a>1<!-- x -->2</a>", "a=12", {"a": "12"}),
    ],
)
def test_the_readings_on_which_the_sdks_disagree_are_all_believed(
    inner: str, signed: str, fields: Mapping[str, str]
) -> None:
    """Empties left out or in, blanks raw or collapsed, nested children skipped."""
    assert (
        fields
        == envelope.read(xml(f"<alipay>{inner}</alipay>", sign=md5(signed.encode())), KEYS).fields
    )


def test_a_failure_is_hearsay() -> None:
    """is_success=F carries a code and no fields, whatever else it says."""
    assert envelope.Answer(is_success=False, error="ILLEGAL_SIGN") == envelope.read(
        failure("ILLEGAL_SIGN"), KEYS
    )
    body = answer(REFUND, md5, sign_type="MD5").replace(b"<is_success>T", b"<is_success>F")
    told = envelope.read(body, KEYS)
    assert (False, "", {}) == (told.is_success, told.error, told.fields)


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_xml"),
        (b"success", "not_xml"),
        (b"<alipay>", "not_xml"),
        (b"<html><body>Service unavailable</body></html>", "not_an_answer"),
        (b"<!DOCTYPE html><HTML><body>busy<br></body></html>", "html_page"),
        (b"<html><br></html>", "html_page"),
        (xml("", prolog=BOMB), "not_xml"),
        (xml("", prolog=OUTSIDE), "not_xml"),
        (b"<alipay/>", "not_an_answer"),
        (b"<alipay><is_success>yes</is_success></alipay>", "not_an_answer"),
        (b"<alipay><is_success>T</is_success></alipay>", "unsigned"),
        (xml("<alipay><a>1</a></alipay>"), "unsigned"),
        (xml("", sign="0" * 32), "unsigned"),
        (xml("<alipay><a>1</a><a>1</a></alipay>", sign="0" * 32), "duplicate_field"),
        (
            xml("<alipay><a>1</a></alipay>", sign=md5(b"a=1"), tail="<sign_type>RSA2</sign_type>"),
            "bad_sign_type",
        ),
        (xml("<alipay><a>1</a></alipay>", sign=md5(b"a=2")), "bad_signature"),
        (b'<?xml version="1.0" encoding="UTF-7"?><alipay/>', "bad_charset"),
        ('<?xml version="1.0" encoding="UTF-8"?><alipay>账</alipay>'.encode("gbk"), "bad_charset"),
        ("<alipay>é</alipay>".encode("utf-16"), "bad_charset"),
        (b'<?xml version="1.0"?><?xml version="1.0"?><alipay/>', "not_xml"),
        (b"<alipay>" + b" " * 65_536, "oversized"),
        (b"<alipay>" + b"<a>" * 8_000, "not_xml"),
        (b"<alipay>\x00</alipay>", "not_xml"),
    ],
)
def test_what_cannot_be_believed_is_named(body: bytes, code: str) -> None:
    """No shape of garbage is an accident, and none is a failure of the refund."""
    assert code == untrusted(body)


def test_a_byte_order_mark_is_forgiven() -> None:
    """Some servers write one."""
    assert {"a": "1"} == envelope.read(
        b"\xef\xbb\xbf" + answer({"a": "1"}, md5, sign_type="MD5"), KEYS
    ).fields


@settings(deadline=None)  # the machine may be busy
@given(
    st.binary(max_size=600) | st.text(alphabet='<>/?!&;"= alipyT\n', max_size=200).map(str.encode)
)
def test_garbage_is_only_ever_untrusted(body: bytes) -> None:
    """Any bytes whatever."""
    with suppress(Untrusted):
        envelope.read(body, KEYS)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 800), st.integers(0, 40), st.binary(max_size=20))
def test_a_damaged_answer_never_says_anything_else(at: int, cut: int, put: bytes) -> None:
    """An answer with a piece cut out or put in is distrusted, is hearsay, or says what it said."""
    body = answer(REFUND, md5, charset="GBK", sign_type="MD5")
    with suppress(Untrusted):
        read = envelope.read(body[:at] + put + body[at + cut :], KEYS)
        assert not read.is_success or REFUND == dict(read.fields)
