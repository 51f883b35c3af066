"""Which names people take for one another."""

import pytest

from storage.database.engine import Database
from storage.fleet import alike
from storage.tables import machines
from tests.storage.office.places import some_machines
from tests.storage.office.plans import goes_along


@pytest.mark.parametrize(
    ("one", "other"), [("VM-0017", "vm-0017"), ("VM-0017", "VM-OO17"), ("a-I", "a-l"), ("Il", "1l")]
)
def test_case_and_letters_like_digits_are_taken_for_one_another(one: str, other: str) -> None:
    """Each for the other."""
    assert {one: other, other: one} == alike.among([one, other, "b-2", one])


def test_what_looks_different_is_different() -> None:
    """An L for one, and what differs by both at once."""
    assert {} == alike.among(["L1", "11", "VM_1", "VM-1", "vm-O1", "VM-01"])


def test_ten_thousand_of_one_look_are_told_at_once() -> None:
    """Each for one other, not for all of them."""
    names = [format(number, "014b").translate({48: "O", 49: "o"}) for number in range(10_000)]
    found = alike.among(names)
    assert {names[0]} == {other for name, other in found.items() if name != names[0]}
    assert names[1] == found[names[0]]


@pytest.mark.parametrize("ways_max", [alike.WAYS_MAX, 0])
async def test_a_database_finds_what_is_alike(
    db: Database, monkeypatch: pytest.MonkeyPatch, ways_max: int
) -> None:
    """The name itself too, if it is there; whether each way to write it is looked for or not."""
    monkeypatch.setattr(alike, "WAYS_MAX", ways_max)
    await some_machines(db, "VM-1", "vm-1", "VM-I", "VM-2")
    wanted = alike.named(machines.c.machine_id, ["VM-1", "x"])
    found = await db.read(lambda connection: set(connection.scalars(wanted).all()))
    assert {"VM-1", "vm-1", "VM-I"} == found


async def test_a_name_is_looked_for_along_the_index(db: Database) -> None:
    """Among a hundred thousand machines; one that can be written in very many ways is not."""
    few, many = (alike.named(machines.c.machine_id, [name]) for name in ("VM-0017", "a" * 32))
    await goes_along(db, few, "machines_key")
    coming = alike.coming(["VM-0017"])
    await goes_along(db, coming, "machine_imports_by_state", "machine_import_lines_by_import")
    assert "lower" not in str(few)
    assert "lower" in str(many)
