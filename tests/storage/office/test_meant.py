"""How many machines somebody means is counted as it is now."""

from sqlalchemy import update

from storage.database.engine import Database
from storage.office.meant import Meaning, MeantMachines
from storage.office.screens import Screens, ScreenTold
from storage.office.selectors import Selector
from storage.tables import machines
from tests.storage.office.places import NOON_MS, some_machines

ALL = Selector(all=True)


async def test_machines_and_those_with_a_screen_are_counted(db: Database) -> None:
    """Of those that are not retired; of one currency, if one is given."""
    await some_machines(db, "VM-1", "VM-2", "VM-3", "VM-4")
    told = [ScreenTold(machine_id=one, heard_at_ms=1) for one in ("VM-1", "VM-4")]
    await Screens(db).heard(told, [])
    retired = update(machines).where(machines.c.machine_id == "VM-4").values(retired_at_ms=1)
    await db.write(lambda connection: connection.execute(retired))
    none = Selector(labels={"rout": "north"})
    meanings = [
        Meaning(selector=ALL),
        Meaning(selector=none),
        Meaning(selector=Selector(machine_ids=("VM-2", "VM-4"))),
        Meaning(selector=ALL, currency="JPY"),
        Meaning(selector=ALL),
    ]
    counts = await MeantMachines(db).counts(meanings, NOON_MS)
    assert [(3, 1), (0, 0), (1, 0), (0, 0), (3, 1)] == [
        (one.machines, one.screens) for one in counts
    ]
    assert [] == await MeantMachines(db).counts([], NOON_MS)
