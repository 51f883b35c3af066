"""Requests read, answers and notifications written."""

from urllib.parse import parse_qsl

import pytest

from alipay_client.simulator import Limits
from alipay_client.simulator.signing import KeyRing
from alipay_client.simulator.wire import (
    Call,
    HttpAnswer,
    Refusal,
    accepted,
    notification_form,
    outage,
    plain,
    read_call,
    refused,
)
from tests.alipay_client.simulator.merchant import KEY, md5_of, read

RING = KeyRing(md5_key=KEY)
CALL = Call(
    parameters={"service": "test", "reason": '<a> & "b"', "subject": "自动售货机"}, codec="utf-8"
)


def test_a_post_is_decoded_once_in_its_own_charset() -> None:
    """A plus is a blank, %2B a plus, and the charset of the URL decodes the body."""
    call = read_call(
        "POST", b"_input_charset=GBK", b"subject=%D7%D4%B6%AF&sum=1%2B1+%2525", Limits()
    )
    assert {"_input_charset": "GBK", "subject": "自动", "sum": "1+1 %25"} == call.parameters
    assert "gbk" == call.codec


def test_a_get_carries_everything_in_the_url() -> None:
    """Without a charset it is read as GBK, the documented default."""
    assert "gbk" == read_call("GET", b"service=notify_verify&notify_id=1", b"", Limits()).codec


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        (b"", b"_input_charset=UTF-8", "ILLEGAL_CHARSET"),
        (b"_input_charset=latin-1", b"", "ILLEGAL_CHARSET"),
        (b"_input_charset=UTF-8", b"a=%FF", "INVALID_CHARACTER_SET"),
        (b"_input_charset=UTF-8", b"a=\xe8\x87\xaa", "INVALID_CHARACTER_SET"),
        (b"_input_charset=UTF-8", b"a=1&a=2", "ILLEGAL_ARGUMENT"),
        (b"_input_charset=UTF-8", b"_input_charset=GBK", "ILLEGAL_ARGUMENT"),
        (b"_input_charset=UTF-8", b"a=%00", "ILLEGAL_ARGUMENT"),
        (
            b"_input_charset=UTF-8",
            b"&".join(b"a%d=1" % number for number in range(65)),
            "ILLEGAL_ARGUMENT",
        ),
        (b"_input_charset=UTF-8", b"a" * 70_000, "ILLEGAL_ARGUMENT"),
    ],
)
def test_unreadable_requests(query: bytes, body: bytes, code: str) -> None:
    """The charset stands in the URL, values come once and hold what XML can hold, and everything
    has a bound.
    """
    with pytest.raises(Refusal, match=code):
        read_call("POST", query, body, Limits())


@pytest.mark.parametrize("charset", ["UTF-8", "GBK"])
def test_an_accepted_call_is_signed_over_its_inner_element(charset: str) -> None:
    """The request is echoed, empty fields are left out, markup is escaped, and the declared charset
    is the one that is signed.
    """
    fields = {"qrcode": "https://q/?a=1&b=<2>", "name": "自动", "error": ""}
    answer = accepted(CALL, "qrcodeinfo", fields, sign_type="MD5", ring=RING, charset=charset)
    assert f"text/xml;charset={charset}" == answer.content_type
    xml = read(answer.body)
    assert xml.ok
    assert "qrcodeinfo" == xml.wrapper
    assert {"qrcode": "https://q/?a=1&b=<2>", "name": "自动"} == xml.signed
    assert xml.echo == CALL.parameters


def test_gbk_gives_way_where_it_has_no_character() -> None:
    """An answer that GBK cannot say comes in UTF-8."""
    answer = accepted(CALL, "alipay", {"name": "🥤"}, sign_type="MD5", ring=RING, charset="GBK")
    assert "text/xml;charset=UTF-8" == answer.content_type
    assert {"name": "🥤"} == read(answer.body).signed
    body, content_type = notification_form(
        {"name": "🥤"}, sign_type="MD5", ring=RING, charset="GBK"
    )
    assert content_type.endswith("UTF-8")
    assert "🥤" == dict(parse_qsl(body.decode()))["name"]


def test_a_spoilt_signature_does_not_fit() -> None:
    """Only the signature differs."""
    answer = accepted(
        CALL, "alipay", {"a": "1"}, sign_type="MD5", ring=RING, charset="UTF-8", spoil_sign=True
    )
    with pytest.raises(AssertionError):
        read(answer.body)


def test_the_other_answers() -> None:
    """A refusal is unsigned, an outage is a page for people, notify_verify answers in plain
    text.
    """
    assert "ILLEGAL_SIGN" == read(refused("ILLEGAL_SIGN", "GBK").body).error
    assert 500 == outage(500).status
    assert outage().content_type.startswith("text/html")
    assert HttpAnswer(body=b"true", content_type="text/plain;charset=UTF-8") == plain("true")


def test_a_notification_is_a_signed_form() -> None:
    """Raw values are signed, then encoded once."""
    fields = {"subject": "1+1 100%", "extra_common_param": '{"machine":"VM_0001"}'}
    body, content_type = notification_form(fields, sign_type="MD5", ring=RING, charset="UTF-8")
    assert "application/x-www-form-urlencoded;charset=UTF-8" == content_type
    assert {**fields, "sign_type": "MD5", "sign": md5_of(fields)} == dict(parse_qsl(body.decode()))
