"""What the back office keeps, as administrators read it: frozen views in, messages of
``gateway.office.v1`` out. Pure and total.
"""

from collections import Counter

from gateway.fleet.views import timestamp
from gateway.office.product_calls import Imported
from gateway.office.product_csv import FileLine
from gateway.office.v1 import price_pb2, product_pb2
from gateway.office.v1 import product_service_pb2 as wire
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.fleet.changes import etag_of
from storage.office.prices import PriceListView, PriceView
from storage.office.product_rows import ProductView
from storage.office.products import Adopted, WishOutcome

LINES_SHOWN_MAX = 500
PROBLEMS_SHOWN_MAX = 5
SAID_LENGTH_MAX = 300
"""The report of a file shows this many lines, problems of a line and characters of each, so that it
fits a client's 4 MiB.
"""


def product(view: ProductView) -> product_pb2.Product:
    """Return one product."""
    content = view.content
    made = product_pb2.Product(
        code=plain(view.product),
        names={plain(language): plain(name) for language, name in content.names.items()},
        category=plain(content.category),
        tax_class=plain(content.tax_class),
        barcode=plain(content.barcode),
        shelf_life_days=content.shelf_life_days,
        image_sha256=plain(content.image_sha256),
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
        etag=etag_of(view.revision),
    )
    if content.unit_cost_minor is not None:
        made.unit_cost.CopyFrom(
            money_pb2.Money(minor=content.unit_cost_minor, currency=content.unit_cost_currency)
        )
    if view.archived_at_ms is not None:
        made.archived_at.CopyFrom(timestamp(view.archived_at_ms))
    return made


def price_list(view: PriceListView) -> price_pb2.PriceList:
    """Return one price list."""
    made = price_pb2.PriceList(
        code=plain(view.price_list),
        name=plain(view.name),
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
        etag=etag_of(view.revision),
    )
    if view.archived_at_ms is not None:
        made.archived_at.CopyFrom(timestamp(view.archived_at_ms))
    return made


def price(view: PriceView) -> price_pb2.Price:
    """Return what a product costs from some moment on."""
    made = price_pb2.Price(
        price_list=plain(view.price_list),
        product=plain(view.product),
        currency=view.currency,
        set_at=timestamp(view.set_at_ms),
        set_by=plain(view.set_by),
    )
    getattr(made, "from").CopyFrom(timestamp(view.from_ms))  # a word of Python's own
    if view.price_minor is not None:
        made.price.CopyFrom(money_pb2.Money(minor=view.price_minor, currency=view.currency))
    return made


def imported(done: Imported) -> wire.ImportProductsResponse:
    """Return what became of a file, line by line."""
    numbers = {line.product: line.number for line in done.lines}
    results = [(_result(one), one) for one in done.outcomes]
    shown = [
        *(_refused(line) for line in done.lines if line.problems),
        *(
            wire.ImportLine(
                line=numbers[one.after.product],
                product=plain(one.after.product),
                result=result,
                difference=plain(one.said)[:SAID_LENGTH_MAX],
            )
            for result, one in results
            if result != wire.IMPORT_RESULT_UNCHANGED
        ),
    ]
    counts = Counter(result for result, _ in results)
    return wire.ImportProductsResponse(
        lines=shown[:LINES_SHOWN_MAX],
        created=counts[wire.IMPORT_RESULT_CREATED],
        changed=counts[wire.IMPORT_RESULT_CHANGED],
        unchanged=counts[wire.IMPORT_RESULT_UNCHANGED],
        refused=sum(1 for line in done.lines if line.problems),
    )


def adopted(done: Adopted) -> wire.AdoptProductsResponse:
    """Return which texts of planograms are products now."""
    return wire.AdoptProductsResponse(
        products=map(plain, done.made), not_adopted=map(plain, done.not_made), more=done.more
    )


def _result(outcome: WishOutcome) -> wire.ImportResult.ValueType:
    if outcome.before is None:
        return wire.IMPORT_RESULT_CREATED
    return wire.IMPORT_RESULT_CHANGED if outcome.said else wire.IMPORT_RESULT_UNCHANGED


def _refused(line: FileLine) -> wire.ImportLine:
    return wire.ImportLine(
        line=line.number,
        product=plain(line.product)[:SAID_LENGTH_MAX],
        result=wire.IMPORT_RESULT_REFUSED,
        problems=[plain(one)[:SAID_LENGTH_MAX] for one in line.problems[:PROBLEMS_SHOWN_MAX]],
    )
