"""An import is carried out whatever becomes of the gateways, and each line once."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from actors.ports import StoreError
from gateway.office.import_worker import (
    AT_ONCE,
    BEGIN_MS,
    FAILED_HERE,
    HELD_MS,
    TRIES_MAX,
    ImportWorker,
)
from gateway.office.v1 import machine_import_pb2, place_service_pb2
from gateway.office.v1 import machine_import_service_pb2 as wire
from storage.office.imports import ImportLine, ImportView, LineState
from storage.tables import audit
from tests.gateway.office.importing import a_file, a_pier, begun, looked_at, worker
from tests.storage.office.places import by
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site


async def registrations(site: Site) -> int:
    """Return how many machines were registered."""
    rows = select(func.count()).select_from(audit).where(audit.c.action == "RegisterMachine")
    return await site.database.read(lambda connection: connection.scalar(rows) or 0)


async def test_another_gateway_goes_on_where_one_died(site: Site) -> None:
    """It died after it had carried a line out and before it said so: the line is not carried out
    twice, and the import ends.
    """
    await a_pier(site)
    made = await begun(site, a_file("VM-1", "VM-2"), lines_per_second=1)
    died = worker(site, "gw-1")
    kept = died.imports.ended

    async def dies(*_: object, **__: object) -> ImportView:
        raise StoreError("killed")

    died.imports.ended = dies  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await died.once()
    died.imports.ended = kept  # type: ignore[method-assign]
    assert 0 == (await looked_at(site, made.import_id)).done_count
    other = worker(site, "gw-2")
    assert not await other.once()
    other.clock = Ahead(site, HELD_MS)
    assert await other.once()
    assert await other.once()
    ended = await looked_at(site, made.import_id)
    assert (machine_import_pb2.MACHINE_IMPORT_STATE_DONE, 2) == (ended.state, ended.done_count)
    assert 2 == await registrations(site)


class Ahead:
    """The site's clock, so many milliseconds later, and later still each time that it is read."""

    def __init__(self, site: Site, ahead_ms: int, *, passes_ms: int = 0) -> None:
        self._clock = site.gateway.office.fleet.acts.clock
        self._ahead_ms = ahead_ms
        self._passes_ms = passes_ms

    def now_ms(self) -> int:
        self._ahead_ms += self._passes_ms
        return self._clock.now_ms() + self._ahead_ms


class Away:
    """Lines for which somebody is always away."""

    def __init__(self) -> None:
        self.tried = 0

    async def carry_out(self, line: ImportLine, _: ImportView) -> ImportLine:
        self.tried += 1
        return replace(line, said="the host does not answer")


async def test_a_line_for_which_somebody_is_away_waits_and_then_fails(site: Site) -> None:
    """And says why."""
    await a_pier(site)
    made = await begun(site, a_file("VM-1"), failures_max=1)
    working = worker(site)
    away = Away()
    working.lines = away
    for _ in range(TRIES_MAX):
        assert await working.once()
    assert not await working.once()
    assert TRIES_MAX == away.tried
    asked = wire.ListMachineLinesRequest(import_id=made.import_id)
    (line,) = (await site.machine_imports.ListMachineLines(asked)).lines
    assert "the host does not answer" == line.problem


class Defective:
    """Lines of which one is more than this gateway can carry out."""

    async def carry_out(self, line: ImportLine, _: ImportView) -> ImportLine:
        if line.machine_id == "VM-1":
            raise ValueError("a defect")
        return replace(line, state=LineState.DONE)


async def test_a_line_on_which_the_gateway_fails_fails_alone(
    site: Site,
) -> None:
    """After as many tries as one for which somebody is away; the others are carried out at once."""
    await a_pier(site)
    made = await begun(site, a_file("VM-1", "VM-2", "VM-3"), failures_max=2)
    working = worker(site)
    working.lines = Defective()
    for tried in range(TRIES_MAX):
        assert 2 * bool(tried) == (await looked_at(site, made.import_id)).done_count
        assert await working.once()
    assert not await working.once()
    ended = await looked_at(site, made.import_id)
    assert (machine_import_pb2.MACHINE_IMPORT_STATE_DONE, 2, 1) == (
        ended.state,
        ended.done_count,
        ended.failed_count,
    )
    asked = wire.ListMachineLinesRequest(import_id=made.import_id)
    lines = (await site.machine_imports.ListMachineLines(asked)).lines
    assert [FAILED_HERE] == [line.problem for line in lines if line.problem]


class Counted:
    """Lines that are done when all others had their turn; ``most`` were under way at once."""

    def __init__(self) -> None:
        self.done = self.most = self._under_way = 0

    async def carry_out(self, line: ImportLine, _: ImportView) -> ImportLine:
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        await asyncio.sleep(0)
        self._under_way -= 1
        self.done += 1
        return replace(line, state=LineState.DONE)


async def test_few_lines_are_under_way_at_once(site: Site) -> None:
    """However many a second were asked for: machines that sell do not wait behind all of them."""
    await a_pier(site)
    machines = [f"VM-{number}" for number in range(4 * AT_ONCE)]
    await begun(site, a_file(*machines), lines_per_second=len(machines))
    working = worker(site)
    working.lines = counted = Counted()
    assert await working.once()
    assert (len(machines), AT_ONCE) == (counted.done, counted.most)


async def test_lines_that_take_long_are_fewer(site: Site) -> None:
    """What was begun is said to be done while the import is held; the rest waits, and is not tried
    for it.
    """
    await a_pier(site)
    machines = [f"VM-{number}" for number in range(4 * AT_ONCE)]
    made = await begun(site, a_file(*machines), lines_per_second=len(machines))
    working = worker(site)
    working.clock = Ahead(site, 0, passes_ms=BEGIN_MS // 2)
    working.lines = counted = Counted()
    assert await working.once()
    assert AT_ONCE == counted.done == (await looked_at(site, made.import_id)).done_count


async def test_too_many_failures_stop_an_import(site: Site) -> None:
    """The site is archived between the check and its lines: nothing more is carried out."""
    await a_pier(site)
    made = await begun(site, a_file("VM-1", "VM-2", "VM-3"), lines_per_second=1)
    await site.places.ArchiveSite(place_service_pb2.ArchiveSiteRequest(site="pier"))
    working = worker(site)
    assert await working.once()
    assert not await working.once()
    ended = await looked_at(site, made.import_id)
    assert (machine_import_pb2.MACHINE_IMPORT_STATE_STOPPED, 0, 1) == (
        ended.state,
        ended.done_count,
        ended.failed_count,
    )
    asked = wire.ListMachineLinesRequest(import_id=made.import_id)
    (line,) = (await site.machine_imports.ListMachineLines(asked)).lines
    assert "is archived" in line.problem


async def test_it_begins_when_it_is_woken_and_lets_go_at_its_end(site: Site) -> None:
    """Nobody waits for the next look, and another gateway for no hold to run out."""
    await a_pier(site)
    working = site.gateway.office.importing
    running = asyncio.create_task(working.run())
    made = await begun(site, a_file("VM-1"))
    async with asyncio.timeout(HANGS_AFTER_S):
        while not (await looked_at(site, made.import_id)).done_count:
            await asyncio.sleep(0.05)
    second = await begun(site, a_file(*(f"VM-{number}" for number in range(2, 90))))
    async with asyncio.timeout(HANGS_AFTER_S):
        while not (await looked_at(site, second.import_id)).done_count:
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait({running})
    assert await worker(site, "gw-2").once()
    waiting = await working.imports.lines(second.import_id, LineState.WAITING, limit=100)
    assert waiting


class Slow:
    """Lines of which that of one machine takes until somebody lets it go on."""

    def __init__(self, machine_id: str) -> None:
        self.machine_id, self.go_on = machine_id, asyncio.Event()
        self.told: list[str] = []

    async def carry_out(self, line: ImportLine, of: ImportView) -> ImportLine:
        if line.machine_id == self.machine_id:
            await self.go_on.wait()
        self.told.append(of.import_id)
        return replace(line, state=LineState.DONE)


async def test_a_slow_application_keeps_only_those_about_its_machines(site: Site) -> None:
    """Another template reaches other machines meanwhile; of the machine that is slow the one that
    was ordered later has the last word.
    """
    slow = Slow("VM-1")
    working = ImportWorker(
        imports=site.gateway.office.applications,
        lines=slow,
        clock=site.gateway.office.fleet.acts.clock,
        holder="gw-1",
    )
    for name, machine_ids in (("a", ["VM-1"]), ("b", ["VM-2", "VM-1"]), ("c", ["VM-3"])):
        lines = [
            ImportLine(line=number, machine_id=machine_id, content="")
            for number, machine_id in enumerate(machine_ids)
        ]
        await working.imports.begin(name, lines, by(), lines_per_s=9, failures_max=0)
    running = asyncio.create_task(working.run())
    async with asyncio.timeout(HANGS_AFTER_S):
        while len(slow.told) < 2:
            await asyncio.sleep(0.02)
        assert ["b", "c"] == sorted(slow.told)
        slow.go_on.set()
        while len(slow.told) < 4:
            await asyncio.sleep(0.02)
            working.wake()
    assert ["a", "b"] == slow.told[2:]
    running.cancel()
    await asyncio.wait({running})
