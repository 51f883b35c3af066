"""Machines of which there are two, as work items, until a person has closed each."""

from sqlalchemy import literal

from storage.fleet.item_branches import Branch, columns
from storage.fleet.views import WorkItemKind
from storage.item_ids import DOUBLED_ITEM, not_closed
from storage.tables import doubled_machines


def branch() -> Branch:
    """Return the query for what nobody has closed yet."""
    return Branch(
        kind=WorkItemKind.MACHINE_DOUBLED,
        table=doubled_machines,
        since=doubled_machines.c.found_at_ms,
        item_id=DOUBLED_ITEM,
        where=(not_closed(DOUBLED_ITEM),),
        columns=columns(amount_minor=literal(0), reason=doubled_machines.c.said),
    )
