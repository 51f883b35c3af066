"""Alipay's file against our books. Pure.

Flows in: a parsed file, what we know of its items and of its day. Flows out: every difference, with
the event that a machine's owner must hear of it, and the totals of both sides; where the totals
differ, the differences say why.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import assert_never

from actors.machine.events import Event, RefundSucceeded, TopUpPaid
from actors.machine.ids import Currency, RefundId, TradeId
from actors.machine.state import RefundStatus
from alipay_client.files import FileRow, RowType, TransactionFile
from gateway.alipay.notify import UNCONFIRMED
from gateway.alipay.reconciliation import words
from gateway.alipay.reconciliation.owners import owner_of
from gateway.alipay.reconciliation.words import Kind, Words
from storage.reconciliation.our_books import OurBooks, OurRefund, OurTrade
from storage.reconciliation.runs import Difference, DifferenceStatus, Total

SOURCE = "daily file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """``merchant_name``: ours at Alipay. ``day_is_over``: before its end nobody can say what is
    missing at Alipay. ``restored``: our books were put back to an earlier state and may have
    forgotten payments of the day, with what they bought.
    """

    merchant_name: str
    payment_minor_max: int
    day_is_over: bool
    restored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A difference. ``event`` is to be saved for the machine that the difference names; None:
    nothing is.
    """

    difference: Difference
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that was found, in the order of the file, then what the file does not list. Totals by
    currency.
    """

    found: tuple[Found, ...]
    totals: tuple[Total, ...]


def compare(file: TransactionFile, books: OurBooks, terms: Terms) -> Comparison:
    """Return every difference between the file and our books."""
    desk = _Desk(file=file, books=books, terms=terms)
    found = tuple(desk.look())
    return Comparison(
        found=found, totals=tuple(desk.totals[currency] for currency in sorted(desk.totals))
    )


@dataclass(slots=True, kw_only=True)
class _Desk:
    """One comparison while it goes on."""

    file: TransactionFile
    books: OurBooks
    terms: Terms
    totals: dict[str, Total] = field(default_factory=dict)
    went_back: frozenset[str] = field(init=False)
    """Trades of which the file says that money of them went back."""

    def __post_init__(self) -> None:
        self.went_back = frozenset(
            row.trade_id for row in self.file.rows if row.row_type is not RowType.PAYMENT
        )

    def look(self) -> Iterator[Found]:
        lines: dict[tuple[str, ...], int] = {}
        for row in self.file.rows:
            self._add(row.currency, **{_alipay(row): row.amount_minor})
            first = lines.setdefault(_key(row), row.line)
            if first != row.line:
                yield _found(
                    Kind.REPEATED_IN_FILE,
                    f"{row.row_type}:{row.line}",
                    row,
                    words.repeated(row, first),
                )
                continue
            match row.row_type:
                case RowType.PAYMENT:
                    yield from self._payment(row)
                case RowType.REFUND:
                    yield from self._refund(row)
                case RowType.REVERSAL | RowType.CANCEL:
                    trade = self.books.trades.get(row.trade_id)
                    yield _found(
                        Kind.CANCELLED_AT_ALIPAY,
                        row.trade_id,
                        row,
                        words.cancelled(row, trade),
                        ours=trade,
                    )
                case _:
                    assert_never(row.row_type)
        if self.terms.day_is_over:
            yield from self._missing()

    def _payment(self, row: FileRow) -> Iterator[Found]:
        trade = self.books.trades.get(row.trade_id)
        if trade is None:
            yield self._unknown_payment(row)
            return
        self._add(trade.currency, ours_paid_minor=trade.paid_minor)
        if row.currency != trade.currency:
            yield _found(
                Kind.CURRENCY_DIFFERS,
                row.trade_id,
                row,
                words.currency_differs(row, trade),
                ours=trade,
            )
        elif row.amount_minor != trade.paid_minor:
            found = _found(
                Kind.AMOUNT_DIFFERS, row.trade_id, row, words.amount_differs(row, trade), ours=trade
            )
            yield replace(found, difference=replace(found.difference, ours_minor=trade.paid_minor))

    def _unknown_payment(self, row: FileRow) -> Found:
        told = self.books.told.get(row.trade_id, ())
        saved = next((one for one in told if one.cause == f"payment:{row.trade_id}"), None)
        if saved is not None and saved.waits:
            return _payment_found(
                row,
                words.payment_passed_on(row, saved.machine_id),
                machine_id=saved.machine_id,
                passed_on=True,
            )
        if saved is not None:
            cause = (
                f"{saved.machine_id} was told of it before and did not credit it; its journal says "
                "why"
            )
            return _payment_found(
                row, words.payment_stays_open(row, cause), machine_id=saved.machine_id
            )
        refused = next((one for one in told if one.cause.startswith("refused:")), None)
        unconfirmed = refused is not None and refused.cause.startswith(f"refused:{UNCONFIRMED}:")
        went_back = row.trade_id in self.went_back
        if refused is not None and unconfirmed and went_back:
            cause = (
                f"Its notification came for {refused.machine_id}, Alipay did not confirm it, and "
                "money of it went back at Alipay"
            )
            return _payment_found(
                row, words.payment_stays_open(row, cause), machine_id=refused.machine_id
            )
        if refused is not None and unconfirmed and not self._is_forgotten(row):
            # The file is the confirmation that Alipay did not give.
            event = _paid(row)
            said = words.payment_passed_on(row, refused.machine_id)
            return _payment_found(
                row, said, machine_id=refused.machine_id, passed_on=True, event=event
            )
        if refused is not None:
            cause = (
                f"Its notification came for {refused.machine_id} and did not fit "
                f"({refused.cause.split(':')[1]}), so it was put aside"
            )
            return _payment_found(
                row, words.payment_stays_open(row, cause), machine_id=refused.machine_id
            )
        if went_back:
            return _payment_found(
                row,
                words.payment_stays_open(
                    row, "Its notification never came, and money of it went back at Alipay"
                ),
            )
        if self._is_forgotten(row):
            return _payment_found(row, words.payment_perhaps_lost(row))
        owner = owner_of(
            row,
            self.books.machines,
            merchant_name=self.terms.merchant_name,
            payment_minor_max=self.terms.payment_minor_max,
        )
        if owner.machine_id is None:
            cause = f"Its notification never came, and its machine cannot be told: {owner.doubt}"
            return _payment_found(row, words.payment_stays_open(row, cause))
        said = words.payment_passed_on(row, owner.machine_id)
        return _payment_found(
            row, said, machine_id=owner.machine_id, passed_on=True, event=_paid(row)
        )

    def _is_forgotten(self, row: FileRow) -> bool:
        """Whether our books may have held the payment before they were restored."""
        from_ms, until_ms = self.books.forgotten or (0, 0)
        return self.terms.restored or from_ms <= row.at_ms < until_ms

    def _refund(self, row: FileRow) -> Iterator[Found]:
        refund = self.books.refunds.get(row.partner_id)
        if refund is None or refund.trade_id != row.trade_id:
            trade = self.books.trades.get(row.trade_id)
            subject = f"{row.trade_id}:{row.partner_id or f'line {row.line}'}"
            yield _found(
                Kind.REFUND_UNKNOWN_TO_US,
                subject,
                row,
                words.refund_unknown(row, trade, refund),
                ours=trade,
            )
            return
        if refund.status is RefundStatus.SUCCEEDED:
            self._add(refund.currency, ours_back_minor=refund.amount_minor)
        if (row.amount_minor, row.currency) != (refund.amount_minor, refund.currency):
            yield self._of_refund(
                Kind.REFUND_AMOUNT_DIFFERS, row, refund, words.refund_amount_differs(row, refund)
            )
        elif refund.status is RefundStatus.WRITTEN_OFF:
            yield self._of_refund(
                Kind.REFUND_WRITTEN_OFF_HERE, row, refund, words.refund_written_off(row, refund)
            )
        elif refund.status is not RefundStatus.SUCCEEDED:
            yield self._open_refund(row, refund)

    def _open_refund(self, row: FileRow, refund: OurRefund) -> Found:
        """The file closes what no answer and no query has closed."""
        told = self.books.told.get(row.trade_id, ())
        saved = next((one for one in told if one.cause == f"refund:{refund.refund_id}"), None)
        if saved is not None and not saved.waits:
            return self._of_refund(
                Kind.REFUND_OPEN_HERE, row, refund, words.refund_stays_open(row, refund)
            )
        found = self._of_refund(
            Kind.REFUND_OPEN_HERE, row, refund, words.refund_passed_on(row, refund)
        )
        event = (
            RefundSucceeded(refund_id=RefundId(refund.refund_id), source=SOURCE)
            if saved is None
            else None
        )
        return replace(
            found,
            difference=replace(found.difference, status=DifferenceStatus.PASSED_ON),
            event=event,
        )

    def _of_refund(self, kind: Kind, row: FileRow, refund: OurRefund, said: Words) -> Found:
        found = _found(kind, refund.refund_id, row, said, ours=refund)
        ours_minor = refund.amount_minor if refund.currency == row.currency else None
        return replace(found, difference=replace(found.difference, ours_minor=ours_minor))

    def _missing(self) -> Iterator[Found]:
        listed = {row.trade_id for row in self.file.rows if row.row_type is RowType.PAYMENT}
        for trade_id in sorted(self.books.paid_today - listed):
            trade = self.books.trades[trade_id]
            self._add(trade.currency, ours_paid_minor=trade.paid_minor)
            yield _missing(
                Kind.PAYMENT_MISSING_AT_ALIPAY,
                trade,
                trade.paid_minor,
                words.payment_missing(trade),
            )
        returned = {
            (row.partner_id, row.trade_id)
            for row in self.file.rows
            if row.row_type is RowType.REFUND
        }
        for refund_id in sorted(self.books.returned_today):
            refund = self.books.refunds[refund_id]
            if (refund_id, refund.trade_id) not in returned:
                self._add(refund.currency, ours_back_minor=refund.amount_minor)
                yield _missing(
                    Kind.REFUND_MISSING_AT_ALIPAY,
                    refund,
                    refund.amount_minor,
                    words.refund_missing(refund),
                )

    def _add(self, currency: str, **amounts: int) -> None:
        total = self.totals.get(currency) or Total(currency=currency)
        self.totals[currency] = replace(
            total, **{name: getattr(total, name) + amount for name, amount in amounts.items()}
        )


def _paid(row: FileRow) -> TopUpPaid:
    return TopUpPaid(
        trade_id=TradeId(row.trade_id),
        partner_trans_id=row.partner_id,
        amount_minor=row.amount_minor,
        currency=Currency(row.currency),
        paid_at_ms=row.at_ms,
    )


def _key(row: FileRow) -> tuple[str, ...]:
    """Return what may stand in a file once. A refund without an id cannot be told from another
    one.
    """
    match row.row_type:
        case RowType.PAYMENT:
            return ("payment", row.trade_id)
        case RowType.REFUND:
            return ("refund", row.trade_id, row.partner_id or f"line {row.line}")
        case RowType.REVERSAL | RowType.CANCEL:
            return ("cancel", row.trade_id)


def _alipay(row: FileRow) -> str:
    return "alipay_paid_minor" if row.row_type is RowType.PAYMENT else "alipay_back_minor"


def _found(
    kind: Kind, subject: str, row: FileRow, said: Words, *, ours: OurTrade | OurRefund | None = None
) -> Found:
    return Found(
        difference=Difference(
            kind=kind.value,
            subject=subject,
            status=DifferenceStatus.OPEN,
            trade_id=row.trade_id,
            refund_id=row.partner_id if row.row_type is RowType.REFUND else "",
            machine_id="" if ours is None else ours.machine_id,
            currency=row.currency,
            alipay_minor=row.amount_minor,
            ours_minor=None,
            said=said.said,
            cause=said.cause,
            advice=said.advice,
        )
    )


def _payment_found(
    row: FileRow,
    said: Words,
    *,
    machine_id: str = "",
    passed_on: bool = False,
    event: Event | None = None,
) -> Found:
    found = _found(Kind.PAYMENT_UNKNOWN_TO_US, row.trade_id, row, said)
    status = DifferenceStatus.PASSED_ON if passed_on else DifferenceStatus.OPEN
    return Found(
        difference=replace(found.difference, machine_id=machine_id, status=status), event=event
    )


def _missing(kind: Kind, ours: OurTrade | OurRefund, ours_minor: int, said: Words) -> Found:
    refund_id = ours.refund_id if isinstance(ours, OurRefund) else ""
    return Found(
        difference=Difference(
            kind=kind.value,
            subject=refund_id or ours.trade_id,
            status=DifferenceStatus.OPEN,
            trade_id=ours.trade_id,
            refund_id=refund_id,
            machine_id=ours.machine_id,
            currency=ours.currency,
            alipay_minor=None,
            ours_minor=ours_minor,
            said=said.said,
            cause=said.cause,
            advice=said.advice,
        )
    )
