"""The changing calls of ProductService: each request is checked whole, then done by the catalogue.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the product, or CallRefused
with every problem of the request. A field that was forgotten destroys nothing: what no mask and no
column of a file names stays as it is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office import product_csv
from gateway.office.errors import deed_of, import_refused, in_words
from gateway.office.fields import CATEGORY_LENGTH_MAX, TAX_CLASS_LENGTH_MAX, OfficeFields
from gateway.office.product_csv import FileLine
from gateway.office.v1 import product_pb2
from gateway.office.v1 import product_service_pb2 as wire
from storage.office.product_content import PLAIN, ProductChange, ProductContent
from storage.office.product_rows import ProductView
from storage.office.products import Adopted, Products, WishOutcome

_NAME = "names."
_COST = ("unit_cost_minor", "unit_cost_currency")
_SET_ALONE = tuple(name for name in PLAIN if name not in _COST)
PATHS = (*_SET_ALONE, "unit_cost", "names")
"""What UpdateProduct can change, beside single names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The lines of a file, and what each that can be done comes to."""

    lines: Sequence[FileLine]
    outcomes: Sequence[WishOutcome]


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
                request.product.code, content, deed_of(act, "CreateProduct", self.clock)
            )

    async def update(self, request: wire.UpdateProductRequest, act: Act) -> ProductView:
        """UpdateProduct."""
        fields = OfficeFields().product(request.product.code, field="product.code")
        change = change_of(fields, request.product, request.update_mask)
        etag = fields.etag_of(request.etag, request.product.etag, field="product.etag")
        fields.done()
        with in_words():
            return await self.products.change(
                request.product.code, change, deed_of(act, "UpdateProduct", self.clock), etag=etag
            )

    async def archive(self, request: wire.ArchiveProductRequest, act: Act) -> ProductView:
        """ArchiveProduct."""
        fields = OfficeFields().product(request.product)
        fields.etag(request.etag).reason(request.reason).done()
        with in_words():
            return await self.products.change(
                request.product,
                ProductChange(archived=True),
                deed_of(act, "ArchiveProduct", self.clock),
                etag=request.etag,
                why=request.reason,
            )

    async def restore(self, request: wire.RestoreProductRequest, act: Act) -> ProductView:
        """RestoreProduct."""
        OfficeFields().product(request.product).etag(request.etag).done()
        with in_words():
            return await self.products.change(
                request.product,
                ProductChange(archived=False),
                deed_of(act, "RestoreProduct", self.clock),
                etag=request.etag,
            )

    async def import_file(self, request: wire.ImportProductsRequest, act: Act) -> Imported:
        """ImportProducts. Only a rehearsal returns lines with problems."""
        lines = await asyncio.to_thread(product_csv.read, request.csv)  # The loop has customers.
        problems = [(line, problem) for line in lines for problem in line.problems]
        if problems and not act.validate_only:
            raise import_refused([(line.number, said) for line, said in problems])
        wishes = [line.wish for line in lines if line.wish is not None]
        with in_words():
            outcomes = await self.products.change_all(
                wishes, deed_of(act, "ImportProducts", self.clock)
            )
        return Imported(lines=lines, outcomes=outcomes)

    async def adopt(self, _: wire.AdoptProductsRequest, act: Act) -> Adopted:
        """AdoptProducts."""
        with in_words():
            return await self.products.adopt(deed_of(act, "AdoptProducts", self.clock))


def content_of(fields: OfficeFields, product: product_pb2.Product) -> ProductContent:
    """Return what a product is to be, and note in ``fields`` what is wrong with it."""
    _check(fields, product, frozenset(PATHS))
    return ProductContent(names=dict(product.names), **_plain(product, PATHS))


def change_of(fields: OfficeFields, product: product_pb2.Product, mask: FieldMask) -> ProductChange:
    """Return the change, and note in ``fields`` what is wrong with it."""
    single = {path.removeprefix(_NAME) for path in mask.paths if path.startswith(_NAME)}
    known = [*sorted(PATHS), *(f"{_NAME}{language}" for language in single)]
    words = f"{', '.join(sorted(PATHS))} and {_NAME}<language>"
    paths = fields.mask(mask.paths, known, words=words).intersection(PATHS)
    _check(fields, product, paths)
    some = {language: product.names.get(language, "") for language in single}
    fields.names({language: name or "-" for language, name in some.items()}, field="product.names")
    return ProductChange(
        plain=_plain(product, paths),
        names=dict(product.names) if "names" in paths else None,
        some_names=some,
    )


def _check(fields: OfficeFields, product: product_pb2.Product, paths: frozenset[str]) -> None:
    """Note what is wrong with those fields of a product that ``paths`` names."""
    if "names" in paths:
        fields.names(product.names, field="product.names")
    if "category" in paths:
        fields.line("product.category", product.category, most=CATEGORY_LENGTH_MAX)
    if "tax_class" in paths:
        fields.line("product.tax_class", product.tax_class, most=TAX_CLASS_LENGTH_MAX)
    if "barcode" in paths:
        fields.barcode(product.barcode, field="product.barcode")
    if "shelf_life_days" in paths:
        fields.shelf_life(product.shelf_life_days, field="product.shelf_life_days")
    if "image_sha256" in paths:
        fields.sha256(product.image_sha256, field="product.image_sha256")
    if "unit_cost" in paths and product.HasField("unit_cost"):
        fields.money(product.unit_cost, field="product.unit_cost")


def _plain(product: product_pb2.Product, paths: Sequence[str] | frozenset[str]) -> dict[str, Any]:
    """Return the columns that ``paths`` names, with the values that the product has."""
    values = {name: getattr(product, name) for name in _SET_ALONE if name in paths}
    if "unit_cost" in paths:
        said = product.HasField("unit_cost")
        values["unit_cost_minor"] = product.unit_cost.minor if said else None
        values["unit_cost_currency"] = product.unit_cost.currency if said else ""
    return values
