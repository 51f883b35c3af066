"""Applications go side by side, and each machine ends as the one says that began last."""

import asyncio

import pytest

from storage.database.engine import Database, StorageConfig
from storage.office import import_turns
from storage.office.deeds import Deed, NotPossible
from storage.office.imports import ImportKind, ImportLine, Imports, ImportView, LineState
from tests.storage.office.places import by
from tests.storage.office.plans import goes_along
from tests.storage.slow_commits import held_beside, on_postgres, waiting

HELD_MS = 1_000


def at(now_ms: int) -> Deed:
    """Somebody orders it then."""
    return Deed(actor="ann", action="ApplyPlanogram", now_ms=now_ms)


async def ordered(
    imports: Imports, name: str, *machine_ids: str, now_ms: int = 10, from_ms: int | None = None
) -> None:
    """Order it for these machines, for now or for later."""
    lines = [
        ImportLine(line=number, machine_id=machine_id, content="")
        for number, machine_id in enumerate(machine_ids, 1)
    ]
    await imports.begin(
        name,
        lines,
        at(now_ms),
        lines_per_s=9,
        failures_max=0,
        from_ms=now_ms if from_ms is None else from_ms,
    )


async def take(imports: Imports, holder: str, now_ms: int = 20) -> ImportView | None:
    return await imports.take(holder, now_ms=now_ms, held_ms=HELD_MS)


async def free(imports: Imports, view: ImportView | None) -> list[str]:
    """Return the machines of which lines may be carried out."""
    assert view is not None
    return [one.machine_id for one in await imports.carried_out_next(view)]


async def done(imports: Imports, view: ImportView, holder: str, *machine_ids: str) -> None:
    """Say that the lines of these machines were carried out."""
    waiting = await imports.lines(view.import_id, LineState.WAITING, limit=9)
    told = [
        ImportLine(line=one.line, machine_id=one.machine_id, content="", state=LineState.DONE)
        for one in waiting
        if one.machine_id in machine_ids
    ]
    await imports.ended(view.import_id, told, holder=holder, now_ms=30)


@pytest.mark.slow_on_postgres
async def test_those_about_other_machines_go_side_by_side(db: Database) -> None:
    """Of those about the same one the line that began first is carried out first, and one that was
    stopped keeps nobody.
    """
    imports = Imports(db, ImportKind.PLANOGRAMS)
    await ordered(imports, "a", "VM-1", "VM-2")
    await ordered(imports, "b", "VM-2", "VM-3")
    await ordered(imports, "c", "VM-2")
    a, b = await take(imports, "gw-1"), await take(imports, "gw-2")
    assert a is not None
    assert b is not None
    assert ("a", "b") == (a.import_id, b.import_id)
    assert ["VM-1", "VM-2"] == await free(imports, a)
    assert ["VM-3"] == await free(imports, b)
    assert None is await take(imports, "gw-3")
    await done(imports, a, "gw-1", "VM-2")
    assert ["VM-2", "VM-3"] == await free(imports, b)
    assert None is await take(imports, "gw-3")
    await imports.stop("b", by(), reason="enough")
    c = await take(imports, "gw-3")
    assert ["VM-2"] == await free(imports, c)


@pytest.mark.slow_on_postgres
async def test_a_line_says_for_which_other_it_waits(db: Database) -> None:
    """The first of several, as it is carried out; none for what has not begun, is done or stopped,
    or stands in nobody's way.
    """
    imports = Imports(db, ImportKind.PLANOGRAMS)
    await ordered(imports, "a", "VM-1", "VM-2")
    await ordered(imports, "b", "VM-2", "VM-3")
    await ordered(imports, "c", "VM-1", "VM-2", "VM-3", "VM-4")
    await ordered(imports, "later", "VM-1", from_ms=1_000)

    async def waited_for(name: str) -> dict[str, str]:
        lines = await imports.lines(name, LineState.WAITING, limit=9)
        return {one.machine_id: one.waits_for for one in lines}

    assert {"VM-1": "", "VM-2": ""} == await waited_for("a")
    assert {"VM-2": "a", "VM-3": ""} == await waited_for("b")
    before = {"VM-1": "a", "VM-2": "a", "VM-3": "b", "VM-4": ""}
    assert before == await waited_for("c")
    assert {"VM-1": ""} == await waited_for("later")
    assert (await take(imports, "gw-1", now_ms=2_000)) is not None
    assert {"VM-1": "a"} == await waited_for("later")
    a = await imports.get("a")
    await done(imports, a, "gw-1", "VM-2")
    assert before | {"VM-2": "b"} == await waited_for("c")
    await imports.stop("b", by(), reason="enough")
    assert before | {"VM-2": "", "VM-3": ""} == await waited_for("c")


async def test_what_another_one_waits_for_is_first(db: Database) -> None:
    """One machine's new planogram does not wait for all of a large application's."""
    imports = Imports(db, ImportKind.PLANOGRAMS)
    many = [f"VM-{number:02}" for number in range(1, 31)]
    await ordered(imports, "a", *many)
    await ordered(imports, "b", "VM-30", "VM-02")
    a = await take(imports, "gw-1")
    first = ["VM-02", "VM-30", "VM-01", "VM-03"]
    assert (first, 9) == ((there := await free(imports, a))[:4], len(set(there)))
    await imports.stop("b", by(), reason="enough")
    assert many[:9] == await free(imports, a)


async def test_a_line_that_ended_changes_nothing(db: Database) -> None:
    """Its application was stopped, or another gateway has carried it out meanwhile."""
    imports = Imports(db, ImportKind.PLANOGRAMS)
    await ordered(imports, "a", "VM-1", "VM-2")
    a = await take(imports, "gw-1")
    assert a is not None
    await done(imports, a, "gw-1", "VM-1")
    await goes_on(db, 2)
    with pytest.raises(NotPossible, match="line 1 of a"):
        await goes_on(db, 1)
    await imports.stop("a", by(), reason="enough")
    with pytest.raises(NotPossible, match="line 2 of a"):
        await goes_on(db, 2)


@on_postgres
async def test_who_stops_it_waits_for_what_is_being_done(on_server: str) -> None:
    """What is ordered behind the stop comes behind the change of the line that is under way."""
    async with held_beside(on_server) as (_, gateway):
        db = await Database.open(StorageConfig(url=on_server))
        imports = Imports(db, ImportKind.PLANOGRAMS)
        await ordered(imports, "a", "VM-1")
        doing = asyncio.create_task(goes_on(gateway, 1))
        await gateway.written.wait()
        stopping = asyncio.create_task(imports.stop("a", by(), reason="enough"))
        await waiting(db, 1)
        assert not stopping.done()
        gateway.go_on.set()
        await asyncio.gather(doing, stopping)
        await db.close()


async def goes_on(db: Database, line: int) -> None:
    """Look whether a line of the import a is still to be carried out."""
    await db.write(lambda connection: import_turns.check_goes_on(connection, "a", line))


@pytest.mark.slow_on_postgres
async def test_who_ordered_later_is_later_whatever_the_clocks_say(db: Database) -> None:
    """The clock of the gateway that took the second order is behind."""
    imports = Imports(db, ImportKind.PLANOGRAMS)
    await ordered(imports, "first", "VM-1", now_ms=500)
    await ordered(imports, "second", "VM-1", now_ms=400)
    taken = await take(imports, "gw-1", 450)
    assert taken is not None
    assert "first" == taken.import_id
    await done(imports, taken, "gw-1", "VM-1")
    assert "second" == getattr(await take(imports, "gw-1", 450), "import_id", "")


@pytest.mark.slow_on_postgres
async def test_what_is_ordered_for_later_begins_when_its_time_comes(db: Database) -> None:
    """Behind what was ordered for now meanwhile, before what is ordered for now after that, even if
    nobody has looked between the two.
    """
    imports = Imports(db, ImportKind.PLANOGRAMS)
    await ordered(imports, "friday", "VM-1", now_ms=10, from_ms=100)
    await ordered(imports, "now", "VM-1", now_ms=20)
    await ordered(imports, "after", "VM-1", now_ms=101)
    came = []
    while (view := await take(imports, "gw-1", 200)) is not None:
        came.append(view.import_id)
        await done(imports, view, "gw-1", "VM-1")
    assert ["now", "friday", "after"] == came


async def test_each_has_its_turn(db: Database) -> None:
    """Who let go is served behind all others."""
    imports = Imports(db, ImportKind.PLANOGRAMS)
    for number in range(3):
        await ordered(imports, f"a{number}", f"VM-{number}", f"XM-{number}")
    served = []
    for now_ms in range(20, 26):
        view = await take(imports, "gw-1", now_ms)
        assert view is not None
        served.append(view.import_id)
        await imports.let_go("gw-1", only=view.import_id, now_ms=now_ms)
    assert ["a0", "a1", "a2"] * 2 == served
    mine = await imports.take("gw-1", now_ms=30, held_ms=9, only="a1")
    assert "a1" == getattr(mine, "import_id", "")
    assert None is await imports.take("gw-1", now_ms=30, held_ms=9, besides=["a0", "a1", "a2"])


async def test_what_is_due_is_found_by_an_index(db: Database) -> None:
    """However many ended before, and however many lines there are."""
    await goes_along(db, import_turns.first_due(ImportKind.PLANOGRAMS, 7), "machine_imports_due")
    lines = import_turns.lines_to_carry_out("a", ImportKind.PLANOGRAMS, 7, 9)
    await goes_along(db, lines, "machine_import_lines_waiting")
    first = import_turns.lines_to_carry_out("a", ImportKind.PLANOGRAMS, 7, 9, waited_for=True)
    await goes_along(db, first, "machine_import_lines_waiting")
