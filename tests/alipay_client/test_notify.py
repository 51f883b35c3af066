"""Notifications: believed when Alipay signed them for us, refused by name otherwise."""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alipay_client import (
    AlipayConfig,
    Notification,
    NotificationKind,
    NotificationRefused,
    SignType,
    load_keys,
    parse_notification,
)
from alipay_client.notify import names_buyer, told_money
from tests.alipay_client import vectors
from tests.alipay_client.wire import PARTNER, Pair, form, md5, md5_config, string_to_sign

CONFIG = md5_config()
KEYS = load_keys(CONFIG)
D9 = vectors.named("D9")
PAID = D9.fields()
BARE = {
    name: PAID[name]
    for name in ("notify_id", "trade_no", "out_trade_no", "trade_status", "seller_id", "total_fee")
}


def parse(
    fields: Mapping[str, str],
    *,
    currency: str = "HKD",
    charset: str = "UTF-8",
    config: AlipayConfig = CONFIG,
) -> Notification:
    """Sign ``fields`` as Alipay would and parse them."""
    return parse_notification(
        form(fields, md5, charset=charset, sign_type="MD5"),
        config=config,
        keys=load_keys(config),
        currency=currency,
    )


def refusal(body: bytes, *, config: AlipayConfig = CONFIG, currency: str = "HKD") -> str:
    """Parse what must be refused and return the code."""
    with pytest.raises(NotificationRefused) as caught:
        parse_notification(body, config=config, keys=load_keys(config), currency=currency)
    return caught.value.code


def test_the_derived_vector_is_a_payment() -> None:
    """D9, with a literal plus, a percent sign and JSON in its values."""
    body = form(PAID, lambda _: D9.md5, sign_type="MD5")
    read = parse_notification(body, config=CONFIG, keys=KEYS, currency="HKD")
    assert read == Notification(
        kind=NotificationKind.PAID,
        notify_id="0123456789abcdef0123456789abcdef01",
        trade_id="2026011522001400000000000001",
        partner_trans_id="OT202601150001",
        status="TRADE_SUCCESS",
        seller_id=PARTNER,
        amount_minor=500,
        currency="EUR",
        paid_at_ms=1_768_472_434_000,  # 2026-01-15 18:20:34 in China
        told_at_ms=1_768_472_435_000,
        passback={"machine": "VM_0001"},
        buyer_id="2088000000000099",
        fields={**PAID, "sign": D9.md5, "sign_type": "MD5"},
    )
    assert "Example+Vending 100%" == read.fields["subject"]


def test_blanks_may_be_written_as_plus() -> None:
    """A form may write either; the value is decoded once."""
    body = form(PAID, md5, sign_type="MD5").replace(b"%20", b"+")
    assert b"+" in body
    assert (
        "Example+Vending 100%"
        == parse_notification(body, config=CONFIG, keys=KEYS, currency="HKD").fields["subject"]
    )


def test_one_changed_byte_of_the_vector_is_refused() -> None:
    """Whichever byte of a value is changed."""
    for name, value in PAID.items():
        for at in range(len(value)):
            changed = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
            assert "bad_signature" == refusal(
                form({**PAID, name: changed}, lambda _: D9.md5, sign_type="MD5")
            )


def test_no_representation_shows_the_buyer() -> None:
    """Neither the id nor the login, also not through the raw fields."""
    read = parse(PAID)
    assert "2088000000000099" not in repr(read)
    assert "tes***" not in repr(read)


@pytest.mark.parametrize("sign_type", [SignType.RSA, SignType.RSA2])
@pytest.mark.parametrize("currency", ["HKD", "JPY"])
def test_rsa_notifications_are_believed_also_when_decoded_twice(
    sign_type: SignType, currency: str, pair: Pair
) -> None:
    """Blanks of the signature are its plus signs; no other value is repaired."""
    config = pair.config(sign_type)
    fields = {**BARE, "total_fee": "500", "subject": "a+b c"}
    body = form(fields, pair.signer(sign_type), sign_type=sign_type.value)
    harmed = body.replace(b"%2B", b"%20").replace(b"subject=a%20b", b"subject=a%2Bb")
    for each in (body, harmed):
        read = parse_notification(each, config=config, keys=load_keys(config), currency=currency)
        assert (read.amount_minor, read.currency) == (
            (500, "JPY") if currency == "JPY" else (50_000, "HKD")
        )


@pytest.mark.parametrize("declared", [{}, {"_input_charset": "GBK"}, {"charset": "gb2312"}])
def test_gbk_notifications_are_believed(declared: Mapping[str, str]) -> None:
    """Whether they say so or not: the bytes are what was signed."""
    assert (
        "自动售货机"
        == parse({**BARE, **declared, "subject": "自动售货机"}, charset="GBK").fields["subject"]
    )


def test_utf8_notifications_are_believed() -> None:
    """Also with a charset declared."""
    assert (
        "自动售货机"
        == parse({**BARE, "charset": "UTF-8", "subject": "自动售货机"}).fields["subject"]
    )


@pytest.mark.parametrize(
    ("changes", "kind", "refund_id", "refund_minor"),
    [
        ({}, NotificationKind.PAID, "", None),
        ({"refund_fee": "0.00"}, NotificationKind.PAID, "", None),
        ({"trade_status": "TRADE_FINISHED"}, NotificationKind.FINISHED, "", None),
        ({"trade_status": "TRADE_CLOSED"}, NotificationKind.CLOSED, "", None),
        ({"trade_status": "WAIT_BUYER_PAY"}, NotificationKind.OTHER, "", None),
        ({"trade_status": "TRADE_PENDING"}, NotificationKind.OTHER, "", None),
        ({"refund_fee": "1.50", "out_biz_no": "RF1"}, NotificationKind.REFUNDED, "RF1", 150),
        ({"refund_fee": "1.50"}, NotificationKind.REFUNDED, "", 150),
        ({"out_biz_no": "RF1"}, NotificationKind.REFUNDED, "RF1", None),
        ({"notify_action_type": "refundFPAction"}, NotificationKind.REFUNDED, "", None),
        (
            {"refund_fee": "5.00", "out_biz_no": "RF1", "trade_status": "TRADE_CLOSED"},
            NotificationKind.REFUNDED,
            "RF1",
            500,
        ),
    ],
)
def test_kinds_are_told_apart(
    changes: Mapping[str, str], kind: NotificationKind, refund_id: str, refund_minor: int | None
) -> None:
    """The echo of a refund keeps the trade's status, so a status alone does not make a payment."""
    read = parse({**BARE, **changes})
    assert (kind, refund_id, refund_minor) == (read.kind, read.refund_id, read.refund_minor)
    assert (500, "HKD") == (read.amount_minor, read.currency)


def test_amount_and_currency_come_from_the_configured_fields() -> None:
    """Sources disagree on them."""
    config = dataclasses.replace(
        CONFIG, notify_amount_field="forex_total_fee", notify_currency_field="forex_currency"
    )
    read = parse(
        {**BARE, "total_fee": "35.00", "forex_total_fee": "500", "forex_currency": "JPY"},
        config=config,
    )
    assert (500, "JPY") == (read.amount_minor, read.currency)


def test_an_amount_that_is_not_a_payments_may_be_missing() -> None:
    """A closed trade need not say what it was."""
    closed = {**BARE, "trade_status": "TRADE_CLOSED", "total_fee": ""}
    assert parse(closed).amount_minor is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '"x"', '{"machine": {"id": 1}}', '{"count": 1}', "[" * 8_000, "1" * 5_000],
)
def test_a_passback_that_is_not_ours_is_empty(text: str) -> None:
    """It is a hint; the URL names the machine."""
    assert {} == parse({**BARE, "extra_common_param": text}).passback


@pytest.mark.parametrize(
    ("text", "paid_at_ms"),
    [
        ("", None),
        ("yesterday", None),
        ("2026-01-15 08:00:00", 1_768_435_200_000),
        ("2026-01-15 08:00:00.0", 1_768_435_200_000),
        ("2026-01-15 08:00:00.123456", 1_768_435_200_000),
        ("2026-01-15 08:00:00.", None),
    ],
)
def test_the_time_of_payment_is_chinas(text: str, paid_at_ms: int | None) -> None:
    """An unreadable one loses no payment, and a fraction of a second no time. The trade's own time
    stands in for it, because no payment is older.
    """
    assert paid_at_ms == parse({**BARE, "gmt_payment": text}).paid_at_ms
    made = {**BARE, "gmt_payment": text, "gmt_create": "2026-01-15 08:00:00"}
    assert 1_768_435_200_000 == parse(made).paid_at_ms


def test_what_was_signed_for_another_merchant_is_not_cut_into_a_payment_to_us() -> None:
    """He chose the text of ``body``; the same signed string, cut elsewhere, names us as the seller
    and an amount that nobody paid.
    """
    forged = {**BARE, "trade_no": "forged", "total_fee": "900.00"}
    text = "&".join(f"{name}={forged[name]}" for name in sorted(forged))
    theirs = {**BARE, "buyer_id": "2", "seller_id": "2088000000000002"}
    theirs["body"] = f"x&{text}&zz="
    signed = string_to_sign(theirs, "UTF-8")
    body, middle, rest = signed.decode().partition(f"&{text}&zz=")
    ours = {**forged, "body": body.removeprefix("body="), "zz": rest}
    assert (f"&{text}&zz=", signed) == (middle, string_to_sign(ours, "UTF-8"))
    with pytest.raises(NotificationRefused) as caught:
        parse(ours)
    assert caught.value.fields is not None
    assert ("ambiguous", "&...") == (caught.value.code, caught.value.fields["zz"])
    assert "ambiguous" == refusal(form(theirs, md5, sign_type="MD5"))


@pytest.mark.parametrize(
    ("within", "moved"),
    [
        ("extra_common_param", ["gmt_create", "gmt_payment"]),
        ("discount", ["extra_common_param"]),
        ("gmt_create", ["gmt_payment"]),
        ("notify_id", ["notify_time"]),
        ("body", ["buyer_email", "buyer_id"]),
        ("_x", ["body", "buyer_email", "buyer_id"]),
        ("body", ["charset"]),
    ],
)
def test_a_payment_to_us_is_not_cut_into_another_one(within: str, moved: list[str]) -> None:
    """Whoever holds a true notification hides neither its machine, its time nor its charset in
    another field's value, and makes nobody's name a text that is kept.
    """
    true = {
        **BARE,
        "_x": "1",
        "body": "Cola",
        "discount": "0.00",
        "extra_common_param": '{"machine":"VM-1"}',
        "gmt_create": "2026-01-15 11:59:50",
        "gmt_payment": "2026-01-15 11:59:58",
        "notify_time": "2026-01-15 12:00:00",
        **({"charset": "UTF-8"} if "charset" in moved else {}),
        **({"buyer_email": "anna@example.com", "buyer_id": "2088"} if "buyer_id" in moved else {}),
    }
    ours = dict(true)
    for name in moved:
        ours[within] += f"&{name}={ours.pop(name)}"
    assert string_to_sign(true, "UTF-8") == string_to_sign(ours, "UTF-8")
    with pytest.raises(NotificationRefused) as caught:
        parse(ours)
    assert "ambiguous" == caught.value.code
    assert caught.value.fields is not None
    assert f"{true[within]}&..." == caught.value.fields[within]
    assert "anna" not in str(caught.value.fields)


def test_what_no_charset_fits_hides_no_buyer_either() -> None:
    """The same holds for what cannot be read as text, because that is kept, too."""
    with pytest.raises(NotificationRefused) as caught:
        parse({**PAID, "charset": "KOI8-R", "subject": "x&buyer_id=2088123412341234"})
    assert "bad_charset" == caught.value.code
    assert caught.value.fields is not None
    assert "x&..." == caught.value.fields["subject"]


def test_an_ampersand_in_a_text_is_no_field() -> None:
    """A shop may be called "Tea & Milk", and what its text names is none of the money's fields."""
    assert 500 == parse({**PAID, "subject": "Tea & Milk &co=1 & total_fee 5"}).amount_minor


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seller_id": "2088000000000002"}, "foreign_seller"),
        ({"seller_id": ""}, "missing_field"),
        ({"notify_id": ""}, "missing_field"),
        ({"trade_no": ""}, "missing_field"),
        ({"out_trade_no": ""}, "missing_field"),
        ({"trade_status": ""}, "missing_field"),
        ({"total_fee": ""}, "missing_field"),
        ({"total_fee": "0.00"}, "bad_amount"),
        ({"total_fee": "5.001"}, "bad_amount"),
        ({"total_fee": "-5"}, "bad_amount"),
        ({"refund_fee": "1.505"}, "bad_amount"),
        ({"currency": "hkd"}, "bad_amount"),
        ({"total_fee": "5.50", "currency": "JPY"}, "bad_amount"),
        ({"charset": "KOI8-R"}, "bad_charset"),
    ],
)
def test_what_alipay_signed_is_still_checked(changes: Mapping[str, str], code: str) -> None:
    """A true signature does not make it ours, whole, or countable; what it says is kept."""
    body = form({**BARE, **changes}, md5, sign_type="MD5")
    with pytest.raises(NotificationRefused) as caught:
        parse_notification(body, config=CONFIG, keys=KEYS, currency="HKD")
    signed = {name: text for name, text in {**BARE, **changes}.items() if text}
    assert (code, signed) == (
        caught.value.code,
        {name: text for name, text in (caught.value.fields or {}).items() if name in signed},
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"total_fee": "5.00"}, (500, "HKD")),
        ({"total_fee": "5.00", "currency": "USD"}, (500, "USD")),
        ({"total_fee": "5.001", "forex_total_fee": "6.00"}, (600, "HKD")),
        ({"refund_fee": "1.00", "total_fee": "5.00"}, (100, "HKD")),
        ({"total_fee": "0.00"}, (0, "HKD")),
        ({"total_fee": "5.00", "currency": "hkd"}, (500, "HKD")),
        ({}, (0, "HKD")),
    ],
)
def test_what_money_an_odd_one_is_about_is_told_as_far_as_it_can_be(
    fields: Mapping[str, str], told: tuple[int, str]
) -> None:
    """For people; nobody books it."""
    assert told == told_money(fields, CONFIG, "HKD")


def test_what_alipay_did_not_sign_has_no_fields() -> None:
    """Nobody knows who wrote it."""
    body = form(BARE, lambda _: "x" * 32, sign_type="MD5")
    with pytest.raises(NotificationRefused) as caught:
        parse_notification(body, config=CONFIG, keys=KEYS, currency="HKD")
    assert None is caught.value.fields


def test_bytes_outside_of_every_charset_are_refused() -> None:
    """Undeclared: neither UTF-8 nor GBK; declared: not that one."""
    raw = b"&".join(f"{name}={BARE[name]}".encode() for name in sorted(BARE))
    plain = (
        raw.replace(b"trade_no=2026", b"subject=\xff\xff&trade_no=2026") + b"&sign_type=MD5&sign="
    )
    signed = b"&".join(sorted(plain.removesuffix(b"&sign_type=MD5&sign=").split(b"&")))
    assert "bad_charset" == refusal(plain + md5(signed).encode())
    gbk = form({**BARE, "charset": "UTF-8", "subject": "账"}, md5, charset="GBK", sign_type="MD5")
    assert "bad_charset" == refusal(gbk)


def test_a_sign_type_outside_of_the_allow_list_is_refused(pair: Pair) -> None:
    """No notification talks RSA2 down to MD5, unless the configuration says so."""
    config = pair.config(SignType.RSA2)
    body = form(BARE, md5, sign_type="MD5")
    assert "bad_sign_type" == refusal(body, config=config)
    both = dataclasses.replace(
        config, md5_key=CONFIG.md5_key, notify_sign_types=frozenset({SignType.RSA2, SignType.MD5})
    )
    assert parse(BARE, config=both).kind is NotificationKind.PAID
    assert "bad_sign_type" == refusal(form(BARE, md5, sign_type="md5"))
    assert "bad_sign_type" == refusal(form(BARE, md5, sign_type="自"))


def test_an_unsigned_notification_is_refused() -> None:
    """Without sign or without sign_type there is nothing to prove."""
    assert "unsigned" == refusal(b"notify_id=1&sign=x")
    assert "unsigned" == refusal(b"notify_id=1&sign_type=MD5&sign=")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"success", "malformed"),
        (b"a=1&&b=2", "malformed"),
        (b"=1", "malformed"),
        (b"a%26b=1", "malformed"),
        (b"a%3Db=1", "malformed"),
        (b'{"trade_no": "1=2"}', "malformed"),
        (b"a=1&b=2&a=1", "duplicate_field"),
        (b"a=1&%61=1", "duplicate_field"),
        (b"a=" + b"x" * 32_768, "oversized"),
        (b"&".join(b"a%d=1" % number for number in range(101)), "oversized"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, code: str) -> None:
    """Bounds first, then shape; a name that holds & or = could hide a field in the signed
    string.
    """
    assert code == refusal(body)


@settings(deadline=None)  # the machine may be busy
@given(st.binary(max_size=400))
def test_garbage_is_only_ever_refused(body: bytes) -> None:
    """Any bytes whatever."""
    with pytest.raises(NotificationRefused):
        parse_notification(body, config=CONFIG, keys=KEYS, currency="HKD")


NAMES = st.sampled_from([*PAID, "refund_fee", "out_biz_no", "charset", "_input_charset", "x"])


def test_whatever_speaks_of_a_buyer_names_one() -> None:
    """Known or not; what is the seller's, or the trade's, does not."""
    told = ("buyer_id", "alipay_buyer_user_id", "BuyerNick", "payer_email", "seller_id", "trade_no")
    assert [True, True, True, True, False, False] == [names_buyer(name) for name in told]


@settings(deadline=None)  # the machine may be busy
@given(
    st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=30)),
    st.booleans(),
)
def test_signed_garbage_is_refused_or_read(changes: Mapping[str, str], unsigned: bool) -> None:
    """Whatever a true signature covers, nothing but the documented refusal comes out."""
    fields = {**PAID, **changes}
    signature = "0" * 32 if unsigned else md5(string_to_sign(fields, "UTF-8"))
    with suppress(NotificationRefused):
        read = parse_notification(
            form(fields, lambda _: signature, sign_type="MD5"),
            config=CONFIG,
            keys=KEYS,
            currency="HKD",
        )
        assert not unsigned
        assert PARTNER == read.seller_id
        assert read.kind is not NotificationKind.PAID or read.amount_minor


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 2_000), st.integers(0, 60), st.binary(max_size=20))
def test_a_damaged_notification_never_says_anything_else(at: int, cut: int, put: bytes) -> None:
    """With a piece cut out or put in it is refused, or says what it said."""
    body = form(PAID, md5, sign_type="MD5")
    with suppress(NotificationRefused):
        read = parse_notification(
            body[:at] + put + body[at + cut :], config=CONFIG, keys=KEYS, currency="HKD"
        )
        assert (read.amount_minor, read.trade_id, read.partner_trans_id) == (
            500,
            PAID["trade_no"],
            PAID["out_trade_no"],
        )


@settings(deadline=None)  # the machine may be busy
@given(
    st.dictionaries(
        st.text(max_size=10),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        max_size=4,
    )
)
def test_a_passback_round_trips(passback: dict[str, str]) -> None:
    """What was given to a code comes back with its payments."""
    text = json.dumps(passback, ensure_ascii=False)
    body = form({**BARE, "extra_common_param": text}, md5, sign_type="MD5")
    assert quote(text, safe="").encode() in body
    assert passback == parse_notification(body, config=CONFIG, keys=KEYS, currency="HKD").passback
