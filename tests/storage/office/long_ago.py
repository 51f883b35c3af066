"""Applications that ended long ago, for tests."""

from typing import Any

from sqlalchemy import func, select, update

from storage.database.engine import Database
from storage.office.imports import ImportKind, ImportLine, Imports, ImportState
from storage.tables import machine_import_lines, machine_imports
from tests.storage.office.places import by


async def ended(
    db: Database, name: str, state: ImportState, at_ms: int, *, lines: int = 2, **more: Any
) -> None:
    """Have an application of so many lines that ended then."""
    wanted = [
        ImportLine(line=number, machine_id=f"VM-{number}", content="{}") for number in range(lines)
    ]
    imports = Imports(db, ImportKind.PLANOGRAMS)
    await imports.begin(name, wanted, by(now_ms=5), lines_per_s=1, failures_max=0)
    changed = update(machine_imports).where(machine_imports.c.import_id == name)
    values = {"state": state.value, "ended_at_ms": at_ms, **more}
    await db.write(lambda connection: connection.execute(changed.values(**values)))


async def lines_left(db: Database) -> dict[str, int]:
    """Return how many lines of which are there."""
    c = machine_import_lines.c
    counted = select(c.import_id, func.count().label("lines")).group_by(c.import_id)
    rows = await db.read(lambda connection: connection.execute(counted).all())
    return {row.import_id: row.lines for row in rows}
