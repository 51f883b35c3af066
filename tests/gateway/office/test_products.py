"""ProductService over a real server and real SQL."""

from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office.v1 import product_pb2
from gateway.office.v1 import product_service_pb2 as wire
from gateway.v1 import money_pb2
from tests.support.fleet_calls import refusal, registered
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


async def test_a_code_in_another_form_of_unicode_is_the_same_code(site: Site) -> None:
    """Whoever types it, in a call or a file, and whatever their computer makes of an accent."""
    apart, one = "cafe\u0301", "caf\u00e9"
    first = await site.products.CreateProduct(creation(code=apart, request_id="r-1"))
    assert one == first.product.code
    assert first == await site.products.CreateProduct(creation(code=one, request_id="r-1"))
    read = await site.products.GetProduct(wire.GetProductRequest(product=apart))
    assert first.product == read.product
    csv = f"product,name en\n{apart},Coffee\n".encode()
    done = await site.products.ImportProducts(wire.ImportProductsRequest(csv=csv))
    assert (0, 1) == (done.created, done.changed)


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


def update(*paths: str, etag: str = "", **values: Any) -> wire.UpdateProductRequest:
    """A request that sets these fields of cola."""
    product = product_pb2.Product(code="cola", **values)
    return wire.UpdateProductRequest(product=product, update_mask=FieldMask(paths=paths), etag=etag)


async def codes(site: Site, **wanted: Any) -> list[str]:
    listed = await site.products.ListProducts(wire.ListProductsRequest(**wanted))
    return [one.code for one in listed.products]


async def test_an_update_sets_what_its_mask_names(site: Site) -> None:
    """Single names too; what is named and not given is taken away."""
    await site.products.CreateProduct(creation())
    changed = await site.products.UpdateProduct(
        update("names.en", "names.zh-HK", "unit_cost", names={"en": "Coke"}, category="ignored")
    )
    product = changed.product
    assert ({"en": "Coke"}, "drinks", False, "2") == (
        dict(product.names),
        product.category,
        product.HasField("unit_cost"),
        product.etag,
    )


async def test_of_two_with_one_etag_one_wins(site: Site) -> None:
    """The other hears the present etag."""
    await site.products.CreateProduct(creation())
    await site.products.UpdateProduct(update("category", category="a", etag="1"))
    assert (grpc.StatusCode.ABORTED, "ETAG_STALE", []) == await refusal(
        site.products.UpdateProduct(update("category", category="b", etag="1"))
    )


async def test_an_update_that_is_wrong_changes_nothing(
    site: Site, subtests: pytest.Subtests
) -> None:
    """An empty mask means nothing, and not everything."""
    await site.products.CreateProduct(creation())
    for request_, fields in [
        (update(), ["update_mask"]),
        (update("code"), ["update_mask"]),
        (update("*"), ["update_mask"]),
        (update("archived_at"), ["update_mask"]),
        (update("names.EN"), ["product.names"]),
        (update("names", names={"en": ""}), ["product.names[en]"]),
        (update("barcode", barcode="1", category=" ignored"), ["product.barcode"]),
        (update("category", category="x" * 65), ["product.category"]),
    ]:
        with subtests.test(fields=fields):
            assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields) == await refusal(
                site.products.UpdateProduct(request_)
            )
            now = await site.products.GetProduct(wire.GetProductRequest(product="cola"))
            assert "1" == now.product.etag


async def test_archived_and_restored(site: Site) -> None:
    """Twice is once; a list shows it when it is asked for."""
    await site.products.CreateProduct(creation())
    archive = wire.ArchiveProductRequest(product="cola", reason="too sweet")
    gone = await site.products.ArchiveProduct(archive)
    assert gone.product.HasField("archived_at")
    assert gone == await site.products.ArchiveProduct(archive)
    assert ([], ["cola"]) == (await codes(site), await codes(site, show_archived=True))
    back = await site.products.RestoreProduct(wire.RestoreProductRequest(product="cola"))
    assert (False, "3") == (back.product.HasField("archived_at"), back.product.etag)


async def test_lists_come_in_pages(site: Site) -> None:
    """In the order of codes, narrowed by what is asked for."""
    for code, category in (("a", "x"), ("b", "y"), ("c", "x")):
        await site.products.CreateProduct(creation(code=code, category=category))
    first = await site.products.ListProducts(wire.ListProductsRequest(page_size=2))
    assert ["c"] == await codes(site, page_size=2, page_token=first.next_page_token)
    assert ["a", "c"] == await codes(site, category="x")
    assert ["a", "b", "c"] == await codes(site, text="COLA", barcode="4006381333931")
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["page_token"]) == await refusal(
        site.products.ListProducts(
            wire.ListProductsRequest(category="x", page_token=first.next_page_token)
        )
    )


async def imported(site: Site, text: str, **more: Any) -> wire.ImportProductsResponse:
    request = wire.ImportProductsRequest(csv=text.encode(), **more)
    response: wire.ImportProductsResponse = await site.products.ImportProducts(request)
    return response


async def test_a_file_is_imported_whole(site: Site) -> None:
    """Each line is answered for."""
    await site.products.CreateProduct(creation())
    await site.products.CreateProduct(creation(code="same"))
    text = "product,category\ncola,soda\ntea,hot\nsame,drinks\n"
    done = await imported(site, text, request_id="r-1")
    assert (1, 1, 1, 0) == (done.created, done.changed, done.unchanged, done.refused)
    assert [
        (2, "cola", wire.IMPORT_RESULT_CHANGED, "category 'drinks' -> 'soda'"),
        (3, "tea", wire.IMPORT_RESULT_CREATED, "category none -> 'hot'"),
    ] == [(one.line, one.product, one.result, one.difference) for one in done.lines]
    assert done == await imported(site, text, request_id="r-1")
    assert 3 == (await imported(site, text)).unchanged


async def test_a_planogram_with_an_unknown_product_is_set_with_a_warning(site: Site) -> None:
    """Only checked or not, and again for the same request; a known one is none."""
    await registered(site)
    await site.products.CreateProduct(creation(code="cola"))
    columns = [
        machine_pb2.Column(column=column, product=product, price_minor=500, capacity=5)
        for column, product in (("A1", "cola"), ("A2", "cloa"))
    ]
    request = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=columns, validate_only=True
    )
    checked = await site.fleet.SetPlanogram(request)
    (said,) = checked.warnings
    assert said.startswith("the catalogue has no product 'cloa'; it is sold all the same")
    request.validate_only, request.request_id = False, "p-1"
    for _ in range(2):
        assert [said] == list((await site.fleet.SetPlanogram(request)).warnings)


async def test_a_file_with_a_mistake_does_nothing(site: Site) -> None:
    """A rehearsal shows every line; the call itself is refused."""
    text = "product,barcode\ncola,96385074\ntea,1\n,\n"
    shown = await imported(site, text, validate_only=True)
    assert (1, 2) == (shown.created, shown.refused)
    assert [
        (
            3,
            wire.IMPORT_RESULT_REFUSED,
            ["barcode: must be a GTIN of 8, 12, 13 or 14 digits, or empty"],
        ),
        (4, wire.IMPORT_RESULT_REFUSED, ["product: must have 1 to 64 bytes"]),
        (2, wire.IMPORT_RESULT_CREATED, []),
    ] == [(one.line, one.result, list(one.problems)) for one in shown.lines]
    assert (grpc.StatusCode.INVALID_ARGUMENT, "IMPORT_REFUSED", ["csv", "csv"]) == await refusal(
        imported(site, text)
    )
    assert [] == await codes(site)


async def test_a_file_with_many_mistakes_is_refused_in_few_words(site: Site) -> None:
    """A status has room for little, and has it even then."""
    lines = (f"p{number},x{number}\n" for number in range(2_000))
    text = "product,shelf_life_days\n" + "".join(lines)
    code, reason, fields = await refusal(imported(site, text))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "IMPORT_REFUSED", 20) == (code, reason, len(fields))


async def test_what_is_exported_imports_unchanged(site: Site) -> None:
    """Page by page, archived ones too."""
    for code in ("=1+1", "'Nduja", "cola"):
        await site.products.CreateProduct(creation(code=code, names={"en": f"-{code}"}))
    await site.products.ArchiveProduct(wire.ArchiveProductRequest(product="cola"))
    token, files = "", []
    while True:
        request = wire.ExportProductsRequest(page_size=2, page_token=token, show_archived=True)
        page = await site.products.ExportProducts(request)
        files.append(page.csv)
        if not (token := page.next_page_token):
            break
    assert 2 == len(files)
    done = [
        await site.products.ImportProducts(wire.ImportProductsRequest(csv=one)) for one in files
    ]
    assert [(0, 0), (0, 0)] == [(one.created, one.changed) for one in done]
    assert 3 == sum(one.unchanged for one in done)


async def test_planograms_that_were_there_first_are_adopted(site: Site) -> None:
    """Their texts are products from then on."""
    await registered(site)
    shown = await site.products.AdoptProducts(wire.AdoptProductsRequest(validate_only=True))
    assert (["cola"], []) == (list(shown.products), await codes(site))
    request = wire.AdoptProductsRequest(request_id="r-1")
    done = await site.products.AdoptProducts(request)
    assert done == await site.products.AdoptProducts(request)
    assert (["cola"], ["cola"]) == (list(done.products), await codes(site))
