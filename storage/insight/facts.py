"""A line of the journal and what it moved → the facts of sales that are in it. Pure.

A sale is a transfer that moves the account SALES, so that the facts up to a position add up to what
the ledger has up to it, whatever the transfer is. What comes later (goods that turn up and are
written off, a price that is given back) is a fact of its own, at its own time.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from actors.machine.ledger import Account, TransferKind
from storage.insight.local_time import local_hour
from storage.insight.places import Where


class FactKind(StrEnum):
    """Sold; a sold vend's price given back; goods that fell and were not paid."""

    SALE = "SALE"
    GOODWILL = "GOODWILL"
    WRITE_OFF = "WRITE_OFF"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as the ledger has it, with the position of its line in the journal."""

    position: int
    machine_id: str
    version: int
    line: int
    at_ms: int
    kind: str
    cause: str
    debit_account: str
    debit_reference: str
    credit_account: str
    trade_id: str
    amount_minor: int
    currency: str


class SoldVend(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a vend that a transfer names. ``price_minor``: what the machine showed.
    ``offer`` took something off that; '' if none did.
    """

    column: str
    product: str
    price_minor: int
    offer: str = ""


class SaleFact(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``sale_facts``. ``offer`` is None if a program of before told it."""

    machine_id: str
    version: int
    line: int
    position: int
    at_ms: int
    d: int
    local_hour: int
    kind: str
    vend_id: str
    column: str
    product: str
    currency: str
    units: int
    sales_minor: int
    discount_minor: int
    payer_id: str
    site: str
    district: str
    site_type: str
    offer: str | None


UNKNOWN = SoldVend(column="", product="", price_minor=0)
"""A vend of which no row is there."""
_SALES = Account.SALES.value
_SETTLE, _GOODWILL = TransferKind.SETTLE.value, TransferKind.GOODWILL.value
_WRITE_OFF = TransferKind.WRITE_OFF.value
_KINDS = {
    TransferKind.SETTLE.value: FactKind.SALE,
    TransferKind.GOODWILL.value: FactKind.GOODWILL,
    TransferKind.WRITE_OFF.value: FactKind.WRITE_OFF,
}


def is_of_sales(transfer: Moved) -> bool:
    """Tell whether a transfer moves SALES."""
    return _SALES in {transfer.credit_account, transfer.debit_account}


def vend_of(transfer: Moved) -> str:
    """Return the vend that a transfer on SALES is about; '' if it names none."""
    if transfer.kind == _SETTLE:
        return transfer.debit_reference
    if transfer.kind == _GOODWILL:
        return transfer.cause.removesuffix(f"/{transfer.trade_id}")
    return transfer.cause if transfer.kind == _WRITE_OFF else ""


def sale_facts(
    moved: Iterable[Moved],
    *,
    vends: Mapping[str, SoldVend],
    payers: Mapping[str, str],
    there: Where,
) -> Iterator[SaleFact]:
    """Yield the facts of one line of the journal: one for each of its transfers, ``moved``, that
    moves SALES. ``vends`` by vend id; ``payers`` by trade; ``there`` is where its machine was.
    """
    ours = [one for one in moved if is_of_sales(one)]
    paid: dict[str, int] = {}
    for one in ours:
        if one.kind == _SETTLE:
            vend_id = vend_of(one)
            paid[vend_id] = paid.get(vend_id, 0) + one.amount_minor
    for one in ours:
        vend_id = vend_of(one)
        vend = vends.get(vend_id, UNKNOWN)
        # A vend fell once, and its discount was given once, however many trades paid for it.
        in_all = paid.pop(vend_id, None) if one.kind == _SETTLE else None
        sign = (one.credit_account == _SALES) - (one.debit_account == _SALES)
        hour = local_hour(one.at_ms, there.time_zone)
        yield SaleFact(
            machine_id=one.machine_id,
            version=one.version,
            line=one.line,
            position=one.position,
            at_ms=one.at_ms,
            d=hour.d,
            local_hour=hour.hour,
            kind=_kind(one.kind, sign).value,
            vend_id=vend_id,
            column=vend.column,
            product=vend.product,
            currency=one.currency,
            units=int(in_all is not None or one.kind == _WRITE_OFF),
            sales_minor=sign * one.amount_minor,
            discount_minor=0
            if in_all is None or vend is UNKNOWN
            else max(0, vend.price_minor - in_all),
            payer_id=payers.get(one.trade_id, ""),
            site=there.site,
            district=there.district,
            site_type=there.site_type,
            # What was written off was no use of the offer: its budget got that back.
            offer="" if one.kind == _WRITE_OFF else vend.offer,
        )


def _kind(kind: str, sign: int) -> FactKind:
    """Return what a transfer means to sales. One that does not follow the ledger's own table counts
    as what it does to the account, so that nothing is missing; the audit finds it.
    """
    return _KINDS.get(kind, FactKind.SALE if sign >= 0 else FactKind.GOODWILL)
