"""A small installation in which there is something for every table of the console, and whose clock
stands still once it is there.
"""

import datetime as dt
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import func, select

from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office.v1 import (
    experiment_service_pb2,
    goods_service_pb2,
    machine_profile_service_pb2,
    product_pb2,
    product_service_pb2,
    screen_pb2,
    screen_service_pb2,
    screen_service_pb2_grpc,
    selector_pb2,
    stock_service_pb2,
)
from gateway.v1 import machine_pb2 as machines_wire
from storage.insight import days
from storage.insight.funnel import Stage
from storage.insight.rollups import Sums, save
from storage.office.screens import Play, ScreenTold
from storage.reconciliation.runs import Reconciliation
from storage.tables import journal, machine_hours, scope_funnels, scope_hours
from tests.gateway.office import giving, placing, tagging, trying
from tests.gateway.screens.showable import picture
from tests.storage.experiments.fleets import sell, told_until
from tests.storage.insight.tagged import TODAY
from tests.storage.reconciliation.differences import RUN, difference
from tests.support.fleet_calls import refunded, registered
from tests.support.goods_calls import COLUMNS, NORTH, count, load, twenty_in_a_van
from tests.support.site import Site, SiteClock, found
from tests.support.site_machine import a_machine, approved
from tests.support.sold_items import half_past, have_sold

DISTRICTS = ("city", "dock", "hill", "pier")
MACHINES = 12


@dataclass(kw_only=True)
class HeldClock(SiteClock):
    """A site's clock that can be held: then nothing grows older between a page and a call."""

    held_at_ms: int | None = None

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return SiteClock.now_ms(self) if self.held_at_ms is None else self.held_at_ms


async def furnish(site: Site) -> None:
    """Let weeks go by, in which somebody tried something, and then a morning."""
    await _something_was_tried(site)
    today = half_past(site, 11)
    await _goods(site)
    await _places(site)
    await _sales(site, today)
    await _customers(site, today)
    await _one_that_sells(site)
    await refunded(site, columns=COLUMNS)
    await _screens(site)
    await _playlists(site)
    await giving.offers_of_all_kinds(site)
    await Reconciliation(site.database).record(RUN, [difference("t7")], now_ms=site.clock.now_ms())
    off = fleet_service_pb2.DisableMachineRequest(machine_id="VM-02", reason="its door is open")
    await site.fleet.DisableMachine(off)
    # What Alipay answers about their codes comes when it comes, and pages tell of it.
    await found(lambda: _have_codes(site))


async def _have_codes(site: Site) -> bool | None:
    """Tell whether Alipay has said all that it will: a code is there before it is set right, which
    ends with its status.
    """
    names = [f"VM-{number:02}" for number in range(1, MACHINES + 1)]
    there = await site.queries.some_machines([*names, "VM-1"], columns=False)
    assert MACHINES + 1 == len(there)
    c = journal.c
    said = select(func.count(c.machine_id.distinct())).where(c.kind == "CodeStatusChanged")
    ended = await site.database.read(lambda connection: connection.scalar(said))
    return (
        len(there) == ended
        and all(
            one.code_status == ("STOPPED" if one.machine_id == "VM-02" else "ACTIVE")
            for one in there
        )
    ) or None


async def _something_was_tried(site: Site) -> None:
    machines = await trying.have_a_past(site, MACHINES)
    await trying.experiments_of(site).CreateExperiment(trying.create(forced_reason="to learn"))
    start = experiment_service_pb2.StartExperimentRequest(code="summer")
    started = (await trying.experiments_of(site).StartExperiment(start)).experiment
    trying.go_to(site, started.first_day)
    await trying.work(site)
    await trying.screens_obey(site)
    await trying.work(site)
    treated = {one for one, unit in (await trying.units_of(site)).items() if unit.arm == 1}
    await sell(
        site.database,
        [*machines, "VM-1"],
        started.first_day,
        started.last_day,
        factor=lambda one, _d: 2.0 if one in treated else 1.0,
    )
    await told_until(site.database, started.last_day)
    await trying.work(site)
    trying.go_to(site, days.moved(started.last_day, 1))


async def _goods(site: Site) -> None:
    await twenty_in_a_van(site)
    tea = product_pb2.Product(code="tea", names={"en": "Tea"}, category="hot", shelf_life_days=90)
    await site.products.CreateProduct(product_service_pb2.CreateProductRequest(product=tea))
    pars = [stock_service_pb2.ColumnPar(column="A1", par=9)]
    request = stock_service_pb2.SetParsRequest(machine_id="VM-1", pars=pars, request_id="p-1")
    await site.stock.SetPars(request)
    soon = dt.datetime.fromtimestamp(site.clock.now_ms() / 1_000, dt.UTC) + dt.timedelta(days=9)
    received = goods_service_pb2.ReceivedGoods(
        product="cola", lot="L2", quantity=3, expires_on=soon.date().isoformat()
    )
    await site.goods.ReceiveGoods(goods_service_pb2.ReceiveGoodsRequest(to=NORTH, goods=[received]))
    await site.goods.LoadColumn(load(5))
    await site.goods.CountColumn(count(4))


async def _places(site: Site) -> None:
    for number, name in enumerate(DISTRICTS):
        await placing.a_district(site, code=name)
        await placing.a_site(site, code=f"at-{name}", name=f"At {name}", district=name)
        for place in range(number + 1, MACHINES + 1, len(DISTRICTS)):
            await _placed(site, f"VM-{place:02}", f"at-{name}")
    await placing.a_site(site, code="depot", name="Depot", district="pier", position=None)
    await _placed(site, "VM-1", "at-hill")


async def _placed(site: Site, machine_id: str, code: str) -> None:
    request = machine_profile_service_pb2.PlaceMachineRequest(
        machine_id=machine_id, site=code, from_day="2001-01-01", reason="always there"
    )
    await site.profiles.PlaceMachine(request)


async def _sales(site: Site, today: int) -> None:
    """Eight weeks in a station, the second four better ones, and more than a thousand HKD of
    something; hours in which a machine was away, out of service, or empty.
    """
    items = [
        (machine_id, days.moved(today, -back), hour, product, minor + 10 * back)
        for machine_id in ("VM-1", "VM-02")
        for back in (*range(29), *range(30, 57, 2))
        for hour, product, minor in ((9, "cola", 500), (11, "tea", 1_234_500))
    ]
    await have_sold(site, items)
    sums = Sums()
    for _, d, hour, _, minor in items:
        sums.add(scope_hours, ("SITE_TYPE", "STATION", d, hour, "HKD"), (1, minor))
    for back in range(1, 9):
        hours = [3_600 * one * back for one in (9, 7, 4, 3, 20, 2)]
        sums.add(machine_hours, ("VM-1", days.moved(today, -back), 14), hours)
    await site.database.write(lambda connection: save(connection, sums.rows()))


async def _customers(site: Site, today: int) -> None:
    sums = Sums()
    for stage, number in ((Stage.CODE_SHOWN, 45), (Stage.PAID, 25)):
        key = ("FLEET", "", days.moved(today, -1), "SELECTION_FIRST", str(stage))
        sums.add(scope_funnels, key, (number,))
    await site.database.write(lambda connection: save(connection, sums.rows()))
    await tagging.tags_of(site).CreateTag(tagging.create())
    await tagging.buy(site, {"hill": 12, "pier": 25})
    await tagging.evaluate(site)
    await tagging.evaluate(site, days.moved(TODAY, 1))


async def _one_that_sells(site: Site) -> None:
    """A sale, and a motor that is stuck; then the machine is away."""
    machine = await registered(site, columns=COLUMNS)
    assert machine_pb2.CODE_STATUS_ACTIVE == machine.code_status
    async with a_machine(site) as stream:
        vend_id = await approved(site, stream, machine.qr_payload)
        await stream.say(2, vend_success=machines_wire.VendSuccess(vend_id=vend_id))
        await stream.say(3, fault=machines_wire.Fault(code="EJB", column="A1", detail="stuck"))
        await found(lambda: _is(site, faulty=True, online=True))
    await found(lambda: _is(site, faulty=True, online=False))


async def _is(site: Site, *, faulty: bool, online: bool) -> bool | None:
    view = await site.queries.machine("VM-1")
    return (view is not None and (faulty, online) == (bool(view.last_fault), view.online)) or None


async def _screens(site: Site) -> None:
    """One that shows what was recalled, and had no room for what it should show."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    content = picture("PNG")
    added = await call.AddAsset(screen_service_pb2.AddAssetRequest(content=content, name="Summer"))
    sha256 = added.asset.sha256
    screens, at_ms = site.gateway.office.screens, site.clock.now_ms()
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=1)], [])
    await screens.want({"VM-1": "m1"}, {"m1": ('{"v": 1}', [sha256])}, 2)
    plays = [
        Play(
            machine_id="VM-1",
            day=20261129,
            hour=hour,
            manifest="m1",
            item=0,
            times=1_234 + hour,
            shown_ms=9_999_999,
        )
        for hour in (3, 4)
    ]
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=at_ms, applied="m1")], plays)
    wrong = screen_service_pb2.RecallAssetRequest(sha256=sha256, reason="a wrong price")
    await call.RecallAsset(wrong)
    await screens.want({"VM-1": "m2"}, {"m2": ("{}", [])}, 3)
    no_room = ScreenTold(
        machine_id="VM-1", heard_at_ms=at_ms, rejected="m2", reason="NO_ROOM", detail="=1+1 of 9"
    )
    await screens.heard([no_room], [])


async def _playlists(site: Site) -> None:
    """One of two pictures, plans of machines here and there, and one that has ended."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    items = []
    for width, name, duration_ms in (50, "Autumn", 8_500), (60, "=Winter", 1_200_000 // 2):
        content = picture("PNG", width=width)
        added = await call.AddAsset(screen_service_pb2.AddAssetRequest(content=content, name=name))
        items.append(screen_pb2.PlaylistItem(sha256=added.asset.sha256, duration_ms=duration_ms))
    made = screen_pb2.Playlist(code="summer", name="Summer", items=[*items, items[0]])
    await call.CreatePlaylist(screen_service_pb2.CreatePlaylistRequest(playlist=made))
    until = Timestamp(seconds=site.clock.now_ms() // 1_000 + 86_400)
    some = selector_pb2.Selector(machine_ids=[f"VM-{number:02}" for number in range(2, 9)])
    here = selector_pb2.Selector(district="hill", site_type="STATION", labels={"route": "north"})
    for plan in (
        screen_pb2.ScreenPlan(code="noon", selector=some, days=[1, 5], from_minute=510, priority=7),
        screen_pb2.ScreenPlan(code="always", selector=here, to_minute=1_320),
        screen_pb2.ScreenPlan(code="over", selector=selector_pb2.Selector(all=True)),
    ):
        plan.playlist = "summer"
        plan.not_after.CopyFrom(until)
        await call.CreateScreenPlan(screen_service_pb2.CreateScreenPlanRequest(plan=plan))
    await call.EndScreenPlan(screen_service_pb2.EndScreenPlanRequest(plan="over"))
