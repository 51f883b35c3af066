# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# product_service.proto
"""ProductService: the catalogue of what is sold."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import product_csv, views
from gateway.office.errors import in_words
from gateway.office.fields import CATEGORY_LENGTH_MAX, OfficeFields
from gateway.office.product_calls import ProductCalls
from gateway.office.v1 import product_service_pb2 as wire
from gateway.office.v1 import product_service_pb2_grpc
from storage.office.product_rows import ProductView
from storage.office.products import Adopted, Products, ProductsWanted

EXPORTED_MAX = 5_000
"""A page of an export has this many products at most, as a file that is imported has."""


class ProductService(product_service_pb2_grpc.ProductServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, products: Products) -> None:
        self.parts = parts
        self._products = products
        self._calls = ProductCalls(products=products, clock=parts.acts.clock)

    @answered
    async def CreateProduct(
        self, request: wire.CreateProductRequest, context: Context
    ) -> wire.CreateProductResponse:
        def answer(view: ProductView) -> wire.CreateProductResponse:
            return wire.CreateProductResponse(product=views.product(view))

        return await self.parts.change(
            request, context, self._calls.create, answer, wire.CreateProductResponse
        )

    @answered
    async def GetProduct(
        self, request: wire.GetProductRequest, context: Context
    ) -> wire.GetProductResponse:
        OfficeFields().product(request.product).done()
        with in_words():
            view = await self._products.get(request.product)
        return wire.GetProductResponse(product=views.product(view))

    @answered
    async def ListProducts(
        self, request: wire.ListProductsRequest, context: Context
    ) -> wire.ListProductsResponse:
        fields = OfficeFields()
        fields.part("text", request.text)
        fields.line("category", request.category, most=CATEGORY_LENGTH_MAX)
        fields.barcode(request.barcode)
        wanted = ProductsWanted(
            text=request.text,
            category=request.category,
            barcode=request.barcode,
            archived=request.show_archived,
        )
        asked = fields.done_page(request, "products", wanted)
        rows = await self._products.page(wanted, after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.product)
        return wire.ListProductsResponse(
            products=map(views.product, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def UpdateProduct(
        self, request: wire.UpdateProductRequest, context: Context
    ) -> wire.UpdateProductResponse:
        def answer(view: ProductView) -> wire.UpdateProductResponse:
            return wire.UpdateProductResponse(product=views.product(view))

        return await self.parts.change(
            request, context, self._calls.update, answer, wire.UpdateProductResponse
        )

    @answered
    async def ArchiveProduct(
        self, request: wire.ArchiveProductRequest, context: Context
    ) -> wire.ArchiveProductResponse:
        def answer(view: ProductView) -> wire.ArchiveProductResponse:
            return wire.ArchiveProductResponse(product=views.product(view))

        return await self.parts.change(
            request, context, self._calls.archive, answer, wire.ArchiveProductResponse
        )

    @answered
    async def RestoreProduct(
        self, request: wire.RestoreProductRequest, context: Context
    ) -> wire.RestoreProductResponse:
        def answer(view: ProductView) -> wire.RestoreProductResponse:
            return wire.RestoreProductResponse(product=views.product(view))

        return await self.parts.change(
            request, context, self._calls.restore, answer, wire.RestoreProductResponse
        )

    @answered
    async def ImportProducts(
        self, request: wire.ImportProductsRequest, context: Context
    ) -> wire.ImportProductsResponse:
        return await self.parts.change(
            request, context, self._calls.import_file, views.imported, wire.ImportProductsResponse
        )

    @answered
    async def ExportProducts(
        self, request: wire.ExportProductsRequest, context: Context
    ) -> wire.ExportProductsResponse:
        fields = OfficeFields()
        fields.line("category", request.category, most=CATEGORY_LENGTH_MAX)
        wanted = ProductsWanted(category=request.category, archived=request.show_archived)
        fields.done()
        asked = pages.asked(
            request.page_size or EXPORTED_MAX,
            request.page_token,
            "exported products",
            wanted,
            most=EXPORTED_MAX,
        )
        rows = await self._products.page(wanted, after=asked.position, limit=asked.rows)
        content, count = product_csv.written(rows[: asked.limit])
        page = pages.page(rows, asked.shorter(count), lambda row: row.product)
        return wire.ExportProductsResponse(csv=content, next_page_token=page.next_page_token)

    @answered
    async def AdoptProducts(
        self, request: wire.AdoptProductsRequest, context: Context
    ) -> wire.AdoptProductsResponse:
        def answer(adopted: Adopted) -> wire.AdoptProductsResponse:
            return views.adopted(adopted)

        return await self.parts.change(
            request, context, self._calls.adopt, answer, wire.AdoptProductsResponse
        )
