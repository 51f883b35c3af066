"""Alipay's daily transaction file of the in-store product; pure (docs/alipay.md 10).

Flows in: the bytes of ``PID_transaction_YYYYMMDD.txt`` and our partner id. Flows out: a
``TransactionFile``, or ``FileRefused`` with the line and what was expected there. Columns that a
newer version appends are ignored; what is there must be whole: a file of which a part is missing or
unreadable proves nothing about what it does not list.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from alipay_client import amounts
from alipay_client.errors import AlipayError
from alipay_client.fields import CHINA, TIME_FORMAT

FILE_BYTES_MAX = 64 * 1024 * 1024
LINE_LENGTH_MAX = 8_192
SHOP_CODE = "shopQrCode"
"""``Order_scene`` of the static codes."""

_CODECS = ("utf-8-sig", "gb18030")
_ID_LENGTH_MAX = 64
_SHOWN_MAX = 40
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_COUNT = re.compile(r"[0-9]{1,9}")
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_COLUMNS = (
    "Partner_transaction_id",
    "Transaction_id",
    "Transaction_amount",
    "Charge_amount",
    "Currency",
    "Payment_time",
    "Transaction_type",
    "Remark",
    "Secondary_merchant_industry",
    "Secondary_merchant_name",
    "Operator_name",
    "Order_scene",
    "Trans_currency",
    "Trans_amount",
    "Trans_forex_rate",
)


class RowType(StrEnum):
    """What an item is. REVERSAL and CANCEL take a whole payment back."""

    PAYMENT = "PAYMENT"
    REVERSAL = "REVERSAL"
    REFUND = "REFUND"
    CANCEL = "CANCEL"


class FileRefused(AlipayError):
    """The file cannot be relied on; ``line`` is the one that says so, 0 if it is the whole.

    ``code``: oversized, bad_charset, bad_header, foreign_partner, bad_row, bad_count.
    """

    def __init__(self, code: str, detail: str, *, line: int = 0) -> None:
        super().__init__(code, f"line {line}: {detail}" if line else detail)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One item. Amounts are never negative: the type says which way the money went.

    ``partner_id`` is the refund id of a REFUND (perhaps empty, if it was made in the portal), else
    the ``out_trade_no``. ``amount_minor`` and ``currency`` are what the customer was asked for;
    ``priced`` is False where the file names the settlement's amount alone and they are that one.
    """

    line: int
    row_type: RowType
    partner_id: str
    trade_id: str
    amount_minor: int
    currency: str
    priced: bool
    at_ms: int
    merchant_name: str
    operator_name: str
    order_scene: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFile:
    """A whole file: every item of ``day``, which is a day of GMT+8."""

    partner: str
    day: date
    rows: tuple[FileRow, ...]


def parse_transactions(content: bytes, *, partner: str) -> TransactionFile:
    """Read a transaction file of ``partner``. FileRefused: see its codes."""
    if len(content) > FILE_BYTES_MAX:
        raise FileRefused("oversized", f"the file is longer than {FILE_BYTES_MAX} bytes")
    # Only "\n" ends a line: a name may hold what Python takes for another line's end. In GBK the
    # second byte of a character may be a "|", so the text is decoded before it is parted.
    lines = [line.removesuffix("\r") for line in _text(content).split("\n")]
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE_LENGTH_MAX:
            raise FileRefused(
                "oversized", f"expected at most {LINE_LENGTH_MAX} characters", line=number
            )
    day, count = _header(lines[0], partner)
    rows = tuple(
        _row(line, number)
        for number, line in enumerate(lines[1:], start=2)
        if line.strip() and not _is_title(line)
    )
    if len(rows) != count:
        raise FileRefused(
            "bad_count",
            (
                f"Total_count says {count} items and {len(rows)} are there: the file is cut or "
                "mixed up"
            ),
            line=1,
        )
    return TransactionFile(partner=partner, day=day, rows=rows)


def _text(content: bytes) -> str:
    at = 0
    for codec in _CODECS:
        try:
            return content.decode(codec)
        except UnicodeDecodeError as error:
            at = max(at, error.start)
    raise FileRefused("bad_charset", "expected UTF-8 or GBK", line=content.count(b"\n", 0, at) + 1)


def _header(line: str, partner: str) -> tuple[date, int]:
    named: dict[str, str] = {}
    for part in line.split("|"):
        name, _, value = part.partition(":")
        named.setdefault(name.strip().lower(), value.strip())
    if not {"partner", "payment_time", "total_count"} <= named.keys():
        expected = "Partner:<PID>|Payment_time:<YYYY-MM-DD>|Total_count:<number>"
        raise FileRefused(
            "bad_header",
            f"expected the header {expected}, found {_shown(line)}: is this a transaction file?",
            line=1,
        )
    if named["partner"] != partner:
        raise FileRefused(
            "foreign_partner",
            f"the file is of partner {_shown(named['partner'])}, expected {partner}",
            line=1,
        )
    if not _COUNT.fullmatch(named["total_count"]):
        raise FileRefused(
            "bad_header",
            f"Total_count: expected a number, found {_shown(named['total_count'])}",
            line=1,
        )
    day = _day(named["payment_time"])
    if day is None:
        found = _shown(named["payment_time"])
        raise FileRefused(
            "bad_header", f"Payment_time: expected a day such as 2026-01-15, found {found}", line=1
        )
    return day, int(named["total_count"])


def _day(text: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    return None


def _is_title(line: str) -> bool:
    """Tell whether the line only names the columns, as Alipay's files of other products do."""
    return line.partition("|")[0].strip().lower() == _COLUMNS[0].lower()


def _row(line: str, number: int) -> FileRow:
    values = [value.strip() for value in line.split("|")]
    if len(values) < len(_COLUMNS):
        raise FileRefused(
            "bad_row", f"expected {len(_COLUMNS)} fields or more, found {len(values)}", line=number
        )
    fields = dict(zip(_COLUMNS, values, strict=False))
    row_type = _row_type(fields, number)
    priced = bool(fields["Trans_currency"] and fields["Trans_amount"])
    return FileRow(
        line=number,
        row_type=row_type,
        partner_id=_id(fields, "Partner_transaction_id", number, shortest=0),
        trade_id=_id(fields, "Transaction_id", number),
        amount_minor=_amount(
            fields,
            "Trans_amount" if priced else "Transaction_amount",
            "Trans_currency" if priced else "Currency",
            number,
        ),
        currency=fields["Trans_currency" if priced else "Currency"],
        priced=priced,
        at_ms=_at_ms(fields["Payment_time"], number),
        merchant_name=fields["Secondary_merchant_name"],
        operator_name=fields["Operator_name"],
        order_scene=fields["Order_scene"],
    )


def _row_type(fields: dict[str, str], number: int) -> RowType:
    try:
        return RowType(fields["Transaction_type"].upper())
    except ValueError:
        expected = ", ".join(RowType)
        found = _shown(fields["Transaction_type"])
        raise FileRefused(
            "bad_row", f"Transaction_type: expected one of {expected}, found {found}", line=number
        ) from None


def _id(fields: dict[str, str], name: str, number: int, *, shortest: int = 1) -> str:
    value = fields[name]
    if not shortest <= len(value) <= _ID_LENGTH_MAX or not value.isprintable():
        raise FileRefused(
            "bad_row",
            f"{name}: expected {shortest} to {_ID_LENGTH_MAX} characters, found {_shown(value)}",
            line=number,
        )
    return value


def _amount(fields: dict[str, str], name: str, currency_name: str, number: int) -> int:
    """Return minor units. Whether money that went back bears a minus sign is not documented: its
    type says it.
    """
    text, currency = fields[name], fields[currency_name]
    if fields["Transaction_type"].upper() != RowType.PAYMENT:
        text = text.removeprefix("-")
    try:
        amounts.exponent(currency)
    except ValueError:
        raise FileRefused(
            "bad_row",
            f"{currency_name}: expected a currency of ISO 4217, found {_shown(currency)}",
            line=number,
        ) from None
    try:
        return amounts.to_minor(text, currency)
    except ValueError as error:
        raise FileRefused(
            "bad_row",
            f"{name}: expected an amount of {currency}, found {_shown(text)} ({error})",
            line=number,
        ) from None


def _at_ms(text: str, number: int) -> int:
    """Read a time of China as milliseconds since 1970 UTC."""
    if _TIME.fullmatch(text):
        with suppress(ValueError):
            return (
                int(datetime.strptime(text, TIME_FORMAT).replace(tzinfo=CHINA).timestamp()) * 1_000
            )
    raise FileRefused(
        "bad_row", f"Payment_time: expected yyyy-MM-dd HH:mm:ss, found {_shown(text)}", line=number
    )


def _shown(text: str) -> str:
    """Return the text for a message: short, and harmless to a terminal."""
    return ascii(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…")
