"""Daily files for tests: parsed rows, and files as text, written apart from the parser and from the
pretend Alipay.
"""

import datetime as dt
from typing import Any

from alipay_client.files import FileRow, RowType
from tests.alipay_client.wire import PARTNER

__all__ = ["DAY", "MERCHANT_NAME", "NOON_MS", "PARTNER", "line", "row", "whole"]

DAY = dt.date(2026, 1, 15)
NOON_MS = 1_768_449_600_000
MERCHANT_NAME = "Corner Vending"


def row(**changes: Any) -> FileRow:
    """A payment of 5.00 HKD at noon in the lobby, unless ``changes`` say otherwise."""
    values: dict[str, Any] = {
        "line": 2,
        "row_type": RowType.PAYMENT,
        "partner_id": "OT1",
        "trade_id": "T1",
        "amount_minor": 500,
        "currency": "HKD",
        "priced": True,
        "at_ms": NOON_MS,
        "merchant_name": MERCHANT_NAME,
        "operator_name": "Lobby",
        "order_scene": "shopQrCode",
    }
    return FileRow(**{**values, **changes})


def line(
    partner_id: str,
    trade_id: str,
    amount: str,
    *,
    kind: str = "PAYMENT",
    operator: str = "Lobby",
    currency: str = "HKD",
) -> str:
    """One line of a file, at noon."""
    shop = f"5499|{MERCHANT_NAME}|{operator}|shopQrCode"
    return (
        f"{partner_id}|{trade_id}|{amount}|0.00|{currency}|{DAY} "
        f"12:00:00|{kind}||{shop}|{currency}|{amount}|1.00000000"
    )


def whole(*lines: str, day: dt.date = DAY) -> bytes:
    """A file of these lines."""
    header = f"Partner:{PARTNER}|Payment_time:{day}|Total_count:{len(lines)}"
    return "".join(f"{one}\n" for one in (header, *lines)).encode()
