"""Calls of GoodsService about one machine, one van and one product."""

from typing import Any

from gateway.fleet.v1 import machine_pb2
from gateway.office.v1 import goods_service_pb2 as wire
from gateway.office.v1 import product_pb2, product_service_pb2
from gateway.v1 import money_pb2
from tests.support.fleet_calls import registered
from tests.support.site import Site

COLUMNS = [
    machine_pb2.Column(column="A1", product="cola", price_minor=500, capacity=10, stock=2),
    machine_pb2.Column(column="A2", product="tea", price_minor=300, capacity=5, stock=0),
]
NORTH, VAN = "WAREHOUSE:north", "VAN:7"


async def twenty_in_a_van(site: Site) -> None:
    """Have a machine, and twenty of its product in a van."""
    product = product_pb2.Product(code="cola")
    await site.products.CreateProduct(product_service_pb2.CreateProductRequest(product=product))
    await registered(site, columns=COLUMNS)
    received = wire.ReceivedGoods(
        product="cola",
        lot="L1",
        quantity=20,
        expires_on="2099-01-31",
        unit_cost=money_pb2.Money(minor=120, currency="HKD"),
    )
    await site.goods.ReceiveGoods(wire.ReceiveGoodsRequest(to=NORTH, goods=[received]))
    await site.goods.TransferGoods(transfer(20, request_id="first"))


def transfer(quantity: int, come_from: str = NORTH, to: str = VAN, **more: Any) -> Any:
    """Return the request that moves cola between places."""
    goods = [wire.GoodsLine(product="cola", lot="L1", quantity=quantity)]
    values: dict[str, Any] = {"from": come_from, "to": to, "goods": goods, **more}
    return wire.TransferGoodsRequest(**values)


def load(quantity: int = 5, **more: Any) -> Any:
    """Return the request that loads cola from the van into a column."""
    values: dict[str, Any] = {
        "machine_id": "VM-1",
        "column": "A1",
        "product": "cola",
        "lot": "L1",
        "quantity": quantity,
        "from": VAN,
        "visit": "route 3",
        "request_id": "load-1",
        **more,
    }
    return wire.LoadColumnRequest(**values)


def unload(quantity: int, to: str, **more: Any) -> Any:
    """Return the request that takes cola out of the column."""
    values: dict[str, Any] = {
        "machine_id": "VM-1",
        "column": "A1",
        "product": "cola",
        "quantity": quantity,
        "to": to,
        "reason": "" if ":" in to else "it broke",
        **more,
    }
    return wire.UnloadColumnRequest(**values)


def count(counted: int | None, **more: Any) -> Any:
    """Return the request that says how many there were."""
    values: dict[str, Any] = {
        "machine_id": "VM-1",
        "column": "A1",
        "product": "cola",
        "counted": counted,
        **more,
    }
    return wire.CountColumnRequest(**values)


async def there(site: Site) -> dict[str, int]:
    """Return how many are where."""
    listed = await site.goods.ListGoodsBalances(wire.ListGoodsBalancesRequest())
    return {one.place: one.quantity for one in listed.balances}
