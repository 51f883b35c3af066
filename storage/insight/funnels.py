"""How far customers came, asked for some days of the fleet, a district, a type of site or machines,
through the gate: each figure is of people who stood there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from actors.machine.state import Mode
from storage.auditing.reading import total
from storage.database.engine import Database
from storage.insight.follower import Lag, read_lag
from storage.insight.funnel import Stage
from storage.insight.sales import SalesWanted, check_named, checked, which
from storage.insight.suppression import Gate
from storage.tables import funnel_days, scope_funnels

_NO_CODE = (Mode.AUTHORIZATION_FIRST.value, Stage.CODE_SHOWN.value)
"""Who pays first scans the code that is on the machine: that too few were shown one would be wrong.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """How many came so far in a mode ('' if it is not known any more); None: too few to be told."""

    mode: str
    stage: Stage
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """The steps by mode, in their order. ``lag``: how complete they are."""

    steps: Sequence[FunnelStep]
    lag: Lag


class FunnelBooks:
    """Asks a database. Raises StoreError when it does not answer."""

    def __init__(self, db: Database, gate: Gate) -> None:
        self._db = db
        self._gate = gate

    async def funnel(self, wanted: SalesWanted) -> Funnel:
        """Return it; by what it is asked does not matter. Raises NotPossible, NotThere."""
        checked(wanted)

        def work(connection: Connection) -> Funnel:
            check_named(connection, wanted)
            table = funnel_days if wanted.machine_ids else scope_funnels
            c = table.c
            rows = connection.execute(
                select(c.mode, c.stage, total(c.n).label("number"))
                .where(*which(table, wanted), c.d >= wanted.first, c.d <= wanted.last)
                .group_by(c.mode, c.stage)
            )
            found = {(row.mode, row.stage): row.number for row in rows}
            return Funnel(
                steps=[
                    FunnelStep(
                        mode=mode,
                        stage=stage,
                        number=self._gate.count(found.get((mode, stage.value), 0)),
                    )
                    for mode in sorted({mode for mode, _ in found})
                    for stage in Stage
                    if (mode, stage) != _NO_CODE or _NO_CODE in found
                ],
                lag=read_lag(connection),
            )

        return await self._db.read(work)
