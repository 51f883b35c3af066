"""PriceService over a real server and real SQL."""

from typing import Any

import grpc
import pytest

from gateway.fleet.idempotence import LEASE_MS
from gateway.fleet.views import timestamp
from gateway.office.v1 import price_service_pb2 as wire
from gateway.office.v1 import product_pb2, product_service_pb2
from storage.fleet.answers import Answers
from tests.support.fleet_calls import refusal
from tests.support.site import Site

COLA = wire.NewPrice(product="cola", currency="HKD", price_minor=500)
SOON_MS = 3_600_000


@pytest.fixture(autouse=True)
async def _a_list(site: Site) -> None:
    """Have one product and one list."""
    product = product_pb2.Product(code="cola")
    await site.products.CreateProduct(product_service_pb2.CreateProductRequest(product=product))
    await site.prices.CreatePriceList(wire.CreatePriceListRequest(price_list="day", name="Day"))


def setting(*prices: wire.NewPrice, from_ms: int | None = None, **more: Any) -> Any:
    begins = {"from": timestamp(from_ms)} if from_ms is not None else {}
    values: dict[str, Any] = {"price_list": "day", "prices": prices or (COLA,), **begins, **more}
    return wire.SetPricesRequest(**values)


async def price(site: Site, at_ms: int | None = None) -> int:
    at = None if at_ms is None else timestamp(at_ms)
    request = wire.GetPriceRequest(price_list="day", product="cola", currency="HKD", at=at)
    response: wire.GetPriceResponse = await site.prices.GetPrice(request)
    return response.price.price.minor


async def test_a_price_is_set_and_read(site: Site) -> None:
    """Now, and from a moment to come."""
    soon = site.clock.now_ms() + SOON_MS
    done = await site.prices.SetPrices(setting())
    assert (["cola"], "2") == ([one.product for one in done.prices], done.price_list.etag)
    later = wire.NewPrice(product="cola", currency="HKD", price_minor=600)
    await site.prices.SetPrices(setting(later, from_ms=soon))
    assert (500, 600) == (await price(site), await price(site, soon))
    listed = await site.prices.ListPrices(wire.ListPricesRequest(price_list="day"))
    assert [500, 600] == [one.price.minor for one in listed.prices]
    then = await site.prices.ListPrices(
        wire.ListPricesRequest(price_list="day", at=timestamp(soon), product="cola")
    )
    assert [600] == [one.price.minor for one in then.prices]


async def test_a_withdrawn_price_is_none(site: Site) -> None:
    """It is not found, rather than 0."""
    await site.prices.SetPrices(setting())
    await site.prices.SetPrices(
        setting(wire.NewPrice(product="cola", currency="HKD", withdrawn=True))
    )
    assert (grpc.StatusCode.NOT_FOUND, "PRICE_NOT_FOUND", []) == await refusal(price(site))
    listed = await site.prices.ListPrices(wire.ListPricesRequest(price_list="day"))
    assert [True, False] == [one.HasField("price") for one in listed.prices]


async def test_one_request_id_sets_once(site: Site) -> None:
    """Again it is the same answer; with other content it is refused."""
    first = await site.prices.SetPrices(setting(request_id="r-1"))
    assert first == await site.prices.SetPrices(setting(request_id="r-1"))
    other = wire.NewPrice(product="cola", currency="HKD", price_minor=1)
    code, reason, _ = await refusal(site.prices.SetPrices(setting(other, request_id="r-1")))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED") == (code, reason)


async def test_prices_that_are_set_are_answered_though_their_gateway_died(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the answer: by the time somebody may ask again their moment is
    past, the product is archived and another price is in force; they were set all the same.
    """
    at_ms = site.clock.now_ms() + 1_000
    with monkeypatch.context() as killed:
        killed.setattr(Answers, "finish", _nothing)
        first = await site.prices.SetPrices(setting(from_ms=at_ms, request_id="r-1"))
    site.clock.ahead_ms += LEASE_MS
    again = await site.prices.SetPrices(setting(from_ms=at_ms, request_id="r-1"))
    assert [(one.product, one.price.minor) for one in first.prices] == [
        (one.product, one.price.minor) for one in again.prices
    ]


async def _nothing(*_: object) -> None:
    """What a process does that was killed."""


async def test_a_price_that_is_wrong_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """One that was forgotten too: nothing is given away for nothing."""
    for prices, fields in [
        ([wire.NewPrice(product="cola", currency="HKD")], ["prices[0].price_minor"]),
        (
            [wire.NewPrice(product="cola", currency="HKD", price_minor=0)],
            ["prices[0].price_minor"],
        ),
        (
            [wire.NewPrice(product="cola", currency="HKD", price_minor=1, withdrawn=True)],
            ["prices[0].price_minor"],
        ),
        (
            [wire.NewPrice(product="", currency="XXX", price_minor=1)],
            ["prices[0].product", "prices[0].currency"],
        ),
        ([COLA, COLA], ["prices[1]"]),
        ([COLA] * 1_001, ["prices"]),
    ]:
        with subtests.test(fields=fields):
            assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields) == await refusal(
                site.prices.SetPrices(setting(*prices))
            )


async def test_no_price_is_set_for_the_past(site: Site) -> None:
    """Nor for a time that nobody will remember."""
    for from_ms in (site.clock.now_ms() - 60_000, site.clock.now_ms() + 800 * 86_400_000):
        assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["from"]) == await refusal(
            site.prices.SetPrices(setting(from_ms=from_ms))
        )


async def test_a_list_is_archived_and_restored(site: Site) -> None:
    """It takes no prices meanwhile, and is listed when it is asked for."""
    await site.prices.ArchivePriceList(wire.ArchivePriceListRequest(price_list="day", reason="x"))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "PRICE_LIST_ARCHIVED", []) == await refusal(
        site.prices.SetPrices(setting())
    )
    shown = [
        len((await site.prices.ListPriceLists(request)).price_lists)
        for request in (
            wire.ListPriceListsRequest(),
            wire.ListPriceListsRequest(show_archived=True),
        )
    ]
    assert [0, 1] == shown
    await site.prices.RestorePriceList(wire.RestorePriceListRequest(price_list="day", etag="2"))
    view = await site.prices.GetPriceList(wire.GetPriceListRequest(price_list="day"))
    assert ("3", False) == (view.price_list.etag, view.price_list.HasField("archived_at"))


async def test_lists_come_in_pages(site: Site) -> None:
    """Of lists and of prices."""
    for code in ("a", "b"):
        await site.prices.CreatePriceList(wire.CreatePriceListRequest(price_list=code))
    first = await site.prices.ListPriceLists(wire.ListPriceListsRequest(page_size=2))
    rest = await site.prices.ListPriceLists(
        wire.ListPriceListsRequest(page_size=2, page_token=first.next_page_token)
    )
    assert ["a", "b", "day"] == [one.code for page in (first, rest) for one in page.price_lists]
    for minor in (1, 2, 3):
        one = wire.NewPrice(product="cola", currency="HKD", price_minor=minor)
        await site.prices.SetPrices(setting(one))
    page = await site.prices.ListPrices(wire.ListPricesRequest(price_list="day", page_size=2))
    last = await site.prices.ListPrices(
        wire.ListPricesRequest(price_list="day", page_size=2, page_token=page.next_page_token)
    )
    assert [3] == [one.price.minor for one in last.prices]


async def imported(site: Site, text: str, **more: Any) -> wire.ImportPricesResponse:
    request = wire.ImportPricesRequest(**{"price_list": "day", "csv": text.encode(), **more})
    response: wire.ImportPricesResponse = await site.prices.ImportPrices(request)
    return response


async def test_a_list_that_is_not_there_is_said_beside_what_is_wrong_with_its_file(
    site: Site,
) -> None:
    """Only checked or not; a file without mistakes hears of the list alone."""
    for only_check in (False, True):
        text = "product,currency,price_minor\ncola,HKD,4.50\ntea,HKD,4.50\n"
        call = imported(site, text, validate_only=only_check, price_list="dya")
        assert (grpc.StatusCode.INVALID_ARGUMENT, "IMPORT_REFUSED", ["price_list", "csv"]) == (
            await refusal(call)
        )
        call = imported(site, text.replace(".", ""), validate_only=only_check, price_list="dya")
        assert "PRICE_LIST_NOT_FOUND" == (await refusal(call))[1]


async def test_a_file_is_imported_whole(site: Site) -> None:
    """Each line is answered for, and once for one request id."""
    await site.prices.SetPrices(setting())
    text = (
        "product,currency,price_minor,from\ncola,HKD,600,\ncola,JPY,70,\n"
        "cola,HKD,600,2027-01-15T08:00:00Z\n"
    )
    done = await imported(site, text, request_id="r-1", etag="2")
    assert (1, 1, 1, 0) == (done.created, done.changed, done.unchanged, done.refused)
    assert ([2, 3], "3") == ([one.line for one in done.lines], done.price_list.etag)
    assert done == await imported(site, text, request_id="r-1", etag="2")
    assert 600 == await price(site)
    code, reason, _ = await refusal(imported(site, text, etag="2"))
    assert (grpc.StatusCode.ABORTED, "ETAG_STALE") == (code, reason)


async def test_a_file_with_a_mistake_does_nothing(site: Site) -> None:
    """A rehearsal shows every line; the call itself is refused, whoever finds the mistake."""
    head = "product,currency,price_minor,from\n"
    text = f"{head}cola,HKD,600,\ncola,HKD,700,2001-01-01T00:00:00Z\ntea,HKD,5,\n,HKD,x,\n"
    shown = await imported(site, text, validate_only=True)
    assert (1, 3) == (shown.created, shown.refused)
    assert [3, 4, 5, 2] == [one.line for one in shown.lines]
    for one, numbers in ((text, [5, 5]), (text.removesuffix(",HKD,x,\n"), [3, 4])):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await imported(site, one)
        told = refused.value.details() or ""
        assert grpc.StatusCode.INVALID_ARGUMENT == refused.value.code()
        assert numbers == [int(part[0]) for part in told.split("line ")[1:]]
    assert (grpc.StatusCode.NOT_FOUND, "PRICE_NOT_FOUND", []) == await refusal(price(site))


async def test_what_is_exported_imports_unchanged(site: Site) -> None:
    """Page by page."""
    for minor, ahead_ms in ((500, None), (600, SOON_MS), (700, 2 * SOON_MS)):
        from_ms = None if ahead_ms is None else site.clock.now_ms() + ahead_ms
        one = wire.NewPrice(product="cola", currency="HKD", price_minor=minor)
        await site.prices.SetPrices(setting(one, from_ms=from_ms))
    token, unchanged = "", []
    while True:
        page = await site.prices.ExportPrices(
            wire.ExportPricesRequest(price_list="day", page_size=2, page_token=token)
        )
        done = await imported(site, page.csv.decode())
        unchanged.append((done.created, done.changed, done.unchanged, done.price_list.etag))
        if not (token := page.next_page_token):
            break
    assert [(0, 0, 2, "4"), (0, 0, 1, "4")] == unchanged
