"""Alipay's file of vouchers over a real server."""

from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from gateway.office.v1 import voucher_service_pb2 as wire
from gateway.office.v1 import voucher_service_pb2_grpc
from storage.insight import days
from tests.gateway.office.tagging import TRADE, paid
from tests.gateway.office.vouchers import voucher, vouchers
from tests.support.fleet_calls import refusal
from tests.support.site import Site

ANN = (("x-actor", "ann"),)


def _stub(site: Site) -> Any:
    return voucher_service_pb2_grpc.VoucherServiceStub(site.channel)


def _file(*lines: str, **more: Any) -> wire.ImportRedemptionsRequest:
    return wire.ImportRedemptionsRequest(csv=vouchers(*lines).encode(), **more)


async def test_a_file_is_taken_in_and_told(site: Site) -> None:
    """A rehearsal says what it comes to; the same file again adds nothing."""
    await paid(site)
    calls = _stub(site)
    lines = (voucher("v1", trade=TRADE), voucher("v2", trade="elsewhere"))
    both = wire.ImportRedemptionsResponse(added=2, elsewhere=1)
    assert both == await calls.ImportRedemptions(_file(*lines, validate_only=True), metadata=ANN)
    for _ in range(2):
        assert both == await calls.ImportRedemptions(_file(*lines, request_id="r1"), metadata=ANN)
    same = await calls.ImportRedemptions(_file(*lines), metadata=ANN)
    assert wire.ImportRedemptionsResponse(known=2, elsewhere=1) == same
    newest = (await calls.GetVoucherSales(_asked(20260115))).newest_day
    (line,) = (await calls.GetVoucherSales(_asked(newest))).lines
    assert ("T1", 1, 0, 850, 200, "HKD", False) == (
        line.key,
        line.redeemed,
        line.given_back,
        line.orders.minor,
        line.vouchers.minor,
        line.vouchers.currency,
        line.HasField("sold"),
    )
    by_machine = await calls.GetVoucherSales(_asked(newest, by=wire.VOUCHER_BY_MACHINE))
    (line,) = by_machine.lines
    assert ("VM-1", True, 1) == (line.key, line.HasField("sold"), by_machine.elsewhere)


async def test_what_is_wrong_with_a_file_is_said(site: Site) -> None:
    """And nothing of it is kept, nor if only a line that was told before differs."""
    calls = _stub(site)
    code, reason, fields = await refusal(
        calls.ImportRedemptions(_file("v1", voucher("v2", kind="X")), metadata=ANN)
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "IMPORT_REFUSED", ["csv"]) == (code, reason, fields)
    await calls.ImportRedemptions(_file("v1"), metadata=ANN)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await calls.ImportRedemptions(_file("v0", voucher("v1", amount="3.00")), metadata=ANN)
    assert "line 3: was told before with other amounts" in str(refused.value.details())
    assert 1 == (await calls.GetVoucherSales(_asked(20260115))).elsewhere


async def test_what_nobody_can_answer_is_refused(site: Site) -> None:
    """Without by what, or of days that are none."""
    calls = _stub(site)
    asked: Mapping[str, wire.GetVoucherSalesRequest] = {
        "INVALID_REQUEST": wire.GetVoucherSalesRequest(first_day=20260115, last_day=20260115),
        "NO_SUCH_DAYS": _asked(7),
    }
    broken = wire.GetVoucherSalesRequest(
        first_day=20260115, last_day=20260115, by=wire.VOUCHER_BY_DAY, template="a\0b"
    )
    assert "INVALID_REQUEST" == (await refusal(calls.GetVoucherSales(broken)))[1]
    for reason, request in asked.items():
        assert reason == (await refusal(calls.GetVoucherSales(request)))[1]


def _asked(
    day: int, by: wire.VoucherBy.ValueType = wire.VOUCHER_BY_TEMPLATE
) -> wire.GetVoucherSalesRequest:
    first = days.moved(day, -1) if day > 9 else day
    return wire.GetVoucherSalesRequest(first_day=first, last_day=day, by=by)
