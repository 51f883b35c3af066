"""The catalogue."""

from gateway.office.v1 import product_pb2, product_service_pb2
from gateway.v1 import money_pb2
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.site import Site


async def test_products_are_shown(site: Site) -> None:
    """Under the name for people here, or the first there is; what is not known is empty."""
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
        ["cola", "Cola", "", "", "–", "3.10 HKD", "–"],
        ["tea", "Thé", "hot", "", "–", "–", "–"],
    ] == cells(page)[1:]
    assert ["tea"] == [row[0] for row in cells(hot)[1:]]
