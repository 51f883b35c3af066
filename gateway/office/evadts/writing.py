"""Writing: the books' figures of a machine as a file that any EVA-DTS reader takes.

Amounts are integers in minor units, as many decimals of which ID4 tells as the currency has. What
nobody knows is left out. Dates and times are UTC.
"""

import datetime as dt
from collections.abc import Iterator

import iso4217

from alipay_client.currencies import exponent
from gateway.office.evadts.checksums import SEGMENT_END, of_segments
from storage.office.audit_figures import (
    NO_COLUMN,
    AuditColumn,
    ColumnFigures,
    MachineAudit,
    Tally,
    as_field,
)

SENDER = "VGT0000000"
"""The communication id in DXS01: three letters of the maker and seven digits of the device."""
VERSION = "V1/1"
_LEVEL = (6, 1)
"""Of the standard: ID107 and ID108."""
CONTROL_NUMBER = "0001"
PRICE_LIST = 1
"""There is one: what a column costs, everybody pays."""
COLUMN_LENGTH_MAX, PRODUCT_LENGTH_MAX, TEXT_LENGTH_MAX = 16, 20, 32
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def write(audit: MachineAudit, *, now_ms: int, version: str) -> bytes:
    """Return the file. ``version`` is that of this program."""
    body = [_segment("ST", "001", CONTROL_NUMBER), *_body(audit, now_ms, version)]
    trailer = (
        _segment("G85", of_segments(body)),
        _segment("SE", len(body) + 2, CONTROL_NUMBER),
        _segment("DXE", 1, 1),
    )
    whole = (_segment("DXS", SENDER, "VA", VERSION, 1), *body, *trailer)
    return b"".join(one + SEGMENT_END for one in whole)


def _segment(name: str, *fields: object) -> bytes:
    said = ["" if one is None else str(one) for one in fields]
    while said and not said[-1]:
        said.pop()
    return "*".join((name, *said)).encode("ascii")


def _body(audit: MachineAudit, now_ms: int, version: str) -> Iterator[bytes]:
    total, since = audit.total, audit.interval
    asset = as_field(audit.machine_id, TEXT_LENGTH_MAX)
    serial = as_field(audit.serial, TEXT_LENGTH_MAX) or asset
    model = as_field(audit.model, TEXT_LENGTH_MAX)
    place = as_field(audit.store_name, TEXT_LENGTH_MAX)
    currency = iso4217.Currency(audit.currency)
    yield _segment("ID1", serial, model, "", place, "", asset, *_LEVEL)
    yield _segment("ID4", exponent(audit.currency), f"{currency.number:03d}", audit.currency)
    yield _segment("ID5", *_moment(now_ms), "", "OFF")  # UTC knows no summer time
    yield _segment("CB1", asset, "VENDGATE", as_field(version, 12))
    yield _segment("VA1", *_both(total.paid, since.paid))
    yield _segment("VA2", "", total.tested, "", since.tested)
    yield _segment("VA3", *_both(total.free, since.free))
    if total.cash:  # how many, the machine told; for how much, the books do not keep
        yield _segment("CA2", "", total.cash, "", since.cash)
    yield _segment("DA1", asset, "ALIPAY", as_field(version, 12))
    yield _segment("DA2", *_both(total.paid, since.paid))
    yield _segment("DA4", total.topped_up.minor, since.topped_up.minor)
    # This one, unlike the others, begins with what is since the reset.
    given = (since.given_back + since.discounts, total.given_back + total.discounts)
    yield _segment("DA5", *_both(*given))
    yield from _products(audit)
    for code, count in sorted(total.events.items()):
        yield _segment("EA2", code, since.events.get(code, 0), count)
    reset = _moment(audit.reset_at_ms)
    yield _segment("EA3", audit.resets, *_moment(now_ms), "VENDGATE", *reset)


def _both(first: Tally, second: Tally) -> tuple[int, int, int, int]:
    return first.minor, first.number, second.minor, second.number


def _products(audit: MachineAudit) -> Iterator[bytes]:
    """Yield the columns of the planogram in its order, then those that are no longer in it."""
    named = {one.column for one in audit.columns}
    for column in audit.columns:
        yield from _product(audit, column)
    for name in sorted(audit.total.columns.keys() - named):
        gone = AuditColumn(column=name, product="", price_minor=0, capacity=0)
        yield from _product(audit, gone)


def _product(audit: MachineAudit, column: AuditColumn) -> Iterator[bytes]:
    total = audit.total.columns.get(column.column, NO_COLUMN)
    since = audit.interval.columns.get(column.column, NO_COLUMN)
    name = as_field(column.column, COLUMN_LENGTH_MAX)
    product = as_field(column.product, PRODUCT_LENGTH_MAX)
    yield _segment("PA1", name, column.price_minor or "", product, column.capacity or "")
    yield _segment("PA2", *_counted(total.paid, since.paid))
    if total.tested:
        yield _segment("PA3", total.tested, "", since.tested)
    if total.free.number:
        yield _segment("PA4", *_counted(total.free, since.free))
    if column.emptied_at_ms is not None:
        yield _segment("PA5", *_moment(column.emptied_at_ms))
    yield from _by_means(name, column, total, since)


def _by_means(
    name: str, column: AuditColumn, total: ColumnFigures, since: ColumnFigures
) -> Iterator[bytes]:
    if total.cash:
        yield _segment(
            "PA7", name, "CA", PRICE_LIST, column.price_minor or "", total.cash, "", since.cash
        )
    if total.paid.number:
        yield _segment(
            "PA7",
            name,
            "DA",
            PRICE_LIST,
            column.price_minor or "",
            *_counted(total.paid, since.paid),
        )


def _counted(first: Tally, second: Tally) -> tuple[int, int, int, int]:
    return first.number, first.minor, second.number, second.minor


def _moment(at_ms: int | None) -> tuple[str, str]:
    if at_ms is None:
        return "", ""
    at = _EPOCH + dt.timedelta(milliseconds=at_ms)
    return f"{at:%Y%m%d}", f"{at:%H%M%S}"
