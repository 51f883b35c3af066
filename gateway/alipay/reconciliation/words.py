"""What a difference is called, and what a person reads of it: what differs, why perhaps, and what
to do. Pure.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alipay_client import amounts
from alipay_client.fields import CHINA, TIME_FORMAT
from alipay_client.files import FileRow
from storage.reconciliation.our_books import OurRefund, OurTrade

_ASK_ALIPAY = "Ask Alipay about it by this number before anything is done"


class Kind(StrEnum):
    """What one side misses or has differently."""

    PAYMENT_UNKNOWN_TO_US = "PAYMENT_UNKNOWN_TO_US"
    PAYMENT_MISSING_AT_ALIPAY = "PAYMENT_MISSING_AT_ALIPAY"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
    CANCELLED_AT_ALIPAY = "CANCELLED_AT_ALIPAY"
    REFUND_UNKNOWN_TO_US = "REFUND_UNKNOWN_TO_US"
    REFUND_MISSING_AT_ALIPAY = "REFUND_MISSING_AT_ALIPAY"
    REFUND_AMOUNT_DIFFERS = "REFUND_AMOUNT_DIFFERS"
    REFUND_OPEN_HERE = "REFUND_OPEN_HERE"
    REFUND_WRITTEN_OFF_HERE = "REFUND_WRITTEN_OFF_HERE"
    REPEATED_IN_FILE = "REPEATED_IN_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Three sentences for a person."""

    said: str
    cause: str
    advice: str


def money(amount_minor: int, currency: str) -> str:
    """Return an amount as people write it."""
    return f"{amounts.to_text(amount_minor, currency)} {currency}"


def payment_passed_on(row: FileRow, machine_id: str) -> Words:
    """A lost notification whose machine is known."""
    advice = (
        f"Nothing: it is saved for {machine_id}, which credits it; late money goes back by itself."
    )
    return Words(
        said=_unknown(row),
        cause="Its notification never came, or was never acknowledged.",
        advice=advice,
    )


def payment_stays_open(row: FileRow, cause: str) -> Words:
    """A payment that nobody can be given. ``cause`` ends in no full stop."""
    advice = (
        "Find out in Alipay's portal which code was paid, and return the money there unless the "
        "customer has the goods."
    )
    return Words(said=_unknown(row), cause=f"{cause}.", advice=advice)


def payment_perhaps_lost(row: FileRow) -> Words:
    """A payment that may have been in the books before they were restored, with what it bought."""
    return Words(
        said=_unknown(row),
        cause=(
            "It may have come after the backup that was restored: then it was credited, and is "
            "forgotten with the sale that it paid for."
        ),
        advice=(
            "Return it in Alipay's portal only if the customer has no goods: the machine's own "
            "records and its stock tell. Then close this item and say what was found."
        ),
    )


def payment_missing(trade: OurTrade) -> Words:
    """A payment that Alipay does not list on its own day."""
    return Words(
        said=f"Our ledger holds {money(trade.paid_minor, trade.currency)} of trade "
        f"{trade.trade_id} "
        f"at {trade.machine_id}, paid on this "
        "day; Alipay's file does not list it.",
        cause=(
            "The notification was signed with Alipay's key and was not Alipay's, or the file "
            "leaves something out."
        ),
        advice=f"{_ASK_ALIPAY}; if it never was, exchange the keys at once.",
    )


def amount_differs(row: FileRow, trade: OurTrade) -> Words:
    """The same payment, another amount."""
    return Words(
        said=f"Trade {row.trade_id} at {trade.machine_id}: {money(row.amount_minor, row.currency)} "
        "in Alipay's file, "
        f"{money(trade.paid_minor, trade.currency)} in our ledger.",
        cause=(
            "The notification's amount stands in another field than the one that is read "
            "(docs/alipay.md 7.1)."
        ),
        advice=(
            "Compare with Alipay's portal, set alipay.notify_amount_field right, switch "
            "alipay.confirm_payments_by_query on."
        ),
    )


def currency_differs(row: FileRow, trade: OurTrade) -> Words:
    """The same payment, another currency."""
    named = (
        "The notification named no currency, or the machine is registered with another one than "
        "its code has."
    )
    settled = (
        "The file names the settlement's amount alone for it, so that the price cannot be compared."
    )
    return Words(
        said=f"Trade {row.trade_id} at {trade.machine_id}: {money(row.amount_minor, row.currency)} "
        "in Alipay's file, "
        f"{money(trade.paid_minor, trade.currency)} in our ledger.",
        cause=named if row.priced else settled,
        advice=(
            "Compare with Alipay's portal, and the machine's currency with that of its code; see "
            "alipay.notify_currency_field."
        ),
    )


def cancelled(row: FileRow, trade: OurTrade | None) -> Words:
    """A whole payment that went back without us."""
    where = f"at {trade.machine_id}" if trade else "which we do not know"
    return Words(
        said=(
            f"Alipay took trade {row.trade_id}, {where}, back at {_time(row)}: {row.row_type}, "
            f"{money(row.amount_minor, row.currency)}."
        ),
        cause=(
            "Somebody cancelled it in Alipay's portal, or Alipay reversed it; Vendgate never "
            "cancels."
        ),
        advice=(
            "Ask who did it. What our ledger sold of this trade is not paid, and a refund of ours "
            "on it will be refused."
        ),
    )


def refund_unknown(row: FileRow, trade: OurTrade | None, refund: OurRefund | None) -> Words:
    """Money that went back, and our books know of no refund. An id that is made as ours are was
    asked for by us in a time that a restore lost.
    """
    advice = (
        "Ask who did it. Our ledger does not know that this money is gone: a refund of ours on "
        "this trade may be refused for it."
    )
    if refund is not None:
        cause = (
            f"Our refund of this id belongs to trade {refund.trade_id}: another installation may "
            "use the same partner id."
        )
    elif row.partner_id.startswith(f"{row.trade_id}R") and row.partner_id.endswith(
        f"_{row.amount_minor}"
    ):
        cause = (
            "The id is made as ours are: Vendgate asked for it after the backup that was restored, "
            "or another installation uses the same partner id."
        )
        advice = (
            "The customer has this money. A refund of ours on this trade that Alipay refuses for "
            "it is to be written off, not paid once more."
        )
    elif trade is None:
        cause = (
            "Somebody returned it in Alipay's portal or by another program; we do not know its "
            "trade either."
        )
    else:
        cause = f"Somebody returned it in Alipay's portal; the trade is one of {trade.machine_id}."
    return Words(
        said=f"Alipay returned {money(row.amount_minor, row.currency)} of trade {row.trade_id} at "
        f"{_time(row)} "
        f"(refund {row.partner_id or 'without an id'}); it is none of our refunds.",
        cause=cause,
        advice=advice,
    )


def refund_missing(refund: OurRefund) -> Words:
    """A refund that Alipay does not list on its own day."""
    return Words(
        said=f"Our ledger holds refund {refund.refund_id} of "
        f"{money(refund.amount_minor, refund.currency)} ({refund.machine_id}) as done "
        "on this day; Alipay's file does not list it.",
        cause=(
            "Alipay's answer said that it was done and its books say nothing of it, or the file "
            "leaves something out."
        ),
        advice=(
            f"{_ASK_ALIPAY}; if it was not done, the customer still waits: return it in Alipay's "
            "portal."
        ),
    )


def refund_amount_differs(row: FileRow, refund: OurRefund) -> Words:
    """The same refund, another amount or currency."""
    return Words(
        said=f"Refund {row.partner_id} ({refund.machine_id}): "
        f"{money(row.amount_minor, row.currency)} in Alipay's file, "
        f"{money(refund.amount_minor, refund.currency)} in our ledger.",
        cause="The id was used for other money, or the file names the settlement's amount alone."
        if not row.priced
        else (
            "The id was used for other money, by another installation under the same partner id or "
            "by hand."
        ),
        advice=f"{_ASK_ALIPAY}; the trade's customer may have got too much or too little.",
    )


def refund_passed_on(row: FileRow, refund: OurRefund) -> Words:
    """An open refund that the file proves done."""
    advice = f"Nothing: it is saved for {refund.machine_id}, which closes it."
    return Words(
        said=_done(row, refund),
        cause="Alipay's answer or its notification was lost.",
        advice=advice,
    )


def refund_stays_open(row: FileRow, refund: OurRefund) -> Words:
    """The same, but its owner has heard of it before and did not close it."""
    return Words(
        said=_done(row, refund),
        cause=f"{refund.machine_id} was told of it before and did not close it.",
        advice=(
            "Read the machine's journal and the host's log; a machine that was halted decides "
            "nothing."
        ),
    )


def refund_written_off(row: FileRow, refund: OurRefund) -> Words:
    """Done, although a person had given it up."""
    return Words(
        said=_done(row, refund),
        cause=(
            "Alipay carried it out after it was written off here, or somebody returned it in the "
            "portal under our id."
        ),
        advice=(
            "See whether the customer got the money twice; the sum that was written off has gone "
            "back after all."
        ),
    )


def contradicted(words: Words) -> Words:
    """What was to be passed on contradicts what was told before."""
    cause = "It was told before with another machine, trade or amount."
    return Words(
        said=words.said,
        cause=cause,
        advice="Read the inbox rows under conflict: and compare them with Alipay's portal.",
    )


def repeated(row: FileRow, first_line: int) -> Words:
    """An item that stands in the file twice."""
    return Words(
        said=f"Line {row.line} of the file repeats line {first_line}: {row.row_type} of "
        f"{money(row.amount_minor, row.currency)}, "
        f"trade {row.trade_id}. It was counted once with us.",
        cause="Two files were put together, or Alipay's file is wrong.",
        advice="Fetch the file again; if it still says so, ask Alipay.",
    )


def _unknown(row: FileRow) -> str:
    where = f" at {row.operator_name!r}" if row.operator_name else ""
    return (
        f"Alipay took {money(row.amount_minor, row.currency)}{where} at {_time(row)}; we do not "
        f"know trade {row.trade_id}."
    )


def _done(row: FileRow, refund: OurRefund) -> str:
    amount = money(row.amount_minor, row.currency)
    return (
        f"Alipay returned {amount} at {_time(row)}; refund {refund.refund_id} "
        f"({refund.machine_id}) is {refund.status} here."
    )


def _time(row: FileRow) -> str:
    """China's time, as in the file."""
    return datetime.fromtimestamp(row.at_ms // 1_000, CHINA).strftime(TIME_FORMAT)
