"""Rules of tags that cannot be evaluated, as work items: one for each tag whose newest run failed,
until a new version of its rule, or the end of the tag, has been evaluated.
"""

from sqlalchemy import func, literal, select

from storage.fleet.item_branches import Branch, columns
from storage.fleet.views import WorkItemKind
from storage.item_ids import TAG_ITEM
from storage.tables import tag_runs


def branch() -> Branch:
    """Return the query for tags whose newest run failed."""
    runs = tag_runs.alias("newest_runs")
    newest = select(func.max(runs.c.id)).where(runs.c.tag == tag_runs.c.tag)
    return Branch(
        kind=WorkItemKind.TAG_RULE_FAILED,
        table=tag_runs,
        since=tag_runs.c.at_ms,
        item_id=TAG_ITEM,
        where=(tag_runs.c.error != "", tag_runs.c.id == newest.scalar_subquery()),
        machine_id=literal(""),
        currency=literal(""),
        columns=columns(amount_minor=literal(0), status=tag_runs.c.tag, reason=tag_runs.c.error),
    )
