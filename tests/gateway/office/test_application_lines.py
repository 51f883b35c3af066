"""A machine gets its planogram and its pars once, whatever becomes of gateways and customers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from actors.ports import StoreError
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office.import_worker import HELD_MS, Lines
from gateway.office.v1 import planogram_pb2, stock_service_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.v1 import machine_pb2 as machines_wire
from storage.office.imports import ImportLine, ImportView
from storage.tables import vends
from tests.gateway.office.applying import (
    ANN,
    EVERYONE,
    Set,
    applied,
    carried_out,
    changed,
    listed,
    looked_at,
    made,
    price,
    products,
    worker,
)
from tests.support.site import Site
from tests.support.site_machine import a_machine, approved, heard


async def qr_of(site: Site) -> str:
    """Return the machine's code."""
    registered = fleet_service_pb2.RegisterMachineRequest(
        machine_id="VM-1",
        store_name="Lobby",
        currency="HKD",
        country_code="HK",
        address="1 Queen's Road",
        columns=[
            machine_pb2.Column(column="A1", product="cola", price_minor=500, capacity=10, stock=10)
        ],
    )
    return str((await site.fleet.RegisterMachine(registered)).machine.qr_payload)


async def by_hand(site: Site, price_minor: int) -> None:
    """Set the planogram as an administrator does."""
    column = machine_pb2.Column(column="A1", product="cola", price_minor=price_minor, capacity=10)
    await site.fleet.SetPlanogram(
        fleet_service_pb2.SetPlanogramRequest(machine_id="VM-1", columns=[column])
    )


async def test_another_gateway_goes_on_and_does_nothing_twice(site: Site) -> None:
    """The first one died when the machine had its planogram, and before it said so. What somebody
    has set by hand since then stays.
    """
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600, par=8)
    asked = await applied(site)
    died = worker(site, "gw-1")
    kept = died.imports.ended

    async def dies(*_: object, **__: object) -> ImportView:
        raise StoreError("killed")

    died.imports.ended = dies  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await died.once()
    died.imports.ended = kept  # type: ignore[method-assign]
    assert (600, 2) == await price(site)
    await by_hand(site, 900)
    other = worker(site, "gw-2")
    assert 0 == await carried_out(other)
    now_ms = site.gateway.office.fleet.acts.clock.now_ms()
    other.clock = Set(now_ms + HELD_MS)
    assert await carried_out(other)
    done = await looked_at(site, asked.application.application_id)
    assert (planogram_pb2.APPLICATION_STATE_DONE, 1) == (done.state, done.done_count)
    assert (900, 3) == await price(site)
    pars = await site.stock.GetPars(stock_service_pb2.GetParsRequest(machine_id="VM-1"))
    assert [8] == [one.par for one in pars.pars]


async def test_a_line_fails_with_what_set_planogram_would_say(site: Site) -> None:
    """The machine was retired meanwhile, or the price was taken out of the list."""
    await products(site, "cola")
    await site.register("VM-1")
    await listed(site, 650)
    await made(site, None)
    asked = await applied(site)
    await site.fleet.RetireMachine(
        fleet_service_pb2.RetireMachineRequest(machine_id="VM-1", reason="scrap"),
        metadata=(("x-actor", "ann"),),
    )
    await carried_out(worker(site))
    done = await looked_at(site, asked.application.application_id)
    assert (planogram_pb2.APPLICATION_STATE_STOPPED, 1) == (done.state, done.failed_count)
    failed = await site.planograms.ListApplicationLines(
        wire.ListApplicationLinesRequest(application_id=asked.application.application_id)
    )
    assert [("VM-1", True)] == [(one.machine_id, "retired" in one.problem) for one in failed.lines]


@dataclass
class Late:
    """Lines that are begun when somebody has done ``first``: the gateway hung until then."""

    lines: Lines
    first: Callable[[], Awaitable[None]]

    async def carry_out(self, line: ImportLine, of: ImportView) -> ImportLine:
        await self.first()
        return await self.lines.carry_out(line, of)


async def test_what_was_stopped_does_nothing_more(site: Site) -> None:
    """A gateway was about to carry a line out when somebody stopped its application and ordered
    another one, which is done before: that one has the last word, with its pars.
    """
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600, par=8)
    wrong = await applied(site)
    late = worker(site, "gw-1")

    async def stopped() -> None:
        await site.planograms.StopPlanogramApplication(
            wire.StopPlanogramApplicationRequest(application_id=wrong.application.application_id),
            metadata=ANN,
        )
        await changed(site, 700, par=5)
        await applied(site)
        assert await carried_out(worker(site, "gw-2"))

    late.lines = Late(late.lines, stopped)
    assert await late.once()
    assert (700, 2) == await price(site)
    pars = await site.stock.GetPars(stock_service_pb2.GetParsRequest(machine_id="VM-1"))
    assert [5] == [one.par for one in pars.pars]
    done = await looked_at(site, wrong.application.application_id)
    assert (planogram_pb2.APPLICATION_STATE_STOPPED, 0, 0) == (
        done.state,
        done.done_count,
        done.failed_count,
    )


async def test_what_was_done_when_it_was_stopped_is_told_as_done(site: Site) -> None:
    """The machine had its planogram, and somebody stopped the application before the gateway said
    so: it still does.
    """
    await products(site, "cola")
    await site.register("VM-1")
    await made(site, 600)
    asked = await applied(site)
    here = worker(site)
    kept = here.imports.ended

    async def stopped(*told: Any, **more: Any) -> ImportView:
        await site.planograms.StopPlanogramApplication(
            wire.StopPlanogramApplicationRequest(application_id=asked.application.application_id),
            metadata=ANN,
        )
        return await kept(*told, **more)

    here.imports.ended = stopped  # type: ignore[method-assign]
    await here.once()
    here.imports.ended = kept  # type: ignore[method-assign]
    assert (600, 2) == await price(site)
    done = await looked_at(site, asked.application.application_id)
    assert (planogram_pb2.APPLICATION_STATE_STOPPED, 1) == (done.state, done.done_count)


async def test_the_price_charged_is_the_price_shown(site: Site) -> None:
    """A template comes in the middle of a vend: the customer pays what they saw, and the next
    planogram is told when they have gone.
    """
    qr_payload = await qr_of(site)
    await products(site, "cola")
    await made(site, 900)
    async with a_machine(site) as machine:
        vend_id = await approved(site, machine, qr_payload)
        asked = await applied(site)
        await carried_out(worker(site))
        done = await looked_at(site, asked.application.application_id)
        assert planogram_pb2.APPLICATION_STATE_DONE == done.state
        waiting = wire.ListConvergenceRequest(converged=False, selector=EVERYONE)
        (one,) = (await site.planograms.ListConvergence(waiting)).machines
        assert (planogram_pb2.PLANOGRAM_WAIT_SESSION, 2, 1) == (
            one.waits_for,
            one.wanted_version,
            one.version_in_force,
        )
        await machine.say(2, vend_success=machines_wire.VendSuccess(vend_id=vend_id))
        update = (await heard(machine, "planogram_update")).planogram_update
        assert (2, 900) == (update.planogram_version, update.columns[0].price_minor)
    prices = select(vends.c.price_minor)
    assert [500] == await site.database.read(lambda there: list(there.scalars(prices)))
