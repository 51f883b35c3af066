# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# sales_service.proto
"""SalesService: what was sold, as it was made of the books."""

from gateway.fleet import enums
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.views import timestamp
from gateway.office.errors import in_words
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import sales_service_pb2 as wire
from gateway.office.v1 import sales_service_pb2_grpc
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.insight import sales as asked
from storage.insight.follower import Lag
from storage.insight.sales import Beside, By, SalesBooks, SalesWanted

_BY = enums.descriptor_of(wire.SalesBy)


class SalesService(sales_service_pb2_grpc.SalesServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, books: SalesBooks) -> None:
        self.parts = parts
        self._books = books

    @answered
    async def GetSales(
        self, request: wire.GetSalesRequest, context: Context
    ) -> wire.GetSalesResponse:
        fields = PlaceFields().code("district", request.district, needed=False)
        by = enums.word_of(_BY, request.by)
        if not by:
            fields.wrong("by", "must say by what, for example SALES_BY_DAY")
        beside = fields.word("beside", wire.SalesBeside, request.beside)
        fields.site_type_word("site_type", request.site_type)
        for index, machine_id in enumerate(request.machine_ids[: asked.MACHINES_MAX]):
            fields.machine_id(machine_id, field=f"machine_ids[{index}]")
        fields.done()
        wanted = SalesWanted(
            first=request.first_day,
            last=request.last_day,
            by=By(by),
            beside=Beside(beside or Beside.PERIOD_BEFORE),
            machine_ids=tuple(request.machine_ids),
            district=request.district,
            site_type=request.site_type,
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
            completeness=_completeness(told.lag),
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
            completeness=_completeness(lag),
        )


def _amount(of: asked.Amounts, currency: str) -> wire.SalesAmount:
    return wire.SalesAmount(units=of.units, sales=_money(of.sales_minor, currency))


def _money(minor: int, currency: str) -> money_pb2.Money:
    return money_pb2.Money(currency=currency, minor=minor)


def _completeness(lag: Lag) -> wire.SalesCompleteness:
    return wire.SalesCompleteness(
        position=lag.position,
        complete_until=timestamp(lag.complete_until_ms) if lag.position else None,
        lines_behind=lag.lines,
        waits_since=None if lag.waits_since_ms is None else timestamp(lag.waits_since_ms),
        making_again=lag.making_again,
    )
