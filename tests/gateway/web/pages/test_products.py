"""The catalogue."""

from gateway.office.v1 import product_pb2, product_service_pb2, sales_service_pb2
from gateway.v1 import money_pb2
from gateway.web.sales import last_days
from storage.insight import days
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.site import Site
from tests.support.sold_items import half_past, have_sold


async def test_products_are_shown(site: Site) -> None:
    """Under the name for people here, or the first there is; what is not known is a dash."""
    cost = money_pb2.Money(minor=310, currency="HKD")
    for product in (
        product_pb2.Product(code="cola", names={"zh-Hant": "可樂", "en": "Cola"}, unit_cost=cost),
        product_pb2.Product(code="tea", names={"fr": "Thé"}, category="hot"),
    ):
        await site.products.CreateProduct(product_service_pb2.CreateProductRequest(product=product))
    async with signed_in(site) as browser:
        page = await browser.get("/products")
        hot = await browser.get("/products", params={"category": "hot"})
    assert [
        ["cola", "Cola", "–", "–", "–", "3.10 HKD", "–"],
        ["tea", "Thé", "hot", "–", "–", "–", "–"],
    ] == cells(page)[1:]
    assert ["tea"] == [row[0] for row in cells(hot)[1:]]


async def test_what_sells_is_what_the_call_says(site: Site) -> None:
    """Of the days that are over, with each product's share."""
    today = half_past(site, 11)
    yesterday = days.moved(today, -1)
    items = [("VM-1", yesterday, 9, "cola", 300), ("VM-1", yesterday, 9, "tea", 100)]
    await have_sold(site, [*items, ("VM-1", today, 0, "tea", 5_000)])
    async with signed_in(site) as browser:
        page = await browser.get("/products")
    told = await site.sales.GetSales(last_days(today, sales_service_pb2.SALES_BY_PRODUCT))
    assert [("cola", 300), ("tea", 100)] == [(one.key, one.now.sales.minor) for one in told.lines]
    rows = cells(page)
    assert ["cola", "1", "3.00 HKD", "75.0", "–", "–", "0", "0.00 HKD"] in rows
    assert ["tea", "1", "1.00 HKD", "25.0", "–", "–", "0", "0.00 HKD"] in rows
    assert "not known, HKD" in page.text


async def test_margins_are_told_where_costs_are_known(site: Site) -> None:
    """On the page, to whoever may look, and in its CSV."""
    cost = money_pb2.Money(minor=310, currency="HKD")
    product = product_pb2.Product(code="cola", unit_cost=cost)
    await site.products.CreateProduct(product_service_pb2.CreateProductRequest(product=product))
    yesterday = days.moved(half_past(site, 11), -1)
    items = [("VM-1", yesterday, 9, "cola", 400), ("VM-1", yesterday, 9, "tea", 100)]
    await have_sold(site, items)
    async with signed_in(site) as browser:
        page = await browser.get("/products")
        csv = await browser.get("/products", params={"csv": "sold"})
    rows = cells(page)
    assert ["cola", "1", "4.00 HKD", "80.0", "0.90 HKD", "22.5", "0", "0.00 HKD"] in rows
    assert ["tea", "1", "1.00 HKD", "20.0", "–", "–", "0", "0.00 HKD"] in rows
    assert "cost known for 80.0 % of the money" in page.text
    assert "0.90 HKD, 22.5 %" in page.text
    head, cola, tea = csv.text.splitlines()
    assert 'Margin,"Margin, currency","Margin, %"' in head
    assert "cola,1,4.00,HKD,80.0,0.90,HKD,22.5,0,0.00,HKD" == cola
    assert "tea,1,1.00,HKD,20.0,,,,0,0.00,HKD" == tea
