"""Guardrails tell of each arm what goes wrong in it, and not who sells more."""

from functools import partial

from storage.database.engine import Database
from storage.experiments.content import Arm
from storage.experiments.experiments import Experiments
from storage.experiments.guarding import GuardBooks, Guardrails
from storage.insight.funnel import Stage
from storage.insight.rollups import Sums, save
from storage.insight.suppression import Gate
from storage.tables import funnel_days, machine_hours, sales_days
from tests.storage.experiments.fleets import noon, priced, started, with_a_past

OVER = 20260630
NOW_MS = noon(20260701)


async def test_each_arm_is_told(db: Database) -> None:
    """Of its days alone, and failures of ten approvals or more."""
    await with_a_past(db, OVER, 12)
    view = await started(db, "a", priced(), NOW_MS)
    span = view.span
    assert span is not None
    units = await Experiments(db).units("a")
    books = GuardBooks(db, Gate())
    assert {arm: Guardrails() for arm in (Arm.TREATMENT, Arm.CONTROL)} == await books.guardrails(
        view, units
    )
    treated, control = (
        next(unit.machine_id for unit in units if unit.arm is arm)
        for arm in (Arm.TREATMENT, Arm.CONTROL)
    )
    sums = Sums()
    for name, approved, delivered, sellable in ((treated, 10, 8, 600), (control, 9, 0, 900)):
        mode = "SELECTION_FIRST"
        sums.add(machine_hours, (name, span.first, 9), (1_000, 950, 940, sellable, 2_000, 500))
        sums.add(funnel_days, (name, span.first, mode, str(Stage.APPROVED)), (approved,))
        sums.add(funnel_days, (name, span.first, mode, str(Stage.DELIVERED)), (delivered,))
        sums.add(funnel_days, (name, span.first, mode, str(Stage.PAID)), (70,))
        sums.add(sales_days, (name, span.first, "cola", "HKD"), (8, 3_900, 0, 100, 0))
    await db.write(partial(_saved, sums=sums))
    told = await books.guardrails(view, units)
    assert (
        Guardrails(
            sellable_permille=600, empty_permille=250, failed_permille=200, given_back_permille=25
        )
        == told[Arm.TREATMENT]
    )
    assert (
        Guardrails(
            sellable_permille=900, empty_permille=250, failed_permille=None, given_back_permille=25
        )
        == told[Arm.CONTROL]
    )


def _saved(connection: object, sums: Sums) -> None:
    save(connection, sums.rows())  # type: ignore[arg-type]  # a connection
