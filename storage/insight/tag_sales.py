"""What those with a tag bought, through the gate: of each currency in which enough of them did.

Flows in: sums of payers (``storage.insight.tag_sums``). Flows out: sums of at least so many payers,
in steps that hide what any single one of them bought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.insight.suppression import Gate
from storage.insight.tag_sums import TagSums


@dataclass(frozen=True, slots=True, kw_only=True)
class TagSales:
    """What those with a tag bought in one currency; ``payers`` of them bought something in it.
    None: less than a step.
    """

    currency: str
    payers: int
    units: int | None
    sales_minor: int | None


def sales_of(sums: TagSums, gate: Gate) -> Sequence[TagSales]:
    """Return what they bought, by currency: that somebody bought in one in which too few did is a
    figure of too few, too.
    """
    return [
        TagSales(
            currency=currency,
            payers=payers,
            units=gate.amount(of.units, payers=of.payers, largest=of.units_step),
            sales_minor=gate.amount(of.sales_minor, payers=of.payers, largest=of.sales_step),
        )
        for currency, of in sorted(sums.currencies.items())
        if (payers := gate.count(of.payers)) is not None
    ]
