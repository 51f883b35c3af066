"""What machines counted otherwise than the books, as work items: one for each counter of a
read-out, until a person has closed it.
"""

from sqlalchemy import and_, case, func, literal

from storage.fleet.item_branches import Branch, columns
from storage.fleet.views import WorkItemKind
from storage.item_ids import READOUT_ITEM, not_closed
from storage.tables import readout_differences


def branch() -> Branch:
    """Return the query for what nobody has closed yet. The amount is what lies between both sides,
    0 where one of them knows none.
    """
    of = readout_differences.c
    both = and_(of.machine_minor.is_not(None), of.ours_minor.is_not(None))
    return Branch(
        kind=WorkItemKind.READOUT_DIFFERENCE,
        table=readout_differences,
        since=of.found_at_ms,
        item_id=READOUT_ITEM,
        where=(not_closed(READOUT_ITEM),),
        currency=of.currency,
        columns=columns(
            amount_minor=case((both, func.abs(of.machine_minor - of.ours_minor)), else_=0),
            status=of.counter,
            reason=of.said + literal("; perhaps: ") + of.cause,
        ),
    )
