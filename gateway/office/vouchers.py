# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# voucher_service.proto
"""VoucherService: vouchers of Alipay that were redeemed at machines."""

from dataclasses import asdict

from gateway.fleet.answering import Context, Parts, answered
from gateway.office.errors import in_words
from gateway.office.fields import OfficeFields
from gateway.office.v1 import sales_service_pb2, voucher_service_pb2_grpc
from gateway.office.v1 import voucher_service_pb2 as wire
from gateway.office.voucher_calls import VoucherCalls
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.insight.vouchers import RedemptionsTaken, VoucherBooks, VoucherBy, VoucherLine


class VoucherService(voucher_service_pb2_grpc.VoucherServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, vouchers: VoucherBooks) -> None:
        self.parts = parts
        self._vouchers = vouchers
        self._calls = VoucherCalls(vouchers=vouchers, clock=parts.acts.clock)

    @answered
    async def ImportRedemptions(
        self, request: wire.ImportRedemptionsRequest, context: Context
    ) -> wire.ImportRedemptionsResponse:
        def answer(taken: RedemptionsTaken) -> wire.ImportRedemptionsResponse:
            return wire.ImportRedemptionsResponse(**asdict(taken))

        return await self.parts.change(
            request, context, self._calls.import_file, answer, wire.ImportRedemptionsResponse
        )

    @answered
    async def GetVoucherSales(
        self, request: wire.GetVoucherSalesRequest, context: Context
    ) -> wire.GetVoucherSalesResponse:
        fields = OfficeFields()
        by = fields.word("by", wire.VoucherBy, request.by)
        if not by:
            fields.wrong("by", "must be given")
        fields.some_id("template", request.template, needed=False).done()
        with in_words():
            told = await self._vouchers.sales(
                request.first_day, request.last_day, VoucherBy(by), template=request.template
            )
        return wire.GetVoucherSalesResponse(
            lines=map(_line, told.lines),
            newest_day=told.newest_day,
            elsewhere=told.elsewhere,
        )


def _line(of: VoucherLine) -> wire.VoucherLine:
    sold = None
    if of.sold is not None:
        sold = sales_service_pb2.SalesAmount(
            units=of.sold.units, sales=_money(of.sold.sales_minor, of.currency)
        )
    return wire.VoucherLine(
        key=plain(of.key),
        redeemed=of.redeemed,
        given_back=of.given_back,
        orders=_money(of.order_minor, of.currency),
        vouchers=_money(of.voucher_minor, of.currency),
        sold=sold,
    )


def _money(minor: int, currency: str) -> money_pb2.Money:
    return money_pb2.Money(minor=minor, currency=currency)
