# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# sales_service.proto
"""SalesService: what was sold, as it was made of the books."""

from dataclasses import replace

from gateway.fleet import enums
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.views import timestamp
from gateway.office.errors import in_words
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import place_pb2, sales_service_pb2_grpc
from gateway.office.v1 import sales_service_pb2 as wire
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.insight import sales as asked
from storage.insight.cells import CellShape, Place, shape_of
from storage.insight.follower import Lag
from storage.insight.funnels import FunnelBooks
from storage.insight.hot import DistrictWorth, HotBooks, HotWanted
from storage.insight.sales import Beside, By, SalesBooks, SalesWanted
from storage.insight.sellable import SECONDS, SellableBooks, SoldThere
from storage.office.costs import Costed

_BY = enums.descriptor_of(wire.SalesBy)
_LABEL = enums.descriptor_of(wire.DistrictLabel)


class SalesService(sales_service_pb2_grpc.SalesServiceServicer):
    """One method for each call."""

    def __init__(
        self,
        parts: Parts,
        books: SalesBooks,
        time: SellableBooks,
        funnels: FunnelBooks,
        hot: HotBooks,
    ) -> None:
        self.parts = parts
        self._books = books
        self._time = time
        self._funnels = funnels
        self._hot = hot

    @answered
    async def GetSales(
        self, request: wire.GetSalesRequest, context: Context
    ) -> wire.GetSalesResponse:
        fields = _places(request)
        beside = fields.word("beside", wire.SalesBeside, request.beside)
        wanted = replace(
            _wanted(request, fields),
            beside=Beside(beside or Beside.PERIOD_BEFORE),
            with_margin=request.with_margin,
        )
        with in_words():
            told = await self._books.sales(wanted)
        return wire.GetSalesResponse(
            lines=[
                wire.SalesLine(
                    key=plain(line.key),
                    now=_amount(line.now, line.currency),
                    before=_amount(line.before, line.currency),
                )
                for line in told.lines
            ],
            before_first_day=told.before_first,
            before_last_day=told.before_last,
            completeness=completeness(told.lag),
            running_experiments=told.experiments,
        )

    @answered
    async def GetSellableTime(
        self, request: wire.GetSellableTimeRequest, context: Context
    ) -> wire.GetSellableTimeResponse:
        with in_words():
            told = await self._time.sellable(_wanted(request, _places(request)))
        return wire.GetSellableTimeResponse(
            lines=[
                wire.SellableTime(
                    key=plain(line.key),
                    sold=[_sold(one) for one in line.sold],
                    **{name: getattr(line.spent, name) for name in SECONDS},
                )
                for line in told.lines
            ],
            completeness=completeness(told.lag),
            running_experiments=told.experiments,
        )

    @answered
    async def GetHotDistricts(
        self, request: wire.GetHotDistrictsRequest, context: Context
    ) -> wire.GetHotDistrictsResponse:
        currency, fields = request.currency, PlaceFields()
        fields.site_type_word("site_type", request.site_type)
        if currency:
            fields.currency(currency)
        fields.done()
        wanted = HotWanted(
            first=request.first_day,
            last=request.last_day,
            currency=currency,
            site_type=request.site_type,
            cell_resolution=request.cell_resolution,
        )
        with in_words():
            told = await self._hot.hot(wanted)
        made = _cell if request.cell_resolution else _district
        return wire.GetHotDistrictsResponse(
            districts=[made(one, currency) for one in told.districts],
            fleet=_money(told.fleet_minor, currency) if told.districts else None,
            elsewhere=None if told.elsewhere is None else _range(*told.elsewhere, currency),
            left_out=told.left_out,
            unplaced=told.unplaced,
            completeness=completeness(told.lag),
        )

    @answered
    async def GetFunnel(
        self, request: wire.GetFunnelRequest, context: Context
    ) -> wire.GetFunnelResponse:
        _places(request).done()
        wanted = SalesWanted(
            first=request.first_day,
            last=request.last_day,
            by=By.DAY,
            machine_ids=tuple(request.machine_ids),
            district=request.district,
            site_type=request.site_type,
        )
        with in_words():
            told = await self._funnels.funnel(wanted)
        return wire.GetFunnelResponse(
            steps=[
                wire.FunnelStep(mode=one.mode, stage=one.stage.value, number=one.number)
                for one in told.steps
            ],
            completeness=completeness(told.lag),
        )

    @answered
    async def GetDaySales(
        self, request: wire.GetDaySalesRequest, context: Context
    ) -> wire.GetDaySalesResponse:
        fields = PlaceFields().code("district", request.district, needed=False)
        if not 0 <= request.hour <= 23:
            fields.wrong("hour", "must be 0 to 23")
        fields.done()
        with in_words():
            days, lag = await self._books.today(
                request.day, request.hour, district=request.district
            )
        return wire.GetDaySalesResponse(
            days=[
                wire.DaySales(
                    now=_amount(day.now, day.currency),
                    weeks=day.weeks,
                    low=_money(day.low_minor, day.currency),
                    middle=_money(day.middle_minor, day.currency),
                    high=_money(day.high_minor, day.currency),
                )
                for day in days
            ],
            completeness=completeness(lag),
        )


def _wanted(
    request: wire.GetSalesRequest | wire.GetSellableTimeRequest, fields: PlaceFields
) -> SalesWanted:
    """Return what is asked for, of which ``fields`` have seen a part. Raises CallRefused."""
    by = enums.word_of(_BY, request.by)
    if not by:
        fields.wrong("by", "must say by what, for example SALES_BY_DAY")
    fields.done()
    return SalesWanted(
        first=request.first_day,
        last=request.last_day,
        by=By(by),
        machine_ids=tuple(request.machine_ids),
        district=request.district,
        site_type=request.site_type,
    )


def _places(
    request: wire.GetSalesRequest | wire.GetSellableTimeRequest | wire.GetFunnelRequest,
) -> PlaceFields:
    """Note what is wrong with what says where."""
    fields = PlaceFields().code("district", request.district, needed=False)
    fields.site_type_word("site_type", request.site_type)
    for index, machine_id in enumerate(request.machine_ids[: asked.MACHINES_MAX]):
        fields.machine_id(machine_id, field=f"machine_ids[{index}]")
    return fields


def _sold(of: SoldThere) -> wire.SoldThere:
    per_day = None if of.per_day_minor is None else _money(of.per_day_minor, of.currency)
    amount = asked.Amounts(units=of.units, sales_minor=of.sales_minor)
    return wire.SoldThere(sold=_amount(amount, of.currency), per_sellable_day=per_day)


def _district(of: DistrictWorth, currency: str) -> wire.HotDistrict:
    return wire.HotDistrict(
        district=plain(of.district),
        label=enums.number_of(_LABEL, of.label),  # type: ignore[arg-type]  # of this very enum
        above_percent=of.above_percent,
        machines=of.machines,
        sellable_days=of.sellable_days,
        raw=_money(of.raw_minor, currency),
        believed=_range(of.mean_minor, of.low_minor, of.high_minor, currency),
        new_machine=_range(of.new_minor, of.new_low_minor, of.new_high_minor, currency),
    )


def _cell(of: DistrictWorth, currency: str) -> wire.HotDistrict:
    made = _district(of, currency)
    made.district = ""
    made.cell.CopyFrom(_shaped(of.district, shape_of(of.district)))
    return made


def _shaped(index: str, of: CellShape) -> wire.HotCell:
    return wire.HotCell(
        index=index, middle=_position(of.middle), corners=[_position(one) for one in of.corners]
    )


def _position(of: Place) -> place_pb2.Position:
    return place_pb2.Position(latitude_e6=of[0], longitude_e6=of[1])


def _range(middle: int, low: int, high: int, currency: str) -> wire.SalesRange:
    return wire.SalesRange(
        middle=_money(middle, currency), low=_money(low, currency), high=_money(high, currency)
    )


def _amount(of: asked.Amounts, currency: str) -> wire.SalesAmount:
    margin = None if of.costed is None else _margin(of.costed, currency)
    return wire.SalesAmount(units=of.units, sales=_money(of.sales_minor, currency), margin=margin)


def _margin(of: Costed, currency: str) -> wire.SalesMargin:
    return wire.SalesMargin(
        units=of.units,
        sales=_money(of.sales_minor, currency),
        cost=_money(of.cost_minor, currency),
        margin=_money(of.margin_minor, currency),
    )


def _money(minor: int, currency: str) -> money_pb2.Money:
    return money_pb2.Money(currency=currency, minor=minor)


def completeness(lag: Lag) -> wire.SalesCompleteness:
    """Return how complete what is told of sales is."""
    return wire.SalesCompleteness(
        position=lag.position,
        complete_until=timestamp(lag.complete_until_ms) if lag.position else None,
        lines_behind=lag.lines,
        waits_since=None if lag.waits_since_ms is None else timestamp(lag.waits_since_ms),
        making_again=lag.making_again,
    )
