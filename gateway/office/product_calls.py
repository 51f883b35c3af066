"""The changing calls of ProductService: each request is checked whole, then done by the catalogue.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the product, or CallRefused
with every problem of the request.
"""

from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import in_words
from gateway.office.fields import CATEGORY_LENGTH_MAX, TAX_CLASS_LENGTH_MAX, OfficeFields
from gateway.office.v1 import product_pb2
from gateway.office.v1 import product_service_pb2 as wire
from storage.office.deeds import Deed
from storage.office.products import ProductContent, Products, ProductView


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    products: Products
    clock: Clock

    async def create(self, request: wire.CreateProductRequest, act: Act) -> ProductView:
        """CreateProduct."""
        fields = OfficeFields().product(request.product.code, field="product.code")
        content = content_of(fields, request.product)
        fields.done()
        with in_words():
            return await self.products.create(
                request.product.code, content, self._deed(act, "CreateProduct")
            )

    def _deed(self, act: Act, action: str) -> Deed:
        return Deed(
            actor=act.by,
            action=action,
            now_ms=self.clock.now_ms(),
            claim=act.claim,
            only_check=act.validate_only,
        )


def content_of(fields: OfficeFields, product: product_pb2.Product) -> ProductContent:
    """Return what a product is to be, and note in ``fields`` what is wrong with it."""
    fields.names(product.names, field="product.names")
    fields.line("product.category", product.category, most=CATEGORY_LENGTH_MAX)
    fields.line("product.tax_class", product.tax_class, most=TAX_CLASS_LENGTH_MAX)
    fields.barcode(product.barcode, field="product.barcode")
    fields.shelf_life(product.shelf_life_days, field="product.shelf_life_days")
    fields.sha256(product.image_sha256, field="product.image_sha256")
    cost_minor, currency = None, ""
    if product.HasField("unit_cost"):
        cost_minor, currency = fields.money(product.unit_cost, field="product.unit_cost")
    return ProductContent(
        names=dict(product.names),
        category=product.category,
        tax_class=product.tax_class,
        barcode=product.barcode,
        shelf_life_days=product.shelf_life_days,
        unit_cost_minor=cost_minor,
        unit_cost_currency=currency,
        image_sha256=product.image_sha256,
    )
