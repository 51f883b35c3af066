"""What the back office keeps, as administrators read it: frozen views in, messages of
``gateway.office.v1`` out. Pure and total.
"""

from gateway.fleet.views import timestamp
from gateway.office.v1 import product_pb2
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.fleet.changes import etag_of
from storage.office.products import ProductView


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
