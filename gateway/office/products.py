# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# product_service.proto
"""ProductService: the catalogue of what is sold."""

from gateway.fleet.answering import Context, Parts, answered
from gateway.office import views
from gateway.office.errors import in_words
from gateway.office.fields import OfficeFields
from gateway.office.product_calls import ProductCalls
from gateway.office.v1 import product_service_pb2 as wire
from gateway.office.v1 import product_service_pb2_grpc
from storage.office.products import Products, ProductView


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
