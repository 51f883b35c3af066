"""All services of the back office: what they are made of, their files, and what serves them."""

from dataclasses import dataclass
from typing import Self, cast

import grpc.aio
from google.protobuf.descriptor import FileDescriptor

from gateway.fleet import services as fleet_services
from gateway.fleet.answering import Parts
from gateway.office.goods import GoodsService
from gateway.office.prices import PriceService
from gateway.office.products import ProductService
from gateway.office.v1 import (
    goods_service_pb2,
    goods_service_pb2_grpc,
    price_service_pb2,
    price_service_pb2_grpc,
    product_service_pb2,
    product_service_pb2_grpc,
)
from storage.database.engine import Database
from storage.office.goods import Goods
from storage.office.prices import Prices
from storage.office.products import Products


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeParts:
    """What the back office's services are made of. ``fleet``: what all administrators' services
    are.
    """

    fleet: Parts
    products: Products
    prices: Prices
    goods: Goods

    @classmethod
    def on(cls, database: Database, fleet: Parts) -> Self:
        """Return the parts over one database."""
        return cls(
            fleet=fleet, products=Products(database), prices=Prices(database), goods=Goods(database)
        )


FILES = (
    *fleet_services.FILES,
    *(
        cast("FileDescriptor", file.DESCRIPTOR)
        for file in (product_service_pb2, price_service_pb2, goods_service_pb2)
    ),
)
"""One file for each service of administrators, the fleet's too."""
METHODS = tuple(
    method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods_by_name
)
"""Every call of administrators, by its name."""


def add_services(parts: OfficeParts, server: grpc.aio.Server) -> None:
    """Let the server answer all calls of administrators, the fleet's too."""
    fleet_services.add_services(parts.fleet, server)
    product_service_pb2_grpc.add_ProductServiceServicer_to_server(
        ProductService(parts.fleet, parts.products), server
    )
    price_service_pb2_grpc.add_PriceServiceServicer_to_server(
        PriceService(parts.fleet, parts.prices), server
    )
    goods_service_pb2_grpc.add_GoodsServiceServicer_to_server(
        GoodsService(parts.fleet, parts.goods), server
    )
