"""The daily transaction file: read whole, or refused with the line that is wrong."""

import datetime as dt
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alipay_client import files
from alipay_client.files import FileRefused, FileRow, RowType, TransactionFile, parse_transactions
from tests.alipay_client.wire import PARTNER

TRADE = "2026011522001400000000000001"
PAID = (
    *(
        "OT1",
        TRADE,
        "5.00",
        "0.01",
        "HKD",
        "2026-01-15 18:20:34",
        "PAYMENT",
        "",
        "5499",
        "Corner Vending",
    ),
    *("Lobby", "shopQrCode", "HKD", "5.00", "1.00000000"),
)


def line(**changes: str) -> str:
    """A payment's line; ``changes`` name columns in small letters."""
    names = [name.lower() for name in files._COLUMNS]
    assert set(changes) <= set(names)
    return "|".join(changes.get(name, value) for name, value in zip(names, PAID, strict=True))


def header(count: int, *, partner: str = PARTNER, day: str = "2026-01-15") -> str:
    """The first line."""
    return f"Partner:{partner}|Payment_time:{day}|Total_count:{count}"


def whole(*lines: str) -> str:
    """A file of these lines, its header included."""
    return "\n".join([header(len(lines)), *lines]) + "\n"


def parse(text: str, charset: str = "utf-8") -> TransactionFile:
    """Read a text as our partner's file."""
    return parse_transactions(text.encode(charset), partner=PARTNER)


def refusal(content: bytes) -> tuple[str, int, str]:
    """Return code, line and sentence of the refusal."""
    with pytest.raises(FileRefused) as caught:
        parse_transactions(content, partner=PARTNER)
    return caught.value.code, caught.value.line, caught.value.detail


def test_a_payment_is_read() -> None:
    """Every field that the comparison needs, the time as China's."""
    expected = FileRow(
        line=2,
        row_type=RowType.PAYMENT,
        partner_id="OT1",
        trade_id=TRADE,
        amount_minor=500,
        currency="HKD",
        priced=True,
        at_ms=1_768_472_434_000,
        merchant_name="Corner Vending",
        operator_name="Lobby",
        order_scene="shopQrCode",
    )
    assert TransactionFile(partner=PARTNER, day=dt.date(2026, 1, 15), rows=(expected,)) == parse(
        whole(line())
    )


@pytest.mark.parametrize("row_type", RowType)
def test_every_type_is_read(row_type: RowType) -> None:
    """In capitals or not."""
    assert [row_type, row_type] == [
        parse(whole(line(transaction_type=text))).rows[0].row_type
        for text in (row_type, row_type.lower())
    ]


def test_the_price_is_what_counts() -> None:
    """The customer's currency and amount, not the settlement's; those only where there is nothing
    else.
    """
    priced = parse(whole(line(currency="CNY", transaction_amount="4.61"))).rows[0]
    bare = parse(whole(line(trans_currency="", trans_amount=""))).rows[0]
    assert (500, "HKD", True) == (priced.amount_minor, priced.currency, priced.priced)
    assert (500, "HKD", False) == (bare.amount_minor, bare.currency, bare.priced)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("7.5", "EUR", 750),
        ("0.01", "USD", 1),
        ("500", "JPY", 500),
        ("500.00", "KRW", 500),
        ("1234567.89", "CNY", 123_456_789),
    ],
)
def test_amounts_are_exact(amount: str, currency: str, minor: int) -> None:
    """Minor units by the currency."""
    assert (
        minor
        == parse(whole(line(trans_amount=amount, trans_currency=currency))).rows[0].amount_minor
    )


def test_what_went_back_may_bear_a_minus_sign() -> None:
    """The type says which way the money went; a payment below zero is none."""
    assert [500, 500, 500] == [
        parse(whole(line(transaction_type=back, trans_amount="-5.00"))).rows[0].amount_minor
        for back in ("REFUND", "REVERSAL", "cancel")
    ]
    assert ("bad_row", 2) == refusal(whole(line(trans_amount="-5.00")).encode())[:2]


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gbk"])
def test_names_are_read_in_either_charset(charset: str) -> None:
    """Also where the second byte of a GBK character is the separator."""
    assert b"|" in "縷".encode("gbk")
    row = parse(
        whole(line(operator_name="大堂 縷", secondary_merchant_name="自动售货机")), charset
    ).rows[0]
    assert ("大堂 縷", "自动售货机") == (row.operator_name, row.merchant_name)


@pytest.mark.parametrize(
    "text",
    [
        whole(line() + "|new|columns|1"),
        whole(line()).replace("\n", "\r\n"),
        whole(line()).rstrip("\n"),
        whole(line()) + "\n \n",
        whole(line()).replace("Total_count:1", "Total_count:1|Version:2"),
        whole(line()).replace("|", " | "),
        whole(line()).replace("\n", "\n" + "|".join(files._COLUMNS) + "\n", 1),
        whole(line(remark="a\x0bb\u2028c")),
    ],
    ids=[
        "appended columns",
        "CRLF",
        "no last line end",
        "blank lines",
        "header grows",
        "padded",
        "titles",
        "odd line ends in a remark",
    ],
)
def test_the_shape_may_vary(text: str) -> None:
    """What no document fixes does not matter."""
    assert 500 == parse(text).rows[0].amount_minor


def test_a_day_without_sales_is_a_file() -> None:
    """Nothing but the header."""
    assert () == parse(header(0)).rows


@pytest.mark.parametrize(
    ("text", "code", "number", "said"),
    [
        ("", "bad_header", 1, "is this a transaction file?"),
        ("Partner_transaction_id,Transaction_id\n", "bad_header", 1, "is this a transaction file?"),
        (header(0, partner="2088000000000009"), "foreign_partner", 1, f"expected {PARTNER}"),
        (header(0, day="20260115"), "bad_header", 1, "a day such as 2026-01-15, found '20260115'"),
        (header(0, day="2026-02-30"), "bad_header", 1, "a day such as 2026-01-15"),
        (
            header(0).replace(":0", ":many"),
            "bad_header",
            1,
            "Total_count: expected a number, found 'many'",
        ),
        (header(0).replace(":0", ":-1"), "bad_header", 1, "expected a number"),
        (
            whole(line()).replace("Total_count:1", "Total_count:2"),
            "bad_count",
            1,
            "Total_count says 2 items and 1 are there",
        ),
        (
            whole(line(), line()).replace("Total_count:2", "Total_count:1"),
            "bad_count",
            1,
            "says 1 items and 2 are there",
        ),
        (whole(line(), "a|b"), "bad_row", 3, "line 3: expected 15 fields or more, found 2"),
        (
            whole(line(partner_transaction_id="x" * 65)),
            "bad_row",
            2,
            "Partner_transaction_id: expected 0 to 64 characters",
        ),
        (
            whole(line(transaction_id="")),
            "bad_row",
            2,
            "Transaction_id: expected 1 to 64 characters, found ''",
        ),
        (
            whole(line(transaction_id="x" * 65)),
            "bad_row",
            2,
            "Transaction_id: expected 1 to 64 characters",
        ),
        (whole(line(transaction_id="a\tb")), "bad_row", 2, "found 'a\\tb'"),
        (
            whole(line(trans_amount="5.001")),
            "bad_row",
            2,
            "Trans_amount: expected an amount of HKD, found '5.001'",
        ),
        (
            whole(line(trans_amount="5.50", trans_currency="JPY")),
            "bad_row",
            2,
            "finer than the minor unit of JPY",
        ),
        (
            whole(line(trans_amount="", transaction_amount="five")),
            "bad_row",
            2,
            "Transaction_amount: expected an amount of HKD",
        ),
        (
            whole(line(trans_currency="hkd")),
            "bad_row",
            2,
            "Trans_currency: expected a currency of ISO 4217, found 'hkd'",
        ),
        (
            whole(line(payment_time="15.01.2026")),
            "bad_row",
            2,
            "Payment_time: expected yyyy-MM-dd HH:mm:ss",
        ),
        (
            whole(line(payment_time="2026-01-15 25:00:00")),
            "bad_row",
            2,
            "Payment_time: expected yyyy-MM-dd HH:mm:ss",
        ),
        (
            whole(line(transaction_type="GIFT")),
            "bad_row",
            2,
            "expected one of PAYMENT, REVERSAL, REFUND, CANCEL, found 'GIFT'",
        ),
        (whole(line(remark="x" * 9_000)), "oversized", 2, "expected at most 8192 characters"),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str, number: int, said: str) -> None:
    """The line, and what was expected there."""
    found = refusal(text.encode())
    assert (code, number) == found[:2]
    assert said in found[2]


def test_bytes_outside_of_every_charset_are_named() -> None:
    """With their line."""
    content = whole(line(), line(remark="?")).encode().replace(b"?", b"\xff\xff")
    assert ("bad_charset", 3) == refusal(content)[:2]


def test_a_file_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer one is not looked into."""
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 10)
    assert ("oversized", 0) == refusal(b"x" * 11)[:2]


@given(st.binary(max_size=2_000))
@example(b"Partner:|Payment_time:|Total_count:")
@example(header(1).encode() + b"\n" + b"|" * 14)
def test_garbage_is_refused(content: bytes) -> None:
    """By name; nothing else is ever raised."""
    assert refusal(content)[0] in {
        "bad_charset",
        "bad_header",
        "foreign_partner",
        "bad_row",
        "bad_count",
        "oversized",
    }


@given(
    seed=st.integers(0, 2**32), cuts=st.integers(1, 6), charset=st.sampled_from(["utf-8", "gbk"])
)
def test_a_harmed_file_is_read_or_refused(seed: int, cuts: int, charset: str) -> None:
    """Whatever bytes are changed, lost or doubled: what is read has sound amounts, ids and as many
    rows as the header says.
    """
    dice = random.Random(seed)
    content = bytearray(
        whole(
            line(operator_name="大堂"),
            line(transaction_type="REFUND", partner_transaction_id=f"{TRADE}R1"),
        ).encode(charset)
    )
    for _ in range(cuts):
        at = dice.randrange(len(content))
        content[at : at + dice.randrange(3)] = bytes(
            dice.choice(b"|\n\r:0159-. \xe5\xff\x00A") for _ in range(dice.randrange(3))
        )
    try:
        read = parse_transactions(bytes(content), partner=PARTNER)
    except FileRefused:
        return
    assert all(
        row.amount_minor >= 0 and 0 < len(row.trade_id) <= 64 and len(row.currency) == 3
        for row in read.rows
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(RowType)),
            st.integers(0, 99_999_999),
            st.sampled_from(["HKD", "JPY", "EUR"]),
            st.integers(0, 86_399),
        ),
        max_size=20,
    )
)
def test_what_was_written_is_read(items: list[tuple[RowType, int, str, int]]) -> None:
    """Every item, in its order, to the last unit and second."""
    start = dt.datetime(2026, 1, 15, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    lines = [
        line(
            transaction_type=kind,
            transaction_id=f"T{number}",
            trans_currency=currency,
            trans_amount=str(minor) if currency == "JPY" else f"{minor // 100}.{minor % 100:02d}",
            payment_time=(start + dt.timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S"),
        )
        for number, (kind, minor, currency, second) in enumerate(items)
    ]
    read = [
        (row.row_type, row.amount_minor, row.currency, row.at_ms, row.trade_id)
        for row in parse(whole(*lines)).rows
    ]
    at_ms = int(start.timestamp()) * 1_000
    assert read == [
        (kind, minor, cur, at_ms + second * 1_000, f"T{n}")
        for n, (kind, minor, cur, second) in enumerate(items)
    ]
