"""Columns are locked whatever becomes of the gateways, some machines a second, each once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from actors.link import CommandDone
from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.links.commands import HostUnavailable
from gateway.office import recall_worker
from gateway.office.recall_worker import HELD_MS
from gateway.office.v1 import goods_service_pb2 as goods_wire
from storage.office.recalls import LOOK_EVERY_MS
from storage.office.stays import begins_ms
from storage.tables import audit
from tests.gateway.office.recalling import a_loaded_machine, locked, recall, worker
from tests.support.fleet_calls import registered
from tests.support.goods_calls import COLUMNS, load, unload
from tests.support.keeping import Keeping
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site

MACHINES = ("VM-2", "VM-3", "VM-4")


async def loaded(site: Site, machine_ids: Sequence[str] = MACHINES) -> None:
    """Have more machines with lot L1 in them."""
    await a_loaded_machine(site)
    for machine_id in machine_ids:
        await registered(site, machine_id, columns=COLUMNS)
        await site.goods.LoadColumn(load(3, machine_id=machine_id, request_id=machine_id))


async def lockings(site: Site) -> int:
    """Return how often machines were locked."""
    rows = select(func.count()).select_from(audit).where(audit.c.action == "LockColumns")
    return await site.database.read(lambda connection: connection.scalar(rows) or 0)


async def test_another_gateway_goes_on_where_one_died(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died behind its first second: the rest is another's when the hold has run out, and no
    machine is locked twice.
    """
    monkeypatch.setattr(recall_worker, "MACHINES_PER_S", 2)
    await loaded(site)
    made = (await recall(site)).recall

    async def dies(*_: object, **__: object) -> bool:
        raise StoreError("killed")

    died = worker(site, "gw-1")
    kept = died.recalls.hold
    died.recalls.hold = dies  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await died.once()
    died.recalls.hold = kept  # type: ignore[method-assign]
    assert ["VM-1", "VM-2"] == [one.machine_id for one in await locked(site)]
    other = worker(site, "gw-2")
    assert not await other.once()
    site.clock.ahead_ms = HELD_MS
    assert await other.once()
    assert ["VM-1", *MACHINES] == [
        one.machine_id for one in await locked(site, recall_id=made.recall_id)
    ]
    assert 4 == await lockings(site)
    assert [] == await locked(site, not_obeyed=True)


async def test_who_lost_its_hold_stops(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another has it by now: two who lock at once would only be slower."""
    monkeypatch.setattr(recall_worker, "MACHINES_PER_S", 1)
    await loaded(site)
    await recall(site)
    slow = worker(site, "gw-1")
    kept = slow.recalls.hold

    async def lost(*_: object, **__: object) -> bool:
        return False

    slow.recalls.hold = lost  # type: ignore[method-assign]
    assert await slow.once()
    slow.recalls.hold = kept  # type: ignore[method-assign]
    assert 1 == await lockings(site)


async def test_a_second_is_waited_for_between_so_many_machines(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four machines, two a second: once."""
    monkeypatch.setattr(recall_worker, "MACHINES_PER_S", 2)
    await loaded(site)
    await recall(site)
    slept: list[float] = []
    gates: list[asyncio.Event] = []
    working = worker(site)
    kept = working.recalls.hold

    async def sleep(seconds: float) -> None:
        gates.append(asyncio.Event())
        await gates[-1].wait()
        slept.append(seconds)

    async def hold(recall_id: str, holder: str, **more: int) -> bool:
        held = await kept(recall_id, holder, **more)
        gates[-1].set()  # who does not wait now has not waited
        return held

    working.sleep = sleep
    working.recalls.hold = hold  # type: ignore[method-assign]
    async with asyncio.timeout(HANGS_AFTER_S):
        assert await working.once()
    working.recalls.hold = kept  # type: ignore[method-assign]
    assert [1.0] == slept
    assert 4 == await lockings(site)


class Away:
    """Actors that do not answer."""

    async def command(self, *_: object, timeout_s: float) -> CommandDone:
        raise HostUnavailable(f"no host within {timeout_s} s", sent=False)


async def test_a_machine_whose_host_is_away_is_locked_all_the_same(site: Site) -> None:
    """What its actor must obey is saved, and it obeys as soon as it hears of it."""
    await loaded(site, ())
    await recall(site)
    working = worker(site)
    working.acts = replace(working.acts, commands=Away())
    assert await working.once()
    (one,) = await locked(site)
    acts = site.gateway.office.fleet.acts
    await acts.reload_machine("VM-1", "mended", Act(actor="ann", within_s=HANGS_AFTER_S))
    site.clock.ahead_ms = 60_000
    await worker(site).once()
    (after,) = await locked(site)
    assert one.locked_at == after.locked_at
    assert after.HasField("obeyed_at")


async def test_a_machine_on_which_the_gateway_fails_holds_up_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are locked in the same look, and it is at a later one, when it no longer fails."""
    monkeypatch.setattr(recall_worker, "MACHINES_PER_S", 1)
    await loaded(site)
    made = (await recall(site)).recall
    working = worker(site)
    kept = working.acts

    class Defective:
        async def change(self, machine_id: str, *about: object, **more: object) -> object:
            if machine_id == "VM-1":
                raise ValueError("a defect")
            return await kept.change(machine_id, *about, **more)  # type: ignore[arg-type]

    working.acts = Defective()  # type: ignore[assignment]
    assert await working.once()
    assert list(MACHINES) == [one.machine_id for one in await locked(site)]
    working.acts = kept
    site.clock.ahead_ms = LOOK_EVERY_MS
    assert await working.once()
    assert 4 == len(await locked(site, recall_id=made.recall_id))


async def test_a_gateway_lets_go_when_it_ends(site: Site) -> None:
    """Another looks at once, and nobody asked for anything twice."""
    await loaded(site, ())
    await recall(site)
    working = worker(site)
    running = asyncio.create_task(working.run())
    async with asyncio.timeout(HANGS_AFTER_S):
        while not await locked(site):
            await asyncio.sleep(0)
            working.wake()
    running.cancel()
    await asyncio.wait({running})
    site.clock.ahead_ms = 60_000
    assert await worker(site, "gw-2").once()
    assert 1 == await lockings(site)


async def test_a_clock_that_is_far_ahead_expires_nothing(site: Site) -> None:
    """A gateway has it. A person would release the lot, which then expires by itself no more."""
    await a_loaded_machine(site)
    here = worker(site, keeping=Keeping(site.clock.now_ms()))
    site.clock.ahead_ms = begins_ms("2099-02-20", "UTC") - site.clock.now_ms()
    assert not await here.once()
    assert [] == await locked(site)


async def test_what_comes_back_into_a_column_is_locked_at_once(site: Site) -> None:
    """An expired lot that is in no column any more is looked for once a day. Somebody takes back
    that it was taken out, or counts again: nobody may buy it until tomorrow.
    """
    await a_loaded_machine(site)
    site.clock.ahead_ms = begins_ms("2099-02-20", "UTC") - site.clock.now_ms()
    here = worker(site)
    assert await here.once()
    assert ["A1"] == [one.column for one in await locked(site)]
    out = await site.goods.UnloadColumn(unload(7, "WASTE", lot="L1", request_id="out"))
    assert 0 == out.column.quantity
    site.clock.ahead_ms += LOOK_EVERY_MS
    assert await here.once()
    assert [] == await locked(site)
    site.clock.ahead_ms += LOOK_EVERY_MS
    assert not await here.once()

    moves = await site.goods.ListGoodsMoves(goods_wire.ListGoodsMovesRequest(machine_id="VM-1"))
    (wasted,) = (one.id for one in moves.moves if one.to_place == "WASTE")
    await site.goods.ReverseMove(
        goods_wire.ReverseMoveRequest(move_id=wasted, reason="another box", request_id="back")
    )
    assert await here.once()
    assert ["A1"] == [one.column for one in await locked(site)]
