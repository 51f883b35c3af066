"""When somebody paid last, as Alipay said it: a time that no computer of ours has set, and so one
that is surely over, whatever our clocks say.

Flows in: verified notifications, as they are kept. Flows out: a time by Alipay's clock.
"""

from sqlalchemy import Connection, select

from actors.machine.events import TopUpPaid
from storage import codec
from storage.database.engine import Database
from storage.tables import inbox

LOOKED_AT = 100
"""So many of the newest notifications are looked at: of few of them Alipay said no time."""
_NEWEST = select(inbox.c.event).order_by(inbox.c.id.desc()).limit(LOOKED_AT)


async def newest_paid_ms(db: Database) -> int | None:
    """Return it, in milliseconds since 1970 UTC; None if nobody has paid. Raises StoreError."""

    def work(connection: Connection) -> int | None:
        said = map(_paid_ms, connection.scalars(_NEWEST))
        return max((one for one in said if one is not None), default=None)

    return await db.read(work)


def _paid_ms(event: str | None) -> int | None:
    try:
        found = None if event is None else codec.decode_event(event)
    except codec.CodecError:  # A newer program's.
        return None
    return found.paid_at_ms if isinstance(found, TopUpPaid) else None
