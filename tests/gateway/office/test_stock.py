"""StockService over a real server, real SQL and real actors."""

from gateway.office.v1 import selector_pb2
from gateway.office.v1 import stock_service_pb2 as wire
from tests.support.fleet_calls import refusal
from tests.support.goods_calls import count, load, twenty_in_a_van
from tests.support.site import Site

ALL = selector_pb2.Selector(all=True)


async def test_what_is_low_is_brought(site: Site) -> None:
    """Two of ten are there, eight shall be: it is low, and six are on the pick list; when they are
    loaded it is neither.
    """
    await twenty_in_a_van(site)
    pars = [wire.ColumnPar(column="A1", par=8), wire.ColumnPar(column="A2", par=0)]
    request = wire.SetParsRequest(machine_id="VM-1", pars=pars, request_id="p-1")
    made = await site.stock.SetPars(request)
    assert made == await site.stock.SetPars(request)
    known = await site.stock.GetPars(wire.GetParsRequest(machine_id="VM-1"))
    assert (list(made.pars), made.etag) == (list(known.pars), known.etag)
    _, reason, _ = await refusal(
        site.stock.SetPars(wire.SetParsRequest(machine_id="VM-1", pars=pars, etag="999"))
    )
    assert "ETAG_STALE" == reason

    low = await site.stock.ListLowStock(wire.ListLowStockRequest(selector=ALL))
    assert [("A1", 2, 8), ("A2", 0, 0)] == [(one.column, one.stock, one.par) for one in low.lines]
    picked = await site.stock.GetPickList(
        wire.GetPickListRequest(selector=ALL, arrives_in_hours=24)
    )
    assert [("cola", 6)] == [(one.product, one.quantity) for one in picked.totals]
    assert [("A1", 2, 6)] == [(one.column, one.expected, one.bring) for one in picked.lines]
    await site.goods.LoadColumn(load(6))
    low = await site.stock.ListLowStock(wire.ListLowStockRequest(selector=ALL))
    assert ["A2"] == [one.column for one in low.lines]
    assert not (await site.stock.GetPickList(wire.GetPickListRequest(selector=ALL))).lines


async def test_what_counts_found_is_told(site: Site) -> None:
    """What is missing, at what its lot cost; machines that nobody counted have no line."""
    await twenty_in_a_van(site)
    await site.goods.LoadColumn(load(6))
    await site.goods.CountColumn(count(5))
    told = await site.stock.ListShrinkage(wire.ListShrinkageRequest(selector=ALL))
    (line,) = told.lines
    assert ("VM-1", "cola", 3, 0) == (line.machine_id, line.product, line.lost, line.found)
    assert line.HasField("counted_at")
    assert (360, "HKD") == (line.cost.minor, line.cost.currency)
    _, reason, _ = await refusal(
        site.stock.ListShrinkage(wire.ListShrinkageRequest(selector=ALL, days=91))
    )
    assert "INVALID_REQUEST" == reason
