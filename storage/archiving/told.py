"""Whether what was sold is told (``storage.insight``) before its lines leave the books: of lines
that are gone nobody could tell it.

Where nobody ever followed the books nobody is waited for. An export takes long, and all may be made
again meanwhile: so it is asked before it, and once more where the books are cut.
"""

from sqlalchemy import Connection, select

from storage.archiving.files import ArchiveRefused
from storage.insight.follower import NAME
from storage.insight.lease import CLEARING
from storage.tables import followers, journal

# Whoever else keeps a position there (``storage.lake``) goes by facts, which stay.
_FOLLOWERS = select(followers.c.position, followers.c.stage).where(
    followers.c.name == NAME, followers.c.epoch > 0
)


def check_told(connection: Connection, before_ms: int, *, cuts: bool = False) -> None:
    """Raise ArchiveRefused if somebody follows the books and has not come that far. ``cuts``: who
    follows goes on only behind this transaction.
    """
    rows = connection.execute(_FOLLOWERS.with_for_update() if cuts else _FOLLOWERS).all()
    if not rows:
        return
    behind = min(0 if row.stage == CLEARING else row.position for row in rows)
    waits = select(journal.c.id).where(journal.c.id > behind, journal.c.at_ms < before_ms)
    if connection.execute(waits.limit(1)).first() is not None:
        raise ArchiveRefused(
            "What was sold in these months is not told yet: run 'vendgate insight follow --once', "
            "or wait for the gateway that follows the books."
        )
