"""Guardrails: what may go wrong while an experiment runs, told for each arm at any time, because
waiting for the end day would hurt. None of it says who sold more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from storage.auditing.reading import total
from storage.database.engine import Database
from storage.experiments.content import Arm, Channel
from storage.experiments.experiments import ExperimentView, UnitView
from storage.experiments.history import parts
from storage.experiments.payer_measuring import payers_drawn
from storage.insight.funnel import Stage
from storage.insight.suppression import Gate
from storage.tables import funnel_days, machine_hours, sales_days

_H, _F, _S = machine_hours.c, funnel_days.c, sales_days.c


@dataclass(slots=True)
class Guardrails:
    """Of one arm, in thousandths: for what share of the time its machines could sell, what share of
    their columns was empty or locked, what share of approved vends did not deliver, and what share
    of the money was given back as goodwill. None: nothing, or too little, is known.
    """

    sellable_permille: int | None = None
    empty_permille: int | None = None
    failed_permille: int | None = None
    given_back_permille: int | None = None


@dataclass(slots=True)
class _Sums:
    known_s: int = 0
    sellable_s: int = 0
    column_s: int = 0
    empty_column_s: int = 0
    approved: int = 0
    delivered: int = 0
    sales_minor: int = 0
    given_back_minor: int = 0


@dataclass(slots=True)
class _ByArm:
    arms: dict[Arm, _Sums] = field(
        default_factory=lambda: {Arm.TREATMENT: _Sums(), Arm.CONTROL: _Sums()}
    )

    def add(self, arm: Arm | None, **numbers: int) -> None:
        if arm is not None:
            there = self.arms[arm]
            for name, number in numbers.items():
                setattr(there, name, getattr(there, name) + int(number))


class GuardBooks:
    """Asks a database; ``gate`` is what figures of payers go out through."""

    def __init__(self, db: Database, gate: Gate) -> None:
        self._db = db
        self._gate = gate

    async def guardrails(
        self, view: ExperimentView, units: Sequence[UnitView]
    ) -> Mapping[Arm, Guardrails]:
        """Return the guardrails of both arms, as far as sales are told. Raises StoreError."""
        sums = _ByArm()
        ours = {unit.machine_id: unit for unit in units if unit.arm is not None}
        for some in parts(sorted(ours)):
            await self._db.read(partial(_add, view=view, units=ours, some=some, sums=sums))
        return {arm: _told(one, self._gate) for arm, one in sums.arms.items()}

    async def payers_drawn(self, view: ExperimentView) -> tuple[int | None, int | None]:
        """Return how many payers were drawn into both arms, treatment first, as it is told; None of
        one that is about machines, or not started. Raises StoreError.
        """
        if view.content.channel is not Channel.OFFER:
            return None, None
        return await payers_drawn(self._db, view.experiment, self._gate)


def _add(
    connection: Connection,
    view: ExperimentView,
    units: Mapping[str, UnitView],
    some: Sequence[str],
    sums: _ByArm,
) -> None:
    span = view.span
    if span is None:
        return

    def rows(table: Any, *columns: Any) -> Any:
        c = table.c
        keys = [c.machine_id, c.d]
        return connection.execute(
            select(*keys, *columns)
            .where(c.machine_id.in_(some), c.d.between(span.first, span.last))
            .group_by(*keys, *([c.stage] if table is funnel_days else []))
        )

    seconds = ("known_s", "sellable_s", "column_s", "empty_column_s")
    for row in rows(machine_hours, *(total(_H[name]).label(name) for name in seconds)):
        arm = units[row.machine_id].now(row.d, span)
        sums.add(arm, **{name: getattr(row, name) for name in seconds})
    stages = {Stage.APPROVED.value: "approved", Stage.DELIVERED.value: "delivered"}
    for row in rows(funnel_days, _F.stage, total(_F.n).label("n")):
        if row.stage in stages:
            sums.add(units[row.machine_id].now(row.d, span), **{stages[row.stage]: row.n})
    money = ("sales_minor", "given_back_minor")
    for row in rows(sales_days, *(total(_S[name]).label(name) for name in money)):
        arm = units[row.machine_id].now(row.d, span)
        sums.add(arm, **{name: getattr(row, name) for name in money})


def _told(of: _Sums, gate: Gate) -> Guardrails:
    enough = gate.count(of.approved) is not None
    failed = max(0, of.approved - of.delivered)
    return Guardrails(
        sellable_permille=_share(of.sellable_s, of.known_s),
        empty_permille=_share(of.empty_column_s, of.column_s),
        failed_permille=_share(failed, of.approved) if enough else None,
        given_back_permille=_share(of.given_back_minor, of.sales_minor + of.given_back_minor),
    )


def _share(part: int, whole: int) -> int | None:
    return part * 1_000 // whole if whole > 0 else None
