"""Alipay's daily file of redeemed vouchers: bytes in, redemptions and problems out. Pure.

The file is "Cashless voucher redemption status file" (voucherUseDetail 2.1.0) of AlipayHK's
documents: CSV with a line of names. The example there has the two numbers of a payment the other
way round than its table, so either may be ours.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actors.machine.policy import AMOUNT_MINOR_MAX
from alipay_client import amounts
from gateway.office.csv_files import columns_of, shown, taken_apart, wrong
from gateway.process.spreadsheet_cells import bare
from storage.insight.vouchers import Redemption, VoucherKind

BYTES_MAX = 3 * 1_024 * 1_024
LINES_MAX = 10_000
OTHER_NUMBER = "transactionRequestId"
"""Needed, because a line is known by either number; it may be empty."""
NEEDED = (
    *("voucherId", "templateId", "transactionId", OTHER_NUMBER, "orderAmount", "voucherAmount"),
    *("currency", "paymentType"),
)
TWICE = "is in the file more than once"
_LENGTH_MAX = 64
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.ASCII)
"""What a spreadsheet writes instead of a long number. Kept, it would be a payment that nobody
knows, and the true file's line another one.
"""
_KINDS = {"S": VoucherKind.REDEEMED, "I": VoucherKind.GIVEN_BACK}


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherFileLine:
    """A record of a file: the line that it begins in, and what it says, None if anything is wrong
    with it, which ``problems`` says.
    """

    number: int
    told: Redemption | None
    problems: tuple[str, ...] = ()


def read(content: bytes) -> list[VoucherFileLine]:
    """Return the records of a file. Raises CallRefused if it cannot be taken apart."""
    records = taken_apart(content, bytes_max=BYTES_MAX, lines_max=LINES_MAX)
    if not records:
        raise wrong("is empty: its first line names its columns")
    columns = columns_of(records[0][1])
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise wrong(
            f"has no column {', '.join(missing)}: give Alipay's file of redemptions as it is"
        )
    lines = [_line(number, cells, columns) for number, cells in records[1:]]
    times = Counter(key for line in lines if line.told is not None for key in line.told.number_keys)
    return [
        VoucherFileLine(number=line.number, told=None, problems=(TWICE,))
        if line.told is not None and any(times[key] > 1 for key in line.told.number_keys)
        else line
        for line in lines
    ]


def _line(number: int, cells: Sequence[str], columns: Sequence[str]) -> VoucherFileLine:
    if len(cells) != len(columns):
        said = f"has {len(cells)} cells, and the first line {len(columns)}"
        return VoucherFileLine(number=number, told=None, problems=(said,))
    of = {name: bare(cell.strip()) for name, cell in zip(columns, cells, strict=True)}
    problems = [*_unnamed(of), *_amounts(of)]
    if of["paymentType"] not in _KINDS:
        problems.append(f"paymentType: must be S or I, not {shown(of['paymentType'])}")
    if problems:
        return VoucherFileLine(number=number, told=None, problems=tuple(problems))
    payments = (of["transactionId"], of[OTHER_NUMBER])
    numbers = sorted({one for one in payments if one})
    told = Redemption(
        key=_key(of, payments),
        number_keys=tuple(_key(of, ("", one)) for one in numbers),
        kind=_KINDS[of["paymentType"]],
        template=of["templateId"],
        payments=tuple(one for one in payments if one),
        currency=of["currency"],
        order_minor=amounts.to_minor(of["orderAmount"], of["currency"]),
        voucher_minor=amounts.to_minor(of["voucherAmount"], of["currency"]),
    )
    return VoucherFileLine(number=number, told=told)


def _key(of: Mapping[str, str], numbers: Sequence[str]) -> str:
    """Return the digest of a redemption, as far as these two numbers of its payment name it."""
    key = "\0".join((of["voucherId"], *sorted(numbers), of["paymentType"]))
    return hashlib.sha256(key.encode()).hexdigest()


def _unnamed(of: Mapping[str, str]) -> list[str]:
    names = ("voucherId", "templateId", "transactionId", OTHER_NUMBER)
    problems = [
        f"{name}: must have 1 to {_LENGTH_MAX} characters, printable ones of ASCII"
        for name in names
        if not _is_number(of[name]) and (of[name] or name != OTHER_NUMBER)
    ]
    return problems + [
        f"{name}: a spreadsheet has shortened it, {shown(of[name])}: give Alipay's file as it is"
        for name in names
        if _SHORTENED.fullmatch(of[name])
    ]


def _is_number(cell: str) -> bool:
    return 1 <= len(cell) <= _LENGTH_MAX and cell.isascii() and cell.isprintable()


def _amounts(of: Mapping[str, str]) -> list[str]:
    currency = of["currency"]
    try:
        amounts.exponent(currency)
    except ValueError:
        return [f"currency: is none that Alipay settles: {shown(currency)}"]
    problems = []
    for name, least in (("orderAmount", 0), ("voucherAmount", 1)):
        try:
            minor = amounts.to_minor(of[name], currency)
        except ValueError as error:
            problems.append(f"{name}: {error}: {shown(of[name])}")
            continue
        if not least <= minor <= AMOUNT_MINOR_MAX:
            problems.append(f"{name}: is no amount of a payment: {shown(of[name])}")
    return problems
