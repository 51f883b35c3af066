"""ProductService over a real server and real SQL."""

from typing import Any

import grpc
from google.protobuf import json_format

from gateway.office.v1 import product_pb2
from gateway.office.v1 import product_service_pb2 as wire
from gateway.v1 import money_pb2
from tests.support.fleet_calls import refusal
from tests.support.site import Site

COLA: dict[str, Any] = {
    "code": "cola",
    "names": {"en": "Cola", "zh-HK": "可樂"},
    "category": "drinks",
    "tax_class": "standard",
    "barcode": "4006381333931",
    "shelf_life_days": 270,
    "unit_cost": money_pb2.Money(minor=210, currency="HKD"),
    "image_sha256": "a" * 64,
}


def creation(**changes: Any) -> wire.CreateProductRequest:
    """A request for a product that is right but for ``changes``."""
    asked = {name: changes.pop(name) for name in ("request_id", "validate_only") if name in changes}
    return wire.CreateProductRequest(product=product_pb2.Product(**{**COLA, **changes}), **asked)


async def test_a_product_reads_well(site: Site) -> None:
    """What was given comes back, with its times and its etag."""
    made = (await site.products.CreateProduct(creation())).product
    read = (await site.products.GetProduct(wire.GetProductRequest(product="cola"))).product
    assert made == read
    told = json_format.MessageToDict(read)
    assert {"en": "Cola", "zh-HK": "可樂"} == told["names"]
    assert {"minor": "210", "currency": "HKD"} == told["unitCost"]
    assert ("1", True, False) == (told["etag"], "createdAt" in told, "archivedAt" in told)


async def test_a_product_is_made_once(site: Site) -> None:
    """With one request id, and without one; other content is refused in both ways."""
    first = await site.products.CreateProduct(creation(request_id="r-1"))
    assert first == await site.products.CreateProduct(creation(request_id="r-1"))
    assert first == await site.products.CreateProduct(creation())
    assert (
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        ["request_id"],
    ) == await refusal(site.products.CreateProduct(creation(request_id="r-1", category="x")))
    assert (grpc.StatusCode.ALREADY_EXISTS, "PRODUCT_EXISTS", []) == await refusal(
        site.products.CreateProduct(creation(category="x"))
    )


async def test_a_rehearsal_makes_nothing(site: Site) -> None:
    """It shows the product as it would be."""
    shown = await site.products.CreateProduct(creation(validate_only=True))
    assert "cola" == shown.product.code
    assert (grpc.StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", []) == await refusal(
        site.products.GetProduct(wire.GetProductRequest(product="cola"))
    )


async def test_what_is_wrong_is_said_at_once(site: Site) -> None:
    """Every problem of the request, by its field."""
    wrong = creation(code="", barcode="123", category=" x", shelf_life_days=9_999)
    assert (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        ["product.code", "product.category", "product.barcode", "product.shelf_life_days"],
    ) == await refusal(site.products.CreateProduct(wrong))
