"""Two books of the same money: our ledger and the pretend Alipay's own. Pure.

Flows in: our trades and balances as the admin service tells them, and the pretend Alipay's book.
Flows out: every difference, in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OurTrade:
    """One trade as our ledger has it, in minor units. ``refunded_minor`` counts what is due back,
    done or not.
    """

    trade_id: str
    currency: str
    paid_minor: int
    refunded_minor: int


def differences(
    ours: Iterable[OurTrade], book: Mapping[str, Any], refunded_minor: Mapping[str, int]
) -> Sequence[str]:
    """Return one sentence for each difference; ``refunded_minor`` is what our ledger holds as
    confirmed, by currency.
    """
    mine = {trade.trade_id: trade for trade in ours}
    theirs = {trade["trade_no"]: trade for trade in book["trades"]}
    found = [
        f"trade {trade_id}: Alipay does not know it"
        for trade_id in sorted(mine.keys() - theirs.keys())
    ]
    found += [
        f"trade {trade_id}: we do not know it" for trade_id in sorted(theirs.keys() - mine.keys())
    ]
    for trade_id in sorted(mine.keys() & theirs.keys()):
        our, their = mine[trade_id], theirs[trade_id]
        for name, own, other in (
            ("paid", our.paid_minor, their["paid_minor"]),
            ("refunded", our.refunded_minor, their["refunded_minor"]),
            ("currency", our.currency, their["currency"]),
        ):
            if own != other:
                found.append(
                    f"trade {trade_id}: {name} is {own} in our ledger and {other} in Alipay's book"
                )
        refund_ids = [refund["refund_id"] for refund in their["refunds"]]
        if len(set(refund_ids)) != len(refund_ids):
            found.append(f"trade {trade_id}: a refund stands twice in Alipay's book")
    for currency, total in sorted(book["totals"].items()):
        own = refunded_minor.get(currency, 0)
        if own != total["refunded_minor"]:
            found.append(
                f"{currency}: {own} confirmed as refunded in our ledger, "
                f"{total['refunded_minor']} in Alipay's book"
            )
    return found
