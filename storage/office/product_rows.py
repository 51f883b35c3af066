"""Products and their names as rows, read and written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable, Row, bindparam, delete, insert, select, update

from storage.office.product_content import PLAIN, ProductContent
from storage.tables import product_names, products

Writes = tuple[tuple[Executable, Sequence[dict[str, Any]]], ...]

_CHANGING = ("revision", "updated_at_ms", "archived_at_ms", *PLAIN)
_UPDATE = (
    update(products)
    .where(products.c.product == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_NO_NAMES = delete(product_names).where(product_names.c.product == bindparam("of"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    """A product as it is kept. ``archived_at_ms`` is None while planograms may have it."""

    product: str
    content: ProductContent
    revision: int
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None


def one(connection: Connection, product: str, *, lock: bool = False) -> ProductView | None:
    """Return a product, or None. With ``lock`` nobody else changes it before the transaction's
    end.
    """
    return several(connection, [product], lock=lock).get(product)


def several(
    connection: Connection, codes: Sequence[str], *, lock: bool = False
) -> dict[str, ProductView]:
    """Return those of the products that are there, by their codes. With ``lock`` nobody else
    changes them before the transaction's end; they are locked in the order of their codes, so that
    no two wait for each other.
    """
    rows = select(products).where(products.c.product.in_(codes)).order_by(products.c.product)
    found = connection.execute(rows.with_for_update() if lock else rows).all()
    return {view.product: view for view in views_of(connection, found)}


def views_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[ProductView]:
    """Return the products of these rows, in their order."""
    c = product_names.c
    wanted = select(product_names).where(c.product.in_([row.product for row in rows]))
    names: dict[str, dict[str, str]] = {}
    for name in connection.execute(wanted.order_by(c.product, c.language)):
        names.setdefault(name.product, {})[name.language] = name.name
    return [
        ProductView(
            product=row.product,
            content=ProductContent(
                names=names.get(row.product, {}), **{name: getattr(row, name) for name in PLAIN}
            ),
            revision=row.revision,
            created_at_ms=row.created_at_ms,
            updated_at_ms=row.updated_at_ms,
            archived_at_ms=row.archived_at_ms,
        )
        for row in rows
    ]


def inserted(made: Sequence[ProductView]) -> Writes:
    """Return what writes new products."""
    if not made:
        return ()
    return ((insert(products), [_row(view) for view in made]), *_names(made))


def updated(changed: Sequence[ProductView]) -> Writes:
    """Return what writes products that are there as they are now."""
    if not changed:
        return ()
    rows = [
        {"of": row["product"], **{f"new_{name}": row[name] for name in _CHANGING}}
        for row in map(_row, changed)
    ]
    keys = [{"of": view.product} for view in changed]
    return ((_UPDATE, rows), (_NO_NAMES, keys), *_names(changed))


def _names(views: Sequence[ProductView]) -> Writes:
    names = [
        {"product": view.product, "language": language, "name": name}
        for view in views
        for language, name in sorted(view.content.names.items())
    ]
    return ((insert(product_names), names),) if names else ()


def _row(view: ProductView) -> dict[str, Any]:
    return {
        "product": view.product,
        "revision": view.revision,
        "created_at_ms": view.created_at_ms,
        "updated_at_ms": view.updated_at_ms,
        "archived_at_ms": view.archived_at_ms,
        **{name: getattr(view.content, name) for name in PLAIN},
    }
